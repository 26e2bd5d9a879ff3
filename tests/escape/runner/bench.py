"""What a setting's attempts share: a user's wafer, canaries, a neighbour.

Canaries are texts that a job must not come by. Whatever a job prints or is
recorded with is searched for them.
"""

import os
import pathlib
import pwd
import secrets
import shutil

from wafer_command import Wafer

ESCAPE = pathlib.Path(__file__).resolve().parent.parent
LIBRARIES = ("guard.py", "trial.py", "machine_code.py", "calls.py")
USERS = {"root": "root", "plain": "wafer-test", "egress": "root"}


def make_canary():
    return f"CANARY-{secrets.token_hex(16)}"


class Bench:
    """As a context: the neighbour runs in it."""

    def __init__(self, setting, allow_missing=None):
        self.setting = setting
        self.wafer = Wafer(pwd.getpwnam(USERS[setting]))
        if setting == "plain" and allow_missing is not None:
            given = [f"--allow-missing={allow_missing}"]
            self.wafer.allow = given if allow_missing else []
        self.canaries = {
            name: make_canary()
            for name in ("file", "host", "argument", "variable", "memory")
        }
        self.payloads = self.copy("payloads")
        self.inside = self.copy("inside")
        # For everybody to read, and not shown to any job.
        self.canary_file = self.wafer.file(
            "canary", self.canaries["file"], folder=self.wafer.base
        )
        self.neighbour = None
        self.neighbour_end = None

    def copy(self, name):
        """Where the user can read it: a checkout may be closed to him."""
        target = self.wafer.base / name
        shutil.copytree(
            ESCAPE / name, target, ignore=shutil.ignore_patterns("__*")
        )
        for path in [target, *target.iterdir()]:
            os.chmod(path, 0o755 if path.is_dir() else 0o644)
        return target

    @property
    def libraries(self):
        return [str(self.inside / name) for name in LIBRARIES]

    def start_neighbour(self):
        """Another job, with canaries wherever a job can have one."""
        folder = self.wafer.folder("neighbour")
        self.neighbour_end = folder / "end"
        self.neighbour = self.wafer.start_script(
            self.wafer.file(
                "neighbour.py",
                (ESCAPE / "runner" / "neighbour.py").read_text(),
            ),
            f"--env=NEIGHBOUR={self.canaries['variable']}",
            f"--mount={folder}:/data",
            "--timeout=60",
            argv=[self.canaries["argument"], self.canaries["memory"]],
        )
        self.neighbour.wait_for_output(b"ready")

    def end_neighbour(self):
        """What is wrong with it, as texts."""
        if self.neighbour.ended:
            return [f"it ended early: {self.neighbour.stderr[-500:]}"]
        self.neighbour_end.touch()
        outcome = self.neighbour.wait()
        if outcome.report["state"] != "SUCCEEDED":
            return [f"it ended as {outcome.report['state']}"]
        return [
            line.removeprefix("touched: ")
            for line in outcome.lines
            if line.startswith("touched: ")
        ]

    def remove(self):
        self.wafer.stop_all()
        self.wafer.remove()
