"""Whatever is killed, no run is lost and none stays unfinished."""

import os
import signal
import sqlite3

import pytest

import world
from waiting import wait_for

BUSY = """\
import time
print("ready", flush=True)
while True:
    time.sleep(0.01)
    sum(range(10_000))
"""


def family(process):
    """Every process of one `wafer run`, itself aside: {pid: name}."""
    return world.descendants(process.popen.pid)


def member(process, beginning):
    (found,) = (
        pid
        for pid, name in family(process).items()
        if name.startswith(beginning)
    )
    return found


def test_a_killed_wafer_takes_its_job_along(wafer):
    process = wafer.start_script(BUSY, "--name=lost")
    process.wait_for_output(b"ready\n")
    below = family(process)
    assert len(below) >= 2
    process.kill()
    wait_for(
        lambda: not any(alive(pid) for pid in below),
        lambda: f"the end of {below}",
    )
    assert wafer.record("lost")["state"] == "ERROR"


def alive(pid):
    """A zombie has ended; it waits for its parent alone."""
    world.reap_orphans()
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("command", ["runs", "show", "logs", "run"])
def test_the_next_command_books_it(wafer, command):
    process = wafer.start_script(BUSY, "--name=lost")
    process.wait_for_output(b"ready\n")
    wait_for(
        lambda: wafer.record("lost")["state"] == "RUNNING", "state RUNNING"
    )
    process.kill()
    wait_for(all_ended, "its end")
    if command == "run":
        wafer.run("pass").check(0, "SUCCEEDED")
    elif command == "runs":
        wafer.call("runs").check(0)
    else:
        wafer.call(command, "lost").check(0)
    unfinished = world.unfinished_runs(wafer.state_dir)
    assert unfinished == []
    record = wafer.record("lost")
    assert record["state"] == "ERROR"
    assert record["reason"]["kind"] == "host_lost"
    assert record["duration_ns"] > 0
    assert record["billed_seconds"] == 60
    assert record["usage"]["cpu_ns"] > 0
    assert wafer.logs("lost", "output") == b"ready\n"


def all_ended():
    world.reap_orphans()
    return not world.descendants(os.getpid())


def test_wafer_and_keeper_killed_at_once(wafer):
    """No result record is left: usage up to the last sign of life."""
    process = wafer.start_script(BUSY, "--name=lost")
    process.wait_for_output(b"ready\n")
    keeper = member(process, "wafer-keeper")
    os.kill(process.popen.pid, signal.SIGSTOP)  # it doesn't get to see it
    os.kill(keeper, signal.SIGKILL)
    process.kill()
    wait_for(all_ended, "its end")
    record = wafer.record("lost")
    assert (record["state"], record["reason"]["kind"]) == (
        "ERROR",
        "host_lost",
    )
    assert record["billed_seconds"] == 60
    assert record["duration_ns"] >= 0
    if wafer.is_root:
        assert record["usage"]["cpu_ns"] > 0


def test_a_lost_run_is_booked_once(wafer):
    process = wafer.start_script(BUSY, "--name=lost")
    process.wait_for_output(b"ready\n")
    process.kill()
    listings = [wafer.start("runs", "--json") for _ in range(4)]
    for listing in listings:
        listing.wait().check(0)
    wait_for(
        lambda: wafer.record("lost")["state"] == "ERROR", "state ERROR"
    )
    database = sqlite3.connect(wafer.state_dir / "wafer.db")
    (count,) = database.execute("SELECT count(*) FROM ledger").fetchone()
    database.close()
    assert count == 1


def test_a_living_run_is_not_booked_by_another(wafer):
    process = wafer.start_script(BUSY, "--name=living")
    process.wait_for_output(b"ready\n")
    for _ in range(3):
        wafer.call("runs").check(0)
    assert not process.ended
    process.signal(signal.SIGTERM)
    process.wait().check(143, "STOPPED")


def test_killed_at_any_moment(root_wafer):
    """From the first instruction to the bill: each time a final state."""
    for step in range(12):
        process = root_wafer.start_script("print('x')", f"--name=n{step}")
        # The moments differ by what the process family has become.
        wait_for(
            lambda: process.ended or len(family(process)) >= step // 3,
            "a later moment",
        )
        process.kill()
    wait_for(all_ended, "the end of all")
    for record in root_wafer.records():
        assert record["state"] in world.FINAL_STATES, record
        assert record["state"] in ("ERROR", "SUCCEEDED"), record


