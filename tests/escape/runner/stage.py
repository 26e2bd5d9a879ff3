"""Running a group's job, and judging each of its rows."""

import contextlib
import dataclasses
import json

from rows import ANYTHING, WALLS
from runner import around, checks
from runner.machine import Machine
from runner.peak import host_peak_kib
from waiting import TIME_SCALE, wait_for

CONTAINED, ESCAPED = "contained", "escaped"
NOT_TRIED, UNPROVEN = "not tried", "unproven"

TRY = "@try "
DEADLINE_S = max(300, 120 * TIME_SCALE)


@dataclasses.dataclass(frozen=True)
class Result:
    row: object
    verdict: str
    why: str = ""


class Stage:
    """One job: what it is given, and what is seen of it."""

    def __init__(self, bench, group, rows, away=()):
        self.bench = bench
        self.group = group
        self.rows = rows
        self.away = away
        self.facts = {"setting": bench.setting}
        self.options = list(group.options)
        self.environment = {}
        self.keywords = {}
        self.problems = []  # what the runner saw beside the rows' checks
        self.outcome = None
        self.first = {}  # the answers of a group's first run
        self.libraries = []
        self.words = []  # more of the script's arguments
        self.host_peak_kib = 0

    def problem(self, text):
        self.problems.append(text)

    def run(self):
        names = list(self.group.around)
        for wall in self.away:
            self.options += WALLS[wall].options
            names += WALLS[wall].around
        with contextlib.ExitStack() as stack:
            for name in names:
                stack.enter_context(getattr(around, name)(self))
            if self.group.twice:
                self.outcome = self.call()
                self.first = self.answers()
            self.outcome = self.call()

    def call(self):
        argument = json.dumps(
            {
                "rows": [row.name for row in self.rows],
                "away": list(self.away),
                "facts": self.facts,
            }
        )
        libraries = [*self.bench.libraries, *map(str, self.libraries)]
        process = self.bench.wafer.start_script(
            self.bench.payloads / self.group.payload,
            f"--extra-py-files={','.join(libraries)}",
            *self.options,
            argv=[argument, *self.words],
            environment={
                "WAFER_ESCAPE": self.bench.canaries["host"],
                **self.environment,
            },
            **self.keywords,
        )
        try:
            wait_for(lambda: self.watch(process), "the run's end", DEADLINE_S)
        except AssertionError:
            process.kill()
            raise
        return process.wait()

    def watch(self, process):
        """Looks how much memory the host has taken; whether it has ended."""
        peak = host_peak_kib(process.popen.pid)
        self.host_peak_kib = max(self.host_peak_kib, peak)
        return process.ended

    @property
    def output(self):
        return self.outcome.stdout + b"\n" + self.outcome.stderr

    def answers(self):
        """What each try said last: a deadly one says that it begins."""
        found = {}
        for line in self.output.decode("utf-8", "replace").splitlines():
            if line.startswith(TRY):
                told = json.loads(line.removeprefix(TRY))
                found[told["try"]] = told["got"]
        return found


def judge(row, answer, problems):
    if answer is None:
        return Result(row, UNPROVEN, "it said nothing")
    if answer.startswith("crash: "):
        return Result(row, UNPROVEN, answer)
    if answer.startswith("absent: "):
        return Result(row, NOT_TRIED, answer.removeprefix("absent: "))
    if answer not in row.contained and row.contained != ANYTHING:
        wanted = " or ".join(row.contained)
        return Result(row, ESCAPED, f"it got {answer}, not {wanted}")
    if problems:
        return Result(row, ESCAPED, "; ".join(problems))
    return Result(row, CONTAINED)


def batches(group, rows):
    """The rows of a group, job by job."""
    mine = [row for row in rows if row.group == group]
    return [[row] for row in mine] if group.alone else [mine]


def run_rows(bench, group, rows, away=()):
    """Runs one job for these rows of a group; their Results."""
    before = Machine()
    stage = Stage(bench, group, rows, away)
    try:
        stage.run()
    except AssertionError as late:
        return [Result(row, UNPROVEN, str(late)) for row in rows]
    answers = stage.answers()
    if not answers:
        text = stage.output.decode("utf-8", "replace").strip()[-300:]
        return [Result(row, UNPROVEN, f"no try: {text}") for row in rows]
    # With a wall away, what follows from a try is looked at for it alone.
    common = [] if away else checks.of_every_run(stage, before)
    common += stage.problems
    results = []
    for row in rows:
        problems = [
            problem for check in row.checks for problem in check(stage)
        ]
        ends = row.ends or group.ends
        problems += checks.end(stage, ends)
        results.append(judge(row, answers.get(row.name), problems + common))
    return results
