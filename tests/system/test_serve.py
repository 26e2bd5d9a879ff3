"""`wafer serve`: runs get their sandboxes from it, and are none the wiser."""

import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import pytest

import world
from waiting import wait_for

WAIT = """\
import time
print("ready", flush=True)
while True:
    time.sleep(1)
"""

BUSY = """\
print("ready", flush=True)
while True:
    sum(range(10_000))
"""


@pytest.fixture
def served(wafer):
    """A wafer whose server has all that it parks."""
    wafer.server = wafer.serve()
    wafer.wait_for_pool(wafer.server)
    return wafer


def below(server, beginning):
    """The processes of a server whose names begin so."""
    return [
        pid
        for pid, name in world.descendants(server.popen.pid).items()
        if name.startswith(beginning)
    ]


def says_what_it_always_says(wafer, outcome):
    """Its bill, and which walls are missing, if any are."""
    assert outcome.bill["state"] == "SUCCEEDED"
    said = outcome.stderr.decode().splitlines()
    return len(said) == 1 + bool(wafer.missing)


def test_a_run_gets_a_parked_sandbox(served):
    outcome = served.run("print('hello')").check(0, "SUCCEEDED")
    assert outcome.stdout == b"hello\n"
    assert outcome.report["start"] == "parked"
    assert outcome.report["start_ns"] > 0
    assert says_what_it_always_says(served, outcome)
    missing = set(outcome.report["walls"]["missing"])
    assert missing == set(served.missing)


def test_each_run_has_a_sandbox_of_its_own(served):
    script = """\
        import os
        print(os.getpid(), os.listdir("/dev/shm"), len(os.listdir("/tmp")))
        open("/tmp/mine", "w").close()
        open("/dev/shm/mine", "w").close()
        """
    outcomes = [served.run(script).check(0) for _ in range(3)]
    assert {outcome.report["start"] for outcome in outcomes} == {"parked"}
    assert {outcome.stdout for outcome in outcomes} == {b"2 [] 1\n"}
    assert len({outcome.report["id"] for outcome in outcomes}) == 3


@pytest.mark.parametrize("options", [[], ["--max-capacity=1"]])
def test_the_pool_has_each_size(served, options):
    outcome = served.run("print(6 * 7)", *options).check(0, "SUCCEEDED")
    assert outcome.report["start"] == "parked"
    limit = outcome.report["usage"]["memory_limit_bytes"]
    assert limit == (16 << 30 if options else 1 << 30)


@pytest.mark.parametrize(
    "script, status, state, kind",
    [
        ("import sys; sys.exit(3)", 3, "FAILED", "exit_status"),
        ("1 / 0", 1, "FAILED", "exception"),
        ("import os; os.kill(os.getpid(), 9)", 137, "FAILED", "signal"),
        ("import os; os._exit(0)", 0, "SUCCEEDED", ""),
    ],
)
def test_it_ends_as_ever(served, script, status, state, kind):
    outcome = served.run(script).check(status, state)
    assert outcome.report["start"] == "parked"
    assert outcome.reason["kind"] == kind


@pytest.mark.parametrize("number, status", [(2, 130), (15, 143), (1, 129)])
def test_a_signal_stops_it(served, number, status):
    process = served.start_script(WAIT)
    process.wait_for_output(b"ready\n")
    process.signal(number)
    outcome = process.wait().check(status, "STOPPED")
    assert outcome.report["start"] == "parked"


def test_its_time_is_limited(served):
    outcome = served.run(WAIT, "--timeout=0.01").check(124, "TIMEOUT")
    assert outcome.report["start"] == "parked"
    assert "time.sleep" in outcome.reason["python_stack"] or (
        "script.py" in outcome.reason["python_stack"]
    )


def test_its_memory_is_limited(served):
    script = """\
        held = []
        while True:
            held.append(bytearray(b"x") * (16 << 20))
        """
    outcome = served.run(script)
    assert outcome.status != 0
    assert outcome.report["start"] == "parked"
    if "cgroup" not in served.missing:
        outcome.check(137, "FAILED")
        assert outcome.reason["kind"] == "out_of_memory"


