"""What is looked at from outside once a job has ended, as texts of problems.

A row names those that are its own; `of_every_run` are made after each.
"""

import world
from runner.peak import host_peak_kib

TOLERANCE = 1.05
GIB = 1 << 30
MORE_KIB = 16 << 10


def end(stage, wanted):
    """How the run ended, as its record has it."""
    report = stage.outcome.report
    if report is None:
        return ["the run has no record"]
    found = (report["exit_status"], report["state"])
    if found != wanted or stage.outcome.status != wanted[0]:
        text = report["reason"].get("text")
        return [f"the run ended as {found}, not {wanted}: {text}"]
    return []


def of_every_run(stage, before):
    problems = before.changes()
    problems += canaries(stage)
    problems += books(stage)
    if stage.bench.neighbour.ended:
        problems.append("the neighbour ended")
    return problems


def canaries(stage):
    """No canary in what the job printed, nor in what its end is told by."""
    output = stage.output + repr(stage.outcome.report["reason"]).encode()
    return [
        f"the canary of the {name} came out"
        for name, text in stage.bench.canaries.items()
        if text.encode() in output
    ]


def books(stage):
    """The host answers, and its record of the run is whole."""
    wafer = stage.bench.wafer
    report = stage.outcome.report
    stored = wafer.record(report["id"])
    for name in sorted(stored.keys() | report.keys()):
        if stored.get(name) != report.get(name):
            return [
                f"{name} is stored as {stored.get(name)!r}"
                f" and was reported as {report.get(name)!r}"
            ]
    if report["id"] not in [run["id"] for run in wafer.records()]:
        return ["the run isn't listed"]
    return []


def refused(name):
    """The host was told the call's name."""

    def check(stage):
        calls = stage.outcome.report["reason"]["refused_syscalls"]
        if name not in {call["name"] for call in calls}:
            return [f"{name} isn't among the refused calls: {calls}"]
        return []

    return check


def reason(kind):
    def check(stage):
        found = stage.outcome.report["reason"]["kind"]
        return [] if found == kind else [f"the reason is {found}, not {kind}"]

    return check


def out_of_memory(stage):
    """This job's kernel counter, its peak within its limit, and the reason."""
    usage = stage.outcome.report["usage"]
    problems = reason("out_of_memory")(stage)
    if not usage["oom_kills"]:
        problems.append("the kernel counted no kill")
    if usage["memory_peak_bytes"] > usage["memory_limit_bytes"]:
        problems.append(f"the peak was {usage['memory_peak_bytes']}")
    return problems


def no_memory_kill(stage):
    kills = stage.outcome.report["usage"]["oom_kills"]
    return [f"the kernel killed {kills}"] if kills else []


def a_quarter_of_a_cpu(stage):
    """By the kernel's counters."""
    report = stage.outcome.report
    share = report["usage"]["cpu_ns"] / report["duration_ns"]
    if share > 0.25 * TOLERANCE:
        return [f"it used {share:.3f} CPUs"]
    if not report["usage"]["throttled_periods"]:
        return ["it was never throttled"]
    return []


def differs(name):
    """Two jobs said different things."""

    def check(stage):
        first, second = stage.first.get(name), stage.answers().get(name)
        if first is None or first == second:
            return [f"it was {first} in both jobs"]
        return []

    return check


def host_memory(stage):
    """The host took little more than the neighbour's, which idles."""
    idle = host_peak_kib(stage.bench.neighbour.popen.pid)
    more_kib = stage.host_peak_kib - idle
    if more_kib > MORE_KIB:
        return [f"the host took {more_kib} KiB more than an idle one"]
    return []


def log_is_cut(stage):
    report = stage.outcome.report
    if not report["output"]["log_truncated"]:
        return ["the log isn't marked as cut"]
    log = stage.bench.wafer.state_dir / "runs" / report["id"] / "stdout"
    size = log.stat().st_size
    return [f"the log has {size} bytes"] if size > GIB else []


def no_core(stage):
    """Neither where the job worked, nor where wafer was called."""
    cores = world.core_files(stage.bench.wafer.base)
    return [f"a core file: {cores}"] if cores else []


def bill_is_wafers(stage):
    """The last line says how the run ended, whatever was printed before."""
    bill = stage.outcome.bill
    if bill["state"] != stage.outcome.report["state"]:
        return [f"the last line says {bill['state']}"]
    return []
