"""What the suite says: a line for all that isn't contained, and the table."""

import xml.etree.ElementTree as etree

from rows import RESIDUAL_RISKS
from runner.stage import CONTAINED, ESCAPED, NOT_TRIED, UNPROVEN

COLUMNS = (CONTAINED, ESCAPED, UNPROVEN, NOT_TRIED)


class Report:
    def __init__(self):
        self.counts = {}  # (setting, heading) → {verdict: count}
        self.seconds = {}  # the same → how long they took
        self.later = []  # (heading, Later)
        self.failures = []  # texts
        self.absent = {}  # (setting, feature, reason) → count
        self.tests_of_itself = 0
        self.cases = []  # (class, name, "failure" or "skipped" or None, why)

    def add(self, setting, heading, result):
        counts = self.counts.setdefault(
            (setting, heading), dict.fromkeys(COLUMNS, 0)
        )
        counts[result.verdict] += 1
        kinds = {CONTAINED: None, NOT_TRIED: "skipped"}
        kind = kinds.get(result.verdict, "failure")
        self.cases.append((setting, result.row.name, kind, result.why))
        if result.verdict in (ESCAPED, UNPROVEN):
            self.fail(
                f"{result.verdict}: {setting}: {result.row.name}: {result.why}"
            )

    def add_absent(self, setting, feature, reason):
        key = (setting, feature, reason or "not listed")
        self.absent[key] = self.absent.get(key, 0) + 1
        if reason is None:
            self.fail(
                f"not tried: {setting}: this machine lacks {feature!r} and"
                f" isn't listed (--lacks '{setting}:{feature}=REASON')"
            )

    def fail(self, text):
        if text not in self.failures:
            self.failures.append(text)
            print(text, flush=True)

    def add_own_test(self, setting, name, walls, why=None):
        """why: it should have escaped with these walls away, and didn't."""
        without = ", ".join(walls)
        case = f"{name}, without {without}"
        self.cases.append((setting, case, why and "failure", why))
        if why is None:
            self.tests_of_itself += 1
        else:
            self.fail(f"itself: {setting}: {case}: it should escape: {why}")

    def write_junit(self, path):
        """As pytest does; other failures than a row's are cases as well."""
        told = " ".join(str(why) for *_, why in self.cases)
        cases = self.cases + [
            ("suite", text.partition(":")[0], "failure", text)
            for text in self.failures
            if not text.startswith(("escaped: ", "unproven: ", "itself: "))
            or text.rpartition(": ")[2] not in told
        ]
        suite = etree.Element("testsuite", name="escape")
        for setting, name, kind, why in cases:
            case = etree.SubElement(
                suite, "testcase", classname=f"escape.{setting}", name=name
            )
            if kind:
                etree.SubElement(case, kind, message=str(why))
        etree.ElementTree(suite).write(path)

    def totals(self):
        sums = dict.fromkeys(COLUMNS, 0)
        for counts in self.counts.values():
            for name in COLUMNS:
                sums[name] += counts[name]
        return sums

    def print(self):
        print(f"\n{'':22} {'':6} {'attempts':>9}", end="")
        print("".join(f" {name:>10}" for name in COLUMNS), "    time")
        for key, counts in self.counts.items():
            print_counts(*key, counts, self.seconds[key])
        print_counts("", "all", self.totals(), sum(self.seconds.values()))
        for (setting, feature, reason), count in self.absent.items():
            print(f"not tried: {count} {setting}, lacking {feature}: {reason}")
        for heading, later in self.later:
            print(f"not built yet: {heading}: {later.name}: {later.missing}")
        for name, text in RESIDUAL_RISKS:
            print(f"residual risk: {name}: {text}")


def print_counts(setting, heading, counts, seconds):
    print(f"{heading:22} {setting:6} {sum(counts.values()):>9}", end="")
    print("".join(f" {counts[name]:>10}" for name in COLUMNS), end="")
    print(f" {seconds:>6.1f} s")
