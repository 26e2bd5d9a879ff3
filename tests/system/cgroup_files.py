"""The kernel's own files of a run's cgroup, as a test reads them beside it."""

import pathlib
import time

from waiting import wait_for

TREE = pathlib.Path("/sys/fs/cgroup")
CONTROLLERS = ("cpu", "cpuacct", "memory", "pids")


class CgroupFiles:
    """Those of one running run; v1 has a folder for each controller."""

    def __init__(self, run_id):
        found = wait_for(
            lambda: [
                path
                for path in TREE.glob(f"**/wafer/{run_id}")
                if path.is_dir()
            ],
            f"the cgroup of {run_id}",
        )
        self.is_v2 = len(found) == 1
        self.folders = found

    def text(self, name):
        """A file's text; None where the kernel has none of that name."""
        for folder in self.folders:
            if (folder / name).exists():
                return (folder / name).read_text()
        return None

    def number(self, name):
        return int(self.text(name))

    def key(self, name, key):
        """The number after `key` in a file of such lines."""
        lines = dict(line.split() for line in self.text(name).splitlines())
        return int(lines[key])

    @property
    def cpu_ns(self):
        if self.is_v2:
            return self.key("cpu.stat", "usage_usec") * 1000
        return self.number("cpuacct.usage")


class CpuWindow:
    """What a group and its machine did within some seconds."""

    def __init__(self, files, seconds):
        first = self._read(files)
        time.sleep(seconds)
        last = self._read(files)
        change = {key: last[key] - first[key] for key in first}
        self.seconds = change["clock"]
        self.cpus = change["cpu"] / change["clock"]  # that it had
        self.idle_cpus = change["idle"] / change["clock"]  # of the machine
        self.periods = change["periods"]
        self.throttled = change["throttled"]

    @staticmethod
    def _read(files):
        idle_ticks = pathlib.Path("/proc/stat").read_text().split()[4]
        return {
            "clock": time.monotonic(),
            "cpu": files.cpu_ns / 1e9,
            "idle": int(idle_ticks) / 100,  # USER_HZ
            "periods": files.key("cpu.stat", "nr_periods"),
            "throttled": files.key("cpu.stat", "nr_throttled"),
        }

    def __str__(self):
        return (
            f"{self.cpus:.4f} CPUs in {self.seconds:.1f} s, {self.throttled} "
            f"of {self.periods} periods throttled, {self.idle_cpus:.3f} CPUs "
            "of the machine idle"
        )
