"""Signals: those that stop a run, and those that kill a script."""

import ast
import os
import pty
import signal

import pytest

from waiting import wait_for

STOPS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]

WAIT = """\
import time
print("ready", flush=True)
while True:
    time.sleep(1)
"""

IGNORE = """\
import os, signal, time
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda got, frame: os.write(1, b"got %d\\n" % got))
print("ready", flush=True)
while True:
    time.sleep(1)
"""


@pytest.mark.parametrize("number, status", STOPS)
def test_a_signal_stops_the_run(wafer, number, status):
    process = wafer.start_script(WAIT)
    process.wait_for_output(b"ready\n")
    process.signal(number)
    outcome = process.wait().check(status, "STOPPED")
    assert outcome.bill["state"] == "STOPPED"
    assert outcome.reason["kind"] == "stopped"
    assert outcome.report["billed_seconds"] == 60


@pytest.mark.parametrize("number, status", STOPS)
def test_a_script_may_clean_up(wafer, number, status):
    """It gets the very signal, as from a terminal or from kill(1)."""
    script = """\
        import os, signal, sys, time
        def stop(number, frame):  # print can't be called within print
            os.write(1, b"stopped by %d\\n" % number)
            sys.exit(0)
        signal.signal(signal.SIGTERM, stop)
        try:
            print("ready", flush=True)
            while True:
                time.sleep(1)
        except KeyboardInterrupt:
            print("stopped by", 2)
        finally:
            print("cleaned up")
        """
    process = wafer.start_script(script)
    process.wait_for_output(b"ready\n")
    process.signal(number)
    outcome = process.wait().check(status, "STOPPED")
    assert outcome.lines == ["ready", f"stopped by {number}", "cleaned up"]


@pytest.mark.parametrize("number, status", STOPS)
def test_a_second_signal_kills(wafer, number, status):
    process = wafer.start_script(IGNORE)
    process.wait_for_output(b"ready\n")
    process.signal(number)
    process.wait_for_output(b"got %d\n" % number)
    process.signal(number)
    outcome = process.wait().check(status, "STOPPED")
    assert outcome.reason["kind"] == "stopped"


def test_the_grace_ends(root_wafer):
    """One signal is enough even for a script that ignores it."""
    process = root_wafer.start_script(IGNORE)
    process.wait_for_output(b"ready\n")
    process.signal(signal.SIGTERM)
    process.wait().check(143, "STOPPED")


def test_a_stopped_process_is_killed_as_well(root_wafer):
    script = """\
        import os, signal, subprocess
        child = subprocess.Popen(["sleep", "1000"])
        os.kill(child.pid, signal.SIGSTOP)
        print("ready", flush=True)
        os.kill(os.getpid(), signal.SIGSTOP)
        """
    process = root_wafer.start_script(script)
    process.wait_for_output(b"ready\n")
    process.signal(signal.SIGTERM)
    process.signal(signal.SIGINT)
    outcome = process.wait()
    assert outcome.report["state"] == "STOPPED"
    assert outcome.status in (130, 143)


def test_children_are_stopped_too(wafer):
    script = """\
        import subprocess
        child = subprocess.Popen(["sleep", "1000"])
        print("ready", flush=True)
        child.wait()
        """
    process = wafer.start_script(script)
    process.wait_for_output(b"ready\n")
    process.signal(signal.SIGINT)
    process.wait().check(130, "STOPPED")


@pytest.mark.parametrize("number, status", STOPS)
def test_a_signal_before_the_script_starts(root_wafer, number, status):
    """Whenever it comes, the run ends, and no record stays unfinished."""
    process = root_wafer.start_script(WAIT)
    wait_for(
        lambda: (root_wafer.state_dir / "wafer.db").exists(), "the store"
    )
    process.signal(number)
    outcome = process.wait()
    # Before wafer has its handlers it dies of the signal itself, as any
    # program: then there is nothing to book.
    assert outcome.status in (status, -number)
    if outcome.report:
        assert outcome.report["state"] == "STOPPED"
    for record in root_wafer.records():
        assert record["state"] == "STOPPED"


def test_control_c_on_a_terminal(wafer):
    """The terminal sends SIGINT once, to wafer, which passes it on once."""
    script = """\
        import time
        try:
            print("ready", flush=True)
            while True:
                time.sleep(1)
        except KeyboardInterrupt:
            print("interrupted once", flush=True)
        """
    terminal, ours = pty.openpty()
    process = wafer.start_script(
        script,
        stdin=ours,
        start_new_session=False,
        prefix_command=["setsid", "--ctty", "--wait"],
    )
    os.close(ours)
    process.wait_for_output(b"ready\n")
    os.write(terminal, b"\x03")
    outcome = process.wait()
    os.close(terminal)
    outcome.check(130, "STOPPED")
    assert outcome.lines == ["ready", "interrupted once"]


@pytest.mark.parametrize(
    "name", ["SIGKILL", "SIGSEGV", "SIGABRT", "SIGTERM", "SIGINT", "SIGSYS"]
)
def test_a_script_killed_by_a_signal(root_wafer, name):
    number = getattr(signal, name)
    script = f"""\
        import os, signal
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.{name})
        """
    outcome = root_wafer.run(script).check(128 + number, "FAILED")
    assert outcome.report["signal"] == number
    assert outcome.reason["kind"] == "signal"
    assert name in outcome.reason["text"]
    assert name in " ".join(outcome.messages[:-1])


def test_a_crash_in_c_code(plain_wafer):
    script = "import ctypes\nctypes.string_at(0)\n"
    outcome = plain_wafer.run(script).check(139, "FAILED")
    assert outcome.reason["kind"] == "signal"


def test_an_uncaught_keyboard_interrupt(wafer):
    """The script's own, not the user's: it failed, and wasn't stopped."""
    outcome = wafer.run("raise KeyboardInterrupt").check(130, "FAILED")
    assert b"KeyboardInterrupt" in outcome.stderr


def test_signal_state_of_a_job(wafer):
    """Nothing blocked; ignored only what Python itself ignores."""
    script = """\
        import signal
        print(signal.pthread_sigmask(signal.SIG_BLOCK, []))
        print([s.name for s in signal.valid_signals()
               if getattr(s, "name", None)
               and signal.getsignal(s) == signal.SIG_IGN])
        """
    process = wafer.start_script(
        script,
        prefix_command=["env", "--ignore-signal=USR1", "--block-signal=HUP"],
    )
    outcome = process.wait().check(0, "SUCCEEDED")
    assert outcome.lines[0] == "set()"
    assert set(ast.literal_eval(outcome.lines[1])) == {"SIGPIPE", "SIGXFSZ"}


def test_signals_a_script_sends_stay_inside(wafer):
    """kill(-1) reaches its own processes alone, and not its pid 1."""
    script = """\
        import os, signal, subprocess
        child = subprocess.Popen(["sleep", "1000"])
        os.kill(-1, signal.SIGKILL)
        print("child", child.wait())
        try:
            os.kill(1, signal.SIGKILL)
        except PermissionError:
            print("pid 1 refused")
        """
    outcome = wafer.run(script).check(0, "SUCCEEDED")
    assert outcome.lines[0] == "child -9"
    assert outcome.lines[1:] in ([], ["pid 1 refused"])
