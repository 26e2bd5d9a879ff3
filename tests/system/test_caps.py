"""Every cap has a message of its own: one test a row of host/caps.c, and what
is said where wafer itself acts on a cap or a job got over one."""

import os
import re
import textwrap

import pytest

from wafer_command import ZYGOTE
from waiting import TIME_SCALE

GIB = 1 << 30

FILL_TMP = """\
import os
file = os.open("/tmp/big", os.O_RDWR | os.O_CREAT)
size = 0
for step in (1 << 30, 64 << 20, 1 << 20, 4096):
    try:
        while True:
            os.posix_fallocate(file, size, step)
            size += step
    except OSError:
        pass
"""

FORK_UNTIL_REFUSED = """\
import os, signal
while True:
    if os.fork() == 0:
        signal.pause()
"""

THREADS = """\
import threading
stop = threading.Event()
for _ in range(10_000):
    threading.Thread(target=stop.wait, daemon=True).start()
"""


def in_try(script):
    """The script in a try that lacks its except yet."""
    return "try:\n" + textwrap.indent(script, "    ")


SCRATCH_IS_FULL = "/tmp is full: it holds 20 GiB"
TOO_MANY_PROCESSES = (
    "it may have 128 processes and threads at once, and was refused more. "
    "Start fewer, or take --max-capacity 1"
)

# Script, exit status, and the end of the reason.
OF_ROOT = {
    "scratch": (
        FILL_TMP + "open('/tmp/other', 'w').write('x' * 8192)",
        1,
        SCRATCH_IS_FULL,
    ),
    "scratch, as sqlite says it": (
        "import sqlite3\n"
        + FILL_TMP
        + "sqlite3.connect('/tmp/db').execute('CREATE TABLE t (x)')",
        1,
        SCRATCH_IS_FULL,
    ),
    "scratch, by the kernel's word alone": (
        FILL_TMP + "raise SystemExit(3)",
        3,
        SCRATCH_IS_FULL,
    ),
    "scratch that was emptied on the way out": (
        FILL_TMP
        + "try: os.posix_fallocate(file, size, 1 << 20)\n"
        + "finally: os.ftruncate(file, 0)",
        1,
        "/tmp holds 20 GiB, and a mount what its disk has left",
    ),
    "processes": (FORK_UNTIL_REFUSED, 1, TOO_MANY_PROCESSES),
    "threads": (THREADS, 1, TOO_MANY_PROCESSES),
    "processes, by the kernel's word alone": (
        in_try(FORK_UNTIL_REFUSED)
        + "except BlockingIOError:\n    raise SystemExit(3)",
        3,
        TOO_MANY_PROCESSES,
    ),
}
OF_ALL = {
    "open files": (
        "held = []\nwhile True: held.append(open('/dev/null'))",
        1,
        "a process may have 1024 files open at once, or 4096 where it raises "
        "its limit (resource.setrlimit)",
    ),
    "file size": (
        "import os\nos.truncate(os.open('/tmp/x', os.O_RDWR | os.O_CREAT), "
        "(20 << 30) + 1)",
        1,
        "a file may have 20 GiB at most, in a mount, too",
    ),
    "file size, in a child": (
        "import subprocess\n"
        "subprocess.run(['dd', 'if=/dev/zero', 'of=/tmp/x', 'bs=1', 'count=1',"
        " f'seek={20 << 30}'], check=True)",
        1,
        "a file may have 20 GiB at most, in a mount, too",
    ),
    "file size, by its signal": (
        "import os, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_DFL)\n"
        "os.pwrite(os.open('/tmp/x', os.O_RDWR | os.O_CREAT), b'x', 20 << 30)",
        153,
        "a file may have 20 GiB at most, in a mount, too",
    ),
}


def check_told(wafer, script, status, end, *options):
    process = wafer.start_script(script, *options)
    outcome = process.wait(300 * TIME_SCALE).check(status, "FAILED")
    assert outcome.reason["text"].endswith("; " + end), outcome.reason
    assert f"wafer: {outcome.reason['text']}" in outcome.messages
    return outcome


@pytest.mark.parametrize("name", OF_ROOT)
def test_cap_of_root(root_wafer, name):
    check_told(root_wafer, *OF_ROOT[name])


@pytest.mark.parametrize("name", OF_ALL)
def test_cap(wafer, name):
    check_told(wafer, *OF_ALL[name])


def test_files_of_a_full_tmp(root_wafer):
    """In the larger size: 1.3 million files are to be made."""
    script = """\
        import os
        for part in range(8):
            if os.fork() == 0:
                os.mkdir(f"/tmp/{part}")
                os.chdir(f"/tmp/{part}")
                number = 0
                try:
                    while True:
                        os.mknod(str(number))
                        number += 1
                except OSError:
                    os._exit(0)
        for part in range(8):
            os.wait()
        open("/tmp/one-more", "w")
        """
    told = (
        "/tmp has room, but for no more files: pack them, or put them in a "
        "mount"
    )
    check_told(root_wafer, script, 1, told, "--max-capacity=1")


def test_processes_of_the_larger_size(root_wafer):
    told = (
        "it may have 1024 processes and threads at once, and was refused "
        "more. Start fewer"
    )
    check_told(root_wafer, THREADS, 1, told, "--max-capacity=1")


