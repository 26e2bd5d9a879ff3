"""Jobs that mean harm to the host itself: its memory stays within 16 MiB of
idle, it answers throughout, and the run's record is whole."""

import json
import os
import pathlib
import subprocess
import threading
import time

import pytest

from waiting import wait_for
from world import FINAL_STATES

MIB = 1 << 20
SLACK_BYTES = 16 * MIB

# AddressSanitizer sets freed memory aside, up to 256 MiB of it, to find uses
# of it: that is no memory of the host's.
SMALL_QUARANTINE = {"ASAN_OPTIONS": "detect_leaks=0:quarantine_size_mb=1"}

BEGIN = """\
import os, sys, time
while not os.path.exists("/data/go"):
    time.sleep(0.01)
"""

FLOOD = """\
lines = (b"x" * 99 + b"\\n") * 655
while True:
    os.write(1, lines)
"""


def memory_peak(pid):
    """The most that a process ever had resident, in bytes; 0: it ended."""
    try:
        text = pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    for line in text.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    return 0


def shape(record):
    """The names of all that a record holds, nested ones too."""
    return {
        (name, *more)
        for name, value in record.items()
        for more in (shape(value) if isinstance(value, dict) else [()])
    } | {(name,) for name in record}


class HostileRun:
    """A run that waits for `go`, and from then on is watched."""

    def __init__(self, wafer, script, *options, **keywords):
        self.wafer = wafer
        # What a whole record has, and the templates of later runs.
        wafer.run("pass", "--name=harmless").check(0, "SUCCEEDED")
        self.shared = wafer.folder("shared")
        self.process = wafer.start_script(
            BEGIN + script,
            f"--mount={self.shared}:/data",
            "--name=hostile",
            *options,
            environment=SMALL_QUARANTINE,
            **keywords,
        )
        self.pid = self.process.popen.pid
        wait_for(
            lambda: self.process.ended or wafer.records("--state=RUNNING"),
            "the hostile run",
        )
        time.sleep(1.5)  # its watch of memory and first heartbeats are made
        self.idle = self.peak = memory_peak(self.pid)
        assert self.idle > 0, self.process.stderr
        self.stop_watching = threading.Event()
        self.watcher = threading.Thread(target=self._watch)
        self.watcher.start()

    def _watch(self):
        while not self.stop_watching.wait(0.02):
            self.peak = max(self.peak, memory_peak(self.pid))

    def go(self):
        (self.shared / "go").touch()

    def check_that_it_answers(self):
        """Reading the store, and another run, while it goes on."""
        assert not self.process.ended, self.process.stderr
        (record,) = self.wafer.records("--name=hostile")
        assert record["state"] == "RUNNING"
        shown = self.wafer.call("show", "hostile").check()
        assert b"RUNNING" in shown.stdout
        other = self.wafer.run("print('here')").check(0, "SUCCEEDED")
        assert other.lines == ["here"]

    def answer_for(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.check_that_it_answers()
            time.sleep(0.5)

    def stop(self):
        """As a user would, by one SIGTERM; the Outcome."""
        self.process.signal(15)
        return self.end(143, "STOPPED")

    def end(self, status=None, state=None):
        """Waits for its end and checks what was promised."""
        outcome = self.process.wait(180)
        self.stop_watching.set()
        self.watcher.join()
        if status is not None:
            outcome.check(status, state)
        grown = self.peak - self.idle
        print(f"host: {self.idle / MIB:.1f} MiB idle, + {grown / MIB:.1f}")
        assert grown <= SLACK_BYTES, f"the host grew by {grown} bytes"
        record = self.wafer.record("hostile")
        assert record["state"] in FINAL_STATES
        assert record == outcome.report
        assert shape(record) == shape(self.wafer.record("harmless"))
        assert record["billed_seconds"] >= 60
        assert record["duration_ns"] > 0
        return outcome


@pytest.fixture
def hostile(request):
    """A function that makes a HostileRun; its watcher ends with the test."""
    runs = []

    def make(*arguments, **keywords):
        runs.append(HostileRun(*arguments, **keywords))
        return runs[-1]

    yield make
    for run in runs:
        run.stop_watching.set()


# A minute of it for root; a plain user's run is the same code.
@pytest.mark.parametrize("user, seconds", [("root", 60), ("plain", 10)])
def test_output_at_full_speed(wafer_of, hostile, user, seconds):
    wafer = wafer_of(user)
    with open(os.devnull, "wb") as null:
        run = hostile(wafer, FLOOD, stdout=null)
    run.go()
    run.answer_for(seconds)
    outcome = run.stop()
    assert outcome.report["output"]["stdout_bytes"] > 64 * MIB


def test_output_at_full_speed_to_a_file(wafer, hostile):
    run = hostile(wafer, FLOOD)
    run.go()
    run.answer_for(3)
    outcome = run.stop()
    size = (run.process.folder / "stdout").stat().st_size
    assert size == outcome.report["output"]["stdout_bytes"] > 16 * MIB


def test_both_outputs_at_full_speed(root_wafer, hostile):
    with open(os.devnull, "wb") as null:
        script = FLOOD + "    os.write(2, lines)\n"
        run = hostile(root_wafer, script, stdout=null, stderr=null)
    run.go()
    run.answer_for(3)
    run.stop()


def test_output_to_a_slow_reader_that_leaves(wafer, hostile):
    """1 KB a second, for a while; then the job gets EPIPE."""
    reader, writer = os.pipe()
    run = hostile(wafer, FLOOD, stdout=writer)
    os.close(writer)
    run.go()
    for _ in range(10):
        os.read(reader, 100)
        run.check_that_it_answers()
    os.close(reader)
    outcome = run.end(1, "FAILED")
    assert outcome.reason["exception"]["type"] == "BrokenPipeError"


def test_output_that_nobody_reads(wafer, hostile):
    """A stop ends the job; a second one the wait for the reader."""
    reader, writer = os.pipe()
    run = hostile(wafer, FLOOD, stdout=writer)
    os.close(writer)
    run.go()
    run.answer_for(2)
    run.process.signal(15)
    wait_for(
        lambda: run.wafer.records("--name=hostile")[0]["state"] != "RUNNING",
        "the stop",
    )
    time.sleep(1)
    run.stop()
    os.close(reader)


def test_one_line_of_a_gigabyte(wafer, hostile):
    """With secrets to look for in it, the last of them half there."""
    secret = wafer.file("secret", "s3cret-value", 0o600)
    script = """
block = b"x" * 1000 * 1000
for _ in range(1000):
    os.write(1, block)
os.write(1, b"s3cret-val")
"""
    with open(os.devnull, "wb") as null:
        run = hostile(wafer, script, f"--secret=KEY={secret}", stdout=null)
    run.go()
    outcome = run.end(0, "SUCCEEDED")
    assert outcome.report["output"]["stdout_bytes"] == 10**9 + 10
    kept = wafer.state_dir / "runs" / outcome.report["id"] / "stdout"
    assert kept.stat().st_size == 10**9 + 10
    with open(kept, "rb") as file:
        file.seek(-12, os.SEEK_END)
        assert file.read() == b"xxs3cret-val"


def test_ten_thousand_threads(wafer, hostile):
    script = """
import threading
stop = threading.Event()
started = 0
try:
    for _ in range(10_000):
        threading.Thread(target=stop.wait, daemon=True).start()
        started += 1
except RuntimeError:
    print(started, flush=True)
while True:
    time.sleep(1)
"""
    run = hostile(wafer, script)
    run.go()
    run.process.wait_for_output(b"\n")
    assert 100 <= int(run.process.stdout) < 128
    run.answer_for(1)
    run.stop()


def test_forks_without_end(wafer, hostile):
    """Each has a child and ends: there is never one to take aim at."""
    script = """
while True:
    try:
        if os.fork():
            os._exit(0) if os.getpid() != 2 else os.wait()
    except OSError:
        pass
"""
    run = hostile(wafer, script)
    run.go()
    run.answer_for(3)
    run.stop()


def test_refused_calls_at_full_speed(wafer, hostile):
    script = """
import ctypes
libc = ctypes.CDLL(None)
while True:
    libc.ptrace(0, 0, 0, 0)
    libc.unshare(0x10000000)
"""
    run = hostile(wafer, script)
    run.go()
    run.answer_for(3)
    outcome = run.stop()
    calls = {call["name"] for call in outcome.reason["refused_syscalls"]}
    assert {"ptrace", "unshare"} <= calls


def test_report_pipe_at_full_speed(wafer, hostile):
    """What the host reads of it is at most 64 KiB, whatever it says."""
    script = """
text = b"E\\x1fx\\x1fy\\x1f1\\x1fz\\n"
text += b"Thread 0x1\\n  File \\"a\\", line 1\\n" * 999
while True:
    os.write(1023, text)
"""
    run = hostile(wafer, script)
    run.go()
    run.answer_for(3)
    outcome = run.stop()
    assert len(outcome.reason["python_stack"]) <= 64 << 10


def test_scratch_filled_to_the_brim(root_wafer, hostile):
    """3 GiB of it written, the rest taken; then no byte more."""
    script = """
block = os.urandom(MIB := 1 << 20) * 16
for number in range(192):
    with open(f"/tmp/{number}", "wb", buffering=0) as file:
        file.write(block)
file = os.open("/tmp/rest", os.O_RDWR | os.O_CREAT)
size = 0
for step in (1 << 30, 64 << 20, 1 << 20, 4096):
    try:
        while True:
            os.posix_fallocate(file, size, step)
            size += step
    except OSError:
        pass
print("full", flush=True)
while True:
    try:
        os.mkdir("/tmp/more")
        open("/tmp/more/file", "w").write("x" * 10000)
    except OSError:
        time.sleep(0.001)
"""
    run = hostile(root_wafer, script)
    run.go()
    run.process.wait_for_output(b"full\n")
    run.answer_for(2)
    outcome = run.stop()
    assert outcome.report["usage"]["scratch_bytes"] > 19 << 30


@pytest.fixture
def full_disk(root_wafer):
    """The store on an ext4 of its own, 256 MiB large."""
    image = root_wafer.base / "disk.ext4"
    with open(image, "wb") as file:
        file.truncate(256 * MIB)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", image], check=True)
    folder = root_wafer.folder("state", 0o700)
    subprocess.run(["mount", "-o", "loop", image, folder], check=True)
    os.chmod(folder, 0o700)
    yield folder
    root_wafer.stop_all()
    # The image of a run's scratch goes with its zygote, which nobody waits for.
    wait_for(
        lambda: subprocess.run(["umount", folder]).returncode == 0,
        f"umount {folder}",
    )


@pytest.mark.parametrize(
    "ending", ["", "while True: time.sleep(1)\n"], ids=["ends", "goes on"]
)
def test_scratch_on_a_full_disk(root_wafer, full_disk, ending):
    """Its image is sparse, so that its writes succeed at first. What is lost
    of them is never passed over: the run is no success."""
    script = f"""\
import os, time
block = os.urandom(1 << 20)
file = os.open("/tmp/big", os.O_RDWR | os.O_CREAT)
for _ in range(1500):
    os.write(file, block)
print("written", flush=True)
os.system("sync -f /tmp")
{ending}"""
    other = root_wafer.run("pass", "--name=before").check(0, "SUCCEEDED")
    outcome = root_wafer.run(script).check(125, "ERROR")
    assert outcome.reason["kind"] == "host_failed"
    told = "part of what it wrote to /tmp is lost: the disk of"
    assert outcome.reason["text"].startswith(told)
    assert str(full_disk) in outcome.reason["text"]
    assert any(told in line for line in outcome.messages)
    record = root_wafer.record(outcome.report["id"])
    assert record == outcome.report
    assert record["billed_seconds"] >= 60
    assert shape(record) == shape(other.report)
    # All of it is given back, once the disk's journal has it.
    wait_for(
        lambda: root_wafer.run("open('/tmp/x', 'w')").status == 0,
        "room for the next run",
    )


PLANT = """\
import os
for name in ("script.py", "env", "secret", "report"):
    os.mkfifo("/out/fifo-" + name)
    os.symlink("/etc/shadow", "/out/link-" + name)
os.symlink("/etc", "/out/folder")
os.symlink("/etc", "/out/etc")
"""


@pytest.fixture
def planted(root_wafer, third_user):
    """A folder of an ordinary user in which a job of root's wafer planted."""
    folder = root_wafer.folder("out")
    os.chown(folder, third_user.pw_uid, third_user.pw_gid)
    root_wafer.run(PLANT, f"--mount={folder}:/out:rw").check(0, "SUCCEEDED")
    return folder


@pytest.mark.parametrize("what", ["fifo", "link"])
@pytest.mark.parametrize(
    "option", ["script", "--env-file", "--secret", "--report", "libraries"]
)
def test_what_a_job_planted(root_wafer, planted, what, option):
    """It keeps nobody waiting, and shows or changes nothing of root's."""
    shadow = pathlib.Path("/etc/shadow").read_bytes()
    script = root_wafer.file("good.py", "print('ran')")
    words = {
        "script": [planted / f"{what}-script.py"],
        "--env-file": [script, f"--env-file={planted}/{what}-env"],
        "--secret": [script, f"--secret=A={planted}/{what}-secret"],
        "--report": [script, f"--report={planted}/{what}-report"],
        "libraries": [
            script,
            f"--extra-py-files={planted}/{what}-script.py",
        ],
    }
    outcome = root_wafer.call("run", *words[option])
    outcome.check(126 if option == "script" else 125)
    (message,) = outcome.messages
    told = "is a FIFO" if what == "fifo" else "a link of another user"
    if words[option][-1] == f"--report={planted}/link-report":
        told = "is a link; name the file itself"
    assert told in message
    assert outcome.stdout == b""
    assert pathlib.Path("/etc/shadow").read_bytes() == shadow
    assert len(root_wafer.records()) == 1


def test_mount_of_what_a_job_planted(root_wafer, planted):
    script = root_wafer.file("good.py", "print('ran')")
    for source in (planted / "folder", planted / "etc" / "shadow"):
        outcome = root_wafer.call("run", script, f"--mount={source}:/data")
        outcome.check(125)
        (message,) = outcome.messages
        assert "a link of another user" in message
    assert len(root_wafer.records()) == 1


def test_fifo_in_place_of_the_report(root_wafer, third_user):
    """While the run goes on: the report goes where it was asked to go."""
    folder = root_wafer.folder("out")
    os.chown(folder, third_user.pw_uid, third_user.pw_gid)
    script = root_wafer.file(
        "script.py",
        """\
        import os
        os.rename("/out/report", "/out/moved")
        os.mkfifo("/out/report")
        """,
    )
    # One of its user's own, that the job may rename; not so what root makes.
    report = folder / "report"
    report.touch()
    os.chown(report, third_user.pw_uid, third_user.pw_gid)
    options = [f"--mount={folder}:/out:rw", f"--report={report}"]
    outcome = root_wafer.call("run", script, *options)
    outcome.check(0)
    assert report.is_fifo()
    moved = json.loads((folder / "moved").read_text())
    assert moved["state"] == "SUCCEEDED"
    (record,) = root_wafer.records()
    assert record == moved
