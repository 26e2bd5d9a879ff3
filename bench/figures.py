"""How each figure is taken, and the bar that it is held against.

A bar is that of the project's plan.  A figure that can't be taken here keeps
its row, with the reason.
"""

import dataclasses
import json
import os
import select
import selectors
import statistics
import subprocess
import time

import harness
import processes
from harness import PYTHON, percentile
from ways import Failure, Outputs

AT_ONCE = (1, 4, 16)
BUSY_LOOP = """\
import time
def work():
    total = 0
    for i in range(4_000_000):
        total += i * i % 7
    return total
work()
begin = time.perf_counter()
work()
print(time.perf_counter() - begin)
"""


@dataclasses.dataclass
class Figure:
    """One row: what was measured, and against what."""

    title: str
    value: float = None
    unit: str = ""
    bar: float = None
    at_most: bool = True  # else the bar is the least that will do
    limit: float = None  # what nothing can beat, in the same unit
    why_not: str = None  # it wasn't taken

    @property
    def reached(self):
        if self.value is None or self.bar is None:
            return None
        if self.at_most:
            return self.value <= self.bar
        return self.value >= self.bar


    def as_data(self):
        return {**dataclasses.asdict(self), "reached": self.reached}


class Starts:
    """Milliseconds to the first byte, of each way and number at once."""

    def __init__(self):
        self.taken_ms = {}  # {(name, at once): [ms]}
        self.why_not = {}  # {name: reason}
        self.stay = set()  # pids of our children that live on

    def check(self, ways):
        """Drop the ways that don't work here, with the reason."""
        for name, way in list(ways.items()):
            try:
                way.check()
            except (Failure, OSError) as failure:
                self.why_not[name] = str(failure)
                del ways[name]

    def measure(self, ways, count):
        """So many starts of each way, by turns; an eighth of the slow ones."""
        for at_once in AT_ONCE:
            rounds = max(1, count // (at_once if at_once < 16 else 8))
            for turn in range(rounds):
                for name, way in list(ways.items()):
                    if not way.slow or turn % 8 == 0:
                        self.play(name, way, at_once, ways)

    def play(self, name, way, at_once, ways):
        try:
            taken_ns = way.start(at_once)
        except (Failure, OSError) as failure:
            self.why_not[name] = str(failure)
            del ways[name]
            return
        taken_ms = self.taken_ms.setdefault((name, at_once), [])
        taken_ms += [ns / 1e6 for ns in taken_ns]
        harness.reap_orphans(stay=self.stay)

    def median(self, name, at_once=1):
        taken = self.taken_ms.get((name, at_once))
        return statistics.median(taken) if taken else None

    def p99(self, name, at_once=1):
        taken = self.taken_ms.get((name, at_once))
        return percentile(taken, 0.99) if taken else None

    def as_data(self):
        rows = {}
        for (name, at_once), taken in self.taken_ms.items():
            rows.setdefault(name, {})[str(at_once)] = {
                "count": len(taken),
                "median": statistics.median(taken),
                "p99": percentile(taken, 0.99),
            }
        return {"taken": rows, "not_taken": self.why_not}

    def figure(self, title, name, bar, limit):
        return Figure(
            title,
            self.median(name),
            "ms",
            bar,
            limit=self.median(limit),
            why_not=self.why_not.get(name),
        )

    def times(self, title, slower, faster, bar):
        """How many times faster."""
        one, other = self.median(slower), self.median(faster)
        lacks = [each for each in (slower, faster) if each in self.why_not]
        return Figure(
            title,
            one / other if one and other else None,
            "x",
            bar,
            at_most=False,
            why_not=self.why_not[lacks[0]] if lacks else None,
        )


class Burst:
    """Runs back to back: so many at once, and each that ends is followed by
    the next.  `text` is what they run."""

    def __init__(self, way, count, at_once, text):
        self.way = way
        self.commands = [
            way.command(way.scripts.new(text)) for _ in range(count)
        ]
        self.outputs = Outputs()
        self.ends = selectors.DefaultSelector()
        self.cpu_s = 0.0
        begun = time.monotonic()
        for _ in range(min(at_once, count)):
            self.begin_next()
        while self.ends.get_map():
            self.look()
        self.runs_a_s = count / (time.monotonic() - begun)
        self.cpu_ms = 1e3 * self.cpu_s / count  # of what was spawned
        self.outputs.close()
        self.ends.close()
        if None in self.outputs.taken_ns:
            raise Failure("a run wrote nothing")
        self.starts_ms = [ns / 1e6 for ns in self.outputs.taken_ns]

    def begin_next(self):
        write = self.outputs.begin()
        pid = self.way.spawn(self.commands.pop(), write)
        os.close(write)
        self.ends.register(os.pidfd_open(pid), selectors.EVENT_READ, pid)

    def look(self):
        """Whichever comes first, of an output and an end."""
        fds = [self.outputs.selector.fileno(), self.ends.fileno()]
        select.select(fds, [], [])
        self.outputs.look(0)
        for key, _ in self.ends.select(0):
            self.ends.unregister(key.fd)
            os.close(key.fd)
            self.cpu_s += self.way.wait(key.data)
            if self.commands:
                self.begin_next()


def forks_a_second(helper, rounds=30, at_once=4):
    """Bare forks of a process with the modules, to their ends."""
    spent_ns = [
        int(helper.ask(f"fork {at_once}", at_once + 1)[-1][0])
        for _ in range(rounds)
    ]
    return at_once * rounds / (sum(spent_ns) / 1e9)


def parked_memory(server):
    """Private MiB of each parked sandbox, and of its job alone."""
    whole, jobs = [], []
    for pids in server.sandboxes():
        each = [processes.private_bytes(pid) for pid in pids]
        whole.append(sum(each) / 2**20)
        jobs.append(sum(each[1:]) / 2**20)
    if not whole:
        raise Failure("no sandbox is parked")
    return statistics.median(whole), statistics.median(jobs)


def parked_cpu_ms(server):
    """CPU that each parked sandbox has taken until it was parked."""
    return statistics.median(
        sum(processes.ran_ms(pid) for pid in pids)
        for pids in server.sandboxes()
    )


def idle_host(server, seconds=10):
    """PSS in MiB of the server alone; how often it, its zygote and what is
    parked got a processor in so many seconds."""
    pids = [server.pid, server.zygote()]
    for each in server.sandboxes():
        pids += each
    pss = processes.memory_bytes(server.pid, "Pss") / 2**20
    before = {pid: processes.switches(pid) for pid in pids}
    time.sleep(seconds)
    woke = {pid: processes.switches(pid) - before[pid] for pid in pids}
    return pss, woke[server.pid], sum(woke.values()) - woke[server.pid]


def busy_ratio(wafer, scripts, environment, count):
    """The speed of a loop in a sandbox of 1 DPU, as a part of that outside."""
    script = scripts.new(BUSY_LOOP)
    commands = {
        "inside": [wafer, "run", "--quiet", "--max-capacity=1", script],
        "outside": [PYTHON, "-I", script],
    }
    taken_s = {name: [] for name in commands}
    for _ in range(count):
        for name, command in commands.items():
            done = subprocess.run(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                encoding="utf-8",
                check=False,
            )
            if done.returncode != 0:
                raise Failure(f"{name}: status {done.returncode}")
            taken_s[name].append(float(done.stdout))
    outside, inside = (
        statistics.median(taken_s[name]) for name in ("outside", "inside")
    )
    return outside / inside


def cold_start(wafer, folder, count):
    """What bench/start says."""
    bench = os.path.join(os.path.dirname(os.path.abspath(__file__)), "start")
    done = subprocess.run(
        [bench, "--json", f"--count={count}", "--wafer", wafer]
        + ["--folder", folder],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=False,
    )
    if not done.stdout:
        raise Failure("bench/start failed")
    return json.loads(done.stdout)
