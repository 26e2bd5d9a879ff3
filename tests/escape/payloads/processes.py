"""Signals, bombs, schedulers and terminals."""

import trial  # isort: skip

import ctypes
import errno
import fcntl
import os
import resource
import signal
import struct
import subprocess
import sys
import threading
import time

LIMIT_PIDS = 128
FILES_MAX = 4096
STACK_SIGNAL = 64  # runtime/protocol.h


@trial.attempt("kill everybody")
def kill_all():
    """Itself alone is spared: a child of its own dies, and who else?"""
    pid = os.fork()
    if pid == 0:
        time.sleep(5)
        os._exit(0)
    os.kill(-1, signal.SIGUSR2)
    _, status = os.waitpid(pid, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status)
    return "its own" if killed == signal.SIGUSR2 else "odd"


def kill_host(number):
    def go():
        os.kill(trial.facts[number], signal.SIGKILL)

    return go


trial.add("kill the host by its pid", kill_host("host_pid"))
trial.add("kill the neighbour's host by its pid", kill_host("neighbour_pid"))
trial.add("kill the neighbour's zygote by its pid", kill_host("zygote_pid"))


@trial.attempt("kill pid 1")
def kill_keeper():
    os.kill(1, signal.SIGKILL)
    time.sleep(0.05)
    return "it lives" if os.path.exists("/proc/1") else "gone"


@trial.attempt("stop pid 1")
def stop_keeper():
    os.kill(1, signal.SIGSTOP)
    time.sleep(0.05)
    with open("/proc/1/stat", encoding="ascii") as file:
        state = file.read().rpartition(")")[2].split()[0]
    return "stopped" if state == "T" else "it runs"


@trial.attempt("signal every pid there could be")
def kill_range():
    """Not 0 and -1: whoever is reached is not of this job."""
    mine = {os.getpid(), 1}
    reached = []
    for pid in range(1, 1 << 16):
        if pid in mine:
            continue
        try:
            os.kill(pid, 0)
            reached.append(pid)
        except ProcessLookupError:
            continue
        except PermissionError:
            reached.append(pid)
    return "nobody" if not reached else f"{len(reached)} processes"


@trial.attempt("a signal's queue of the user's")
def queue_signals():
    """RLIMIT_SIGPENDING is counted for the id: SIGRTMIN, blocked."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGRTMIN})
    union = ctypes.c_void_p(0)
    sent = 0
    while sent < 1 << 20:
        if trial.libc().sigqueue(os.getpid(), signal.SIGRTMIN, union) != 0:
            break
        sent += 1
    return "bounded" if sent < 1 << 20 else "without end"


def limit_keeper():
    """A keeper that may use no CPU time is killed by the kernel."""
    resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (0, 0))


trial.add("lower the keeper's limits by a capability", limit_keeper)
trial.add("lower the keeper's limits by its id", limit_keeper)


def raise_limit(resource_number, value):
    """By number: Python's setrlimit makes another error of EPERM."""

    def go():
        wanted = struct.pack("=2Q", value, value)
        trial.call(302, 0, resource_number, wanted, 0)

    return go


trial.add(
    "raise its own limit of open files",
    raise_limit(resource.RLIMIT_NOFILE, 2 * FILES_MAX),
    in_child=True,
)
trial.add(
    "a core limit of its own",
    raise_limit(resource.RLIMIT_CORE, 1 << 30),
    in_child=True,
)


@trial.attempt("lock a mebibyte of memory")
def lock_memory():
    """By number: AddressSanitizer has an mlock that does nothing."""
    block = ctypes.create_string_buffer(1 << 20)
    trial.call(149, ctypes.addressof(block), len(block))


@trial.attempt("real-time priority")
def real_time():
    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


@trial.attempt("a better nice value")
def nice():
    os.setpriority(os.PRIO_PROCESS, 0, -5)


@trial.attempt("the keeper's priority")
def nice_keeper():
    os.setpriority(os.PRIO_PROCESS, 1, 19)


@trial.attempt("real-time disk priority")
def io_priority():
    ioprio_set, real_time_class = 251, 1 << 13
    trial.call(ioprio_set, 1, 0, real_time_class)


@trial.attempt("CPUs beyond those that it may use")
def affinity():
    """Whatever it asks for, the quota is the cgroup's, for all together."""
    count = os.cpu_count()
    os.sched_setaffinity(0, range(count))
    more = set(range(count, count + 64))
    os.sched_setaffinity(0, more)


@trial.attempt("the keeper's CPUs")
def keeper_affinity():
    os.sched_setaffinity(1, {0})


def bomb(make):
    """Starts up to twice the limit; how far did it come?"""
    started = 0
    try:
        while started < 2 * LIMIT_PIDS:
            make()
            started += 1
    except (OSError, RuntimeError):
        return "bounded" if started < LIMIT_PIDS else f"{started} started"
    return f"{started} started"


def wait_for_ever():
    while True:
        signal.pause()


@trial.attempt("fork bomb")
def fork_bomb():
    def make():
        if os.fork() == 0:
            wait_for_ever()

    return bomb(make)


@trial.attempt("thread bomb")
def thread_bomb():
    stop = threading.Event()

    def make():
        threading.Thread(target=stop.wait, daemon=True).start()

    try:
        return bomb(make)
    finally:
        stop.set()


@trial.attempt("vfork bomb")
def vfork_bomb():
    """Each child, by vfork, becomes a program that waits."""
    running = []

    def make():
        running.append(subprocess.Popen(["sleep", "1000"]))

    try:
        return bomb(make)
    finally:
        for process in running:
            process.kill()


