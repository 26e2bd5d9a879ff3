"""Running the installed wafer as one user, with a store of its own."""

import dataclasses
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import textwrap

from waiting import DEADLINE_S, wait_for

PREFIX = pathlib.Path(os.environ.get("WAFER_PREFIX", "/usr/local"))
WAFER = PREFIX / "bin" / "wafer"
ZYGOTE = PREFIX / "libexec" / "wafer" / "wafer-zygote"
WARM = ZYGOTE.with_name("wafer-warm")  # its jobs are forks of one warm zygote

# On disk also where /tmp is memory: root's scratch images lie below it.
BASE = pathlib.Path("/var/tmp")

# What decides nothing about wafer but about the build under test.
PASSED_ON = ("ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS")

BILL = re.compile(
    r"wafer: (?P<state>[A-Z]+)"
    r" · (?P<wall_s>[\d.]+) s wall"
    r" · (?P<billed_s>\d+) s billed"
    r" · (?P<dpu_s>[\d.]+) DPU-s"
    r" · (?P<cpu_s>[\d.]+) s CPU"
    r" · (?P<peak>[^·]+) of (?P<limit>[^·]+) peak(?P<cache> with page cache)?"
    r" · (?P<cost>\$[\d.]+)"
)


@dataclasses.dataclass
class Outcome:
    """How one wafer command ended."""

    status: int  # negative: the signal that ended wafer itself
    stdout: bytes
    stderr: bytes
    report: dict  # of `wafer run`; None where it was refused

    @property
    def lines(self):
        return self.stdout.decode().splitlines()

    @property
    def messages(self):
        """The lines on stderr that are wafer's own."""
        lines = self.stderr.decode("utf-8", "replace").splitlines()
        return [line for line in lines if line.startswith("wafer: ")]

    @property
    def bill(self):
        """The last line on stderr, taken apart."""
        last = self.stderr.decode("utf-8", "replace").splitlines()[-1]
        match = BILL.fullmatch(last)
        assert match, f"no bill: {last!r}"
        return match.groupdict()

    @property
    def reason(self):
        return self.report["reason"]

    def check(self, status=0, state=None):
        """Fails with all that is known unless it ended like this."""
        told = f"{self}\n{self.stderr.decode('utf-8', 'replace')}"
        assert self.status == status, told
        if state is not None:
            assert self.report is not None, told
            assert self.report["state"] == state, told
            assert self.report["exit_status"] == status, told
        return self


