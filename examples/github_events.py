"""GitHub events, from nested JSON to flat CSV in Hive-style partitions.

    wafer run github_events.py --mount events:/data/in --mount out:/data/out:rw

In: `--source` (default /data/in) holds gzip files, *.gz, of one JSON event a
line: either a webhook delivery, {"event": "push", "payload": {...}}, or a
line of the GH Archive, {"type": "PushEvent", "created_at": ..., "payload":
{...}}.

Out: `--target` (default /data/out) gets one file a partition,

    event=push/year=2019/month=05/day=15/part-00000.csv

and, after the last of them, an empty _SUCCESS.  A partition of an earlier run
that this run has rows for is replaced; others stay.

  - A nested field is a column with a dotted name: payload.pusher.name.  All
    files that a run writes for one event have the same columns in the same
    order, so that an event= folder reads as one table.
  - An array is a column that holds it as JSON text.
  - null and a missing field are both empty; true and false are words.
  - The day is that of the event, in UTC (see TIME_FIELDS); an event without
    one goes to __HIVE_DEFAULT_PARTITION__.

`--on-bad-line fail` (the default) stops at a line that is no event, and
writes nothing; `skip` leaves such lines out.  Both name file and line.

Memory stays bounded whatever the input's size: rows wait in files under /tmp
until the columns are all known.  It uses the standard library alone.
"""

import csv
import gzip
import io
import json
import os
import pathlib
import sys
import tempfile
import zlib
from datetime import datetime, timezone

from awsglue.utils import GlueArgumentError, getResolvedOptions

DEFAULTS = {
    "source": "/data/in",
    "target": "/data/out",
    "on-bad-line": "fail",
}

MAX_LINE_BYTES = 32 << 20  # GitHub itself sends no payload over 25 MB
MAX_COLUMNS = 5000  # of one event
MAX_PENDING_CHARS = 8 << 20  # rows kept in memory before they are staged
MAX_BAD_LINES_SHOWN = 20

DEFAULT_PARTITION = "__HIVE_DEFAULT_PARTITION__"
# What Hive writes as %XX in a partition's name, and NUL, which no name holds.
ESCAPED = {chr(code) for code in [*range(0x20), 0x7F]} | set("\"#%'*/:=?\\{[]^")

# Where an event's time is found: the first of these that has one.  {event}
# is the event's name, since most payloads hold their subject under it.
TIME_FIELDS = (
    "created_at",
    "payload.updated_at",
    "payload.starred_at",
    "payload.effective_date",
    "payload.head_commit.timestamp",
    "payload.review.submitted_at",
    "payload.comment.updated_at",
    "payload.{event}.updated_at",
    "payload.{event}.completed_at",
    "payload.{event}.started_at",
    "payload.{event}.created_at",
    "payload.release.published_at",
    "payload.alert.updated_at",
    "payload.alert.created_at",
    "payload.build.updated_at",
    "payload.rule.updated_at",
    "payload.key.created_at",
    "payload.hook.updated_at",
    "payload.issue.updated_at",
    "payload.pull_request.updated_at",
    "payload.workflow_run.updated_at",
    "payload.installation.updated_at",
    "payload.forkee.updated_at",
    "payload.repository.updated_at",
)


class BadLine(Exception):
    """A line of the input is no event; the text says why."""


def main():
    try:
        args = getResolvedOptions(sys.argv, [], defaults=DEFAULTS)
    except GlueArgumentError as error:
        return f"github_events: {error}"
    if args["on_bad_line"] not in ("fail", "skip"):
        return "github_events: --on-bad-line is fail or skip"
    source = pathlib.Path(args["source"])
    files = sorted(source.glob("*.gz"))
    if not files:
        return f"github_events: no *.gz file in {source}"

    csv.field_size_limit(sys.maxsize)
    bad_lines = BadLines(skip=args["on_bad_line"] == "skip")
    with tempfile.TemporaryDirectory() as folder:
        staging = Staging(pathlib.Path(folder))
        for path in files:
            stage_file(path, staging, bad_lines)
            if bad_lines.stop:
                return "github_events: stopped, nothing was written"
        staging.flush()
        written_bytes = publish(staging, pathlib.Path(args["target"]))

    read_bytes = sum(path.stat().st_size for path in files)
    columns = sum(len(columns) for columns in staging.columns.values())
    print(f"read   {len(files)} files, {megabytes(read_bytes)} packed")
    print(f"events {staging.rows}, and {bad_lines.count} bad lines left out")
    print(
        f"wrote  {len(staging.columns)} tables, {columns} columns,"
        f" {len(staging.partitions)} partitions, {staging.rows} rows,"
        f" {megabytes(written_bytes)}"
    )
    return 0


