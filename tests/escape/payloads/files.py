"""Files: the host's, other runs', the kernel's, and what is planted."""

import trial  # isort: skip

import errno
import fcntl
import glob
import mmap
import os
import re
import shutil
import socket
import stat
import struct
import subprocess

CANARY = re.compile(rb"CANARY" + rb"-[0-9a-f]{32}")


def opens(path, flags=os.O_RDONLY):
    def go():
        os.close(os.open(path, flags))

    return go


def fact(name):
    """Opens a path that the runner tells."""

    def go():
        os.close(os.open(trial.facts[name], os.O_RDONLY))

    return go


READ = [
    "/etc/shadow", "/proc/1/environ", "/proc/1/mem", "/proc/1/maps",
    "/proc/1/auxv", "/proc/1/syscall", "/proc/1/stack", "/proc/kcore",
    "/proc/kmsg", "/proc/kpageflags", "/proc/vmallocinfo", "/proc/slabinfo",
    "/proc/timer_list", "/dev/mem", "/dev/kmem", "/dev/kmsg", "/dev/port",
    "/dev/vda", "/dev/sda", "/dev/loop0", "/dev/loop-control", "/dev/fuse",
    "/dev/kvm", "/dev/net/tun", "/dev/ptmx", "/dev/tty", "/dev/console",
    "/dev/mapper/control", "/dev/vsock", "/dev/userfaultfd",
    "/dev/btrfs-control", "/run/docker.sock",
    "/run/dbus/system_bus_socket", "/run/systemd/private",
    "/root/.bashrc", "/boot", "/home", "/var/lib/wafer/wafer.db",
    "/etc/wafer/ledger.key", "/sys/fs/cgroup", "/sys/kernel/debug",
    "/sys/kernel/security",
]  # fmt: skip
for path in READ:
    trial.add(f"read {path}", opens(path))

WRITE = [
    "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe",
    "/proc/sys/kernel/hostname", "/proc/sys/kernel/sysrq",
    "/proc/sys/kernel/ns_last_pid", "/proc/sys/kernel/random/boot_id",
    "/proc/sys/vm/drop_caches", "/proc/sys/vm/overcommit_memory",
    "/proc/sys/fs/binfmt_misc/register", "/proc/sys/fs/mqueue/msg_max",
    "/proc/sys/kernel/shmmax", "/proc/sys/user/max_user_namespaces",
    "/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/core/somaxconn",
    "/proc/sysrq-trigger", "/proc/acpi/wakeup",
    "/proc/irq/default_smp_affinity",
    "/proc/mtrr", "/proc/1/oom_score_adj", "/proc/1/comm", "/proc/1/uid_map",
    "/proc/1/attr/current", "/proc/self/uid_map", "/proc/self/setgroups",
    "/usr/bin/x", "/usr/lib/python3.11/os.py", "/etc/passwd",
    "/etc/ld.so.preload",
    "/etc/alternatives/x", "/opt/wafer/python/awsglue/utils.py",
    "/opt/wafer/python/awsglue/x.py", "/run/secrets/x", "/dev/x", "/x",
    "/var/x", "/proc/self/exe",
]  # fmt: skip
for path in WRITE:
    trial.add(f"write {path}", opens(path, os.O_WRONLY))
for path in ("/usr/bin/x", "/opt/wafer/python/awsglue/x.py", "/x", "/etc/x",
             "/run/secrets/x", "/dev/x", "/var/x", "/opt/x",
             "/usr/lib/python3/dist-packages/x.py",
             "/opt/wafer/python/awsglue/__pycache__/x.pyc",
             "/usr/lib/python3.11/__pycache__/os.cpython-311.pyc.x",
             ):  # fmt: skip
    trial.add(f"make {path}", opens(path, os.O_WRONLY | os.O_CREAT))

# Its own, in /proc: only Landlock says no.
for path in ("mem", "oom_score_adj", "comm", "coredump_filter",
             "clear_refs", "timerslack_ns", "autogroup", "sched"):  # fmt: skip
    trial.add(f"write /proc/self/{path}", opens(f"/proc/self/{path}", 1))

