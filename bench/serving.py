"""A `wafer serve` of the benchmark's own, with a store of its own."""

import collections
import json
import os
import subprocess
import time

import harness
import processes
from ways import Failure

DEADLINE_S = 120
STILL_S = 0.3  # what hasn't changed for so long is finished


class Server:
    """Serves until close(); `settings` are lines of wafer.conf."""

    def __init__(self, wafer, folder, library_set, settings=()):
        folder.mkdir(0o755)
        self.wafer = wafer
        self.environment = harness.environment(folder)
        self.state = folder / "state"
        self.state.mkdir(0o711)
        library_set.link_to(self.state)
        config = folder / "config"
        config.mkdir(0o700)
        lines = [f"pool_library_sets = {library_set.name}", *settings]
        (config / "wafer.conf").write_text("\n".join(lines) + "\n", "utf-8")
        self.process = subprocess.Popen(
            [wafer, "serve"], env=self.environment, stdin=subprocess.DEVNULL
        )
        self.pid = self.process.pid
        try:
            self.full = self.settle()
        except BaseException:
            self.close()
            raise

    def parked(self):
        """How many are parked: each has a lease."""
        try:
            return len(os.listdir(self.state / "parked"))
        except FileNotFoundError:
            return 0

    def is_idle(self):
        """Whether it has no thread in the background."""
        if self.process.poll() is not None:
            raise Failure(f"wafer serve ended: {self.process.returncode}")
        return len(os.listdir(f"/proc/{self.pid}/task")) == 1

    def settle(self):
        """Wait until it makes no more; return how many are parked then."""
        deadline = time.monotonic() + DEADLINE_S
        since, seen = time.monotonic(), None
        while time.monotonic() < deadline:
            now = (self.parked(), self.zygote() is not None)
            if now != seen or not now[1] or not self.is_idle():
                since, seen = time.monotonic(), now
            elif time.monotonic() - since > STILL_S:
                return now[0]
            time.sleep(0.01)
        raise Failure(f"wafer serve isn't ready after {DEADLINE_S} s")

    def wait_full(self):
        deadline = time.monotonic() + DEADLINE_S
        while self.parked() < self.full or not self.is_idle():
            if time.monotonic() > deadline:
                raise Failure(f"the pool isn't full after {DEADLINE_S} s")
            time.sleep(0.005)
        time.sleep(0.02)  # what it did last is over

    def zygote(self):
        found = processes.children_of(self.pid)
        return found[0] if found else None

    def sandboxes(self):
        """The processes of each that is parked: its keeper and its job.

        A keeper with no job has ended one that was taken.
        """
        found = []
        for keeper in processes.children_of(self.zygote()):
            jobs = processes.children_of(keeper)
            if jobs:
                found.append([keeper, *jobs])
        return found

    def ways_of_runs(self, count):
        """How the last runs got their sandboxes, in words."""
        done = subprocess.run(
            [self.wafer, "runs", "--json", f"--limit={count}"],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            check=True,
        )
        ways = collections.Counter(
            run["start"] for run in json.loads(done.stdout)
        )
        return ", ".join(f"{number} {way}" for way, number in ways.items())

    def refill_cpu_s(self):
        """CPU of itself and of its zygote, from the beginning."""
        return processes.cpu_s(self.pid) + processes.cpu_s(self.zygote())

    def close(self):
        self.process.terminate()
        self.process.wait()


class LibrarySet:
    """A built library set, or "none" that isn't: the standard library."""

    def __init__(self, name, folder, preload):
        self.name = name
        self.folder = folder
        self.preload = preload

    @property
    def packages(self):
        if self.folder is None:
            return None
        return os.path.join(self.folder, "lib/python3.11/site-packages")

    def link_to(self, state):
        """Give another store the same set: hard links, or else copies."""
        if self.folder is None:
            return
        sets = state / "library-sets"
        sets.mkdir(0o755)
        whole = os.path.basename(self.folder)
        kind = "--link"
        if os.stat(self.folder).st_dev != os.stat(state).st_dev:
            kind = "--reflink=auto"
        subprocess.run(
            ["cp", "--archive", kind, self.folder, sets / whole], check=True
        )
        os.symlink(whole, sets / self.name)


def find_library_set(wafer, name):
    """Ask wafer for it, in the caller's own store."""
    done = subprocess.run(
        [wafer, "library-set", "show", name],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        check=False,
    )
    if done.returncode != 0:
        raise Failure(done.stderr.strip())
    fields = {}
    for line in done.stdout.splitlines():
        key, _, value = line.partition(" ")
        fields.setdefault(key, value.strip())
    preload = [
        module.strip()
        for module in fields.get("preload", "-").split(",")
        if module.strip() != "-"
    ]
    return LibrarySet(name, fields.get("folder"), preload)