class Process:
    """A wafer command while it runs; its output goes to files."""

    def __init__(self, wafer, arguments, report, **keywords):
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=wafer.base))
        self.report_path = report
        keywords.setdefault("stdin", subprocess.DEVNULL)
        with (
            open(self.folder / "stdout", "wb") as stdout,
            open(self.folder / "stderr", "wb") as stderr,
        ):
            self.popen = wafer.popen(
                arguments, **{"stdout": stdout, "stderr": stderr, **keywords}
            )

    @property
    def stdout(self):
        return (self.folder / "stdout").read_bytes()

    @property
    def stderr(self):
        return (self.folder / "stderr").read_bytes()

    @property
    def ended(self):
        return self.popen.poll() is not None

    def wait_for_output(self, text):
        """Waits until the job has written `text`, live, to stdout."""
        wait_for(
            lambda: text in self.stdout or self.ended,
            lambda: f"{text!r}; stderr: {self.stderr}",
        )
        assert text in self.stdout, self.stderr.decode("utf-8", "replace")

    def signal(self, number):
        self.popen.send_signal(number)

    def wait(self, deadline_s=DEADLINE_S):
        """Waits for its end; the Outcome."""
        try:
            status = self.popen.wait(deadline_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(
                f"didn't end in {deadline_s} s: {self.popen.args}\n"
                f"stdout: {self.stdout[-2000:]}\n"
                f"stderr: {self.stderr[-2000:]}"
            ) from None
        report = None
        if self.report_path and self.report_path.exists():
            text = self.report_path.read_bytes()
            report = json.loads(text) if text else None
        return Outcome(status, self.stdout, self.stderr, report)

    def kill(self):
        self.popen.kill()
        self.popen.wait()


# {(user's id, group): names of the walls that `wafer doctor` misses there}
missing_walls = {}

# Only root may move a process into a group that isn't its user's.
ENTER = 'echo 0 >"$0/cgroup.procs" && exec "$@"'


def become(user):
    """What a command of root's begins with that is to run as `user`."""
    return [
        *("setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}"),
        *("--clear-groups", "--"),
    ]


class Wafer:
    """The wafer of one user. `base` is a folder of his for one test."""

    def __init__(self, user, group=None):
        """user: a struct_passwd; root is 0. group: the folder of the cgroup
        that he stands in, where that isn't ours."""
        self.user = user
        self.group = group
        self.base = pathlib.Path(tempfile.mkdtemp("", "wafer-test-", BASE))
        os.chmod(self.base, 0o755)
        os.chown(self.base, user.pw_uid, user.pw_gid)
        self.state_dir = self.base / "state"
        self.config_dir = self.base / "config"
        self.runtime_dir = self.base / "run"
        self.work = self.folder("work")
        self.program = WAFER
        self.started = []
        self.enter = []  # a command, run by root, that runs wafer elsewhere
        self.missing = set() if self.is_root else self.find_missing()
        self.allow = []
        if self.missing:
            self.allow = ["--allow-missing=" + ",".join(sorted(self.missing))]

    @property
    def is_root(self):
        return self.user.pw_uid == 0

    def find_missing(self):
        """What a run of the user's has to do without, here."""
        key = (self.user.pw_uid, self.group)
        if key not in missing_walls:
            told = json.loads(self.call("doctor", "--json").stdout)["walls"]
            missing_walls[key] = {
                name for name, wall in told.items() if not wall["ok"]
            }
        return missing_walls[key]

    @property
    def environment(self):
        environment = {
            "PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(self.base),
            "USER": self.user.pw_name,
            "LANG": "C.UTF-8",
            "WAFER_STATE_DIR": str(self.state_dir),
            "WAFER_CONFIG_DIR": str(self.config_dir),
            "WAFER_RUNTIME_DIR": str(self.runtime_dir),
        }
        for name in PASSED_ON:
            if name in os.environ:
                environment[name] = os.environ[name]
        return environment

    def folder(self, name, mode=0o755):
        """Makes a folder of the user's."""
        path = self.base / name
        path.mkdir(mode=mode, parents=True)
        os.chown(path, self.user.pw_uid, self.user.pw_gid)
        os.chmod(path, mode)
        return path

    def file(self, name, content, mode=0o644, folder=None):
        """Makes a file of the user's, in the working folder unless told."""
        path = (folder or self.work) / name
        if isinstance(content, str):
            content = textwrap.dedent(content).encode()
        path.write_bytes(content)
        os.chown(path, self.user.pw_uid, self.user.pw_gid)
        os.chmod(path, mode)
        return path

    def configure(self, text):
        """Writes his wafer.conf."""
        self.folder("config", 0o700)
        self.file("wafer.conf", text, folder=self.config_dir)

    def popen(self, arguments, environment=None, **keywords):
        identity = {}
        if not self.is_root:
            identity = {
                "user": self.user.pw_uid,
                "group": self.user.pw_gid,
                "extra_groups": [],
            }
        keywords.setdefault("start_new_session", True)
        command = keywords.pop("prefix_command", [])
        command += [str(self.program), *map(os.fspath, arguments)]
        if self.group or self.enter:
            identity = {}
            command = [*become(self.user), *command]
        if self.group:
            command = ["sh", "-c", ENTER, self.group, *command]
        command = [*self.enter, *command]
        return subprocess.Popen(
            command,
            cwd=self.work,
            env={**self.environment, **(environment or {})},
            **identity,
            **keywords,
        )

    def start(self, *arguments, report=None, **keywords):
        """Starts any wafer command."""
        process = Process(self, arguments, report, **keywords)
        self.started.append(process)
        return process

    def call(self, *arguments, **keywords):
        """Runs any wafer command to its end."""
        return self.start(*arguments, **keywords).wait()

    def start_script(self, script, *options, argv=(), **keywords):
        """Starts `wafer run`: script is a path, or a text to make one of."""
        folder = self.folder(f"run-{len(self.started)}")
        if isinstance(script, str) and script != "-":
            script = self.file("script.py", script, folder=folder)
        report = folder / "report.json"
        words = ["run", script, f"--report={report}", *self.allow, *options]
        if argv:
            words += ["--", *argv]
        return self.start(*words, report=report, **keywords)

    def run(self, script, *options, argv=(), **keywords):
        """Runs a script to its end."""
        process = self.start_script(script, *options, argv=argv, **keywords)
        return process.wait()

    def serve(self, *options, **keywords):
        """Starts `wafer serve`, and waits until it listens."""
        server = self.start("serve", *options, **keywords)
        wait_for(
            lambda: b"serving at" in server.stderr or server.ended,
            lambda: f"the server; stderr: {server.stderr}",
        )
        assert not server.ended, server.stderr
        return server

    @property
    def leases(self):
        """The names of the cgroups that are parked."""
        folder = self.state_dir / "parked"
        return set(os.listdir(folder)) if folder.exists() else set()

    def wait_for_pool(self, server, count=8):
        """Waits until so many sandboxes are parked, and none is being made."""
        tasks = f"/proc/{server.popen.pid}/task"
        wait_for(
            lambda: len(self.leases) == count and len(os.listdir(tasks)) == 1,
            lambda: f"{count} parked; {self.leases}; stderr: {server.stderr}",
        )

    def records(self, *options):
        """What `wafer runs --json` lists."""
        return json.loads(self.call("runs", "--json", *options).check().stdout)

    def record(self, which):
        """What `wafer show --json` says about one run."""
        return json.loads(self.call("show", which, "--json").check().stdout)

    def logs(self, which, stream="output"):
        """What is kept of one stream, as `wafer logs` gives it."""
        outcome = self.call("logs", which, f"--stream={stream}").check()
        mine, other = outcome.stdout, outcome.stderr
        if stream == "error":
            mine, other = other, mine
        assert other == b""
        return mine

    def stop_all(self):
        """Ends what a failed test left running, the way a user would."""
        for process in self.started:
            for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
                if process.ended:
                    break
                process.signal(number)
                try:
                    process.popen.wait(10)
                except subprocess.TimeoutExpired:
                    continue

    def remove(self):
        shutil.rmtree(self.base)