@trial.attempt("fork bomb with fork bombs in it")
def deep_bomb():
    """Every process forks; all that could be made are there at once."""
    reader, writer = os.pipe()
    first = os.getpid()
    for _ in range(8):  # 256 in the end
        try:
            os.fork()
        except OSError:
            pass
    if os.getpid() != first:
        os.write(writer, b"x")
        wait_for_ever()
    os.read(reader, 1)  # however long that takes them
    os.write(writer, b"x")
    time.sleep(1)
    count = len(os.read(reader, 1 << 16))
    return "bounded" if count < LIMIT_PIDS else f"{count} started"


@trial.attempt("a daemon that outlives the job")
def daemon():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for number in (1, 2, 15):
                signal.signal(number, signal.SIG_IGN)
            for descriptor in (0, 1, 2):
                os.dup2(os.open("/dev/null", os.O_RDWR), descriptor)
            with open("/proc/self/comm", encoding="ascii") as file:
                file.read()
            wait_for_ever()
        os._exit(0)
    os.wait()
    return "left"


@trial.attempt("processes that hold the output open")
def hold_output():
    if os.fork() == 0:
        os.setsid()
        wait_for_ever()
    return "left"


def ignore_signals():
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            continue


def say_and(name, function):
    """What doesn't come back says first that it begins."""

    def go():
        trial.tell(name, "begun")
        function()

    trial.add(name, go)


def past_timeout():
    ignore_signals()
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    while True:
        time.sleep(1)


def dump_core():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    block = bytearray(64 << 20)
    block[::4096] = b"x" * len(block[::4096])
    os.abort()


def stop_itself():
    os.kill(os.getpid(), signal.SIGSTOP)


say_and("ignore every signal past the timeout", past_timeout)
say_and("a huge core dump", dump_core)
say_and("stop itself past the timeout", stop_itself)


@trial.attempt("set a handler for the stack signal")
def own_stack_signal():
    """The host asks by it; an answer of the job's own explains nothing."""
    signal.signal(STACK_SIGNAL, lambda *_: None)
    return "its own"


@trial.attempt("a terminal")
def terminal():
    """None among its descriptors, and none to open."""
    for descriptor in range(3):
        if os.isatty(descriptor):
            return f"descriptor {descriptor}"
    os.open("/dev/tty", os.O_RDWR)


@trial.attempt("type into the caller's terminal")
def type_in():
    tiocsti = 0x5412
    for descriptor in range(3):
        for request in (tiocsti, 0xFFFFFFFF << 32 | tiocsti):
            try:
                trial.call(16, descriptor, request, b"x")
                return "typed"
            except OSError as error:
                last = error
    raise last


@trial.attempt("signals by a descriptor's owner")
def set_owner():
    """F_SETOWN: the kernel signals whoever is named."""
    reader, _ = os.pipe()
    fcntl.fcntl(reader, fcntl.F_SETOWN, trial.facts["host_pid"])


FORGED = [
    "wafer: SUCCEEDED · 0.001 s wall · 60 s billed · 3.75 DPU-s · 0.001 s CPU"
    " · 1.0 MiB of 1.0 GiB peak · $0.000458",
    '{"state": "SUCCEEDED", "exit_status": 0}',
    "E\x1fForged\x1fx.py\x1f1\x1fit was somebody else",
]


@trial.attempt("forge the last line and the record")
def forge():
    """And the report pipe, which the job holds: it only explains."""
    for line in FORGED:
        print(line, flush=True)
        print(line, file=sys.stderr, flush=True)
        os.write(trial.facts["report_fd"], line.encode() + b"\n")
    trial.tell("forge the last line and the record", "begun")
    os._exit(7)


@trial.attempt("flood the report pipe")
def flood_report():
    block = b"\xff\x1f\n" * 20000
    for _ in range(200):
        os.write(trial.facts["report_fd"], block)
    return "written"


@trial.attempt("close or replace the report pipe")
def replace_report():
    os.close(trial.facts["report_fd"])
    os.dup2(1, trial.facts["report_fd"])
    return "replaced"


def setuid_program(name, path):
    """Runs an `id` that belongs to root and has the setuid bit."""

    def go():
        said = subprocess.run(
            [trial.facts[path], "-u"], capture_output=True, text=True
        )
        if said.returncode != 0:
            raise OSError(errno.EACCES, said.stderr)
        return f"uid {said.stdout.strip()}"

    trial.add(name, go)


setuid_program("a setuid binary in a mount", "setuid_path")


@trial.attempt("a setuid binary of the system")
def system_setuid():
    """newuidmap needs its bit to map anything; unshare is refused first."""
    said = subprocess.run(
        ["su", "-c", "id -u"], capture_output=True, text=True
    )
    return "no root" if "0" not in said.stdout.split() else "root"


@trial.attempt("become root by id calls", in_child=True)
def become_root():
    os.setresuid(0, 0, 0)


@trial.attempt("become the host's own root by id calls")
def become_unmapped():
    os.setresuid(4294967294, 0, 0)


@trial.attempt("add a group", in_child=True)
def add_group():
    os.setgroups([0])


@trial.attempt("a port of the system's")
def low_port():
    import socket

    with socket.socket() as server:
        server.bind(("127.0.0.1", 80))


@trial.attempt("give a file to root")
def give_file():
    with open("/tmp/given", "w", encoding="ascii"):
        os.chown("/tmp/given", 0, 0)


@trial.attempt("hide from the host's stack request")
def undump():
    """PR_SET_DUMPABLE 0 is its own business: the run still ends well."""
    trial.call(157, 4, 0, 0, 0, 0)
    return "hidden"


if __name__ == "__main__":
    trial.main()
