"""Inter-process communication: with the host, across jobs, left behind."""

from rows import Group, Row

HEADING = "IPC"

HOST = Group("ipc.py", around=("places", "system_v", "listeners",
                               "shared_memory"))  # fmt: skip
JOB = Group("ipc.py", around=("places",))
TWICE = Group("ipc.py", around=("places",), twice=True)


def row(name, contained, walls, group=HOST, **more):
    if isinstance(contained, str):
        contained = (contained,)
    return Row(name, name, group, contained, walls, **more)


ROWS = [
    row("the host's shared memory by its key", "ENOENT", ("ipc",)),
    row("the host's queue by its key", "ENOENT", ("ipc",)),
    row("the host's semaphores by their key", "ENOENT", ("ipc",)),
    row("every System V object there is", "none", ("ipc",)),
    row("the host's file in /dev/shm", "ENOENT", ("root", "kernel")),
    row("the neighbour's file in /dev/shm", "ENOENT", ("root", "kernel")),
    row("a POSIX queue of the host's by /dev/mqueue", "none",
        ("root", "kernel")),
    row("the host's abstract socket", ("ECONNREFUSED", "EPERM"),
        ("network", "landlock")),
    row("the neighbour's abstract socket", ("ECONNREFUSED", "EPERM"),
        ("network", "landlock", "kernel")),
    row("abstract sockets of the system's", "none",
        ("network", "landlock", "kernel")),
    row("a name in the abstract namespace that the host has", "free",
        ("network",)),
    row("a descriptor over a socket to whoever takes it", "none",
        ("descriptors",), JOB),
    row("descriptors in flight beyond the limit", "bounded", ("kernel",),
        JOB),
    row("a socket file as another's, by a credential of root's", "EPERM",
        ("capabilities", "kernel"), JOB),
    row("System V objects that an earlier job left", "none", ("ipc",), TWICE),
    # Landlock has no rule for the queues' file system: there are none at all.
    row("a POSIX queue that an earlier job left", ("EACCES", "none"),
        ("ipc", "landlock"), TWICE),
    row("files that an earlier job left", "none", ("root", "kernel"), TWICE),
]  # fmt: skip
