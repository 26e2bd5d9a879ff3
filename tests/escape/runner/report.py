"""What the suite says: a line for all that isn't contained, and the table."""

from rows import RESIDUAL_RISKS
from runner.stage import CONTAINED, ESCAPED, NOT_TRIED, UNPROVEN

COLUMNS = (CONTAINED, ESCAPED, UNPROVEN, NOT_TRIED)


class Report:
    def __init__(self):
        self.counts = {}  # (setting, heading) → {verdict: count}
        self.later = []  # (heading, Later)
        self.failures = []  # texts
        self.absent = {}  # (setting, feature, reason) → count
        self.tests_of_itself = 0

    def add(self, setting, heading, result):
        counts = self.counts.setdefault(
            (setting, heading), dict.fromkeys(COLUMNS, 0)
        )
        counts[result.verdict] += 1
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

    def totals(self):
        sums = dict.fromkeys(COLUMNS, 0)
        for counts in self.counts.values():
            for name in COLUMNS:
                sums[name] += counts[name]
        return sums

    def print(self):
        print(f"\n{'':22} {'':6} {'attempts':>9}", end="")
        print("".join(f" {name:>10}" for name in COLUMNS))
        for (setting, heading), counts in self.counts.items():
            print_counts(heading, setting, counts)
        print_counts("all", "", self.totals())
        for (setting, feature, reason), count in self.absent.items():
            print(f"not tried: {count} {setting}, lacking {feature}: {reason}")
        for heading, later in self.later:
            print(f"not built yet: {heading}: {later.name}: {later.missing}")
        for name, text in RESIDUAL_RISKS:
            print(f"residual risk: {name}: {text}")


def print_counts(heading, setting, counts):
    print(f"{heading:22} {setting:6} {sum(counts.values()):>9}", end="")
    print("".join(f" {counts[name]:>10}" for name in COLUMNS))
