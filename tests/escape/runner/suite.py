"""From the command line to the table."""

import os
import pwd
import resource
import subprocess
import sys
import time

import manifest
import world
from rows import SETTINGS
from runner import features, networks, selftest, stage
from runner.bench import ESCAPE, Bench
from runner.report import Report
from wafer_command import WAFER, ZYGOTE

__all__ = ["SETTINGS", "main"]

REFUSED_STATUS = 3  # inside/trial.py
NOBODY = ("wafer-third", "nobody")


def main(options):
    if os.geteuid() != 0:
        print("escape: run it as root; it becomes the plain user by itself")
        return 2
    if not (WAFER.exists() and ZYGOTE.exists()):
        print(f"escape: no {WAFER}: set WAFER_PREFIX to where it is installed")
        return 2
    world.adopt_orphans()
    raise_limits()
    report = Report()
    for problem in selftest.problems_of_manifest():
        report.fail(f"manifest: {problem}")
    check_guard(report)
    lacking = read_lacking(options.lacks)
    for setting in sorted(options.setting or SETTINGS, key=is_egress):
        if is_egress(setting):
            networks.enter_forwarding()
        run_setting(setting, options, lacking, report)
    for heading, _, later in manifest.headings():
        report.later += [(heading, row) for row in later]
    report.print()
    if options.junit:
        report.write_junit(options.junit)
    print_sum(report)
    return 1 if report.failures else 0


def is_egress(setting):
    """It comes last: there is no way back from its network."""
    return setting == "egress"


def raise_limits():
    """A caller may have as much as there is: wafer lowers it for a job."""
    for name in (resource.RLIMIT_NOFILE, resource.RLIMIT_CORE):
        _, hard = resource.getrlimit(name)
        resource.setrlimit(name, (hard, hard))


def print_sum(report):
    sums = report.totals()
    told = ", ".join(f"{count} {name}" for name, count in sums.items())
    itself = f"{report.tests_of_itself} escaped with their walls away"
    print(f"escape: {sum(sums.values())} attempts: {told}; {itself}")


def read_lacking(given):
    """{(setting, feature): reason} of the file and the arguments."""
    lines = (ESCAPE / "lacks").read_text("utf-8").splitlines() + given
    found = {}
    for line in lines:
        if line and not line.startswith("#"):
            key, _, reason = line.partition("=")
            setting, _, feature = key.partition(":")
            found[setting, feature] = reason.strip() or None
    return found


def check_guard(report):
    """Each payload, run bare by a user who can do no harm, refuses."""
    user = next(name for name in NOBODY if has_user(name))
    for path in sorted((ESCAPE / "payloads").glob("*.py")):
        said = run_bare(path, pwd.getpwnam(user))
        refused = said.stdout.startswith("refused: ")
        if said.returncode != REFUSED_STATUS or not refused:
            report.fail(
                f"guard: {path.name} run bare didn't refuse:"
                f" {said.stdout}{said.stderr}"
            )


def has_user(name):
    try:
        return bool(pwd.getpwnam(name))
    except KeyError:
        return False


def run_bare(path, user):
    """By text, as the user may not be able to read the checkout."""
    inside = ESCAPE / "inside"
    modules = {
        file.stem: file.read_text("utf-8") for file in inside.glob("*.py")
    }
    return subprocess.run(
        [sys.executable, "-IBc", BARE, repr(modules), path.read_text("utf-8")],
        user=user.pw_uid,
        group=user.pw_gid,
        extra_groups=[],
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


# Makes the modules importable from their texts, then runs the payload.
BARE = """\
import ast, importlib.abc, importlib.util, sys
texts, payload = ast.literal_eval(sys.argv[1]), sys.argv[2]
class Loader(importlib.abc.Loader):
    def exec_module(self, module):
        exec(texts[module.__name__], module.__dict__)
class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name in texts:
            return importlib.util.spec_from_loader(name, Loader())
sys.meta_path.insert(0, Finder())
sys.argv = ["payload"]
exec(payload, {"__name__": "__main__"})
"""


def run_setting(setting, options, lacking, report):
    bench = Bench(setting, options.allow_missing)
    try:
        bench.start_neighbour()
        there = features.of_machine(setting, walls_missing(bench))
        everything = []
        for heading, rows, _ in manifest.headings():
            chosen = [row for row in rows if is_chosen(row, setting, options)]
            everything += chosen
            run_heading(bench, heading, chosen, there, lacking, report)
        if options.weak:
            test_itself(bench, options.weak, everything, there, report)
        for problem in bench.end_neighbour():
            report.fail(f"escaped: {setting}: the neighbour: {problem}")
    finally:
        bench.remove()


def walls_missing(bench):
    """What the neighbour's run does without, as its record has it."""
    (record,) = bench.wafer.records()
    return record["walls"]["missing"]


def is_chosen(row, setting, options):
    text = options.only
    return setting in row.settings and (
        not text or text in row.name or text in row.group.payload
    )


def run_heading(bench, heading, rows, there, lacking, report):
    started = time.monotonic()
    able = []
    for row in rows:
        lost = [name for name in row.needs if name not in there]
        if lost:
            report.add_absent(
                bench.setting, lost[0], lacking.get((bench.setting, lost[0]))
            )
            result = stage.Result(row, stage.NOT_TRIED, lost[0])
            report.add(bench.setting, heading, result)
        else:
            able.append(row)
    for group in dict.fromkeys(row.group for row in able):
        for batch in stage.batches(group, able):
            for result in stage.run_rows(bench, group, batch):
                report.add(bench.setting, heading, result)
    report.seconds[bench.setting, heading] = time.monotonic() - started


def test_itself(bench, weak, rows, there, report):
    started = time.monotonic()
    for row, walls, verdict, why in selftest.run(bench, weak, rows, there):
        if verdict == stage.ESCAPED:
            report.add_own_test(bench.setting, row.name, walls)
        else:
            report.add_own_test(
                bench.setting, row.name, walls, f"{verdict} {why}".strip()
            )
    taken = time.monotonic() - started
    print(f"{bench.setting}: without their walls: {taken:.1f} s")
