"""The same calls made in earnest: whole attacks rather than bad arguments."""

import trial  # isort: skip

import ctypes
import os
import signal
import stat
import struct
import tempfile

from trial import call

SIGCHLD = 17
NEW_USER, NEW_NET, NEW_TIME = 0x10000000, 0x40000000, 0x80
PTRACE_ATTACH, PTRACE_SEIZE, PTRACE_TRACEME = 16, 0x4206, 0
SETUID, SETGID = stat.S_ISUID | 0o755, stat.S_ISGID | 0o755
HIGH = 0xFFFF0000
CALL = {
    "clone": 56, "clone3": 435, "ptrace": 101, "process_vm_readv": 310,
    "process_vm_writev": 311, "pidfd_open": 434, "pidfd_getfd": 438,
    "kcmp": 312, "add_key": 248, "keyctl": 250, "seccomp": 317, "mknod": 133,
    "mknodat": 259, "chmod": 90, "fchmod": 91, "fchmodat": 268, "open": 2,
    "openat": 257, "creat": 85, "mkdir": 83, "mkdirat": 258, "openat2": 437,
    "fchmodat2": 452, "setns": 308, "name_to_handle_at": 303,
}  # fmt: skip


class Sibling:
    """Another process of the job's, as a context."""

    def __init__(self):
        self.secret = ctypes.create_string_buffer(b"the sibling's own")
        self.pid = os.fork()
        if self.pid == 0:
            while True:
                signal.pause()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def became_child(result):
    """In a raw clone's child: away, before anything is done twice."""
    if result == 0:
        os._exit(0)
    os.waitpid(result, 0)


def clone_with(flags):
    def go():
        became_child(call(CALL["clone"], flags | SIGCHLD, 0, 0, 0, 0))

    return go


for name, flag in {
    "user": 0x10000000, "mount": 0x20000, "pid": 0x20000000,
    "net": 0x40000000, "ipc": 0x08000000, "uts": 0x04000000,
    "cgroup": 0x02000000,
}.items():  # fmt: skip
    trial.add(f"clone into a {name} namespace", clone_with(flag))


@trial.attempt("clone with flags beyond 32 bits")
def clone_into_cgroup():
    became_child(call(CALL["clone"], 1 << 33 | NEW_USER | SIGCHLD, 0, 0, 0, 0))


def clone3_with(flags):
    def go():
        arguments = struct.pack("=11Q", flags, 0, 0, 0, SIGCHLD, *[0] * 6)
        became_child(call(CALL["clone3"], arguments, len(arguments)))

    return go


trial.add("clone3 into a user namespace", clone3_with(NEW_USER))
trial.add("clone3 into a time namespace", clone3_with(NEW_USER | NEW_TIME))


@trial.attempt("a thread after clone3 is absent")
def thread():
    """libc asks for clone3 and has to fall back."""
    import threading

    started = threading.Thread(target=lambda: None)
    started.start()
    started.join()
    return "it ran"


@trial.attempt("setns into its own user namespace", in_child=True)
def setns():
    target = os.open("/proc/self/ns/user", os.O_RDONLY)
    call(CALL["setns"], target, NEW_USER)


@trial.attempt("ptrace a sibling")
def attach():
    with Sibling() as sibling:
        call(CALL["ptrace"], PTRACE_ATTACH, sibling.pid, 0, 0)
        os.waitpid(sibling.pid, 0)


@trial.attempt("be traced by the keeper", in_child=True)
def traceme():
    call(CALL["ptrace"], PTRACE_TRACEME, 0, 0, 0)


@trial.attempt("ptrace pid 1")
def attach_keeper():
    call(CALL["ptrace"], PTRACE_SEIZE, 1, 0, 0)


def vectors(sibling):
    room = ctypes.create_string_buffer(64)
    local = struct.pack("=2Q", ctypes.addressof(room), 17)
    remote = struct.pack("=2Q", ctypes.addressof(sibling.secret), 17)
    return room, local, remote


@trial.attempt("read a sibling's memory")
def read_memory():
    with Sibling() as sibling:
        _, local, remote = vectors(sibling)
        call(CALL["process_vm_readv"], sibling.pid, local, 1, remote, 1, 0)


@trial.attempt("write a sibling's memory")
def write_memory():
    with Sibling() as sibling:
        _, local, remote = vectors(sibling)
        call(CALL["process_vm_writev"], sibling.pid, local, 1, remote, 1, 0)


@trial.attempt("take a sibling's descriptor")
def take_descriptor():
    with Sibling() as sibling:
        pidfd = call(CALL["pidfd_open"], sibling.pid, 0)
        os.close(call(CALL["pidfd_getfd"], pidfd, 1, 0))


