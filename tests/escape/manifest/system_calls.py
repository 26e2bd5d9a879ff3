"""System calls: refused ones by three doors, refused arguments, whole attacks.

The tables are inside/calls.py; here is what is expected of them.
"""

import calls
from rows import Group, Row
from runner import checks

HEADING = "System calls"

# A weak zygote waits for no answer: each call alone, in a child of its own.
TABLE = Group("system_calls.py")
REAL = Group("real_calls.py")

ABSENT = {"clone3", "openat2"}

# Without the filter the kernel asks for a capability in the sandbox's user
# namespace, which a job hasn't.
ASK_SANDBOX = {
    "unshare, mount", "unshare, cgroup", "unshare, uts", "unshare, ipc",
    "unshare, pid", "unshare, net", "unshare, time", "fsopen", "fsmount",
    "fspick", "move_mount", "pivot_root", "reboot", "sethostname",
    "setdomainname",
}  # fmt: skip

# Without it the kernel asks for one in the machine's own.
ASK_MACHINE = {
    "init_module", "finit_module", "delete_module", "kexec_load",
    "kexec_file_load", "swapoff", "acct", "syslog", "vhangup",
    "sched_setscheduler",
}  # fmt: skip


def walls_of(name):
    if name in ASK_SANDBOX:
        return ("seccomp", "capabilities")
    if name in ASK_MACHINE:
        return ("seccomp", "user-namespace")
    return ("seccomp",)


def named(name):
    """The part before the comma is the kernel's name for the call."""
    return (checks.refused(name.partition(",")[0]),)


def native_rows():
    for name in calls.CALLS:
        absent = name in ABSENT
        yield Row(
            name,
            f"{name}, by its number",
            TABLE,
            ("ENOSYS",) if absent else ("EPERM",),
            walls_of(name),
            checks=() if absent else named(name),
        )
    for name in calls.UNKNOWN:
        yield Row(
            name,
            f"{name}, which no table has",
            TABLE,
            ("ENOSYS",),
            ("seccomp", "kernel"),
        )
    for name in ("mount", "bpf"):
        yield Row(
            f"{name} by high bits",
            f"{name} with more bits in the number than the kernel reads",
            TABLE,
            ("EPERM",),
            ("seccomp",),
        )


def other_doors():
    for name, (_, i386, _) in calls.CALLS.items():
        yield Row(
            f"{name} by x32",
            f"{name} by its x32 number",
            TABLE,
            ("SIGSYS",),
            # Most kernels have no x32 interface, and answer ENOSYS.
            ("seccomp", "kernel"),
        )
        if i386 is not None:
            yield Row(
                f"{name} by int 0x80",
                f"{name} by the i386 interface",
                TABLE,
                ("SIGSYS",),
                ("seccomp",),
                needs=("ia32",),
            )
    for name in (
        "socket AF_PACKET",
        "ioctl TIOCSTI",
        "prctl PR_SET_SECCOMP",
    ):
        yield Row(
            f"{name} by int 0x80",
            f"{name} by the i386 interface",
            TABLE,
            ("SIGSYS",),
            ("seccomp",),
            needs=("ia32",),
        )


ASK_RAW = {
    "AF_INET raw", "AF_INET packet", "AF_INET6 raw", "AF_PACKET", "AF_KEY",
    "AF_XDP", "AF_CAN",
}  # fmt: skip
# The kernel makes it a datagram socket.
HARMLESS = {"AF_UNIX raw"}


def sockets():
    for name in calls.SOCKETS:
        walls = ("seccomp",)
        if name in ASK_RAW:
            walls = ("seccomp", "capabilities")
        yield Row(
            f"socket {name}",
            f"a socket of {name}",
            TABLE,
            ("EPERM",),
            walls,
            checks=() if name == "AF_NETLINK" else (checks.refused("socket"),),
        )
    yield Row(
        "socket AF_INET raw, cloexec",
        "a raw socket, its type beside a flag",
        TABLE,
        ("EPERM",),
        ("seccomp", "capabilities"),
    )
    yield Row(
        "socketpair AF_NETLINK",
        "a pair of another family",
        TABLE,
        ("EPERM",),
        ("seccomp",),
        checks=(checks.refused("socketpair"),),
    )


