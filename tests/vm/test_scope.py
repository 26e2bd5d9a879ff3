"""A plain user without a cgroup whose systemd user manager makes him one."""

import os
import pathlib
import pwd
import signal
import socket

import pytest

import world
from conftest import PLAIN_USER
from waiting import wait_for

GIB = 1 << 30
READY = "import time\nprint('ready', flush=True)\ntime.sleep(1000)\n"


def user_manager():
    """The socket of the plain user's."""
    uid = pwd.getpwnam(PLAIN_USER).pw_uid
    return pathlib.Path(f"/run/user/{uid}/systemd/private")


def user_manager_group():
    uid = pwd.getpwnam(PLAIN_USER).pw_uid
    return world.CGROUPS / f"user.slice/user-{uid}.slice/user@{uid}.service"


def scopes():
    """The folders of those that wafer asked for."""
    return set(user_manager_group().glob("app.slice/wafer-*.scope"))


def group_of(pid):
    """The folder of a process's cgroup, if it lives."""
    text = pathlib.Path(f"/proc/{pid}/cgroup").read_text()
    return world.CGROUPS / text.rpartition("::/")[2].strip()


@pytest.fixture
def running(plain_wafer):
    """A run that has started, with what is below its wafer."""
    process = plain_wafer.start_script(READY)
    process.wait_for_output(b"ready\n")
    yield process
    process.signal(signal.SIGTERM)
    process.wait().check(143, "STOPPED")
    wait_for(lambda: not scopes(), lambda: f"left: {scopes()}")


def job_of(process):
    below = world.descendants(process.popen.pid)
    (pid,) = (pid for pid, name in below.items() if name == "wafer-job")
    return pid


def test_all_its_walls_stand_but_scratch(plain_wafer):
    before = group_of(os.getpid())
    report = plain_wafer.run("pass").check(0, "SUCCEEDED").report
    assert report["walls"]["missing"] == ["scratch"]
    assert report["usage"]["source"] == "cgroup-v2"
    # Who started it stands where he stood.
    assert group_of(os.getpid()) == before
    wait_for(lambda: not scopes(), lambda: f"left: {scopes()}")


def test_the_limits_are_the_kernels(running):
    group = group_of(job_of(running))
    assert group.parent.name == "wafer"
    assert group.parent.parent in scopes()
    read = {
        name: (group / name).read_text().strip()
        for name in (
            *("memory.max", "memory.swap.max", "memory.oom.group"),
            *("pids.max", "cpu.max"),
        )
        if (group / name).exists()  # a kernel without swap lacks the second
    }
    assert read.pop("memory.swap.max", "0") == "0"
    assert read == {
        "memory.max": str(GIB),
        "memory.oom.group": "1",
        "pids.max": "128",
        "cpu.max": "25000 100000",
    }


def test_out_of_memory(plain_wafer):
    script = "blocks = []\nwhile True: blocks.append(bytearray(1 << 20))\n"
    outcome = plain_wafer.run(script).check(137, "FAILED")
    usage = outcome.report["usage"]
    assert usage["oom_kills"] > 0
    assert 0.9 * GIB < usage["memory_peak_bytes"] <= GIB
    assert outcome.reason["kind"] == "out_of_memory"


def test_each_run_has_its_own(running, wafer_of):
    wafer = wafer_of("plain")
    other = wafer.start_script(READY)
    other.wait_for_output(b"ready\n")
    assert len(scopes()) == 2
    other.signal(signal.SIGTERM)
    other.wait().check(143, "STOPPED")
    assert group_of(job_of(running)).parent.parent in scopes()


def test_a_killed_wafer_leaves_no_scope(plain_wafer):
    process = plain_wafer.start_script(READY, "--name=lost")
    process.wait_for_output(b"ready\n")
    assert scopes()
    process.kill()
    wait_for(lambda: not scopes(), lambda: f"left: {scopes()}")
    assert plain_wafer.record("lost")["state"] == "ERROR"


def test_the_doctor_says_so(plain_wafer):
    (line,) = (
        line
        for line in plain_wafer.call("doctor").lines
        if line.split()[:2] == ["ok", "cgroup"] and "backend" not in line
    )
    assert "a scope made by systemd" in line


def test_in_a_delegated_scope_it_asks_for_none(plain_wafer):
    process = plain_wafer.start_script(
        READY,
        environment={"XDG_RUNTIME_DIR": str(user_manager().parent.parent)},
        prefix_command=["systemd-run", "--user", "--scope", "--quiet"]
        + ["--property=Delegate=yes", "--unit=mine.scope"],
    )
    process.wait_for_output(b"ready\n")
    assert not scopes()
    assert "mine.scope" in str(group_of(job_of(process)))
    process.signal(signal.SIGTERM)
    process.wait().check(143, "STOPPED")


@pytest.fixture
def deaf(plain_wafer):
    """A folder with the socket of a manager that hangs up at once."""
    folder = plain_wafer.folder("runtime/systemd", 0o755)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "private"))
        os.chown(folder / "private", plain_wafer.user.pw_uid, -1)
    return {"XDG_RUNTIME_DIR": str(folder.parent)}


def test_a_manager_that_gives_none(plain_wafer, deaf):
    """The wall is missing, and so the run is refused, with systemd's reason."""
    outcome = plain_wafer.run("pass", environment=deaf).check(125)
    first, second = outcome.messages
    assert "systemd" in first
    assert "--allow-missing=cgroup,scratch" in second
    allow = "--allow-missing=cgroup,scratch"
    outcome = plain_wafer.run("pass", allow, environment=deaf)
    report = outcome.check(0, "SUCCEEDED").report
    assert report["walls"]["missing"] == ["cgroup", "scratch"]
    assert report["usage"]["source"] == "rusage"