def test_a_killed_zygote_changes_nothing(wafer):
    """It is done once the sandbox is made; the run goes on."""
    shared = wafer.folder("shared")
    script = """\
        import os, time
        print("ready", flush=True)
        while not os.path.exists("/data/go"):
            time.sleep(0.01)
        print("done")
        """
    process = wafer.start_script(script, f"--mount={shared}:/data")
    process.wait_for_output(b"ready\n")
    zygotes = [
        pid
        for pid, name in family(process).items()
        if name.startswith("wafer-zygote")
    ]
    for pid in zygotes:
        os.kill(pid, signal.SIGKILL)
    (shared / "go").touch()
    outcome = process.wait()
    assert outcome.report["state"] in ("SUCCEEDED", "ERROR")
    if outcome.report["state"] == "SUCCEEDED":
        assert outcome.lines == ["ready", "done"]


def test_a_killed_keeper_ends_the_run(root_wafer):
    """With pid 1 the kernel ends the whole sandbox; nobody wrote a result."""
    process = root_wafer.start_script(BUSY)
    process.wait_for_output(b"ready\n")
    os.kill(member(process, "wafer-keeper"), signal.SIGKILL)
    outcome = process.wait()
    assert outcome.status != 0
    assert outcome.report["state"] in ("ERROR", "FAILED")
    assert outcome.report["billed_seconds"] == 60
    assert outcome.report["usage"]["cpu_ns"] > 0


def test_a_killed_job_is_the_scripts_end(root_wafer):
    process = root_wafer.start_script(BUSY)
    process.wait_for_output(b"ready\n")
    os.kill(member(process, "wafer-job"), signal.SIGKILL)
    outcome = process.wait().check(137, "FAILED")
    # Killed, but not for want of memory: the kernel counts those.
    assert outcome.reason["kind"] == "signal"


@pytest.mark.parametrize(
    "ending, status", [("os._exit(0)", 0), ("os._exit(7)", 7)]
)
def test_a_script_that_forks_and_exits(wafer, ending, status):
    """Its children end with it, and hold no pipe open."""
    script = f"""\
        import os, time
        for _ in range(3):
            if os.fork() == 0:
                time.sleep(1000)
        print("parent", flush=True)
        {ending}
        """
    state = "SUCCEEDED" if status == 0 else "FAILED"
    outcome = wafer.run(script).check(status, state)
    assert outcome.lines == ["parent"]


def test_a_daemon_ends_with_its_run(wafer):
    """Double fork, own session, no descriptor left, signals ignored."""
    script = """\
        import os, signal, time
        ready, done = os.pipe()
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                for number in (1, 2, 15):
                    signal.signal(number, signal.SIG_IGN)
                os.write(done, b"x")
                os.closerange(0, 100)
                time.sleep(1000)
            os._exit(0)
        os.wait()
        os.read(ready, 1)
        print("started")
        """
    outcome = wafer.run(script).check(0, "SUCCEEDED")
    assert outcome.lines == ["started"]


@pytest.mark.parametrize("then", ["", "import sys; sys.exit(4)", "1 / 0"])
def test_a_script_that_closes_its_descriptors(wafer, then):
    script = f"""\
        import os
        print("before", flush=True)
        os.closerange(0, 4096)
        {then}
        """
    outcome = wafer.run(script)
    assert outcome.lines == ["before"]
    # 120 is Python's own, where it can't flush its streams at the end.
    status = {"": (0, 120), "import sys; sys.exit(4)": (4,), "1 / 0": (1, 120)}
    assert outcome.status in status[then]
    expected = "SUCCEEDED" if outcome.status == 0 else "FAILED"
    assert outcome.report["state"] == expected


def test_a_script_that_goes_on_in_silence(wafer):
    """Closed output is no end: the run lasts until its processes do."""
    script = """\
        import os, time
        os.close(1)
        os.close(2)
        time.sleep(0.3)
        os._exit(6)
        """
    outcome = wafer.run(script).check(6, "FAILED")
    assert outcome.report["duration_ns"] >= 300_000_000


def test_a_forged_result_changes_nothing(wafer):
    """Into every descriptor it can find a script writes that all is well."""
    script = """\
        import os
        forged = b"wafer-result 1 exited 0 0 0 0 job\\n"
        for fd in range(1, 2000):
            try:
                os.write(fd, forged)
            except OSError:
                pass
        os._exit(5)
        """
    outcome = wafer.run(script).check(5, "FAILED")
    assert outcome.reason["kind"] == "exit_status"


def test_a_forged_explanation_stays_text(wafer):
    """The report pipe is the job's own word: it can't become a success."""
    script = """\
        import os
        forged = b"E\\x1fFake\\x1ffile\\x1f-1\\x1f\\x1b[2J\\n"
        for fd in range(3, 2000):
            try:
                os.write(fd, forged * 100)
                os.write(fd, bytes(range(256)) * 1000)
            except OSError:
                pass
        os._exit(5)
        """
    outcome = wafer.run(script).check(5, "FAILED")
    assert b"\x1b[2J" not in b"".join(
        line for line in outcome.stderr.splitlines() if b"wafer: " in line
    )
