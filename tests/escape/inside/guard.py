"""Whether a payload may start: inside a sandbox, and nowhere else.

A payload that is run bare would do to the machine what it tries to do to a
sandbox. So it looks first, and refuses unless every mark of a sandbox is there.
The suite's test of itself takes walls away, and with one the mark that it
leaves: those are waived by name. Never waived is the user namespace, without
which this is the machine's own root or one of its users.
"""

import dataclasses
import os

JOB_ID = 1000
HOST_NAME = "wafer"
KEEPER_PID = 1
PIDS_MAX = 16

# What the first user namespace maps: every id, to itself.
ALL_IDS = 4294967295


@dataclasses.dataclass(frozen=True)
class View:
    """What tells a sandbox from a machine."""

    uids: tuple  # real, effective, saved
    id_map: tuple  # of (first id inside, first id outside, count)
    capabilities: int
    host_name: str
    parent: int
    process_count: int


def look():
    with open("/proc/self/uid_map", encoding="ascii") as file:
        id_map = tuple(tuple(map(int, line.split())) for line in file)
    status = {}
    with open("/proc/self/status", encoding="utf-8") as file:
        for line in file:
            name, _, value = line.partition(":")
            status[name] = value.strip()
    return View(
        uids=os.getresuid(),
        id_map=id_map,
        capabilities=int(status["CapPrm"], 16) | int(status["CapEff"], 16),
        host_name=os.uname().nodename,
        parent=os.getppid(),
        process_count=sum(name.isdecimal() for name in os.listdir("/proc")),
    )


def refusal(view, away=()):
    """Why a payload may not start, or None. `away`: walls that are missing."""
    if not view.id_map:
        return "no user namespace of its own: its ids are mapped nowhere"
    for _, outside, count in view.id_map:
        if count == ALL_IDS:
            return "this is the machine's own user namespace"
        if outside == 0:
            return "an id of its namespace is the machine's root"
    if 0 in view.uids:
        return "it is root"
    if set(view.uids) != {JOB_ID}:
        return f"its uid is not {JOB_ID}"
    marks = {
        "capabilities": ("it has capabilities", view.capabilities == 0),
        "uts": ("the host name is not a sandbox's", named(view)),
        "pid": ("it isn't its keeper's child, or sees too much", alone(view)),
    }
    # In the host's tree, /proc is the host's.
    if "root" in away:
        marks.pop("pid")
    for wall, (text, good) in marks.items():
        if not good and wall not in away:
            return text
    return None


def named(view):
    return view.host_name == HOST_NAME


def alone(view):
    return view.parent == KEEPER_PID and view.process_count <= PIDS_MAX
