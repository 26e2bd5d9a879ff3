"""The zygote: what one job could leave for another, or find of the host's."""

from rows import ANYTHING, Group, Later, Row
from runner import checks

HEADING = "Zygote"

JOB = Group("zygote.py", around=("places",))
TWICE = Group("zygote.py", around=("places",), twice=True)

SAME = ("random", "uuid1", "uuid4", "secrets", "urandom", "tempfile",
        "hash seed", "script folder")  # fmt: skip


def row(name, contained, walls, group=JOB, **more):
    if isinstance(contained, str):
        contained = (contained,)
    return Row(name, name, group, contained, walls, **more)


def twins():
    names = [f"the same {name} in two jobs" for name in SAME]
    for name in [*names, "the same addresses in two jobs"]:
        yield row(
            name, ANYTHING, ("exec",), TWICE, checks=(checks.differs(name),)
        )


ROWS = [
    row("a canary of the host's in its memory", "none", ("exec",)),
    row("a secret of the caller's in its environment", "none", ("host",)),
    row("its initial environment", "none", ("host",)),
    row("its command line", "none", ("host",)),
    *twins(),
    row("what an earlier job patched", "none", ("exec",), TWICE),
    row("a process that an earlier job started", "none", ("keeper",), TWICE),
    row("the bootstrap in the script's way", "none", ("host",)),
    row("a site package or .pth file of its own", "none",
        ("mount-flags", "user-namespace")),
    # Last, as it puts one there: the search finds what there is.
    row("a canary of its own in its memory", "found", ("kernel",)),
]  # fmt: skip

LATER = [
    Later("numpy's legacy generator in two jobs", "the analytics library set"),
    Later("two jobs of one warm zygote", "the suite run through wafer serve"),
]
