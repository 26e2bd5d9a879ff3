"""Processes and terminals."""

from rows import PLAIN, ROOT, Group, Later, Row
from runner import checks
from waiting import TIME_SCALE

HEADING = "Processes, terminals"

JOB = Group("processes.py", around=("places",))
# Each does something to the job's own processes, or to their keeper.
ALONE = Group("processes.py", around=("places",), alone=True)
TERMINAL = Group("processes.py", around=("places", "terminal"))
SETUID = Group("processes.py", around=("places", "setuid_mount"))
FORGER = Group("processes.py", around=("places",), ends=(7, "FAILED"))
ABORTED = Group("processes.py", around=("places",), ends=(134, "FAILED"))
LATE = Group(
    "processes.py",
    around=("places",),
    options=(f"--timeout={0.02 * TIME_SCALE}",),
    ends=(124, "TIMEOUT"),
    alone=True,
)


def row(name, contained, walls, group=JOB, **more):
    if isinstance(contained, str):
        contained = (contained,)
    return Row(name, name, group, contained, walls, **more)


CAPABILITIES = ("capabilities",)
NOBODY = ("ESRCH", "EPERM")

ROWS = [
    row("kill everybody", "its own", ("pid", "user-namespace"), ALONE),
    row("kill the host by its pid", NOBODY, ("pid", "user-namespace")),
    row("kill the neighbour's host by its pid", NOBODY,
        ("pid", "user-namespace")),
    row("kill the neighbour's zygote by its pid", NOBODY,
        ("pid", "user-namespace")),
    row("kill pid 1", ("EPERM", "it lives"),
        ("landlock", "capabilities", "kernel")),
    row("stop pid 1", ("EPERM", "it runs"),
        ("landlock", "capabilities", "kernel")),
    row("signal every pid there could be", "nobody", ("pid",), ALONE),
    row("a signal's queue of the user's", "bounded", ("kernel",), ALONE),
    row("lower the keeper's limits by a capability", "EPERM", CAPABILITIES,
        ALONE),
    row("lower the keeper's limits by its id", "EPERM", ("uid",), ALONE,
        settings=PLAIN, needs=("uid",)),
    row("the keeper's priority", "EPERM", CAPABILITIES),
    row("the keeper's CPUs", "EPERM", CAPABILITIES),
    row("raise its own limit of open files", "EPERM", ("rlimits",)),
    row("a core limit of its own", "EPERM", ("rlimits",)),
    row("lock a mebibyte of memory", ("EPERM", "ENOMEM"), ("rlimits",)),
    row("real-time priority", "EPERM", ("seccomp", "rlimits", "kernel"),
        checks=(checks.refused("sched_setscheduler"),)),
    row("a better nice value", ("EACCES", "EPERM"), ("rlimits", "kernel")),
    row("real-time disk priority", "EPERM", ("user-namespace",)),
    row("CPUs beyond those that it may use", "EINVAL", ("kernel",)),
    # Counted by the group; by the id, too, which is the run's own.
    row("fork bomb", "bounded", ("cgroup", "rlimits"), ALONE,
        needs=("cgroup",)),
    row("thread bomb", "bounded", ("cgroup", "rlimits"), ALONE,
        needs=("cgroup",)),
    row("vfork bomb", "bounded", ("cgroup", "rlimits"), ALONE,
        needs=("cgroup",)),
    row("fork bomb with fork bombs in it", "bounded", ("cgroup", "rlimits"),
        ALONE, needs=("cgroup",)),
    row("fork bomb", "bounded", ("rlimits",), ALONE, settings=PLAIN,
        needs=("uid",)),
    row("vfork bomb", "bounded", ("rlimits",), ALONE, settings=PLAIN,
        needs=("uid",)),
    row("thread bomb", "bounded", ("rlimits",), ALONE, settings=PLAIN,
        needs=("uid",)),
    row("a daemon that outlives the job", "left", ("keeper",), ALONE),
    row("processes that hold the output open", "left", ("keeper",), ALONE),
    row("ignore every signal past the timeout", "begun", ("keeper",), LATE,
        checks=(checks.reason("timeout"),)),
    row("stop itself past the timeout", "begun", ("keeper",), LATE,
        checks=(checks.reason("timeout"),), settings=ROOT),
    row("a huge core dump", "begun", ("rlimits", "kernel"), ABORTED,
        checks=(checks.reason("signal"), checks.no_core)),
    row("set a handler for the stack signal", "its own", ("host",), ALONE),
    row("a terminal", ("ENOENT", "ENXIO"), ("root", "kernel"), TERMINAL),
    row("type into the caller's terminal", "EPERM", ("seccomp",), TERMINAL,
        checks=(checks.refused("ioctl"),)),
    row("signals by a descriptor's owner", ("ESRCH", "OK"),
        ("pid", "user-namespace")),
    row("forge the last line and the record", "begun", ("host",), FORGER,
        checks=(checks.bill_is_wafers,)),
    row("flood the report pipe", "written", ("host",), ALONE,
        checks=(checks.host_memory,)),
    row("close or replace the report pipe", "replaced", ("host",), ALONE),
    row("a setuid binary in a mount", "uid 1000",
        ("mount-flags", "user-namespace"), SETUID),
    row("a setuid binary of the system", "no root",
        ("mount-flags", "user-namespace")),
    row("become root by id calls", "EPERM", CAPABILITIES),
    row("become the host's own root by id calls", ("EINVAL", "EPERM"),
        ("user-namespace",)),
    row("add a group", "EPERM", CAPABILITIES),
    row("a port of the system's", "EACCES", CAPABILITIES),
    row("give a file to root", "EPERM", CAPABILITIES),
    row("hide from the host's stack request", "hidden", ("host",), ALONE),
]  # fmt: skip

LATER = [
    Later(
        "kill of a warm zygote by its job",
        "the suite run through wafer serve",
    ),
]
