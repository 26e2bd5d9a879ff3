"""What comes in by the command line, the environment and mounts."""

import trial  # isort: skip

import errno
import importlib.util
import os
import sys


@trial.attempt("arguments as they were given")
def arguments():
    """Shell metacharacters, `--`, empty and long ones: each a word."""
    return "as given" if sys.argv[2:] == trial.facts["words"] else "changed"


@trial.attempt("a command from an argument")
def command():
    """What a shell would have made of them."""
    for path in ("/tmp/injected", "/data/injected"):
        if os.path.exists(path):
            return path
    return "none"


@trial.attempt("variables of the loader's")
def variables():
    """They were set for wafer itself: none came through."""
    names = {
        "LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "PYTHONSTARTUP",
        "PYTHONPATH", "PYTHONHOME", "GLIBC_TUNABLES", "BASH_ENV",
    }  # fmt: skip
    found = names & set(os.environ)
    return "none" if not found else " ".join(sorted(found))


@trial.attempt("a library by LD_PRELOAD")
def preload():
    """Not in this process, nor in one that it starts."""
    with open("/proc/self/maps", encoding="utf-8") as maps:
        return "loaded" if "BrokenLocale" in maps.read() else "none"


@trial.attempt("a module by PYTHONPATH")
def python_path():
    if "injected" in sys.modules or any("inject" in p for p in sys.path):
        return "there"
    return "none" if importlib.util.find_spec("injected") is None else "there"


def plant(name, make):
    """Puts something where the host, or the next run, will look."""

    def go():
        path = os.path.join(trial.facts["mount"], name)
        make(path)
        return "planted"

    trial.add(f"plant {name}", go)


plant("link-to-shadow", lambda path: os.symlink("/etc/shadow", path))
plant("link-to-canary", lambda path: os.symlink(
    trial.facts["canary_path"], path))  # fmt: skip
plant("link-to-proc", lambda path: os.symlink("/proc/self/fd/1", path))
plant("fifo", os.mkfifo)


@trial.attempt("plant a socket")
def plant_socket():
    import socket

    server = socket.socket(socket.AF_UNIX)
    server.bind(os.path.join(trial.facts["mount"], "socket"))
    return "planted"


@trial.attempt("plant a hard link to a file outside the mount")
def hard_link():
    os.link("/usr/bin/id", os.path.join(trial.facts["mount"], "hard"))


@trial.attempt("plant a device")
def device():
    os.mknod(
        os.path.join(trial.facts["mount"], "device"), 0o20666, os.makedev(1, 3)
    )


@trial.attempt("plant a setuid program")
def setuid():
    path = os.path.join(trial.facts["mount"], "setuid")
    with open(path, "wb") as file:
        file.write(b"x")
    os.chmod(path, 0o4755)


@trial.attempt("race a folder of the mount against a link")
def race():
    """The mount's root can't be replaced: it is the mount."""
    os.rename(trial.facts["mount"], "/tmp/elsewhere")


@trial.attempt("leave the mount by a link that the host made")
def follow_link():
    """A link in the mount is followed inside, where nothing is."""
    with open(os.path.join(trial.facts["mount"], "to-canary"), "rb") as file:
        print(file.read().decode())


@trial.attempt("write through a read-only mount")
def read_only():
    with open("/ro/x", "wb"):
        return "made"


@trial.attempt("a mount's parent by a descriptor")
def parent():
    folder = os.open(trial.facts["mount"], os.O_RDONLY)
    above = os.open("..", os.O_RDONLY, dir_fd=folder)
    return "the sandbox's" if "proc" in os.listdir(above) else "the host's"


@trial.attempt("a secret of another run's")
def secret():
    return "none" if not os.listdir("/run/secrets") else "there"


def wheel_name():
    for folder in sys.path:
        if "wheel" in folder:
            return folder
    raise OSError(errno.ENOENT, "no wheel")


@trial.attempt("a wheel whose members leave its folder")
def wheel():
    folder = wheel_name()
    for path in ("/tmp/planted", "/etc/planted", "/opt/planted"):
        if os.path.exists(path):
            return path
    return "in its folder" if os.path.isdir(folder) else "nowhere"


@trial.attempt("a wheel bomb")
def wheel_bomb():
    """It was unpacked before the script began, at this job's cost."""
    size = os.path.getsize(os.path.join(wheel_name(), "bomb.bin"))
    return "unpacked" if size == 1280 << 20 else f"{size}"


if __name__ == "__main__":
    trial.main()
