"""The words of the manifest: rows, groups, walls, and what a machine may lack.

A row is one attempt: what it tries, what a contained try says inside, what is
looked at from outside, and the walls that stop it. A group is a payload and how
its job is run; its rows share one job unless it says `alone`.
"""

import dataclasses

SETTINGS = {
    "root": "wafer run by root",
    "plain": "wafer run by a plain user with subordinate ids",
    "egress": "wafer run by root with --network egress; nothing leads out",
}
EVERYWHERE = ("root", "plain")
ROOT, PLAIN, EGRESS = ("root",), ("plain",), ("egress",)

# In place of answers: the row's checks decide.
ANYTHING = ("*",)

SUCCEEDED = (0, "SUCCEEDED")
KILLED_FOR_MEMORY = (137, "FAILED")


@dataclasses.dataclass(frozen=True)
class Group:
    payload: str  # a file of payloads/
    around: tuple = ()  # context managers of runner/around.py
    options: tuple = ()  # of `wafer run`
    ends: tuple = SUCCEEDED  # exit status and state
    alone: bool = False  # a job for each row
    twice: bool = False  # run once before, unjudged: what is left behind?


@dataclasses.dataclass(frozen=True)
class Row:
    name: str  # the payload's name for the try
    tries: str
    group: Group
    contained: tuple  # the answers of a try that a wall stopped
    walls: tuple  # with all of these away it gets through
    checks: tuple = ()  # of runner/checks.py: from outside, for this row
    needs: tuple = ()  # of FEATURES
    settings: tuple = EVERYWHERE
    ends: tuple = None  # where it isn't the group's; the group is `alone`


@dataclasses.dataclass(frozen=True)
class Later:
    """An attempt on something that isn't built yet."""

    name: str
    missing: str  # the feature


@dataclasses.dataclass(frozen=True)
class Wall:
    """How a wall is taken away: by a weak zygote unless said otherwise."""

    what: str
    options: tuple = ()  # by these of `wafer run`
    around: tuple = ()  # by a context manager of runner/around.py
    kept: str = ""  # it isn't taken away, for this reason
    not_alone: str = ""  # no attempt is stopped by it alone, for this reason
    settings: tuple = EVERYWHERE  # where it is taken away


WALLS = {
    "seccomp": Wall("the system-call filter"),
    "landlock": Wall("Landlock: file access by path, scopes"),
    "rlimits": Wall("resource limits of the process"),
    "capabilities": Wall("no capability in the sandbox's user namespace"),
    "descriptors": Wall("descriptors are closed before the script"),
    "cgroup": Wall("CPU, memory and processes of the control group"),
    "cgroup-namespace": Wall("the control group's place is not shown"),
    "root": Wall("a root of its own, in a mount namespace"),
    "pid": Wall("a pid namespace, and /proc of it alone"),
    "ipc": Wall("System V objects and POSIX queues of its own"),
    "uts": Wall("a host name of its own"),
    "network": Wall(
        "a network namespace of its own",
        options=("--network=host",),
        around=("private_network",),
    ),
    "uid": Wall(
        "ids of the run's own",
        options=("--allow-missing=uid,cgroup,scratch",),
        around=("writable_mount",),
        settings=PLAIN,
    ),
    "read-only-root": Wall(
        "the root's own folders are mounted read-only",
        not_alone="they belong to the sandbox's root, whom a job isn't",
    ),
    "user-namespace": Wall(
        "its capabilities, if any were left, are not the machine's",
        kept="without it what gets through would do harm to the machine",
        not_alone="it is never taken away",
    ),
    "mount-flags": Wall(
        "nosuid, nodev, noexec and read-only of what is mounted",
        kept="the mounts are made in one piece, with their flags",
        not_alone="it is never taken away",
    ),
    "scratch": Wall(
        "/tmp is a file system of a fixed size",
        kept="in its place a plain user gets one of a fixed size in memory",
        not_alone="it is never taken away",
    ),
    "exec": Wall(
        "the zygote is another program than the host: none of its memory",
        kept="there is no host that forks its jobs itself",
        not_alone="it is never taken away",
    ),
    "keeper": Wall(
        "pid 1 ends what is left when the job's first process ends",
        kept="with the keeper the namespace ends, and so does a job",
        not_alone="it is never taken away",
    ),
    "host": Wall(
        "the host believes the kernel, not the job, and bounds what it keeps",
        kept="there is no other host",
        not_alone="it is never taken away",
    ),
    "kernel": Wall(
        "the kernel's own rule, whatever wafer does",
        kept="there is one kernel",
        not_alone="it is never taken away",
    ),
}

# What a machine may lack, and the runner probes for (runner/features.py).
FEATURES = {
    "cgroup": "a control group that limits the run",
    "scratch": "/tmp on disk, of a fixed size",
    "landlock": "Landlock",
    "landlock scopes": "Landlock's scopes (Linux 6.12)",
    "uid": "ids of the run's own",
    "ia32": "int 0x80 (IA32 emulation)",
    "ipv6": "IPv6",
    "address limit": "RLIMIT_AS, which AddressSanitizer can't live with",
    "rw mounts": "a mount for writing without giving up the uid wall",
}

RESIDUAL_RISKS = [
    (
        "a hole in the kernel",
        "one kernel serves all: who breaks it is out, whatever the walls; the"
        " filter only makes less of it reachable",
    ),
    (
        "side channels",
        "caches, branch predictors and timing are shared with all that runs on"
        " the machine; speculation is the kernel's and the hardware's to stop",
    ),
    (
        "the machine shows through",
        "/proc/meminfo, /proc/stat, /proc/loadavg, /proc/cmdline and the like"
        " are the machine's: a job can tell how busy and how large it is",
    ),
    (
        "busy neighbours",
        "disk bandwidth, memory bandwidth and the kernel's own memory beyond"
        " what a cgroup counts are shared",
    ),
    (
        "a link that a job left in the caller's own folder",
        "mounted :rw and named again, as a script or on the way to a report, it"
        " is followed as the caller's own would be; in anybody else's folder,"
        " and in place of a report, it is refused",
    ),
    (
        "a plain user without a control group",
        "RLIMIT_AS, CPU and NPROC are limits of each process or of the user,"
        " not of the job: its processes together can take what one may not",
    ),
    (
        "a plain user whose /tmp is in memory",
        "its own size limits it, up to half of the machine's memory",
    ),
    (
        "a run without the uid wall",
        "the job has its user's own id, and the keeper's: it can lower the"
        " keeper's limits, so that the run ends as ERROR; namespaces, seccomp"
        " and Landlock stand between it and the user's files",
    ),
    (
        "--network host",
        "is no wall: a job reaches what its machine reaches; only abstract"
        " sockets are kept from it, by Landlock's scopes (Linux 6.12)",
    ),
]