def megabytes(size):
    return f"{size / 1e6:.1f} MB"


# --- from a file to events ------------------------------------------------


class BadLines:
    """Reports lines that are no event, and knows whether to go on."""

    def __init__(self, skip):
        self.skip = skip
        self.count = 0

    @property
    def stop(self):
        return self.count > 0 and not self.skip

    def report(self, path, number, reason):
        self.count += 1
        if self.count <= MAX_BAD_LINES_SHOWN:
            print(f"{path}:{number}: {reason}", file=sys.stderr)
        elif self.count == MAX_BAD_LINES_SHOWN + 1:
            print("further bad lines are only counted", file=sys.stderr)


def stage_file(path, staging, bad_lines):
    """Stage the file's events; return at the first bad line, if so asked."""
    for number, line, problem in read_lines(path):
        try:
            if problem:
                raise BadLine(problem)
            if line.strip():
                staging.add(*parse(line))
        except BadLine as error:
            bad_lines.report(path, number, error)
        if bad_lines.stop:
            return


def read_lines(path):
    """Yield (number, line, problem); a problem says why there is no line."""
    number = 0
    with gzip.open(path, "rb") as stream:
        while True:
            number += 1
            try:
                line = stream.readline(MAX_LINE_BYTES + 1)
                too_long = len(line) > MAX_LINE_BYTES
                while too_long and line and not line.endswith(b"\n"):
                    line = stream.readline(MAX_LINE_BYTES)
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                yield number, b"", f"the file is damaged from here on: {error}"
                return
            if too_long:
                yield number, b"", f"longer than {MAX_LINE_BYTES} bytes"
            elif line:
                yield number, line, None
            else:
                return


def parse(line):
    """Return (event's name, its partition's folder, its row by column)."""
    row = {}
    try:
        record = json.loads(line, parse_constant=refuse_constant)
        if not isinstance(record, dict):
            raise BadLine("not a JSON object")
        flatten(record, "", row)
    except RecursionError:
        raise BadLine("nested too deep") from None
    except ValueError as error:
        raise BadLine(f"not JSON: {error}") from None
    event = event_name(record)
    row.pop("event", None)
    return event, partition(event, event_time(event, row)), row


def refuse_constant(name):
    raise BadLine(f"not JSON: {name}")


def event_name(record):
    name = record.get("event") or record.get("type")
    if not isinstance(name, str):
        raise BadLine('no event name in "event" or "type"')
    try:
        too_long = len(escape(name).encode()) > 200
    except UnicodeEncodeError:
        raise BadLine("the event name is no text") from None
    if too_long:
        raise BadLine("the event name is too long for a folder")
    return name


def flatten(fields, prefix, row):
    """Put each field into the row, a nested one under its dotted name."""
    for key, value in fields.items():
        name = prefix + key
        if isinstance(value, dict):
            flatten(value, name + ".", row)
        elif name in row:
            raise BadLine(f"two fields would be the column {name}")
        else:
            row[name] = cell(value)


def cell(value):
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, (bool, list)):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return str(value)


# --- from an event to its partition ---------------------------------------


def event_time(event, row):
    """Return the event's time in UTC, or None where no field has one."""
    for field in TIME_FIELDS:
        text = row.get(field.format(event=event))
        time = parse_time(text) if text else None
        if time:
            return time
    return None