trial.add("the host's file by its path", fact("canary_path"))
trial.add("another run's script by its path", fact("neighbour_script"))
trial.add("another run's log by its path", fact("neighbour_log"))
trial.add("a zygote's memory by its pid", fact("zygote_memory"))
trial.add("the store by its path", fact("state_dir"))
trial.add("the configuration by its path", fact("config_dir"))


@trial.attempt("another run's files through /proc")
def through_proc():
    """Root, working folder and descriptors of whoever is not this job's."""
    reached = []
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        if int(pid) == os.getpid():
            continue
        for name in ("root/etc/hostname", "cwd", "exe", "fd", "map_files"):
            try:
                os.stat(f"/proc/{pid}/{name}/.")
                reached.append(f"{pid}/{name}")
            except OSError:
                continue
    return "none" if not reached else " ".join(reached)


@trial.attempt("command lines and environments of others")
def command_lines():
    mine = {"1", str(os.getpid()), "self", "thread-self"}
    others = [
        pid for pid in os.listdir("/proc")
        if pid.isdecimal() and pid not in mine
    ]  # fmt: skip
    for pid in others:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            if CANARY.search(file.read()):
                return "the neighbour's"
    return "none" if not others else f"{len(others)} processes"


def search(root, limit=20000):
    """Looks for a canary in all that can be read below a folder."""
    seen = 0
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            seen += 1
            if seen > limit:
                return "none"
            try:
                if not stat.S_ISREG(os.lstat(path).st_mode):
                    continue
                with open(path, "rb") as file:
                    if CANARY.search(file.read(1 << 16)):
                        return f"in {path}"
            except OSError:
                continue
    return "none"


@trial.attempt("a canary below /etc, /run, /var, /opt, /tmp, /dev")
def search_own():
    mine = [os.path.dirname(path) for path in glob.glob("/tmp/glue-python-*")]
    assert mine, "nothing of its own in /tmp"
    for root in ("/etc", "/run", "/var", "/opt", "/dev", "/tmp"):
        found = search(root)
        if found != "none":
            return found
    return "none"


@trial.attempt("leave the root by ..")
def leave_root():
    path = "/" + "../" * 40 + trial.facts["canary_path"]
    os.close(os.open(path, os.O_RDONLY))


@trial.attempt("leave a mount by ..")
def leave_mount():
    os.chdir("/tmp")
    os.stat("../" * 40 + "etc/shadow")


def descriptors():
    """What is open beyond 0, 1, 2 and the report pipe, with what each is."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue  # that of the listing itself
    for known in (0, 1, 2, trial.facts["report_fd"]):
        found.pop(known, None)
    return found


@trial.attempt("a descriptor beyond those that were declared")
def extra_descriptors():
    found = descriptors()
    return "none" if not found else repr(sorted(found.values()))


@trial.attempt("a descriptor that a child inherits")
def inherited():
    said = subprocess.run(
        ["ls", "/proc/self/fd"],
        close_fds=False,
        capture_output=True,
        text=True,
    )
    more = set(said.stdout.split()) - {"0", "1", "2", "3"}  # 3: ls's own
    return "none" if not more else repr(sorted(more))


@trial.attempt("a folder of the host's behind a descriptor")
def through_descriptors():
    for number in range(1024):
        for path in ("etc/hostname", "../etc/hostname"):
            try:
                os.close(os.open(path, os.O_RDONLY, dir_fd=number))
                return f"descriptor {number}"
            except OSError:
                continue
    return "none"


@trial.attempt("a socket to the zygote, the keeper or the host")
def sockets():
    """Speaks their protocol on whatever socket is open."""
    for number in range(1024):
        try:
            mode = os.fstat(number).st_mode
        except OSError:
            continue
        if stat.S_ISSOCK(mode):
            with socket.socket(fileno=number) as found:
                found.setblocking(False)
                found.send(struct.pack("=iiq", 1, 0, 0))
            return f"descriptor {number}"
    return "none"


@trial.attempt("a seccomp listener to answer its own calls")
def own_listener():
    for number in range(1024):
        try:
            target = os.readlink(f"/proc/self/fd/{number}")
        except OSError:
            continue
        if "seccomp" in target:
            return f"descriptor {number}"
    return "none"


@trial.attempt("write the running program")
def write_program():
    """The zygote's program, by whatever way leads to its file."""
    try:
        os.close(os.open("/proc/self/exe", os.O_WRONLY))
    except OSError as error:
        first = error
    else:
        return "opened"
    target = os.open("/proc/self/exe", os.O_PATH)
    try:
        os.close(os.open(f"/proc/self/fd/{target}", os.O_WRONLY))
    except OSError:
        raise first from None
    return "opened by /proc/self/fd"