def test_secrets_environment_and_libraries(served):
    secret = served.file("password", "correct-horse", 0o600)
    library = served.file("more.py", "value = 'imported'\n")
    script = """\
        import os, more
        print(open("/run/secrets/PASSWORD").read(), os.environ["PASSWORD"])
        names = {name for name in os.environ if "_NUM_THREADS" not in name}
        print(more.value, os.environ["PLACE"], sorted(names))
        """
    outcome = served.run(
        script,
        f"--secret=PASSWORD={secret}",
        f"--extra-py-files={library}",
        "--env=PLACE=here",
    ).check(0, "SUCCEEDED")
    assert outcome.report["start"] == "parked"
    assert outcome.lines[0] == "correct-horse correct-horse"
    names = ["HOME", "LANG", "LOGNAME", "PASSWORD", "PATH", "PLACE", "USER"]
    assert outcome.lines[1] == f"imported here {names}"


def test_mounts(served):
    """A plain user's parked sandbox can't see them any more."""
    shared = served.folder("shared")
    served.file("input", "42\n", folder=shared)
    script = "print(open('/data/input').read().strip())"
    outcome = served.run(script, f"--mount={shared}:/data").check(0)
    assert outcome.lines == ["42"]
    expected = "parked" if served.is_root else "pool"
    assert outcome.report["start"] == expected


def test_a_mount_to_write_to(served):
    out = served.folder("out")
    script = "open('/out/made', 'w').write('x')"
    outcome = served.run(script, f"--mount={out}:/out:rw")
    if served.is_root or "uid" in served.missing:
        outcome.check(0, "SUCCEEDED")
        assert (out / "made").stat().st_uid == served.user.pw_uid
    else:
        outcome.check(125)


def test_what_is_never_parked(served):
    outcome = served.run("print(1)", "--network=host").check(0, "SUCCEEDED")
    assert outcome.report["start"] == "pool"
    assert outcome.report["network"] == "host"


def test_no_server(served):
    outcome = served.run("print(1)", "--no-server").check(0, "SUCCEEDED")
    assert outcome.report["start"] == "alone"


def test_nothing_is_said_where_there_is_no_server(wafer):
    outcome = wafer.run("print(1)").check(0, "SUCCEEDED")
    assert outcome.report["start"] == "alone"
    assert says_what_it_always_says(wafer, outcome)


def test_another_socket(wafer):
    path = wafer.base / "own" / "socket"
    server = wafer.serve(f"--socket={path}")
    wafer.wait_for_pool(server)
    assert wafer.run("1", f"--socket={path}").report["start"] == "parked"
    assert wafer.run("1").report["start"] == "alone"


def test_of_another_store(served):
    """Its leases and its runs are another's."""
    other = {"WAFER_STATE_DIR": str(served.base / "other")}
    outcome = served.run("1", environment=other).check(0, "SUCCEEDED")
    assert outcome.report["start"] == "alone"


def test_a_burst_is_served(wafer):
    """More at once than are parked: each gets one, and the pool is refilled."""
    server = wafer.serve()
    wafer.wait_for_pool(server)
    runs = [wafer.start_script(f"print({n})") for n in range(16)]
    outcomes = [run.wait().check(0, "SUCCEEDED") for run in runs]
    assert [out.lines for out in outcomes] == [[str(n)] for n in range(16)]
    starts = [out.report["start"] for out in outcomes]
    assert starts.count("parked") >= 4
    assert "alone" not in starts
    wafer.wait_for_pool(server)


def test_a_small_pool(wafer):
    wafer.configure("pool_size = 1\n")
    server = wafer.serve()
    wafer.wait_for_pool(server, 2)
    assert wafer.run("1").check(0).report["start"] == "parked"