def parse_time(text):
    """Return the UTC time of an ISO 8601 text or a number of seconds."""
    try:
        if text.isdecimal():
            return datetime.fromtimestamp(int(text), timezone.utc)
        time = datetime.fromisoformat(text)
        if time.tzinfo is None:
            return time
        return time.astimezone(timezone.utc)
    except (ValueError, OverflowError, OSError):
        return None


def partition(event, time):
    """Return the partition's folder under the target, as Hive writes it."""
    names = ("event", "year", "month", "day")
    values = [event, None, None, None]
    if time:
        values[1:] = f"{time.year:04}", f"{time:%m}", f"{time:%d}"
    return "/".join(f"{n}={escape(v)}" for n, v in zip(names, values))


def escape(value):
    if not value:
        return DEFAULT_PARTITION
    return "".join(f"%{ord(c):02X}" if c in ESCAPED else c for c in value)


# --- from events to files -------------------------------------------------


class Staging:
    """Rows on their way to partitions, in files of a temporary folder.

    A row is staged with the columns that its event has had so far; columns
    are only ever added at the end, so a row that came before one is short by
    it.  `publish` fills such rows up.
    """

    def __init__(self, folder):
        self.folder = folder
        self.columns = {}  # event -> {column: its index}
        self.partitions = {}  # partition's folder -> (event, staged file)
        self.rows = 0
        self._pending = {}  # partition's folder -> CSV text of its new rows
        self._pending_chars = 0

    def add(self, event, place, row):
        columns = self.columns.setdefault(event, {})
        new = [name for name in row if name not in columns]
        if len(columns) + len(new) > MAX_COLUMNS:
            raise BadLine(f"more than {MAX_COLUMNS} columns in {event}")
        for name in new:
            columns[name] = len(columns)
        if place not in self.partitions:
            staged = self.folder / str(len(self.partitions))
            self.partitions[place] = (event, staged)
        text = self._pending.setdefault(place, io.StringIO(newline=""))
        values = [row.get(name, "") for name in columns]
        self._pending_chars += csv.writer(text).writerow(values)
        self.rows += 1
        if self._pending_chars > MAX_PENDING_CHARS:
            self.flush()

    def flush(self):
        for place, text in self._pending.items():
            _, staged = self.partitions[place]
            with open_csv(staged, "a") as stream:
                stream.write(text.getvalue())
        self._pending.clear()
        self._pending_chars = 0


def publish(staging, target):
    """Move what is staged to the target; return the number of bytes."""
    target.mkdir(parents=True, exist_ok=True)
    success = target / "_SUCCESS"
    success.unlink(missing_ok=True)
    written_bytes = 0
    for place, (event, staged) in sorted(staging.partitions.items()):
        folder = target / place
        folder.mkdir(parents=True, exist_ok=True)
        written_bytes += publish_file(
            staged, staging.columns[event], folder / "part-00000.csv"
        )
        staged.unlink()
    success.touch()
    return written_bytes


def publish_file(staged, columns, path):
    """Write a staged file as CSV with a header, whole or not at all."""
    names = sorted(columns)
    order = [columns[name] for name in names]
    hidden = path.with_name(f".{path.name}.tmp")
    try:
        with open_csv(staged, "r") as rows, open_csv(hidden, "w") as stream:
            writer = csv.writer(stream)
            writer.writerow(names)
            for row in csv.reader(rows):
                row += [""] * (len(columns) - len(row))
                writer.writerow([row[index] for index in order])
        os.replace(hidden, path)
    finally:
        hidden.unlink(missing_ok=True)
    return path.stat().st_size


def open_csv(path, mode):
    """Open a file for the csv module.

    Half of a surrogate pair, which JSON can hold and UTF-8 can't, is written
    as its escape.
    """
    return open(
        path, mode, encoding="utf-8", errors="backslashreplace", newline=""
    )


if __name__ == "__main__":
    try:
        sys.exit(main())
    except OSError as error:
        sys.exit(f"github_events: {error}")
