"""Ways to start a Python script: wafer's, its peers', and what limits all.

A way starts scripts: start(count) runs so many at once, each a new one, and
returns for each the nanoseconds from asking for it until the first byte of its
output was read.  Where it doesn't work here, it raises a Failure that says why.
"""

import contextlib
import os
import selectors
import shutil
import subprocess
import time

import harness


class Failure(Exception):
    """One line: what doesn't work here."""


class Scripts:
    """Makes scripts that nobody has run before."""

    def __init__(self, folder, modules):
        self.folder = folder / "scripts"
        self.folder.mkdir()
        self.modules = modules
        self.count = 0

    def imports(self):
        return f"import {', '.join(self.modules)}\n" if self.modules else ""

    def new(self, text=None):
        """A script that imports the modules and prints a line, or `text`."""
        self.count += 1
        if text is None:
            text = f"{self.imports()}print({self.count}, flush=True)\n"
        path = self.folder / f"script-{self.count}.py"
        path.write_text(f"# {self.count}\n{text}", "utf-8")
        return str(path)


class Outputs:
    """Pipes that what was started writes to, and when each began to."""

    def __init__(self):
        self.selector = selectors.DefaultSelector()
        self.begun_ns = []
        self.taken_ns = []
        self.ends = []

    def begin(self):
        """Now begins the next; return the pipe's end that is for it."""
        read, write = os.pipe()
        self.ends.append(read)
        self.selector.register(read, selectors.EVENT_READ, len(self.begun_ns))
        self.begun_ns.append(time.monotonic_ns())
        self.taken_ns.append(None)
        return write

    def look(self, timeout_s):
        for key, _ in self.selector.select(timeout_s):
            if os.read(key.fd, 256):
                taken_ns = time.monotonic_ns() - self.begun_ns[key.data]
                self.taken_ns[key.data] = taken_ns
            self.selector.unregister(key.fd)

    def wait(self):
        while self.selector.get_map():
            self.look(None)

    def close(self):
        self.look(0)
        self.selector.close()
        for end in self.ends:
            os.close(end)


class CommandWay:
    """A process a script, started from here.

    `command` makes the words of its command line of a script's path; `before`
    is called before each round.
    """

    slow = False

    def __init__(self, title, command, environment, scripts, before=None):
        self.title = title
        self.command = command
        self.environment = environment
        self.scripts = scripts
        self.before = before or (lambda: None)

    def check(self):
        """See that it works."""
        command = self.command(self.scripts.new("print('ran')\n"))
        if shutil.which(command[0]) is None:
            raise Failure(f"{command[0]} is not installed")
        problem = harness.why_it_did_not_run(command, self.environment)
        if problem is not None:
            raise Failure(problem)

    def start(self, count):
        commands = [self.command(self.scripts.new()) for _ in range(count)]
        self.before()
        outputs = Outputs()
        pids = []
        for command in commands:
            write = outputs.begin()
            pids.append(self.spawn(command, write))
            os.close(write)
            outputs.look(0)
        outputs.wait()
        for pid in pids:
            self.wait(pid)
        outputs.close()
        if None in outputs.taken_ns:
            raise Failure("a script wrote nothing")
        return outputs.taken_ns

    def spawn(self, command, stdout):
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, stdout, 1),
        ]
        program = shutil.which(command[0])
        return os.posix_spawn(
            program, command, self.environment, file_actions=actions
        )

    @staticmethod
    def wait(pid):
        """Wait for one that was spawned; return its seconds of CPU."""
        _, status, usage = os.wait4(pid, 0)
        if status != 0:
            raise Failure(f"a run ended with wait status {status}")
        return usage.ru_utime + usage.ru_stime

    def close(self):
        pass


class Helper:
    """A program that does a round for each line that it reads."""

    def __init__(self, command, environment):
        self.process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )

    def ask(self, line, rows):
        """Return the words of each row of its answer."""
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # why is on its stderr, and its answer is short
        answer = [self.process.stdout.readline() for _ in range(rows)]
        if "" in answer:
            raise Failure(f"it ended: status {self.process.wait()}")
        return [each.split() for each in answer]

    def close(self):
        with contextlib.suppress(BrokenPipeError):  # it has ended
            self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class HelperWay:
    """Scripts that a helper starts; its rows are "HOW NS …"."""

    slow = False

    def __init__(self, title, how, helper, scripts, column=1, before=None):
        self.title = title
        self.how = how
        self.helper = helper
        self.scripts = scripts
        self.column = column
        self.before = before or (lambda: None)

    def check(self):
        self.start(1)

    def start(self, count):
        line = "\t".join(self.scripts.new() for _ in range(count))
        self.before()
        rows = self.helper.ask(line, count)
        if any(row[0] != self.how for row in rows):
            raise Failure(f"a start was {rows[0][0]}, not {self.how}")
        return [int(row[self.column]) for row in rows]

    def close(self):
        self.helper.close()


class LimitWay:
    """What bench/limits.py does."""

    slow = False

    def __init__(self, title, what, helper):
        self.title = title
        self.what = what
        self.helper = helper

    def check(self):
        self.start(1)

    def start(self, count):
        extra = 1 if self.what == "fork" else 0
        rows = self.helper.ask(f"{self.what} {count}", count + extra)
        return [int(row[0]) for row in rows[:count]]

    def close(self):
        pass  # one helper serves all of them
