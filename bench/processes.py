"""What the kernel tells of processes, in /proc: see proc(5)."""

import os
import pathlib
import re

TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def children_of(pid):
    found = []
    for file in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        found += [int(child) for child in file.read_text("ascii").split()]
    return found


def cpu_s(pid):
    """CPU of its threads, those that ended too, and of its reaped children."""
    text = pathlib.Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
    fields = text.rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11:15]) * TICK_S


def ran_ms(pid):
    """CPU of the threads that it has now, finer than cpu_s."""
    files = pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(file.read_text("ascii").split()[0]) for file in files) / 1e6


def memory_bytes(pid, *names):
    """The sum of these lines of its smaps_rollup."""
    path = pathlib.Path(f"/proc/{pid}/smaps_rollup")
    pattern = rf"^(?:{'|'.join(names)}):\s+(\d+) kB"
    found = re.findall(pattern, path.read_text("ascii"), re.MULTILINE)
    return sum(int(kib) for kib in found) << 10


def private_bytes(pid):
    return memory_bytes(pid, "Private_Clean", "Private_Dirty")


def switches(pid):
    """How often a processor was given to one of its threads."""
    count = 0
    for file in pathlib.Path(f"/proc/{pid}/task").glob("*/status"):
        found = re.findall(r"ctxt_switches:\s+(\d+)", file.read_text("utf-8"))
        count += sum(int(number) for number in found)
    return count
