"""Files: of the host, of other runs, of the kernel."""

from rows import Group, Later, Row

HEADING = "Files"

JOB = Group("files.py", around=("places", "open_descriptors"))

ABSENT = ("ENOENT", "EACCES", "EPERM")
OURS = ("landlock", "capabilities", "read-only-root")
BOTH = ("landlock", "capabilities")


def row(name, contained, walls, **more):
    if isinstance(contained, str):
        contained = (contained,)
    return Row(name, name, JOB, contained, walls, **more)


OF_THE_KEEPER = ("environ", "mem", "maps", "auxv")
OF_THE_MACHINE = (
    "/etc/shadow", "/proc/kcore", "/proc/kmsg", "/proc/kpageflags",
    "/proc/vmallocinfo", "/proc/slabinfo", "/proc/timer_list", "/dev/mem",
    "/dev/kmem", "/dev/kmsg", "/dev/port", "/dev/vda", "/dev/sda",
    "/dev/loop0", "/dev/loop-control", "/dev/fuse", "/dev/kvm",
    "/dev/net/tun", "/dev/ptmx", "/dev/tty", "/dev/console",
    "/dev/mapper/control", "/dev/vsock", "/dev/userfaultfd",
    "/dev/btrfs-control", "/run/docker.sock",
    "/run/dbus/system_bus_socket", "/run/systemd/private", "/root/.bashrc",
    "/boot", "/home", "/var/lib/wafer/wafer.db", "/etc/wafer/ledger.key",
    "/sys/fs/cgroup", "/sys/kernel/debug", "/sys/kernel/security",
)  # fmt: skip

# Sysctls and files of /proc that are the machine's root's.
MACHINE_SETTINGS = (
    "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe",
    "/proc/sys/kernel/hostname", "/proc/sys/kernel/sysrq",
    "/proc/sys/kernel/ns_last_pid", "/proc/sys/kernel/random/boot_id",
    "/proc/sys/vm/drop_caches", "/proc/sys/vm/overcommit_memory",
    "/proc/sys/fs/binfmt_misc/register", "/proc/sys/fs/mqueue/msg_max",
    "/proc/sys/kernel/shmmax", "/proc/sysrq-trigger", "/proc/acpi/wakeup",
    "/proc/irq/default_smp_affinity", "/proc/mtrr",
)  # fmt: skip

# Those that a sandbox's own root could write.
SANDBOX_SETTINGS = (
    "/proc/sys/user/max_user_namespaces", "/proc/sys/net/ipv4/ip_forward",
    "/proc/1/oom_score_adj", "/proc/1/comm", "/proc/self/setgroups",
)  # fmt: skip

# Its own: only Landlock says no. (path, whether every kernel has it)
OWN = {
    "mem": True, "oom_score_adj": True, "comm": True, "uid_map": True,
    "clear_refs": False, "coredump_filter": False, "timerslack_ns": False,
    "autogroup": False, "sched": False,
}  # fmt: skip

# Folders of the root that wafer makes, which its own root could write.
OURS_TO_MAKE = ("/x", "/etc/x", "/run/secrets/x", "/dev/x", "/var/x", "/opt/x")
HOSTS_TO_MAKE = (
    "/usr/bin/x", "/opt/wafer/python/awsglue/x.py",
    "/usr/lib/python3/dist-packages/x.py",
    "/opt/wafer/python/awsglue/__pycache__/x.pyc",
    "/usr/lib/python3.11/__pycache__/os.cpython-311.pyc.x",
)  # fmt: skip
HOSTS_TO_WRITE = (
    "/usr/lib/python3.11/os.py", "/opt/wafer/python/awsglue/utils.py",
    "/proc/self/exe", "/etc/ld.so.preload", "/etc/alternatives/x",
)  # fmt: skip


