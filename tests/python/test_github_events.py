"""examples/github_events.py, run by itself on small input made here."""

import csv
import gzip
import json
import os
import pathlib
import subprocess
import sys
from typing import NamedTuple

import pytest

ROOT = pathlib.Path(__file__).parents[2]
SCRIPT = ROOT / "examples" / "github_events.py"
csv.field_size_limit(sys.maxsize)
NO_DAY = "/".join(
    f"{name}=__HIVE_DEFAULT_PARTITION__" for name in ("year", "month", "day")
)


class Outcome(NamedTuple):
    status: int
    output: str
    errors: str
    target: pathlib.Path

    def table(self, partition):
        path = self.target / partition / "part-00000.csv"
        with open(path, encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream))

    def partitions(self):
        return sorted(
            str(path.parent.relative_to(self.target))
            for path in self.target.rglob("part-00000.csv")
        )


@pytest.fixture
def job(tmp_path):
    """Return a function that runs the job on files of lines, by name."""
    source, target = tmp_path / "in", tmp_path / "out"
    scratch = tmp_path / "scratch"
    source.mkdir()
    scratch.mkdir()

    def run(files, *options):
        for name, lines in files.items():
            if not isinstance(lines, bytes):
                lines = gzip.compress(b"\n".join(map(encode, lines)) + b"\n")
            (source / name).write_bytes(lines)
        done = subprocess.run(
            [sys.executable, "-B", "-X", "dev", SCRIPT]
            + ["--source", source, "--target", target, *options],
            env={
                "PYTHONPATH": str(ROOT / "runtime" / "python"),
                "PYTHONWARNINGS": "error",  # a file left open is one
                "TMPDIR": str(scratch),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in done.stderr
        assert "ResourceWarning" not in done.stderr
        assert not any(scratch.iterdir())
        assert not list(target.rglob("*.tmp"))
        return Outcome(done.returncode, done.stdout, done.stderr, target)

    return run


def encode(line):
    return line if isinstance(line, bytes) else json.dumps(line).encode()


def event(name, **payload):
    return {"event": name, "payload": payload}


def issue(number, updated_at="2019-05-15T15:20:18Z", **more):
    return event(
        "issues",
        action="opened",
        issue={"number": number, "updated_at": updated_at, **more},
    )


ISSUES = "event=issues/year=2019/month=05/day=15"


# --- rows and columns -----------------------------------------------------


def test_nested_fields_become_dotted_columns(job):
    done = job({"a.gz": [issue(7, user={"login": "Codertocat", "id": 1})]})
    assert done.status == 0
    assert done.errors == ""
    assert done.table(ISSUES) == [
        {
            "payload.action": "opened",
            "payload.issue.number": "7",
            "payload.issue.updated_at": "2019-05-15T15:20:18Z",
            "payload.issue.user.id": "1",
            "payload.issue.user.login": "Codertocat",
        }
    ]
    assert (done.target / "_SUCCESS").read_bytes() == b""


def test_values(job):
    values = {
        "null": None,
        "yes": True,
        "no": False,
        "whole": 9007199254740993,
        "part": 1.5,
        "text": 'a "quoted", and\r\nbroken line\rä😀',
        "list": [{"a": [None, "ä"]}, 1],
        "empty_list": [],
        "empty_object": {},
        "half": "\ud83d",
        "nul": "\0",
    }
    done = job({"a.gz": [event("x", **values)]})
    assert done.table(f"event=x/{NO_DAY}") == [
        {
            "payload.null": "",
            "payload.yes": "true",
            "payload.no": "false",
            "payload.whole": "9007199254740993",
            "payload.part": "1.5",
            "payload.text": values["text"],
            "payload.list": '[{"a":[null,"ä"]},1]',
            "payload.empty_list": "[]",
            "payload.half": "\\ud83d",
            "payload.nul": "\0",
        }
    ]


def test_large_field(job):
    text = "x" * 1_000_000
    done = job({"a.gz": [event("x", body=text)]})
    assert done.table(f"event=x/{NO_DAY}")[0]["payload.body"] == text


def test_files_of_one_event_have_the_same_columns(job):
    later = "2019-05-16T00:00:00Z"
    done = job(
        {
            "a.gz": [issue(1, z=1), issue(2, a=1)],
            "b.gz": [issue(3, later), issue(4, later, m={"n": 1})],
        }
    )
    columns = [f"payload.issue.{c}" for c in ("a", "m.n", "number")]
    columns += [f"payload.issue.{c}" for c in ("updated_at", "z")]
    first = done.table(ISSUES)
    second = done.table(ISSUES.replace("15", "16"))
    for row in first + second:
        assert list(row) == ["payload.action", *columns]
    assert [row["payload.issue.z"] for row in first] == ["1", ""]
    assert [row["payload.issue.number"] for row in second] == ["3", "4"]


def test_many_rows_stay_in_order(job):
    body = "b" * 5000  # some 20 MB: staged in more than one go
    done = job({"a.gz": [issue(n, body=body) for n in range(4000)]})
    numbers = [row["payload.issue.number"] for row in done.table(ISSUES)]
    assert numbers == [str(n) for n in range(4000)]


def test_event_without_fields(job):
    done = job({"a.gz": [{"event": "x"}, {"event": "x", "id": 5}]})
    assert [row["id"] for row in done.table(f"event=x/{NO_DAY}")] == ["", "5"]


def test_event_that_never_has_a_field(job):
    done = job({"a.gz": [{"event": "x"}]})
    assert done.status == 0
    assert done.partitions() == [f"event=x/{NO_DAY}"]


# --- partitions -----------------------------------------------------------


def test_archive_line(job):
    line = {
        "id": "1",
        "type": "PushEvent",
        "actor": {"login": "a"},
        "payload": {"size": 1},
        "created_at": "2015-01-01T15:00:00Z",
    }
    done = job({"a.gz": [line]})
    (row,) = done.table("event=PushEvent/year=2015/month=01/day=01")
    assert row["actor.login"] == "a"
    assert row["payload.size"] == "1"


@pytest.mark.parametrize(
    "payload",
    (
        {"head_commit": {"timestamp": "2019-05-15T23:30:00-04:00"}},
        {"review": {"submitted_at": "2019-05-16T00:00:00Z"}},
        {"comment": {"updated_at": "2019-05-16T00:00:00.000Z"}},
        {"x": {"created_at": "2019-05-16T00:00:00+00:00"}},
        {"x": {"updated_at": None}, "issue": {"updated_at": 1557964800}},
        {"x": {"updated_at": "soon"}, "starred_at": "2019-05-16"},
        {"repository": {"updated_at": "2019-05-16T12:00:00"}},
    ),
)
def test_day_of_an_event(job, payload):
    done = job({"a.gz": [event("x", **payload)]})
    assert done.partitions() == ["event=x/year=2019/month=05/day=16"]


@pytest.mark.parametrize("time", (None, "", "soon", 10**30, [], True, -1.5))
def test_event_without_a_day(job, time):
    done = job({"a.gz": [event("x", updated_at=time)]})
    assert done.partitions() == [f"event=x/{NO_DAY}"]


@pytest.mark.parametrize(
    ("name", "folder"),
    (
        ("../../etc", "event=..%2F..%2Fetc"),
        ("a=b:c", "event=a%3Db%3Ac"),
        ("50%\n\0", "event=50%25%0A%00"),
        ("größe x", "event=größe x"),
    ),
)
def test_event_name_is_escaped_as_hive_does(job, name, folder):
    done = job({"a.gz": [event(name)]})
    assert done.partitions() == [f"{folder}/{NO_DAY}"]


# --- bad lines ------------------------------------------------------------

BAD_LINES = {
    "cut off": b'{"event": "x"',
    "no object": b"[1]",
    "no name": b'{"payload": {}}',
    "name is no text": b'{"event": {"a": 1}}',
    "name too long": json.dumps(event("e" * 300)).encode(),
    "name is half a pair": b'{"event": "\\ud83d"}',
    "not UTF-8": b'{"event": "\xff"}',
    "not a number": b'{"event": "x", "n": NaN}',
    "deep": b'{"event":' + b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000,
    "one column twice": b'{"event": "x", "a.b": 1, "a": {"b": 2}}',
    "digits": b'{"event": "x", "n": ' + b"9" * 5000 + b"}",
    "columns": json.dumps(event("x", **{str(n): n for n in range(5001)})),
}


@pytest.mark.parametrize("bad", BAD_LINES)
def test_bad_line(job, bad):
    line = BAD_LINES[bad]
    line = line.encode() if isinstance(line, str) else line
    files = {"a.gz": [issue(1), line, b"", issue(2)]}

    done = job(files)
    assert done.status == 1
    assert "a.gz:2: " in done.errors
    assert len(done.errors.splitlines()) == 2
    assert not done.target.exists()

    done = job(files, "--on-bad-line", "skip")
    assert done.status == 0
    assert "a.gz:2: " in done.errors
    assert len(done.errors.splitlines()) == 1
    assert "1 bad lines" in done.output
    assert len(done.table(ISSUES)) == 2
    assert done.partitions() == [ISSUES]


def test_line_over_the_limit_is_passed_over(job):
    line = b'{"event": "x", "n": "' + b"9" * (33 << 20) + b'"}'
    done = job({"a.gz": [issue(1), line, issue(2)]}, "--on-bad-line=skip")
    assert "a.gz:2: longer than" in done.errors
    assert len(done.table(ISSUES)) == 2


def test_only_the_first_bad_lines_are_shown(job):
    done = job({"a.gz": [b"?"] * 1000 + [issue(1)]}, "--on-bad-line=skip")
    assert len(done.errors.splitlines()) == 21
    assert "1000 bad lines" in done.output


@pytest.mark.parametrize("damage", ("cut", "not gzip", "flipped"))
def test_damaged_file(job, damage):
    lines = [issue(n, noise=os.urandom(500).hex()) for n in range(500)]
    packed = gzip.compress(b"\n".join(map(encode, lines)))
    damaged = {
        "cut": packed[: len(packed) // 2],
        "not gzip": b"plain text\n",
        "flipped": packed[:-6] + b"\0\0" + packed[-4:],
    }[damage]
    files = {"a.gz": damaged, "b.gz": [issue(1)]}
    assert job(files).status == 1
    done = job(files, "--on-bad-line", "skip")
    assert done.status == 0
    assert "damaged" in done.errors
    assert len(done.table(ISSUES)) >= 1


# --- the run --------------------------------------------------------------


def test_summary(job):
    done = job({"a.gz": [issue(1), event("x", a=1)], "b.gz": [issue(2)]})
    assert done.output.splitlines() == [
        "read   2 files, 0.0 MB packed",
        "events 3, and 0 bad lines left out",
        "wrote  2 tables, 4 columns, 2 partitions, 3 rows, 0.0 MB",
    ]


def test_second_run_replaces_what_it_writes(job):
    job({"a.gz": [issue(1), event("x", a=1)]})
    before = job({}).target / ISSUES / "part-00000.csv"
    text = before.read_bytes()
    done = job({"a.gz": [issue(1)]})
    assert before.read_bytes() == text
    assert done.partitions() == [ISSUES, f"event=x/{NO_DAY}"]


def test_failed_run_leaves_the_last_one_alone(job):
    job({"a.gz": [issue(1)]})
    done = job({"a.gz": [issue(2), b"?"]})
    assert done.status == 1
    assert done.table(ISSUES)[0]["payload.issue.number"] == "1"
    assert (done.target / "_SUCCESS").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    (
        (["--on-bad-line", "ignore"], "--on-bad-line is fail or skip"),
        (["--source"], "expected one argument"),
        (["--source", "/nonexistent"], "no *.gz file in /nonexistent"),
        (["--target", "/dev/null/x"], "Not a directory"),
    ),
)
def test_bad_options(job, options, words):
    done = job({"a.gz": [issue(1)]}, *options)
    assert done.status == 1
    assert words in done.errors
    assert len(done.errors.splitlines()) == 1


def test_source_without_files(job):
    done = job({})
    assert done.status == 1
    assert "no *.gz file" in done.errors