def ioctls_and_prctls():
    for name in calls.IOCTLS:
        yield Row(
            f"ioctl {name}",
            f"the request {name} of ioctl",
            TABLE,
            ("EPERM",),
            ("seccomp",),
            checks=(checks.refused("ioctl"),),
        )
    # Refused by the kernel, too, for want of a capability; with one they do
    # something to the process alone.
    ask = {"PR_SET_SECUREBITS", "PR_CAPBSET_DROP"}
    ask_machine = {"PR_SET_MM", "PR_SET_MM, high bits", "PR_SET_IO_FLUSHER"}
    ask_machine |= {"PR_SET_MEMORY_MERGE"}
    for name in calls.PRCTLS:
        walls = ("seccomp",)
        if name in ask:
            walls = ("seccomp", "capabilities")
        if name in ask_machine:
            walls = ("seccomp", "user-namespace")
        yield Row(
            f"prctl {name}",
            f"the option {name} of prctl",
            TABLE,
            ("EPERM",),
            walls,
            checks=(checks.refused("prctl"),),
        )


FILTER = ("seccomp",)
BOTH = ("seccomp", "capabilities")

# Name: (what the filter says, walls).
ATTACKS = {
    "clone into a user namespace": ("EPERM", FILTER),
    "clone into a mount namespace": ("EPERM", BOTH),
    "clone into a pid namespace": ("EPERM", BOTH),
    "clone into a net namespace": ("EPERM", BOTH),
    "clone into a ipc namespace": ("EPERM", BOTH),
    "clone into a uts namespace": ("EPERM", BOTH),
    "clone into a cgroup namespace": ("EPERM", BOTH),
    "clone with flags beyond 32 bits": ("EPERM", FILTER),
    "clone3 into a user namespace": ("ENOSYS", FILTER),
    "clone3 into a time namespace": ("ENOSYS", FILTER),
    "a thread after clone3 is absent": ("it ran", ("kernel",)),
    "setns into its own user namespace": ("EPERM", FILTER),
    "ptrace a sibling": ("EPERM", FILTER),
    "be traced by the keeper": ("EPERM", FILTER),
    "ptrace pid 1": ("EPERM", ("seccomp", "landlock", "user-namespace")),
    "read a sibling's memory": ("EPERM", FILTER),
    "write a sibling's memory": ("EPERM", FILTER),
    "take a sibling's descriptor": ("EPERM", FILTER),
    "compare kernel objects with a sibling": ("EPERM", FILTER),
    "a handle past folder permissions": ("EPERM", FILTER),
    "join another session's keyring": ("EPERM", FILTER),
    "a listener of its own": ("EPERM", FILTER),
}

SETUID_BITS = (
    "chmod", "chmod setgid", "chmod, high bits", "fchmod", "fchmodat",
    "fchmodat2", "open", "openat", "openat2", "creat", "O_TMPFILE",
    "mkdir setgid", "mknod regular",
)  # fmt: skip
DEVICES = ("mknod character", "mknod block", "mknod, high bits", "mknodat")


def attacks():
    for name, (answer, walls) in ATTACKS.items():
        yield Row(name, name, REAL, (answer,), walls)
    for name in SETUID_BITS:
        answer = "ENOSYS" if name in ("openat2", "fchmodat2") else "EPERM"
        # The oldest kernels have no fchmodat2; O_TMPFILE needs a link after.
        walls = FILTER
        if name in ("fchmodat2", "O_TMPFILE"):
            walls = ("seccomp", "kernel")
        yield Row(
            f"setuid bits by {name}",
            f"a setuid file by {name}",
            REAL,
            (answer,),
            walls,
        )
    for name in DEVICES:
        yield Row(
            f"a device by {name}",
            f"a device node by {name}",
            REAL,
            ("EPERM", "EACCES"),
            ("seccomp", "landlock", "user-namespace"),
        )
    yield Row(
        "a device by whiteout",
        "the one device node that everybody may make: an overlay's whiteout",
        REAL,
        ("EPERM", "EACCES"),
        ("seccomp", "landlock"),
    )
    # Looked for before it is left, in each of two jobs. Without the filter it
    # is in a keyring that the kernel makes for each user namespace.
    yield Row(
        "a key in /proc/keys",
        "a key that an earlier job left",
        REAL_TWICE,
        ("none",),
        ("seccomp", "kernel"),
    )
    yield Row(
        "a key left for the next job",
        "a key in the user's keyring",
        REAL_TWICE,
        ("EPERM",),
        FILTER,
    )


# The first run leaves what the second looks for.
REAL_TWICE = Group("real_calls.py", twice=True)

ROWS = [
    *native_rows(),
    *other_doors(),
    *sockets(),
    *ioctls_and_prctls(),
    *attacks(),
]