@trial.attempt("compare kernel objects with a sibling")
def compare():
    with Sibling() as sibling:
        call(CALL["kcmp"], os.getpid(), sibling.pid, 0, 0, 0)


@trial.attempt("a handle past folder permissions")
def handle():
    room = ctypes.create_string_buffer(struct.pack("=Ii", 120, 0) + bytes(120))
    mount_id = ctypes.create_string_buffer(8)
    call(CALL["name_to_handle_at"], -100, b"/tmp", room, mount_id, 0)


@trial.attempt("a key left for the next job")
def leave_key():
    """In the user's keyring, which would be there for whoever has the id."""
    user_keyring = -4 & 0xFFFFFFFF
    call(CALL["add_key"], b"user", b"left", b"x", 1, user_keyring)


@trial.attempt("join another session's keyring")
def join_keyring():
    join_session = 1
    call(CALL["keyctl"], join_session, b"_uid.0", 0, 0, 0)


@trial.attempt("a key in /proc/keys")
def look_for_keys():
    with open("/proc/keys", encoding="utf-8") as file:
        return "none" if "left" not in file.read() else "found"


@trial.attempt("a listener of its own", in_child=True)
def listener():
    """It could let refused calls go on."""
    filter_all = struct.pack("=HBBI", 6, 0, 0, 0x7FFF0000)
    room = ctypes.create_string_buffer(filter_all)
    program = struct.pack("=HxxxxxxQ", 1, ctypes.addressof(room))
    set_filter, new_listener = 1, 8
    call(CALL["seccomp"], set_filter, new_listener, program)


def in_new_folder(function):
    """Tries that make files, each in a folder of its own."""

    def go():
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "x").encode()
            function(path)
            mode = os.lstat(path).st_mode
            return "OK" if mode & 0o6000 or not regular(mode) else "no bits"

    return go


def regular(mode):
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def with_file(function):
    def go(path):
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            function(path, descriptor)
        finally:
            os.close(descriptor)

    return go


O_MAKE = os.O_CREAT | os.O_RDWR
TMPFILE = 0o20000000 | os.O_DIRECTORY | os.O_RDWR


def tmpfile(path):
    made = call(CALL["open"], os.path.dirname(path), TMPFILE, SETUID)
    os.link(f"/proc/self/fd/{made}", path, follow_symlinks=True)


def openat2(path):
    how = struct.pack("=3Q", O_MAKE, SETUID, 0)
    call(CALL["openat2"], -100, path, how, len(how))


BITS = {
    "chmod": with_file(lambda p, _: call(CALL["chmod"], p, SETUID)),
    "chmod setgid": with_file(lambda p, _: call(CALL["chmod"], p, SETGID)),
    "chmod, high bits": with_file(
        lambda p, _: call(CALL["chmod"], p, HIGH | SETUID)
    ),
    "fchmod": with_file(lambda _, f: call(CALL["fchmod"], f, SETUID)),
    "fchmodat": with_file(
        lambda p, _: call(CALL["fchmodat"], -100, p, SETUID, 0)
    ),
    "fchmodat2": with_file(
        lambda p, _: call(CALL["fchmodat2"], -100, p, SETUID, 0)
    ),
    "open": lambda p: call(CALL["open"], p, O_MAKE, SETUID),
    "openat": lambda p: call(CALL["openat"], -100, p, O_MAKE, SETUID),
    "openat2": openat2,
    "creat": lambda p: call(CALL["creat"], p, SETUID),
    "O_TMPFILE": tmpfile,
    "mkdir setgid": lambda p: (
        call(CALL["mkdir"], p, SETGID), os.chmod(p, SETGID)),
    "mknod regular": lambda p: call(
        CALL["mknod"], p, stat.S_IFREG | SETUID, 0
    ),
}  # fmt: skip
for name, function in BITS.items():
    trial.add(f"setuid bits by {name}", in_new_folder(function))

ZERO = os.makedev(1, 5)
DEVICES = {
    "mknod character": lambda p: call(
        CALL["mknod"], p, stat.S_IFCHR | 0o666, ZERO
    ),
    "mknod block": lambda p: call(
        CALL["mknod"], p, stat.S_IFBLK | 0o666, ZERO
    ),
    "mknod, high bits": lambda p: call(
        CALL["mknod"], p, HIGH | stat.S_IFCHR | 0o666, ZERO
    ),
    "mknodat": lambda p: call(
        CALL["mknodat"], -100, p, stat.S_IFCHR | 0o666, ZERO
    ),
    "whiteout": lambda p: call(CALL["mknod"], p, stat.S_IFCHR, 0),
}
for name, function in DEVICES.items():
    trial.add(f"a device by {name}", in_new_folder(function))

if __name__ == "__main__":
    trial.main()
