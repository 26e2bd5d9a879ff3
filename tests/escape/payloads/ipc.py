"""System V, POSIX and abstract sockets: the host's, the neighbour's, a job's
that was before."""

import trial  # isort: skip

import ctypes
import os
import socket
import stat

libc = trial.libc()
libc.shmat.restype = ctypes.c_void_p
IPC_CREAT = 0o1000
LEFT = 0x4C454654


@trial.attempt("the host's shared memory by its key")
def shared_memory():
    segment = trial.call(29, trial.facts["key"], 0, 0o666)
    address = libc.shmat(segment, None, 0)
    if address in (None, ctypes.c_void_p(-1).value):
        raise OSError(13, "")
    ctypes.memmove(address, b"x", 1)


@trial.attempt("the host's queue by its key")
def queue():
    number = trial.call(68, trial.facts["key"], 0o666)
    trial.call(69, number, ctypes.create_string_buffer(64), 8, 0o4000)


@trial.attempt("the host's semaphores by their key")
def semaphores():
    trial.call(64, trial.facts["key"], 0, 0o666)


@trial.attempt("every System V object there is")
def every_object():
    """Whatever /proc/sysvipc lists: this job made none yet."""
    for name in ("shm", "msg", "sem"):
        with open(f"/proc/sysvipc/{name}", encoding="ascii") as file:
            if len(file.readlines()) > 1:
                return f"there is one in {name}"
    return "none"


@trial.attempt("System V objects that an earlier job left")
def left_objects():
    """Looks, then leaves one of each: the second run is judged."""
    found = []
    for number, words in {
        29: (LEFT, 4096), 68: (LEFT,), 64: (LEFT, 1),
    }.items():  # fmt: skip
        try:
            trial.call(number, *words, 0o666)
            found.append(number)
        except FileNotFoundError:
            trial.call(number, *words, IPC_CREAT | 0o666)
    return "none" if not found else f"{found}"


@trial.attempt("a POSIX queue that an earlier job left")
def left_queue():
    o_rdwr_creat = os.O_RDWR | os.O_CREAT
    try:
        trial.call(240, b"left", os.O_RDONLY, 0o666, 0)
        return "found"
    except FileNotFoundError:
        trial.call(240, b"left", o_rdwr_creat, 0o666, 0)
    return "none"


@trial.attempt("files that an earlier job left")
def left_files():
    """In each place that a job can write to."""
    found = [
        path
        for path in ("/dev/shm/left", "/tmp/left", "/var/tmp/left")
        if os.path.exists(path)
    ]
    for path in ("/dev/shm/left", "/tmp/left"):
        with open(path, "w", encoding="ascii") as file:
            file.write("x")
    return "none" if not found else repr(found)


@trial.attempt("the host's file in /dev/shm")
def host_shm():
    with open(trial.facts["shm_path"], "r+b") as file:
        file.write(b"x")


@trial.attempt("the neighbour's file in /dev/shm")
def neighbour_shm():
    with open("/dev/shm/mine", "r+b") as file:
        file.write(b"x")


@trial.attempt("a POSIX queue of the host's by /dev/mqueue")
def queues():
    return "none" if not os.path.exists("/dev/mqueue") else "mounted"


def connect(name, kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_UNIX, kind) as client:
        client.settimeout(5)
        client.connect("\0" + name)


@trial.attempt("the host's abstract socket")
def host_socket():
    connect(trial.facts["abstract"])


@trial.attempt("the neighbour's abstract socket")
def neighbour_socket():
    connect("wafer-neighbour")


@trial.attempt("abstract sockets of the system's")
def system_sockets():
    """Well-known names, and all that /proc/net/unix lists."""
    with open("/proc/net/unix", encoding="utf-8") as file:
        listed = [line.split()[-1] for line in file if "@" in line]
    for name in ["/tmp/.X11-unix/X0", "/org/kernel/linux/storage/multipathd",
                 "ISCSIADM_ABSTRACT_NAMESPACE", *listed]:  # fmt: skip
        try:
            connect(name.removeprefix("@"))
            return name
        except OSError:
            continue
    return "none" if not listed else repr(listed)


@trial.attempt("a name in the abstract namespace that the host has")
def take_name():
    """Free inside: it is another namespace, and the host keeps its own."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("\0" + trial.facts["abstract"])
    return "free"


@trial.attempt("a descriptor over a socket to whoever takes it")
def pass_descriptor():
    """SCM_RIGHTS on every socket that is open: there is none."""
    for number in range(1024):
        try:
            mode = os.fstat(number).st_mode
        except OSError:
            continue
        if stat.S_ISSOCK(mode):
            with socket.socket(fileno=number) as found:
                socket.send_fds(found, [b"x"], [0])
            return f"descriptor {number}"
    return "none"


@trial.attempt("descriptors in flight beyond the limit")
def in_flight():
    """Sent and never received: counted for the id, and gone with the job."""
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    left.setblocking(False)
    sent = 0
    try:
        while sent < 1 << 16:
            socket.send_fds(left, [b"x"], [0] * 250)
            sent += 250
    except OSError:
        right.close()
        return "bounded"
    return f"{sent} sent"


@trial.attempt("a socket file as another's, by a credential of root's")
def forge_credentials():
    """SCM_CREDENTIALS with pid 1 and uid 0."""
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    right.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    import struct

    forged = struct.pack("=3i", 1, 0, 0)
    left.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, forged)])


if __name__ == "__main__":
    trial.main()
