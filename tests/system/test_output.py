"""The script's output: live, unchanged, kept; and wafer's last line."""

import hashlib
import os
import subprocess

import pytest

from wafer_command import WAFER
from waiting import DEADLINE_S, wait_for


def test_both_streams_are_live(wafer):
    """Each line is seen while the script still waits for us."""
    shared = wafer.folder("shared", 0o755)
    script = """\
        import os, sys, time
        print("on stdout")
        print("on stderr", file=sys.stderr)
        while not os.path.exists("/data/go"):
            time.sleep(0.01)
        print("last")
        """
    process = wafer.start_script(script, f"--mount={shared}:/data")
    process.wait_for_output(b"on stdout\n")
    wait_for(lambda: b"on stderr\n" in process.stderr, "on stderr")
    assert not process.ended
    (shared / "go").touch()
    outcome = process.wait().check(0, "SUCCEEDED")
    assert outcome.stdout == b"on stdout\nlast\n"
    assert outcome.stderr.startswith(b"on stderr\n")


NASTY = {
    "bytes": bytes(range(256)),
    "no newline at the end": b"a\nb",
    "carriage returns": b"a\r\nb\rc\n",
    "not UTF-8": b"caf\xe9\n\xff\xfe\n",
    "terminal codes": b"\x1b[31mred\x1b[0m\x07\n",
    "lines like ours": b"wafer: FAILED\nwafer-result 1 exited 9 0 0 0 job\n",
    "blank": b"\n\n\n",
}


@pytest.mark.parametrize("stream", [1, 2])
@pytest.mark.parametrize("name", NASTY)
def test_bytes_are_unchanged(root_wafer, stream, name):
    data = NASTY[name]
    outcome = root_wafer.run(f"import os; os.write({stream}, {data!r})")
    outcome.check(0, "SUCCEEDED")
    if stream == 1:
        assert outcome.stdout == data
    else:
        assert outcome.stderr.startswith(data)
    assert outcome.bill["state"] == "SUCCEEDED"
    which = {1: "stdout_bytes", 2: "stderr_bytes"}[stream]
    assert outcome.report["output"][which] == len(data)
    selected = {1: "output", 2: "error"}[stream]
    kept = root_wafer.logs(outcome.report["id"], selected)
    assert kept == data


def test_much_output(wafer):
    """32 MiB on stdout and one line of 8 MiB on stderr."""
    script = """\
        import hashlib, os, sys
        digest = hashlib.sha256()
        for number in range(32):
            block = hashlib.sha256(b"%d" % number).digest() * (1 << 15)
            digest.update(block)
            sys.stdout.buffer.write(block)
        sys.stdout.flush()
        sys.stderr.write("x" * (8 << 20) + "\\n" + digest.hexdigest() + "\\n")
        """
    outcome = wafer.run(script).check(0, "SUCCEEDED")
    long_line, digest, *_ = outcome.stderr.splitlines()
    assert len(outcome.stdout) == 32 << 20
    assert hashlib.sha256(outcome.stdout).hexdigest() == digest.decode()
    assert long_line == b"x" * (8 << 20)
    assert outcome.report["output"]["stdout_bytes"] == 32 << 20


def test_output_of_children_and_of_c(wafer):
    script = """\
        import ctypes, os, subprocess, sys
        print("python", flush=True)
        subprocess.run(["sh", "-c", "echo child; echo child2 >&2"])
        libc = ctypes.CDLL(None)
        libc.puts(b"from C")
        libc.fflush(None)
        """
    outcome = wafer.run(script).check(0, "SUCCEEDED")
    assert outcome.lines == ["python", "child", "from C"]
    assert outcome.stderr.startswith(b"child2\n")


def test_unflushed_output_is_not_lost(wafer):
    script = "import sys; sys.stdout.write('no newline, no flush')"
    assert wafer.run(script).check().stdout == b"no newline, no flush"


def test_last_line(wafer):
    outcome = wafer.run("print('x')").check(0, "SUCCEEDED")
    bill, report = outcome.bill, outcome.report
    assert bill["state"] == report["state"] == "SUCCEEDED"
    assert float(bill["wall_s"]) == pytest.approx(
        report["duration_ns"] / 1e9, abs=0.01, rel=0.01
    )
    assert int(bill["billed_s"]) == report["billed_seconds"] == 60
    assert bill["dpu_s"] == "3.75"
    assert float(bill["cpu_s"]) == pytest.approx(
        report["usage"]["cpu_ns"] / 1e9, abs=0.01, rel=0.01
    )
    assert bill["limit"] in ("1 GiB", "1.0 GiB")
    assert bill["cost"] == "$0.000458"


def test_quiet(wafer):
    script = "import sys; print('out'); print('err', file=sys.stderr)"
    outcome = wafer.run(script, "--quiet").check(0, "SUCCEEDED")
    assert (outcome.stdout, outcome.stderr) == (b"out\n", b"err\n")


def test_report_to_a_descriptor(wafer):
    script = wafer.file("script.py", "print('x')")
    reader, writer = os.pipe()
    outcome = wafer.call(
        *("run", script, f"--report={writer}", *wafer.allow),
        pass_fds=[writer],
    )
    os.close(writer)
    with open(reader, encoding="utf-8") as pipe:
        text = pipe.read()
    outcome.check(0)
    assert outcome.stdout == b"x\n"
    assert '"state":"SUCCEEDED"' in text.replace('": "', '":"')


def test_closed_streams_of_the_caller(root_wafer):
    """wafer started with 0, 1 and 2 closed mixes nothing up."""
    script = root_wafer.file("script.py", "print('x')")
    report = root_wafer.work / "report.json"
    process = subprocess.Popen(
        ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"]
        + [WAFER, "run", script, f"--report={report}"],
        env=root_wafer.environment,
    )
    status = process.wait(DEADLINE_S)
    if report.exists() and report.stat().st_size:
        assert report.read_bytes().startswith(b"{")
    assert status in (0, 125)


def test_a_slow_reader_loses_nothing(wafer):
    """The pipe is full long before the reader begins."""
    script = "for number in range(50_000): print(f'{number:079}')"
    process = wafer.start_script(script, stdout=subprocess.PIPE)
    first = os.read(process.popen.stdout.fileno(), 80)
    rest = process.popen.stdout.read()
    process.popen.stdout.close()
    process.wait().check(0, "SUCCEEDED")
    lines = (first + rest).splitlines()
    assert lines == [b"%079d" % number for number in range(50_000)]


def test_a_reader_that_leaves(wafer):
    """As in `wafer run … | head -1`: the run ends and is recorded."""
    script = "import itertools\nfor n in itertools.count(): print(n)"
    process = wafer.start_script(
        script, "--timeout=0.2", stdout=subprocess.PIPE
    )
    assert process.popen.stdout.readline() == b"0\n"
    process.popen.stdout.close()
    process.wait()
    assert len(wafer.records()) == 1