@pytest.mark.parametrize("line", ["pool_size = 0", "pool_memory = 1 KiB"])
def test_a_pool_of_none(wafer, line):
    wafer.configure(line + "\n")
    server = wafer.serve()
    wait_for(
        lambda: wafer.run("1").check(0).report["start"] == "pool", "a zygote"
    )
    assert wafer.leases == set()
    assert below(server, "wafer-zygote")


def counters(server):
    """How often each process of an idle server has been switched to."""
    found = {}
    pids = [server.popen.pid, *world.descendants(server.popen.pid)]
    for pid in pids:
        for task in os.listdir(f"/proc/{pid}/task"):
            status = pathlib.Path(f"/proc/{pid}/task/{task}/status")
            found[task] = [
                line
                for line in status.read_text("utf-8").splitlines()
                if "ctxt_switches" in line
            ]
    return found


def test_an_idle_pool_does_nothing(served):
    """Nobody waits for time to pass, so nobody is woken up."""
    time.sleep(0.5)  # the last refill has looked whether there is more to do
    before = counters(served.server)
    assert len(before) == 1 + 1 + 2 * 8
    time.sleep(2)
    assert counters(served.server) == before


def test_sigterm_leaves_nothing(served):
    children = world.descendants(served.server.popen.pid)
    wait_for(lambda: b" are parked" in served.server.stderr, "the news of it")
    served.server.signal(signal.SIGTERM)
    outcome = served.server.wait()
    assert outcome.status == 0
    assert b"8 sandboxes are parked" in outcome.stderr
    assert len(outcome.stderr.splitlines()) == 2
    assert served.leases == set()
    assert list(served.runtime_dir.iterdir()) == []
    wait_for(
        lambda: not set(children) & set(world.descendants(os.getpid())),
        "the end of all",
    )


def test_a_run_outlives_its_server(served):
    process = served.start_script(WAIT)
    process.wait_for_output(b"ready\n")
    served.server.signal(signal.SIGTERM)
    assert served.server.wait().status == 0
    process.signal(signal.SIGTERM)
    outcome = process.wait().check(143, "STOPPED")
    assert outcome.report["start"] == "parked"


def test_a_killed_server(served):
    """What it parked goes; what was taken goes on; nothing is in the way."""
    process = served.start_script(WAIT)
    process.wait_for_output(b"ready\n")
    served.server.kill()
    process.signal(signal.SIGTERM)
    process.wait().check(143, "STOPPED")
    assert served.leases
    served.call("runs").check(0)
    assert served.leases == set()
    assert served.run("1").check(0).report["start"] == "alone"
    again = served.serve()
    served.wait_for_pool(again)
    assert served.run("1").check(0).report["start"] == "parked"


def test_a_second_server_is_refused(served):
    socket_path = served.base / "second" / "socket"
    outcome = served.call("serve", f"--socket={socket_path}").check(125)
    (message,) = outcome.messages
    assert "another wafer serve has the store" in message
    assert served.run("1").check(0).report["start"] == "parked"


def test_a_server_of_another_store_at_one_socket(served):
    other = {"WAFER_STATE_DIR": str(served.base / "other")}
    outcome = served.call("serve", environment=other).check(125)
    (message,) = outcome.messages
    assert "give this one another --socket" in message
    assert served.run("1").check(0).report["start"] == "parked"


def test_a_file_in_place_of_the_socket(wafer):
    wafer.folder("run", 0o700)
    wafer.file("serve.sock", "kept", folder=wafer.runtime_dir)
    outcome = wafer.call("serve").check(125)
    assert "is no socket" in outcome.messages[0]
    assert (wafer.runtime_dir / "serve.sock").read_text("utf-8") == "kept"


def test_a_folder_that_others_may_write_to(wafer):
    wafer.folder("run", 0o777)
    outcome = wafer.call("serve").check(125)
    assert "others may write" in outcome.messages[0]