def paths():
    for name in OF_THE_KEEPER:
        yield row(f"read /proc/1/{name}", "EACCES", BOTH)
    for name in ("syscall", "stack"):
        # Landlock has no say in them; some kernels haven't got them.
        yield row(f"read /proc/1/{name}", ABSENT, ("capabilities", "kernel"))
    for path in OF_THE_MACHINE:
        yield row(f"read {path}", ABSENT, ("root", "user-namespace"))
    for path in MACHINE_SETTINGS:
        yield row(f"write {path}", ABSENT, ("landlock", "user-namespace"))
    for path in SANDBOX_SETTINGS:
        yield row(f"write {path}", ABSENT, BOTH)
    yield row("write /proc/1/uid_map", ABSENT, (*BOTH, "kernel"))
    yield row("write /proc/1/attr/current", ABSENT, ("landlock", "kernel"))
    for name, everywhere in OWN.items():
        yield row(
            f"write /proc/self/{name}",
            ABSENT,
            ("landlock",) if everywhere else ("landlock", "kernel"),
            needs=("landlock",),
        )
    for path in OURS_TO_MAKE:
        yield row(f"make {path}", ("EROFS", "EACCES"), OURS)
    yield row("write /etc/passwd", ("EROFS", "EACCES"), OURS)
    for path in HOSTS_TO_MAKE:
        yield row(
            f"make {path}",
            ("EROFS", "EACCES"),
            ("mount-flags", "user-namespace"),
        )
    for path in HOSTS_TO_WRITE:
        yield row(
            f"write {path}",
            ("EROFS", "ETXTBSY", *ABSENT),
            ("mount-flags", "user-namespace"),
        )


MOUNTED = ("mount-flags", "user-namespace")

ROWS = [
    *paths(),
    row("the host's file by its path", "ENOENT", ("root",)),
    row("another run's script by its path", "ENOENT", ("root",)),
    row("another run's log by its path", ABSENT, ("root", "user-namespace")),
    row("a zygote's memory by its pid", ABSENT, ("pid", "user-namespace")),
    row("leave the root by ..", "ENOENT", ("root",)),
    row("watch the host's files by inotify", "ENOENT", ("root",)),
    row("the store by its path", ABSENT, ("root", "user-namespace")),
    row("the configuration by its path", ABSENT, ("root", "user-namespace")),
    row("leave a mount by ..", "ENOENT", ("root", "kernel")),
    row("a canary below /etc, /run, /var, /opt, /tmp, /dev", "none",
        ("root", "user-namespace")),
    row("another run's files through /proc", "none",
        ("pid", "user-namespace")),
    row("command lines and environments of others", "none", ("pid",)),
    row("a descriptor beyond those that were declared", "none",
        ("descriptors",)),
    row("a descriptor that a child inherits", "none", ("descriptors",)),
    row("a socket to the zygote, the keeper or the host", "none",
        ("descriptors",)),
    row("a seccomp listener to answer its own calls", "none",
        ("descriptors", "kernel")),
    row("a folder of the host's behind a descriptor", "none", ("exec",)),
    row("write the running program", ("EACCES", "EROFS", "ETXTBSY"), MOUNTED),
    row("write the interpreter's library", "none", MOUNTED),
    row("a shared mapping of a read-only file", "EACCES", ("kernel",)),
    # It may: what it executes has the job's walls.
    row("execute a memory file", "uid 1000", ("kernel",)),
    row("execute from /dev/shm", "EACCES", MOUNTED),
    row("its own control group's files", "none", ("root", "user-namespace")),
    row("where its control group is", "/", ("cgroup-namespace",),
        needs=("cgroup",)),
    row("remount /tmp with devices and setuid", "EPERM",
        ("seccomp", "capabilities", "kernel")),
    row("the host's name", "a sandbox's", ("uts",)),
    row("a lease or a lock on a file that the host reads",
        ("EACCES", "EAGAIN"), ("kernel",)),
    row("file capabilities on a program", "EPERM", ("capabilities",)),
    row("out of its disk quota's project", "EPERM",
        ("seccomp", "kernel")),
]  # fmt: skip

LATER = [
    Later("a .pyc of the library set", "the analytics library set"),
]
