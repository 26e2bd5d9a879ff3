"""Resources: each bomb ends its own job alone, and says why."""

from rows import KILLED_FOR_MEMORY, PLAIN, ROOT, Group, Later, Row
from runner import checks

HEADING = "Resources"

JOB = Group("resources.py")
BOMB = Group("resources.py", ends=KILLED_FOR_MEMORY, alone=True)
BURN = Group("resources.py", alone=True)
FLOOD = Group("resources.py", around=("quiet_output",), alone=True)
READ_LATE = Group("resources.py", around=("late_reader",))

CGROUP = ("cgroup",)


def row(name, contained, walls, group=JOB, **more):
    if isinstance(contained, str):
        contained = (contained,)
    return Row(name, name, group, contained, walls, **more)


def bomb(name, contained="begun"):
    """The group's limit. The kernel's own counter says so."""
    return row(
        name,
        contained,
        CGROUP,
        BOMB,
        checks=(checks.out_of_memory,),
        needs=CGROUP,
    )


ROWS = [
    bomb("anonymous memory"),
    bomb("memory by /dev/shm"),
    bomb("memory by a memory file"),
    bomb("memory by its children together", ("begun", "killed")),
    bomb("a gzip bomb read whole"),
    row("anonymous memory", "ENOMEM", ("rlimits",), BURN, settings=PLAIN,
        needs=("address limit",)),
    row("memory by pipes", "bounded", ("rlimits", "kernel"), BURN),
    row("page cache beyond its memory", "it goes on", ("scratch",), BURN,
        checks=(checks.no_memory_kill,), settings=ROOT, needs=("scratch",)),
    row("fill /tmp", "bounded", ("scratch",), settings=ROOT,
        needs=("scratch",)),
    row("a sparse petabyte", "EFBIG", ("rlimits", "scratch")),
    row("a sparse file beyond the scratch", "EFBIG", ("rlimits",)),
    row("an inode bomb in the root", ("EROFS", "EACCES"),
        ("landlock", "capabilities", "read-only-root", "kernel")),
    row("an inode bomb in /tmp", "bounded", ("scratch",)),
    row("open files without end", "bounded", ("rlimits",)),
    row("POSIX queues without end", "bounded", ("landlock", "rlimits",
        "kernel")),
    row("a quarter of a CPU by four processes", "burnt", CGROUP, BURN,
        checks=(checks.a_quarter_of_a_cpu,), needs=CGROUP),
    row("one line of more than a gigabyte, with NULs", "written", ("host",),
        FLOOD, checks=(checks.host_memory, checks.log_is_cut), settings=ROOT),
    row("a line of 64 MiB, with NULs", "written", ("host",), FLOOD,
        checks=(checks.host_memory,)),
    row("output that is read late", "written", ("host",), READ_LATE,
        checks=(checks.host_memory,)),
    row("escape sequences and broken UTF-8", "written", ("host",)),
    row("hostile tar members", "in /tmp alone",
        ("landlock", "capabilities", "read-only-root", "seccomp", "kernel")),
    row("hostile zip members", "in /tmp alone",
        ("landlock", "capabilities", "read-only-root", "kernel")),
]  # fmt: skip

LATER = [
    Later("zstd bombs; archives unpacked by the host's own C code",
          "the edge tasks uncompress and untar"),
    Later("archives by S3 names", "S3"),
]  # fmt: skip