def test_processes_without_a_cgroup(bare_wafer):
    check_told(bare_wafer, THREADS, 1, TOO_MANY_PROCESSES)


def test_scratch_in_memory(plain_wafer):
    """What the kernel's tmpfs refuses without taking it first."""
    script = """\
        import os
        space = os.statvfs("/tmp")
        print(space.f_blocks * space.f_frsize)
        file = os.open("/tmp/x", os.O_RDWR | os.O_CREAT)
        os.posix_fallocate(file, 0, space.f_blocks * space.f_frsize + 4096)
        """
    outcome = plain_wafer.run(script).check(1, "FAILED")
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    size = min(20 * GIB, pages // 2)
    assert abs(int(outcome.lines[0]) - size) <= 4096
    digits = 0 if size >= 10 * GIB else 1
    told = f"/tmp holds {size / GIB:.{digits}f} GiB"
    assert told in outcome.reason["text"]


# AddressSanitizer reserves terabytes of addresses.
@pytest.mark.skipif(
    b"__asan_init" in ZYGOTE.read_bytes(),
    reason="a build with AddressSanitizer has no limit of addresses",
)
def test_addresses_without_a_cgroup(bare_wafer):
    script = "blocks = []\nwhile True: blocks.append(bytearray(1 << 20))"
    told = (
        "without the cgroup wall each process may have 1.0 GiB of addresses, "
        "its libraries' and threads' among them. Read the input in smaller "
        "parts, or take --max-capacity 1"
    )
    outcome = check_told(bare_wafer, script, 1, told)
    assert outcome.reason["kind"] == "out_of_memory"
    assert outcome.reason["text"].startswith("MemoryError (script.py, line 2)")
    assert outcome.reason["exception"]["type"] == "MemoryError"
    assert outcome.reason["exception"]["line"] == 2


def test_cpu_time_without_a_cgroup(bare_wafer):
    """It may lower the limit that it has, but not raise it."""
    script = """\
        import resource
        soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
        print(soft, hard)
        resource.setrlimit(resource.RLIMIT_CPU, (1, hard))
        while True:
            pass
        """
    told = (
        "without the cgroup wall a process's CPU time is limited, to its "
        "timeout for each CPU of its size"
    )
    outcome = check_told(bare_wafer, script, 152, told, "--timeout=1")
    assert outcome.lines == ["70 75"]
    assert "SIGXCPU" in outcome.reason["text"]


def test_timeout_of_a_job_that_was_held_back(root_wafer):
    script = "while True: pass"
    timeout = f"--timeout={0.05 * TIME_SCALE}"
    outcome = root_wafer.run(script, timeout).check(124, "TIMEOUT")
    text = outcome.reason["text"]
    assert re.match(
        r"timeout: it ran longer than [0-9.]+ s, and wanted ", text
    )
    assert "more than its 0.25 CPU most of that time" in text
    assert "a larger --timeout, or take --max-capacity 1" in text


def test_timeout_of_a_job_that_waited(root_wafer):
    script = "import time; time.sleep(1000)"
    timeout = f"--timeout={0.02 * TIME_SCALE}"
    outcome = root_wafer.run(script, timeout).check(124, "TIMEOUT")
    assert "CPU" not in outcome.reason["text"]


def test_kept_output(root_wafer):
    """1 GiB of a stream is kept, and that it is shorter is said thrice."""
    script = """\
        import os
        line = b"x" * 65535 + b"\\n"
        for _ in range((1 << 30 >> 16) + 100):
            os.write(1, line)
        """
    process = root_wafer.start_script(script, stdout=open(os.devnull, "wb"))
    outcome = process.wait(120).check(0, "SUCCEEDED")
    told = (
        "wafer: what is kept of its output ends at 1.0 GiB; "
        '"wafer logs" hasn\'t the rest'
    )
    assert outcome.messages[:-1] == [told]
    output = outcome.report["output"]
    assert output["stdout_bytes"] == GIB + (100 << 16)
    assert output["log_truncated"] is True
    kept = root_wafer.state_dir / "runs" / outcome.report["id"] / "stdout"
    assert GIB - (1 << 16) <= kept.stat().st_size <= GIB
    null = open(os.devnull, "wb")
    logs = root_wafer.call("logs", outcome.report["id"], stdout=null).check()
    assert logs.messages == ["wafer: the script wrote more than was kept"]


def test_caps_that_a_job_got_over(root_wafer):
    """They are no reason of anything, but counted."""
    script = f"{in_try(THREADS)}except RuntimeError:\n    stop.set()\n"
    outcome = root_wafer.run(script + FILL_TMP).check(0, "SUCCEEDED")
    usage = outcome.report["usage"]
    assert outcome.reason["text"] is None
    assert len(outcome.messages) == 1
    assert usage["pids_refused"] > 0
    assert usage["scratch_bytes"] > 19 * GIB
    shown = root_wafer.call("show", outcome.report["id"]).check().lines
    assert any("too many at once" in line for line in shown)
    assert any(line.split()[:3] == ["/tmp", "20", "GiB"] for line in shown)