@trial.attempt("write the interpreter's library")
def write_library():
    with open("/proc/self/maps", encoding="utf-8") as maps:
        paths = {line.split()[5] for line in maps if "wafer" in line}
    found = [path for path in paths if os.access(path, os.W_OK)]
    return "none" if not found else repr(found)


@trial.attempt("a shared mapping of a read-only file")
def map_read_only():
    with open("/usr/lib/python3.11/os.py", "rb") as file:
        mmap.mmap(
            file.fileno(), 4096, mmap.MAP_SHARED,
            mmap.PROT_READ | mmap.PROT_WRITE,
        )  # fmt: skip


@trial.attempt("execute a memory file")
def memory_file():
    """It may; it has the job's walls."""
    target = os.memfd_create("x")
    with open("/usr/bin/id", "rb") as program:
        os.write(target, program.read())
    said = subprocess.run(
        [f"/proc/self/fd/{target}", "-u"],
        pass_fds=[target],
        capture_output=True,
        text=True,
    )
    return f"uid {said.stdout.strip()}"


@trial.attempt("execute from /dev/shm")
def execute_shm():
    shutil.copy("/usr/bin/true", "/dev/shm/true")
    os.chmod("/dev/shm/true", 0o755)
    subprocess.run(["/dev/shm/true"])


CGROUP_FILES = (
    "memory.limit_in_bytes", "cpu.cfs_quota_us", "pids.max", "tasks",
    "release_agent", "notify_on_release", "cgroup.procs", "memory.max",
    "cpu.max", "cgroup.kill",
)  # fmt: skip


@trial.attempt("its own control group's files")
def cgroup_files():
    """v1's and v2's, wherever a mount could have them."""
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        if " cgroup" in file.read():
            return "it is mounted"
    for root in ("/sys/fs/cgroup", "/proc/self/cwd", "/tmp"):
        for name in CGROUP_FILES:
            if os.path.exists(f"{root}/{name}"):
                return f"{root}/{name}"
    return "none"


@trial.attempt("where its control group is")
def cgroup_place():
    """The path has the run's id in it, and those of others beside it."""
    with open("/proc/self/cgroup", encoding="utf-8") as file:
        places = {line.strip().split(":", 2)[2] for line in file}
    return "/" if places == {"/"} else "below the host's root"


@trial.attempt("remount /tmp with devices and setuid")
def remount():
    trial.call(165, b"none", b"/tmp", b"", 0x20, 0)


@trial.attempt("the host's name")
def host_name():
    return "a sandbox's" if os.uname().nodename == "wafer" else "the host's"


@trial.attempt("watch the host's files by inotify")
def watch():
    libc = trial.libc()
    watcher = libc.inotify_init()
    path = trial.facts["canary_path"].encode()
    found = libc.inotify_add_watch(watcher, path, 2)
    os.close(watcher)
    if found < 0:
        raise OSError(errno.ENOENT, "")
    return "watched"


@trial.attempt("a lease or a lock on a file that the host reads")
def lease():
    target = os.open("/usr/bin/python3.11", os.O_RDONLY)
    fcntl.fcntl(target, 1024, fcntl.F_WRLCK)


@trial.attempt("file capabilities on a program")
def file_capabilities():
    shutil.copy("/usr/bin/id", "/tmp/capable")
    everything = struct.pack("<IIIII", 0x02000001, *[0xFFFFFFFF] * 4)
    os.setxattr("/tmp/capable", "security.capability", everything)


@trial.attempt("out of its disk quota's project")
def project():
    target = os.open("/tmp/project", os.O_CREAT | os.O_RDWR)
    fsx = struct.pack("=IIIII8x", 0, 0, 0, 4711, 0)
    fcntl.ioctl(target, 0x401C5820, fsx)


if __name__ == "__main__":
    trial.main()
