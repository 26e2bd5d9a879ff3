"""What is kept of a run: its record, its output, its bill."""

import json
import os
import sqlite3
import stat

import pytest

import world
from waiting import wait_for

FAILING = """\
import sys
print("out 1")
print("err 1", file=sys.stderr)
print("out 2")
sys.exit(3)
"""


def rows(wafer, query, *values):
    path = wafer.state_dir / "wafer.db"
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        database.row_factory = sqlite3.Row
        found = [dict(row) for row in database.execute(query, values)]
    database.close()
    return found


def test_report_and_store_agree(wafer):
    options = ("--name=night", "--tag=a=b")
    outcome = wafer.run(FAILING, *options, argv=["--x", "1"])
    report = outcome.check(3, "FAILED").report
    assert wafer.record(report["id"]) == report
    assert wafer.records() == [report]
    (row,) = rows(wafer, "SELECT * FROM runs")
    assert (row["id"], row["state"]) == (report["id"], "FAILED")
    assert json.loads(row["record"]) == report


def test_record_of_a_run(wafer):
    report = wafer.run(FAILING).check(3, "FAILED").report
    assert report["id"].startswith("jr_") and len(report["id"]) == 67
    assert report["attempt"] == 0
    assert report["script"].endswith("script.py")
    assert report["exit_status"] == 3 and report["signal"] == 0
    assert report["python_version"].startswith("3.11.")
    created, started, completed = (
        report[f"{event}_realtime_ns"]
        for event in ("created", "started", "completed")
    )
    assert 0 < created <= started <= completed
    usage = report["usage"]
    assert usage["source"] in ("cgroup-v1", "cgroup-v2", "rusage")
    assert usage["cpu_ns"] > 0 and usage["max_rss_bytes"] > 0
    assert usage["memory_limit_bytes"] == 1 << 30
    if usage["source"] != "rusage":
        assert 0 < usage["memory_peak_bytes"] <= 1 << 30
    assert report["output"]["stdout_bytes"] == 12
    assert report["output"]["stderr_bytes"] == 6
    assert report["output"]["log_truncated"] is False


@pytest.mark.parametrize(
    "capacity, micro_dpu", [("0.0625", 62_500), ("1", 10**6)]
)
def test_bill(wafer, capacity, micro_dpu):
    """Exact integers, from the duration to the cost."""
    report = wafer.run("pass", f"--max-capacity={capacity}").check().report
    price = report["price"]
    assert price["currency"] == "USD"
    assert price["rate_micro_usd"] == 440_000
    assert (price["minimum_s"], price["rounding_s"]) == (60, 1)
    assert 0 < report["duration_ns"] < 60 * 10**9
    assert report["billed_seconds"] == 60
    assert report["micro_dpu_seconds"] == 60 * micro_dpu
    # 10^-12 dollars: micro-dollars an hour times 10^6, of 3600 s of 10^6.
    exact, rest = divmod(60 * micro_dpu * price["rate_micro_usd"], 3600)
    rounded = exact + (rest * 2 > 3600 or rest * 2 == 3600 and exact % 2)
    assert report["cost_pico_usd"] == rounded


def test_ledger(wafer):
    reports = [wafer.run("pass").report, wafer.run("exit(1)").report]
    ledger = rows(wafer, "SELECT * FROM ledger ORDER BY seq")
    assert [row["seq"] for row in ledger] == [1, 2]
    for row, report in zip(ledger, reports):
        for column in (
            *("attempt", "duration_ns", "billed_seconds", "micro_dpu"),
            "micro_dpu_seconds",
        ):
            assert row[column] == report[column], column
        assert row["run_id"] == report["id"]
        assert row["started_ns"] == report["started_realtime_ns"]
        assert row["ended_ns"] == report["completed_realtime_ns"]
        assert row["price_rate_micro_usd"] == report["price"]["rate_micro_usd"]
        assert row["price_id"] == report["price"]["id"]
        assert len(row["mac"]) == 32
    assert ledger[0]["prev_mac"] == bytes(32)
    assert ledger[1]["prev_mac"] == ledger[0]["mac"]


def test_ledger_is_append_only(root_wafer):
    root_wafer.run("pass").check(0, "SUCCEEDED")
    before = rows(root_wafer, "SELECT * FROM ledger")
    database = sqlite3.connect(root_wafer.state_dir / "wafer.db")
    for statement in (
        "UPDATE ledger SET billed_seconds = 1",
        "DELETE FROM ledger",
        "INSERT OR REPLACE INTO ledger SELECT * FROM ledger",
    ):
        with pytest.raises(sqlite3.Error, match="append-only"):
            database.execute(statement)
    database.close()
    assert rows(root_wafer, "SELECT * FROM ledger") == before


def test_a_refused_run_is_not_billed(wafer):
    wafer.run("pass", "--mount=/no/such:/data").check(125)
    assert not (wafer.state_dir / "wafer.db").exists() or not rows(
        wafer, "SELECT * FROM ledger"
    )


