"""A store that can't be used: one clear line, and nothing is lost."""

import os
import sqlite3
import subprocess

import pytest


@pytest.fixture
def used(wafer):
    """wafer with one good run in its store."""
    wafer.run("pass").check(0, "SUCCEEDED")
    return wafer


def test_store_from_a_newer_version(used):
    database = used.state_dir / "wafer.db"
    set_version(database, 9999)
    before = database.read_bytes()
    for words in (["run", used.file("script.py", "print(1)")], ["runs"]):
        outcome = used.call(*words, *(used.allow if words[0] == "run" else []))
        outcome.check(125)
        assert outcome.stdout == b""
        (message,) = outcome.stderr.decode().splitlines()
        assert "newer" in message and str(used.state_dir) in message
    assert database.read_bytes() == before
    set_version(database, 1)


def set_version(database, version):
    """As a checkpointed file, which a closed store is."""
    with sqlite3.connect(database) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    owner = database.parent.stat()
    for path in database.parent.glob("wafer.db*"):
        os.chown(path, owner.st_uid, owner.st_gid)


def test_store_that_others_may_write(wafer):
    wafer.folder("state", 0o777)
    outcome = wafer.run("print(1)").check(125)
    (message,) = outcome.stderr.decode().splitlines()
    assert str(wafer.state_dir) in message and "chmod" in message


def test_store_of_somebody_else(plain_wafer):
    os.chown(plain_wafer.folder("state", 0o700), 0, 0)
    outcome = plain_wafer.run("print(1)").check(125)
    (message,) = outcome.stderr.decode().splitlines()
    assert str(plain_wafer.state_dir) in message


def test_store_that_is_no_database(wafer):
    folder = wafer.folder("state", 0o700)
    database = folder / "wafer.db"
    database.write_bytes(b"not a database, " * 64)
    os.chown(database, wafer.user.pw_uid, wafer.user.pw_gid)
    outcome = wafer.run("print(1)").check(125)
    assert len(outcome.stderr.splitlines()) == 1
    assert database.read_bytes() == b"not a database, " * 64
    database.unlink()


def test_lost_ledger_key(used):
    """Its end could not be booked, so the run doesn't start."""
    key = used.config_dir / "ledger.key"
    kept = key.with_name("kept")
    key.rename(kept)
    outcome = used.run("print(1)").check(125)
    assert outcome.stdout == b""
    (message,) = outcome.stderr.decode().splitlines()
    assert "key" in message
    kept.rename(key)
    assert len(used.records()) == 1


def test_ledger_key_that_others_may_read(used):
    key = used.config_dir / "ledger.key"
    key.chmod(0o644)
    outcome = used.run("print(1)").check(125)
    (message,) = outcome.stderr.decode().splitlines()
    assert str(key) in message
    key.chmod(0o600)


@pytest.fixture
def small_disk(root_wafer):
    """The store on a file system of its own, 24 MiB large."""
    folder = root_wafer.folder("state", 0o700)
    options = ["-t", "tmpfs", "-o", "size=24m,mode=700", "none"]
    subprocess.run(["mount", *options, folder], check=True)
    yield folder
    root_wafer.stop_all()
    subprocess.run(["umount", folder], check=True)


def fill(folder):
    with open(folder / "filler", "wb", buffering=0) as file:
        for block in (bytes(1 << 16), b"x"):
            try:
                while True:
                    file.write(block)
            except OSError:
                continue


def test_full_disk_before_a_run(root_wafer, small_disk):
    root_wafer.run("pass", "--name=earlier").check(0, "SUCCEEDED")
    fill(small_disk)
    outcome = root_wafer.run("print(1)").check(125)
    assert outcome.stdout == b""
    (message,) = outcome.stderr.decode().splitlines()
    assert str(small_disk) in message
    assert "full" in message or "No space" in message
    assert root_wafer.record("earlier")["state"] == "SUCCEEDED"
    (small_disk / "filler").unlink()
    root_wafer.run("pass").check(0, "SUCCEEDED")
    states = [record["state"] for record in root_wafer.records()]
    assert states.count("SUCCEEDED") == 2


def test_full_disk_during_a_run(root_wafer, small_disk):
    """The kept output is cut; the run, its end and its bill are not."""
    shared = root_wafer.folder("shared")
    script = """\
        import os, time
        print("ready", flush=True)
        while not os.path.exists("/data/go"):
            time.sleep(0.01)
        for number in range(1000):
            print("x" * 1000)
        """
    process = root_wafer.start_script(script, f"--mount={shared}:/data")
    process.wait_for_output(b"ready\n")
    fill(small_disk)
    (shared / "go").touch()
    outcome = process.wait().check(0, "SUCCEEDED")
    assert len(outcome.stdout) == len("ready\n") + 1000 * 1001
    assert outcome.report["output"]["log_truncated"] is True
    record = root_wafer.record(outcome.report["id"])
    assert record["state"] == "SUCCEEDED"
    assert record["billed_seconds"] == 60


def test_report_that_cannot_be_written(root_wafer):
    """Known only at the end: said, while the run is recorded."""
    script = root_wafer.file("script.py", "print('x')")
    outcome = root_wafer.call("run", script, "--report=/dev/full")
    assert outcome.stdout == b"x\n"
    assert any("report" in line for line in outcome.messages)
    (record,) = root_wafer.records()
    assert record["state"] == "SUCCEEDED"


def test_state_folder_that_cannot_be_made(plain_wafer):
    nowhere = plain_wafer.base / "file" / "state"
    (plain_wafer.base / "file").write_text("")
    script = plain_wafer.file("script.py", "print(1)")
    outcome = plain_wafer.call(
        "run",
        script,
        *plain_wafer.allow,
        environment={"WAFER_STATE_DIR": str(nowhere)},
    )
    outcome.check(125)
    (message,) = outcome.stderr.decode().splitlines()
    assert str(plain_wafer.base / "file") in message
