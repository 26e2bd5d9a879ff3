"""CPython's own test suite, as jobs of 1 DPU: see README.md."""

import concurrent.futures
import fnmatch
import json
import pathlib
import pwd
import threading

import pytest
import world
from wafer_command import Wafer

from cpython.table import FAILURES, MODULES

HERE = pathlib.Path(__file__).parent
SUITE = pathlib.Path("/usr/lib/python3.11/test/regrtest.py")
AT_ONCE = 8  # they wait more than they run
DEADLINE_S = 280
STARTING = threading.Lock()

pytestmark = pytest.mark.skipif(
    not SUITE.exists(), reason="libpython3.11-testsuite isn't installed here"
)


def run_module(wafer, module):
    asked = {
        "module": f"test.{module.name}",
        "only": module.only,
        "skip": module.skip,
    }
    with STARTING:
        process = wafer.start_script(
            HERE / "inside.py", "--max-capacity=1", argv=[json.dumps(asked)]
        )
    return process.wait(DEADLINE_S)


@pytest.fixture(scope="module")
def outcomes():
    """What became of each module's job, by its name."""
    before = world.Snapshot()
    wafer = Wafer(pwd.getpwnam("root"))
    try:
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            jobs = {
                module.name: pool.submit(run_module, wafer, module)
                for module in MODULES
            }
        yield jobs
        before.check([wafer.base])
    finally:
        wafer.stop_all()
        wafer.remove()


def rows_of(test):
    name = test.removeprefix("test.")
    return [row for row in FAILURES if fnmatch.fnmatchcase(name, row.tests)]


@pytest.mark.parametrize("module", [module.name for module in MODULES])
def test_module(outcomes, module):
    outcome = outcomes[module].result().check(0, "SUCCEEDED")
    told = json.loads(outcome.lines[-1].removeprefix("@result "))
    assert told["ran"] > told["skipped"]
    failed = told["failed"]
    unlisted = {test: failed[test] for test in failed if not rows_of(test)}
    assert not unlisted, "no wall is known to cause these"
    met = {row for test in failed for row in rows_of(test)}
    listed = {row for row in FAILURES if row.tests.startswith(f"{module}.")}
    assert not listed - met, "these rows have no failure"


def test_the_readme_has_each_row():
    lines = (HERE / "README.md").read_text("utf-8").splitlines()
    for row in FAILURES:
        assert f"| `{row.tests}` | {row.wall} | {row.why} |" in lines
