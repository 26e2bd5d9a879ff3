"""Secrets: there for the script, and nowhere else."""

import json
import os
import pathlib

import pytest

import world

SECRET = "hunter2-8f3a-correct-horse"


@pytest.fixture
def secret(wafer):
    return wafer.file("password", SECRET, 0o600)


def holds_secret(text):
    return SECRET.encode() in text


def files_with_the_secret(wafer):
    """Below the store and the configuration; the caller's file aside."""
    found = []
    for folder in (wafer.state_dir, wafer.config_dir):
        for path in folder.rglob("*"):
            if path.is_file() and holds_secret(world.data_of(path)):
                found.append(path)
    return found


def test_a_script_reads_it(wafer, secret):
    script = """\
        import os
        path = "/run/secrets/DB_PASSWORD"
        status = os.stat(path)
        print(open(path).read() == os.environ["DB_PASSWORD"])
        print(len(os.environ["DB_PASSWORD"]), oct(status.st_mode & 0o7777))
        print(status.st_uid, os.listdir("/run/secrets"))
        """
    outcome = wafer.run(script, f"--secret=DB_PASSWORD={secret}")
    assert outcome.check(0, "SUCCEEDED").lines == [
        "True",
        f"{len(SECRET)} 0o400",
        "1000 ['DB_PASSWORD']",
    ]
    assert outcome.report["secret_names"] == ["DB_PASSWORD"]


def test_it_is_masked_in_what_is_kept(wafer, secret):
    """The caller's own streams are unchanged; the stored log isn't."""
    script = """\
        import os, sys
        word = os.environ["PASSWORD"]
        print("before", word, "after")
        print(word * 2, file=sys.stderr)
        """
    outcome = wafer.run(script, f"--secret=PASSWORD={secret}")
    outcome.check(0, "SUCCEEDED")
    assert outcome.lines == [f"before {SECRET} after"]
    run = outcome.report["id"]
    assert wafer.logs(run, "output") == b"before *** after\n"
    assert wafer.logs(run, "error") == b"***\n"
    assert not files_with_the_secret(wafer)


def test_it_is_masked_in_pieces(wafer, secret):
    """A value that comes a byte at a time, or across two blocks."""
    script = """\
        import os, time
        word = os.environ["PASSWORD"].encode()
        for byte in word:
            os.write(1, bytes([byte]))
            time.sleep(0.001)
        os.write(1, b"\\n")
        for padding in (4096, 65536, 1 << 20):
            os.write(1, b"." * (padding - 5))
            os.write(1, word + b"\\n")
        os.write(1, word[:10])
        """
    outcome = wafer.run(script, f"--secret=PASSWORD={secret}")
    outcome.check(0, "SUCCEEDED")
    assert outcome.stdout.count(SECRET.encode()) == 4
    kept = wafer.logs(outcome.report["id"])
    assert kept.count(b"***") == 4
    assert kept.endswith(SECRET[:10].encode())
    assert not files_with_the_secret(wafer)


def test_it_is_masked_in_an_explanation(wafer, secret):
    script = """\
        import os
        raise ValueError("bad password " + os.environ["PASSWORD"])
        """
    outcome = wafer.run(script, f"--secret=PASSWORD={secret}")
    outcome.check(1, "FAILED")
    assert not holds_secret(json.dumps(outcome.report).encode())
    assert outcome.reason["exception"]["message"] == "bad password ***"
    assert not files_with_the_secret(wafer)


def test_it_is_in_no_command_line(wafer, secret):
    script = "import time\nprint('ready', flush=True)\ntime.sleep(1000)\n"
    process = wafer.start_script(script, f"--secret=PASSWORD={secret}")
    process.wait_for_output(b"ready\n")
    family = world.descendants(os.getpid())
    assert len(family) >= 3  # wafer, the keeper, the job
    for pid in family:
        folder = pathlib.Path("/proc", str(pid))
        assert not holds_secret((folder / "cmdline").read_bytes())
        assert not holds_secret((folder / "environ").read_bytes())
    process.signal(15)
    process.wait().check(143, "STOPPED")
    assert not files_with_the_secret(wafer)


def test_several(wafer, secret):
    """One that is the beginning of another is masked as a whole."""
    longer = wafer.file("longer", SECRET + "-and-more")
    script = """\
        import os
        print(os.environ["SHORT"], os.environ["LONG"])
        """
    outcome = wafer.run(
        script, f"--secret=SHORT={secret}", f"--secret=LONG={longer}"
    ).check(0, "SUCCEEDED")
    assert wafer.logs(outcome.report["id"]) == b"*** ***\n"


def test_a_trailing_newline_is_the_files(wafer):
    """As editors leave one; the variable does without."""
    secret = wafer.file("password", SECRET + "\n")
    script = """\
        import os
        print(repr(os.environ["PASSWORD"][-1]))
        print(open("/run/secrets/PASSWORD").read().rstrip("\\n")
              == os.environ["PASSWORD"].rstrip("\\n"))
        print(os.environ["PASSWORD"].strip())
        """
    outcome = wafer.run(script, f"--secret=PASSWORD={secret}")
    outcome.check(0, "SUCCEEDED")
    assert outcome.lines == [repr(SECRET[-1]), "True", SECRET]
    assert not files_with_the_secret(wafer)


def test_an_empty_secret_masks_nothing(wafer):
    secret = wafer.file("empty", "")
    outcome = wafer.run("print('abc')", f"--secret=NOTHING={secret}")
    outcome.check(0, "SUCCEEDED")
    assert wafer.logs(outcome.report["id"]) == b"abc\n"


def test_the_folder_is_read_only(wafer, secret):
    script = """\
        import errno, os
        for call in (lambda: open("/run/secrets/x", "w"),
                     lambda: os.unlink("/run/secrets/PASSWORD"),
                     lambda: open("/run/secrets/PASSWORD", "a")):
            try:
                call()
            except OSError as error:
                print(errno.errorcode[error.errno])
        """
    outcome = wafer.run(script, f"--secret=PASSWORD={secret}")
    lines = outcome.check(0, "SUCCEEDED").lines
    assert len(lines) == 3 and set(lines) <= {"EROFS", "EACCES"}
