"""Runs a module of CPython's own test suite, as a job: inside.py JSON.

The JSON is {"module": name, "only": [pattern], "skip": [pattern]}; patterns are
of tests' ids. The last line of the output is "@result " and {"ran": count,
"skipped": count, "failed": {id: the error's last line}}.
"""

import fnmatch
import json
import sys
import unittest

MARK = "@result "


class Collector(unittest.TextTestResult):
    """Keeps what failed, by its id, and how."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.failed = {}

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.keep(test, error)

    def addError(self, test, error):
        super().addError(test, error)
        self.keep(test, error)

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error is not None:
            self.keep(test, error)

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self.failed[test.id()] = "an unexpected success"

    def keep(self, test, error):
        self.failed[test.id()] = f"{error[0].__name__}: {error[1]}"


def each_test(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from each_test(test)
        else:
            yield test


def matches(test, patterns):
    return any(fnmatch.fnmatchcase(test.id(), each) for each in patterns)


def choose(asked):
    loader = unittest.defaultTestLoader
    return unittest.TestSuite(
        test
        for test in each_test(loader.loadTestsFromName(asked["module"]))
        if matches(test, asked["only"]) and not matches(test, asked["skip"])
    )


def main():
    from test import support
    from test.support import os_helper

    asked = json.loads(sys.argv[1])
    sys.argv = ["unittest"]
    # As in regrtest: no test that takes minutes or gigabytes, no internet.
    support.use_resources = []
    with os_helper.temp_cwd():
        runner = unittest.TextTestRunner(resultclass=Collector)
        result = runner.run(choose(asked))
    told = {
        "ran": result.testsRun,
        "skipped": len(result.skipped),
        "failed": result.failed,
    }
    print("\n" + MARK + json.dumps(told), flush=True)


# multiprocessing's children import this, too.
if __name__ == "__main__":
    main()
