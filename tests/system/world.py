"""The world outside a test: what wafer could leave behind in it.

This process is the subreaper of all that the tests start (prctl(2)), so a
process that outlives its parents becomes its child and is found.
"""

import ctypes
import os
import pathlib
import shutil
import socket
import sqlite3
import subprocess

from waiting import wait_for

PR_SET_CHILD_SUBREAPER = 36
CGROUPS = pathlib.Path("/sys/fs/cgroup")
FINAL_STATES = {
    "STOPPED", "SUCCEEDED", "FAILED", "TIMEOUT", "ERROR", "EXPIRED",
}  # fmt: skip


def adopt_orphans():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def processes():
    """Every process as {pid: (parent's pid, name)}."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdecimal():
            continue
        try:
            text = pathlib.Path("/proc", entry, "stat").read_text("latin-1")
        except OSError:
            continue  # it has just ended
        name = text[text.index("(") + 1 : text.rindex(")")]
        found[int(entry)] = (int(text[text.rindex(")") :].split()[2]), name)
    return found


def descendants(root):
    """The processes below `root`, as {pid: name}."""
    everyone = processes()
    below = {}
    while True:
        more = {
            pid: name
            for pid, (parent, name) in everyone.items()
            if pid not in below and (parent == root or parent in below)
        }
        if not more:
            return below
        below.update(more)


def reap_orphans():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def mounts():
    """The mount points of the host, each with its source."""
    lines = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
    return {(line.split()[4], line.partition(" - ")[2]) for line in lines}


def loop_devices():
    """The loop devices in use, each with the file behind it."""
    found = set()
    for file in pathlib.Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            found.add((file.parts[3], file.read_text().strip()))
        except OSError:
            continue  # detached meanwhile
    return found


def links():
    """The network interfaces of the host."""
    return {name for _, name in socket.if_nameindex()}


def packet_filters():
    """The tables of nf_tables of the host."""
    if not shutil.which("nft"):
        return set()
    command = ["nft", "list", "tables"]
    done = subprocess.run(command, check=True, capture_output=True)
    return set(done.stdout.decode().splitlines())


def wafer_cgroups():
    """The cgroups below one that is wafer's, in every hierarchy."""
    found = set()
    for folder, names, _ in os.walk(CGROUPS):
        if any(part.startswith("wafer") for part in folder.split("/")):
            found.update(os.path.join(folder, name) for name in names)
    return found


def unfinished_runs(state_dir):
    """The runs of a store that aren't in a final state."""
    path = state_dir / "wafer.db"
    if not path.exists():
        return []
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        rows = database.execute("SELECT id, state FROM runs").fetchall()
    database.close()
    return [row for row in rows if row[1] not in FINAL_STATES]


def data_of(path):
    """What a file holds, without its holes: a scratch image is 20 GiB."""
    found = []
    with open(path, "rb") as file:
        start = 0
        while True:
            try:
                start = os.lseek(file.fileno(), start, os.SEEK_DATA)
            except OSError:
                return b"".join(found)
            end = os.lseek(file.fileno(), start, os.SEEK_HOLE)
            found.append(os.pread(file.fileno(), end - start, start))
            start = end


def core_files(folder):
    return [path for path in folder.rglob("core*") if path.is_file()]


class Snapshot:
    """The world before a test; `check` compares it with the one after."""

    def __init__(self):
        self.mounts = mounts()
        self.cgroups = wafer_cgroups()
        self.loop_devices = loop_devices()
        self.links = links()
        self.packet_filters = packet_filters()

    def leaks(self):
        """What is there now that wasn't, as {kind: things}."""
        reap_orphans()
        kinds = {
            "processes": descendants(os.getpid()),
            "mounts": mounts() - self.mounts,
            "cgroups": wafer_cgroups() - self.cgroups,
            "loop devices": loop_devices() - self.loop_devices,
            "links": links() - self.links,
            "packet filters": packet_filters() - self.packet_filters,
        }
        return {kind: things for kind, things in kinds.items() if things}

    def check(self, folders):
        """Fails if anything is left; `folders` are those of the test."""
        # What dies asynchronously in the kernel gets time to.
        wait_for(lambda: not self.leaks(), lambda: f"left: {self.leaks()}", 20)
        for folder in folders:
            assert not core_files(folder), "a core file is left"
            unfinished = unfinished_runs(folder / "state")
            assert not unfinished, f"unfinished in the store: {unfinished}"
