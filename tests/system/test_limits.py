"""Limits of a job, and how the run says which of them ended it."""

import pytest

from wafer_command import ZYGOTE
from waiting import TIME_SCALE

GIB = 1 << 30
# Long enough for a script to start.
SHORT = f"--timeout={0.02 * TIME_SCALE}"

# AddressSanitizer reserves terabytes of addresses, so that a build with it
# can't limit them.
needs_address_limit = pytest.mark.skipif(
    b"__asan_init" in ZYGOTE.read_bytes(),
    reason="a build with AddressSanitizer has no limit of addresses",
)

GROW = """\
blocks = []
def grow_here():
    while True:
        blocks.append(bytearray(1 << 20))
grow_here()
"""


def test_out_of_memory(root_wafer):
    outcome = root_wafer.run(GROW).check(137, "FAILED")
    usage, reason = outcome.report["usage"], outcome.reason
    assert usage["memory_limit_bytes"] == GIB
    assert 0.9 * GIB < usage["memory_peak_bytes"] <= GIB
    assert usage["oom_kills"] > 0
    assert reason["kind"] == "out_of_memory"
    assert "1 GiB" in reason["text"].replace("1.0 GiB", "1 GiB")
    stack = reason["python_stack"]
    assert (stack and "grow_here" in stack) or "too fast" in reason["text"]
    assert "out of memory" in " ".join(outcome.messages[:-1])


def test_where_memory_went(root_wafer):
    """What grows slowly is seen at 95 %, with the Python stack there."""
    script = """\
        import time
        blocks = []
        def grow_slowly():
            for number in range(2000):
                blocks.append(bytearray(1 << 20))
                time.sleep(0.01 if number > 900 else 0)
        grow_slowly()
        """
    outcome = root_wafer.run(script).check(137, "FAILED")
    assert outcome.reason["kind"] == "out_of_memory"
    assert "grow_slowly" in outcome.reason["python_stack"]
    assert "script.py" in outcome.reason["python_stack"]
    assert "0.0625" not in outcome.reason["text"]  # it names the larger size
    assert "--max-capacity 1" in outcome.reason["text"]


@needs_address_limit
def test_out_of_memory_without_a_cgroup(bare_wafer):
    """RLIMIT_AS turns it into a MemoryError with a line of the script's."""
    outcome = bare_wafer.run(GROW).check(1, "FAILED")
    assert outcome.reason["kind"] in ("exception", "out_of_memory")
    assert outcome.reason["exception"]["type"] == "MemoryError"
    assert outcome.reason["exception"]["line"] == 4


@pytest.mark.parametrize(
    "bomb",
    [
        "import os\n"
        "file = os.open('/dev/shm/x', os.O_RDWR | os.O_CREAT)\n"
        "while True: os.write(file, bytes(1 << 20))\n",
        "import os\n"
        "file = os.memfd_create('x')\n"
        "while True: os.write(file, bytes(1 << 20))\n",
    ],
    ids=["/dev/shm", "memfd"],
)
def test_files_in_memory_count_as_memory(root_wafer, bomb):
    outcome = root_wafer.run(bomb).check(137, "FAILED")
    assert outcome.reason["kind"] == "out_of_memory"


def test_a_job_within_its_memory(root_wafer):
    """900 MiB are fine, and the peak says so."""
    script = "block = bytearray(900 << 20); print(len(block))"
    outcome = root_wafer.run(script).check(0, "SUCCEEDED")
    peak = outcome.report["usage"]["memory_peak_bytes"]
    assert 900 << 20 <= peak <= GIB


def test_time_of_a_cpu_without_a_cgroup(bare_wafer):
    """RLIMIT_CPU ends what uses up its share before the clock does."""
    outcome = bare_wafer.run("while True: pass", SHORT)
    assert outcome.status in (124, 137)
    text = outcome.reason["text"]
    assert "timeout" in text or "CPU" in text


def test_timeout_of_a_busy_script(root_wafer):
    check_timeout(root_wafer, "while True: pass")


def test_timeout_of_a_waiting_script(wafer):
    check_timeout(wafer, "import time; time.sleep(1000)")


def check_timeout(wafer, body):
    script = f"def stand_here():\n    {body}\nstand_here()\n"
    minutes = 0.02 * TIME_SCALE
    outcome = wafer.run(script, "--timeout", f"{minutes}")
    report, reason = outcome.check(124, "TIMEOUT").report, outcome.reason
    assert report["timeout_ms"] == minutes * 60_000
    assert report["duration_ns"] >= minutes * 60_000_000_000
    assert reason["kind"] == "timeout"
    assert "stand_here" in reason["python_stack"]
    assert "script.py" in reason["python_stack"]
    assert outcome.bill["state"] == "TIMEOUT"
    assert any("timeout" in line.lower() for line in outcome.messages[:-1])
    shown = wafer.call("show", report["id"]).check().stdout.decode()
    assert "stand_here" in shown


