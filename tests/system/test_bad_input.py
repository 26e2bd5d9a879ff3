"""Bad input: one clear line, the right exit status, nothing lost."""

import socket

import pytest


def refused(wafer, outcome, status, *words):
    """Checks that it was refused with one line that has the words."""
    outcome.check(status)
    assert outcome.stdout == b""
    lines = outcome.stderr.decode().splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("wafer: ")
    for word in words:
        assert str(word) in lines[0], lines[0]
    # What was recorded before is still there, and nothing is unfinished.
    for record in wafer.records():
        assert record["state"] == "SUCCEEDED"


@pytest.fixture
def used(wafer):
    """wafer with one good run in its store."""
    wafer.run("pass").check(0, "SUCCEEDED")
    yield wafer
    assert len(wafer.records()) == 1


def test_missing_script(used):
    refused(used, used.run(used.work / "none.py"), 127, "none.py")


def test_missing_folder_of_a_script(used):
    file = used.file("file", "")
    refused(used, used.run(file / "none.py"), 127, "none.py")


def test_folder_as_a_script(used):
    refused(used, used.run(used.folder("work/app")), 126, "app", "zipapp")


def test_unreadable_script(plain_wafer):
    script = plain_wafer.file("private.py", "pass", 0o000)
    outcome = plain_wafer.run(script)
    refused(plain_wafer, outcome, 126, "private.py", "Permission denied")


def test_socket_as_a_script(used):
    path = used.work / "socket"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        refused(used, used.run(path), 126, "socket")


def test_script_that_is_not_utf_8(wafer):
    """As python3 has it: a SyntaxError that says what to declare."""
    script = wafer.file("old.py", "print('é')\n".encode("latin-1"))
    outcome = wafer.run(script).check(1, "FAILED")
    assert b"SyntaxError" in outcome.stderr and b"\\xe9" in outcome.stderr
    assert outcome.reason["exception"]["type"] == "SyntaxError"
    assert any("SyntaxError" in line for line in outcome.messages[:-1])


def test_script_with_a_syntax_error(wafer):
    outcome = wafer.run("x = 1\nx = = 2\n").check(1, "FAILED")
    exception = outcome.reason["exception"]
    assert (exception["type"], exception["line"]) == ("SyntaxError", 2)


def test_script_with_a_nul_byte(wafer):
    script = wafer.file("nul.py", b"print(1)\0\n")
    wafer.run(script).check(1, "FAILED")


OPTIONS = {
    "unknown option": (["--max-capcity=1"], "--max-capcity"),
    "short option": (["-n"], "-n"),
    "a word too many": (["second.py"], "second.py"),
    "a value to a flag": (["--quiet=yes"], "quiet"),
    "capacity 0.5": (["--max-capacity=0.5"], "0.0625"),
    "capacity 2": (["--max-capacity=2"], "0.0625"),
    "capacity 0": (["--max-capacity=0"], "0.0625"),
    "capacity -1": (["--max-capacity=-1"], "0.0625"),
    "capacity nan": (["--max-capacity=nan"], "0.0625"),
    "capacity text": (["--max-capacity=big"], "big"),
    "capacity empty": (["--max-capacity="], "0.0625"),
    "timeout -1": (["--timeout=-1"], "-1"),
    "timeout 0": (["--timeout=0"], "timeout"),
    "timeout nan": (["--timeout=nan"], "nan"),
    "timeout inf": (["--timeout=inf"], "inf"),
    "timeout huge": (["--timeout=1e300"], "1e300"),
    "timeout text": (["--timeout=1h"], "1h"),
    "timeout empty": (["--timeout="], "timeout"),
    "mount of nothing": (["--mount=/no/such:/data"], "/no/such"),
    "mount without target": (["--mount=/tmp"], "mount"),
    "mount of a bad mode": (["--mount=/tmp:/data:rx"], "rx"),
    "mount at a relative path": (["--mount=/tmp:data"], "data"),
    "mount at the root": (["--mount=/tmp:/"], "mount"),
    "mount in a system folder": (["--mount=/tmp:/usr/x"], "/usr"),
    "mount over /proc": (["--mount=/tmp:/proc"], "/proc"),
    "mount over the secrets": (["--mount=/tmp:/run/secrets"], "/run"),
    "mount with dots": (["--mount=/tmp:/data/../usr"], ".."),
    "mounts at one place": (
        ["--mount=/tmp:/data", "--mount=/var:/data"],
        "/data",
    ),
    "network": (["--network=bridge"], "bridge"),
    "environment without a name": (["--env==x"], "env"),
    "environment of a bad name": (["--env=A-B=x"], "A-B"),
    "environment that isn't set": (["--env=NOT_SET_HERE"], "NOT_SET_HERE"),
    "environment file": (["--env-file=/no/such"], "/no/such"),
    "secret without a file": (["--secret=NAME"], "NAME=FILE"),
    "secret of a missing file": (["--secret=A=/no/such"], "/no/such"),
    "secret of a folder": (["--secret=A=/tmp"], "/tmp"),
    "secret of a bad name": (["--secret=../x=/etc/hostname"], "../x"),
    "tag": (["--tag=x"], "x"),
    "name": (["--name="], "name"),
    "name of two lines": (["--name=a\nb"], "name"),
    "library": (["--extra-py-files=/no/such.whl"], "/no/such.whl"),
    "library of no kind": (["--extra-py-files=/etc/hostname"], ".whl"),
    "wall": (["--allow-missing=moat"], "moat"),
    "report to nowhere": (["--report=/no/such/report"], "/no/such/report"),
    "report to a closed descriptor": (["--report=77"], "77"),
    "no value": (["--name"], "name"),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_options(root_wafer, name):
    options, word = OPTIONS[name]
    script = root_wafer.file("script.py", "print('ran')")
    root_wafer.call("run", script, "--quiet").check(0)
    outcome = root_wafer.call("run", script, *options)
    refused(root_wafer, outcome, 125, word)
    assert len(root_wafer.records()) == 1


@pytest.mark.parametrize(
    "words, word",
    [
        (["rnu"], "rnu"),
        (["run"], "run"),
        (["run", "--"], "run"),
        (["show"], "show"),
        (["show", "jr_none"], "jr_none"),
        (["show", ""], "wafer: "),
        (["logs", "jr_none"], "jr_none"),
        (["logs", "jr_none", "--stream=both-of-them"], "both-of-them"),
        (["runs", "--state=DONE"], "DONE"),
        (["runs", "--limit=-1"], "-1"),
        (["runs", "extra"], "extra"),
        (["doctor", "--unknown"], "--unknown"),
    ],
)
def test_commands(used, words, word):
    refused(used, used.call(*words), 125, word)


def test_without_a_command(wafer):
    outcome = wafer.call().check(125)
    assert b"usage: wafer" in outcome.stdout + outcome.stderr


def test_listing_without_a_store(wafer):
    """Nothing has run yet: that is no error, and makes no store."""
    assert wafer.records() == []
    wafer.call("runs").check(0)
    assert not wafer.state_dir.exists()


def test_damaged_zip(wafer):
    script = wafer.file("app.zip", b"PK\x03\x04" + b"damaged" * 10)
    outcome = wafer.run(script).check(1, "FAILED")
    assert outcome.stderr


def test_damaged_wheel(wafer):
    wheel = wafer.file("x-1-py3-none-any.whl", b"damaged")
    outcome = wafer.run("import x", f"--extra-py-files={wheel}")
    assert outcome.status in (1, 125)
    assert b"x-1-py3-none-any.whl" in outcome.stderr
