"""The machine as it was: what no job may have changed or left behind."""

import os
import pathlib
import time

import world
from waiting import wait_for

# Settings of the machine that an attempt goes for.
FILES = [
    "/proc/sys/kernel/hostname",
    "/proc/sys/kernel/domainname",
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/kernel/modprobe",
    "/proc/sys/kernel/hotplug",
    "/proc/sys/kernel/sysrq",
    "/proc/sys/kernel/panic",
    "/proc/sys/kernel/randomize_va_space",
    "/proc/sys/vm/overcommit_memory",
    "/proc/sys/vm/swappiness",
    "/proc/sys/fs/binfmt_misc/status",
    "/proc/sys/net/ipv4/ip_forward",
    "/proc/sysvipc/shm",
    "/proc/sysvipc/sem",
    "/proc/sysvipc/msg",
    "/proc/swaps",
    "/proc/modules",
]
CLOCK_STEP_S = 1.0


def read(path):
    try:
        return pathlib.Path(path).read_bytes()
    except OSError as error:
        return repr(error).encode()


def clock_offset():
    return time.clock_gettime(time.CLOCK_REALTIME) - time.clock_gettime(
        time.CLOCK_BOOTTIME
    )


class Machine:
    """As it is now; `changes` compares with it later."""

    def __init__(self):
        self.files = {path: read(path) for path in FILES}
        self.offset = clock_offset()
        self.mounts = world.mounts()
        self.cgroups = world.wafer_cgroups()
        self.loop_devices = world.loop_devices()
        self.processes = set(world.descendants(os.getpid()))

    def leaks(self):
        world.reap_orphans()
        alive = world.descendants(os.getpid())
        kinds = {
            "processes": {
                pid: name
                for pid, name in alive.items()
                if pid not in self.processes
            },
            "mounts": world.mounts() - self.mounts,
            "mounts that are gone": {
                (point, source)
                for point, source in self.mounts - world.mounts()
                if not source.startswith("nsfs ")  # who made it removes it
            },
            "cgroups": world.wafer_cgroups() - self.cgroups,
            "loop devices": world.loop_devices() - self.loop_devices,
        }
        return {kind: things for kind, things in kinds.items() if things}

    def changes(self):
        """What isn't as it was, as texts."""
        found = []
        try:
            # What dies asynchronously in the kernel gets time to.
            wait_for(lambda: not self.leaks(), "an end", 20)
        except AssertionError:
            found.append(f"left behind: {self.leaks()}")
        for path, before in self.files.items():
            now = read(path)
            if now != before:
                found.append(f"{path} was {before!r} and is {now!r}")
        if abs(clock_offset() - self.offset) > CLOCK_STEP_S:
            found.append("the clock was set")
        return found