def test_store_and_key_are_private(wafer):
    wafer.run("print('x')").check(0, "SUCCEEDED")
    for folder in (wafer.state_dir, wafer.config_dir):
        for path in [folder, *folder.rglob("*")]:
            status = path.lstat()
            assert status.st_uid == wafer.user.pw_uid, path
            assert not status.st_mode & 0o022, path
    assert stat.S_IMODE(wafer.state_dir.stat().st_mode) == 0o700
    key = wafer.config_dir / "ledger.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    secret = key.read_bytes().strip()
    for path in wafer.state_dir.rglob("*"):
        if path.is_file():
            content = world.data_of(path)
            assert secret not in content, path
            assert bytes.fromhex(secret.decode()) not in content, path


def test_durable_settings(root_wafer):
    root_wafer.run("pass").check(0, "SUCCEEDED")
    assert rows(root_wafer, "PRAGMA journal_mode") == [{"journal_mode": "wal"}]


def test_listing(wafer):
    wafer.run("pass", "--name=first").check(0)
    wafer.run("exit(2)", "--name=second").check(2)
    wafer.run("pass", "--name=second").check(0)
    names = [record["name"] for record in wafer.records()]
    assert names == ["second", "second", "first"]  # newest first
    assert len(wafer.records("--limit=1")) == 1
    (failed,) = wafer.records("--state=FAILED")
    assert failed["exit_status"] == 2
    assert len(wafer.records("--name=second")) == 2
    assert wafer.records("--name=third") == []
    table = wafer.call("runs").check().stdout.decode()
    head, *lines = table.splitlines()
    assert len(lines) == 3
    assert "SUCCEEDED" in lines[0] and "second" in lines[0]
    assert "FAILED" in lines[1] and "first" in lines[2]


def test_listing_shows_no_terminal_codes(root_wafer):
    """A script's path and arguments are data, not orders to a terminal."""
    name = "\x1b[2J\u202ename.py"
    script = root_wafer.file(name, "raise ValueError('\\x1b]0;title\\x07')")
    run = root_wafer.run(script).check(1, "FAILED").report["id"]
    for words in (["runs"], ["show", run]):
        shown = root_wafer.call(*words).check().stdout
        assert b"\x1b" not in shown and b"\x07" not in shown
        assert "\u202e".encode() not in shown


def test_naming_a_run(wafer):
    first = wafer.run("pass", "--name=load").report["id"]
    second = wafer.run("pass", "--name=load").report["id"]
    assert wafer.record(first)["id"] == first
    assert wafer.record(second[:12])["id"] == second
    assert wafer.record("load")["id"] == second  # the latest of a name
    outcome = wafer.call("show", "jr_").check(125)
    (message,) = outcome.messages
    assert "several" in message or "more than one" in message


def test_show(wafer):
    outcome = wafer.run("raise KeyError('day')", "--tag=team=data")
    report = outcome.check(1, "FAILED").report
    shown = wafer.call("show", report["id"]).check().stdout.decode()
    for text in (
        *(report["id"], "FAILED", "KeyError", "script.py"),
        *("0.0625", "team", "data", "3.75", "$0.000458"),
    ):
        assert text in shown, text


def test_logs(wafer):
    run = wafer.run(FAILING).check(3, "FAILED").report["id"]
    assert wafer.logs(run, "output") == b"out 1\nout 2\n"
    assert wafer.logs(run, "error") == b"err 1\n"
    # Each comes where the script wrote it.
    for options in ([], ["--stream=both"]):
        both = wafer.call("logs", run, *options).check()
        assert both.stdout == b"out 1\nout 2\n"
        assert both.stderr == b"err 1\n"
    # A run that has ended has nothing to be waited for.
    followed = wafer.call("logs", run, "--follow", "--stream=output").check()
    assert followed.stdout == b"out 1\nout 2\n"


def test_logs_of_a_run_without_output(wafer):
    run = wafer.run("").check(0, "SUCCEEDED").report["id"]
    assert wafer.logs(run) == b""


def test_following_a_run(wafer):
    """Another process sees each line while the script still waits."""
    shared = wafer.folder("shared")
    script = """\
        import os, time
        for name in ("one", "two"):
            while not os.path.exists("/data/" + name):
                time.sleep(0.01)
            print(name, flush=True)
        """
    process = wafer.start_script(
        script, f"--mount={shared}:/data", "--name=slow"
    )
    wait_for(
        lambda: (wafer.state_dir / "wafer.db").exists() and wafer.records(),
        "the run in the store",
    )
    wait_for(
        lambda: wafer.record("slow")["state"] == "RUNNING", "state RUNNING"
    )
    follower = wafer.start("logs", "slow", "--follow")
    (shared / "one").touch()
    follower.wait_for_output(b"one\n")
    assert not follower.ended and not process.ended
    (shared / "two").touch()
    process.wait().check(0, "SUCCEEDED")
    assert follower.wait().check(0).stdout == b"one\ntwo\n"


def test_a_running_run_is_listed(wafer):
    process = wafer.start_script(
        "import time\nprint('ready', flush=True)\ntime.sleep(1000)\n"
    )
    process.wait_for_output(b"ready\n")
    (record,) = wait_for(
        lambda: wafer.records("--state=RUNNING"), "the run to be listed"
    )
    assert record["owner"]["pid"] == process.popen.pid
    assert os.path.exists(f"/proc/{record['keeper']['pid']}")
    process.signal(15)
    process.wait().check(143, "STOPPED")
    (record,) = wafer.records()
    assert record["state"] == "STOPPED"
