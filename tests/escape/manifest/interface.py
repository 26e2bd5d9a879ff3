"""The interface: arguments, environment, mounts, libraries."""

from rows import ROOT, Group, Later, Row

HEADING = "Interface"

WORDS = Group("interface.py", around=("metacharacters",))
VARIABLES = Group("interface.py", around=("loader_variables",))
MOUNT = Group("interface.py", around=("places", "planted_mount"))
WHEEL = Group("interface.py", around=("hostile_wheel",))
BOMB = Group("interface.py", around=("wheel_bomb",))


def row(name, contained, walls, group, **more):
    if isinstance(contained, str):
        contained = (contained,)
    return Row(name, name, group, contained, walls, **more)


def mounted(name, contained, walls):
    return row(
        name, contained, walls, MOUNT, settings=("root", "plain"),
        needs=("rw mounts",),
    )  # fmt: skip


HOST = ("host",)

ROWS = [
    row("arguments as they were given", "as given", HOST, WORDS),
    row("a command from an argument", "none", HOST, WORDS),
    row("variables of the loader's", "none", HOST, VARIABLES),
    row("a library by LD_PRELOAD", "none", HOST, VARIABLES),
    row("a module by PYTHONPATH", "none", HOST, VARIABLES),
    row("a secret of another run's", "none", HOST, VARIABLES),
    mounted("plant link-to-shadow", "planted", HOST),
    mounted("plant link-to-canary", "planted", HOST),
    mounted("plant link-to-proc", "planted", HOST),
    mounted("plant fifo", "planted", HOST),
    mounted("plant a socket", "planted", HOST),
    mounted("plant a hard link to a file outside the mount",
            ("EXDEV", "EPERM", "EACCES"), ("kernel",)),
    mounted("plant a device", ("EPERM", "EACCES"),
            ("seccomp", "landlock", "user-namespace")),
    mounted("plant a setuid program", "EPERM", ("seccomp",)),
    mounted("race a folder of the mount against a link",
            ("EBUSY", "EXDEV", "EACCES", "EROFS"), ("kernel",)),
    mounted("leave the mount by a link that the host made", "ENOENT",
            ("root", "kernel")),
    mounted("write through a read-only mount", ("EROFS", "EACCES"),
            ("mount-flags", "landlock")),
    mounted("a mount's parent by a descriptor", "the sandbox's",
            ("root", "kernel")),
    row("a wheel whose members leave its folder", "in its folder",
        ("landlock", "capabilities", "read-only-root", "kernel"), WHEEL),
    row("a wheel bomb", "unpacked", ("scratch",), BOMB, settings=ROOT,
        needs=("scratch",)),
]  # fmt: skip

LATER = [
    Later("S3 names with .., NUL, CR and LF", "S3"),
    Later("one account's key on another's run", "accounts of a server"),
    Later("tar with .., absolute, link and device members by the host",
          "the edge task untar"),
]  # fmt: skip