def test_a_killed_wafer_takes_its_job_along(served):
    process = served.start_script(BUSY, "--name=lost")
    process.wait_for_output(b"ready\n")
    wait_for(
        lambda: served.record("lost")["state"] == "RUNNING", "state RUNNING"
    )
    process.kill()
    record = served.record("lost")
    assert record["state"] == "ERROR"
    assert record["reason"]["kind"] == "host_lost"
    assert record["usage"]["cpu_ns"] > 0
    assert record["start"] == "parked"
    assert served.run("1").check(0).report["start"] == "parked"


def open_files(process):
    try:
        return len(os.listdir(f"/proc/{process.popen.pid}/fd"))
    except OSError:
        return 1000  # it has ended


def test_killed_at_any_moment(root_wafer):
    server = root_wafer.serve()
    root_wafer.wait_for_pool(server)
    for step in range(8):
        process = root_wafer.start_script("print('x')", f"--name=n{step}")
        wait_for(
            lambda: process.ended or open_files(process) >= 4 * step,
            "a later moment",
        )
        process.kill()
    for record in root_wafer.records():
        assert record["state"] in ("ERROR", "SUCCEEDED"), record
    root_wafer.wait_for_pool(server)


def test_a_killed_zygote_is_replaced(served):
    """What it had forked stays good."""
    (zygote,) = below(served.server, "wafer-zygote")
    os.kill(zygote, signal.SIGKILL)
    wait_for(
        lambda: below(served.server, "wafer-zygote") not in ([], [zygote]),
        "another zygote",
    )
    outcomes = [served.run("print(1)").check(0) for _ in range(3)]
    assert {out.report["start"] for out in outcomes} == {"parked"}


def test_a_zygote_that_stands_still_is_replaced(served):
    (zygote,) = below(served.server, "wafer-zygote")
    os.kill(zygote, signal.SIGSTOP)
    outcome = served.run("print(1)", "--network=host").check(0, "SUCCEEDED")
    assert outcome.report["start"] == "alone"
    wait_for(
        lambda: below(served.server, "wafer-zygote") not in ([], [zygote]),
        "another zygote",
    )
    wait_for(
        lambda: served.run("1", "--network=host").report["start"] == "pool",
        "a fork of it",
    )


def test_a_parked_sandbox_that_died_isnt_given(served):
    for pid in below(served.server, "wafer-keeper"):
        os.kill(pid, signal.SIGKILL)
    assert served.run("print(1)").check(0, "SUCCEEDED").stdout == b"1\n"
    served.wait_for_pool(served.server)


def test_a_server_that_stands_still(served):
    """A run waits for it, but not for ever."""
    served.server.signal(signal.SIGSTOP)
    try:
        outcome = served.run("print(1)").check(0, "SUCCEEDED")
    finally:
        served.server.signal(signal.SIGCONT)
    assert outcome.report["start"] == "alone"


def test_strangers_are_refused(plain_wafer, root_wafer):
    """The mode of its socket keeps all but root out, and the server him."""
    server = plain_wafer.serve()
    plain_wafer.wait_for_pool(server)
    path = plain_wafer.runtime_dir / "serve.sock"
    assert path.stat().st_mode & 0o777 == 0o600
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as peer:
        peer.connect(str(path))
        told = peer.recv(9000)
        assert b"serves nobody else" in told
        assert peer.recv(9000) == b""
    outcome = root_wafer.run("print(1)", f"--socket={path}").check(0)
    assert outcome.report["start"] == "alone"


NONSENSE = [
    b"x",
    b"\0" * 16,
    b"\x03" + b"\0" * 15,
    b"\x13" + b"\xff" * 99,
    b"x" * 9999,
]


@pytest.mark.parametrize("message", NONSENSE)
def test_nonsense_harms_nobody(served, message):
    path = served.runtime_dir / "serve.sock"
    script = f"""\
import socket
peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
peer.connect({str(path)!r})
peer.recv(9000)
peer.send({message!r})
assert peer.recv(9000) == b""
"""
    subprocess.run(
        [sys.executable, "-I", "-c", script],
        user=served.user.pw_uid,
        group=served.user.pw_gid,
        extra_groups=[],
        check=True,
    )
    assert served.run("1").check(0).report["start"] == "parked"
