"""What the benchmarks of this folder share."""

import contextlib
import ctypes
import math
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import processes

PR_SET_CHILD_SUBREAPER = 36
PYTHON = "/usr/bin/python3.11"
BWRAP = [
    *("bwrap", "--unshare-all", "--die-with-parent", "--new-session"),
    *("--ro-bind", "/usr", "/usr", "--symlink", "usr/lib", "/lib"),
    *("--symlink", "usr/lib64", "/lib64", "--symlink", "usr/bin", "/bin"),
    *("--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"),
]


def add_options(parser):
    parser.add_argument(
        "--wafer", default=shutil.which("wafer"), help="default: that of PATH"
    )
    parser.add_argument(
        "--folder", default="/var/tmp", help="for the store: a folder on disk"
    )


def check_options(parser, options):
    if not options.wafer:
        parser.error("there is no wafer in PATH: name it with --wafer")


@contextlib.contextmanager
def open_folder(options):
    """A folder that goes with the benchmark, and which a job may reach.

    /tmp may be memory: a durable store is what is to be measured.
    """
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        os.chmod(folder, 0o755)
        yield pathlib.Path(folder)


def environment(folder):
    """A store and settings of the benchmark's own."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "WAFER_STATE_DIR": str(folder / "state"),
        "WAFER_CONFIG_DIR": str(folder / "config"),
        "WAFER_RUNTIME_DIR": str(folder / "run"),
    }


def adopt_orphans():
    """What outlives its parents becomes a child of ours: prctl(2)."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def reap_orphans(stay=()):
    """Wait for all children but these; return their seconds of CPU.

    One of those that stay is not to end meanwhile.
    """
    cpu_s = 0.0
    while set(processes.children_of("self")) - set(stay):
        _, _, usage = os.wait4(-1, 0)
        cpu_s += usage.ru_utime + usage.ru_stime
    return cpu_s


def percentile(values, part):
    """The least value that this part of them doesn't exceed."""
    return sorted(values)[math.ceil(part * len(values)) - 1]


def why_it_did_not_run(command, env):
    """Run a command that runs a script whose output is to be "ran"; return
    what it says where it isn't, else None."""
    done = subprocess.run(
        command,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        check=False,
    )
    if done.returncode == 0 and done.stdout == "ran\n":
        return None
    said = done.stderr.strip().splitlines() or ["it said nothing"]
    return f"status {done.returncode}: {said[-1]}"


def check_ran(prog, name, command, env):
    """See that a command runs a script whose output is "ran"."""
    problem = why_it_did_not_run(command, env)
    if problem is not None:
        sys.exit(f"{prog}: {name} didn't run the script: {problem}")
