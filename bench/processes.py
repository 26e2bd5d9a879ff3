"""What the kernel tells of processes, in /proc: see proc(5)."""

import contextlib
import os
import pathlib
import re

TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def each_thread(pid, name):
    """The text of this file of each thread; one that ends has none."""
    for file in pathlib.Path(f"/proc/{pid}/task").glob(f"*/{name}"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            yield file.read_text("utf-8", "replace")


def children_of(pid):
    """The pids of its children, of all its threads."""
    return [
        int(child)
        for text in each_thread(pid, "children")
        for child in text.split()
    ]


def cpu_s(pid):
    """CPU of its threads, those that ended too, and of its reaped children."""
    text = pathlib.Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
    fields = text.rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11:15]) * TICK_S


def ran_ms(pid):
    """CPU of the threads that it has now, finer than cpu_s."""
    texts = each_thread(pid, "schedstat")
    return sum(int(text.split()[0]) for text in texts) / 1e6


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
    return sum(
        int(number)
        for text in each_thread(pid, "status")
        for number in re.findall(r"ctxt_switches:\s+(\d+)", text)
    )