def test_timeout_of_a_script_that_ignores_signals(root_wafer):
    script = """\
        import signal, time
        for number in signal.valid_signals() - {9, 19}:
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                pass
        print("ready", flush=True)
        while True:
            time.sleep(1)
        """
    outcome = root_wafer.run(script, SHORT).check(124, "TIMEOUT")
    assert outcome.reason["kind"] == "timeout"


def test_a_timeout_lets_the_script_clean_up(wafer):
    script = """\
        import signal, sys, time
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        try:
            time.sleep(1000)
        finally:
            print("cleaned up")
        """
    outcome = wafer.run(script, SHORT).check(124, "TIMEOUT")
    assert outcome.lines == ["cleaned up"]


def test_a_quarter_of_a_cpu(root_wafer):
    """By the kernel's counters: CPU used over the time that it ran."""
    script = """\
        import time
        start = time.process_time()
        while time.process_time() < start + 1:
            pass
        """
    usage_of = root_wafer.run(script).check(0, "SUCCEEDED").report
    cpu_ns = usage_of["usage"]["cpu_ns"]
    # Making the sandbox counts as CPU time but not as duration.
    setup_ns = root_wafer.run("").check().report["usage"]["cpu_ns"]
    assert cpu_ns >= 990_000_000
    assert cpu_ns - setup_ns <= 0.25 * 1.05 * usage_of["duration_ns"]
    assert usage_of["usage"]["throttled_periods"] > 0
    assert usage_of["usage"]["throttled_ns"] > 0
    assert usage_of["usage"]["source"].startswith("cgroup-v")


def test_scratch_is_no_memory(root_wafer):
    """3 GiB in /tmp of a job that has 1 GiB of memory."""
    script = """\
        import os
        block = os.urandom(1 << 20) * 16
        with open("/tmp/big", "wb", buffering=0) as file:
            for _ in range(3 << 30 >> 24):
                file.write(block)
        print(os.stat("/tmp/big").st_blocks * 512 >= 3 << 30)
        """
    outcome = root_wafer.run(script, "--timeout=20").check(0, "SUCCEEDED")
    assert outcome.lines == ["True"]
    usage = outcome.report["usage"]
    assert usage["memory_peak_bytes"] <= GIB
    assert usage["oom_kills"] == 0


def test_scratch_has_a_hard_cap(root_wafer):
    """20 GiB less what the file system itself takes."""
    script = """\
        import errno, os
        space = os.statvfs("/tmp")
        print(round(space.f_blocks * space.f_frsize / (1 << 30)))
        file = os.open("/tmp/big", os.O_RDWR | os.O_CREAT)
        try:
            os.posix_fallocate(file, 0, 21 << 30)
        except OSError as error:
            print(errno.errorcode[error.errno])
        """
    outcome = root_wafer.run(script).check(0, "SUCCEEDED")
    size, error = outcome.lines
    assert size == "20"
    assert error in ("ENOSPC", "EFBIG")


def test_processes(wafer):
    """A fork bomb meets the limit of 128, and dies with its run."""
    script = """\
        import errno, os, signal
        children = 0
        while True:
            try:
                pid = os.fork()
            except OSError as error:
                print(errno.errorcode[error.errno], flush=True)
                break
            if pid == 0:
                signal.pause()
            children += 1
        print(children)
        """
    outcome = wafer.run(script).check(0, "SUCCEEDED")
    error, children = outcome.lines
    assert error == "EAGAIN"
    assert 100 <= int(children) < 128


def test_threads_count_as_processes(root_wafer):
    script = """\
        import threading
        stop = threading.Event()
        threads = 0
        try:
            while True:
                threading.Thread(target=stop.wait, daemon=True).start()
                threads += 1
        except RuntimeError:
            print(threads)
        stop.set()
        """
    outcome = root_wafer.run(script).check(0, "SUCCEEDED")
    assert 100 <= int(outcome.lines[0]) < 128


def test_resource_limits(wafer):
    script = """\
        import resource
        print(resource.getrlimit(resource.RLIMIT_CORE))
        print(max(resource.getrlimit(resource.RLIMIT_NOFILE)) <= 4096)
        for name in ("RLIMIT_RTPRIO", "RLIMIT_NICE"):
            print(resource.getrlimit(getattr(resource, name))[1])
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (8192, 8192))
        except (ValueError, PermissionError):
            print("no more")
        """
    outcome = wafer.run(script).check(0, "SUCCEEDED")
    assert outcome.lines == ["(0, 0)", "True", "0", "0", "no more"]


def test_a_crash_leaves_no_core(root_wafer):
    """The leak check looks for the file."""
    root_wafer.run("import os; os.abort()").check(134, "FAILED")
