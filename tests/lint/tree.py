"""The source tree as the checks in this folder see it, and how they report.

A check is a script of its own.  It prints one line a finding, `path:line: what
is wrong`, and ends with 0 (nothing found), 1 (something found) or 77 (could
not be made: the last line says why; an error where LINT_MUST_RUN is set).

The environment, which `make check` sets:
  LINT_ROOT      the tree to check; default: the one that this file is in
  LINT_CPPFLAGS  a file: the flags that C files are compiled with, one a line
  LINT_MUST_RUN  a check that can't be made is one that failed
"""

import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys

LAYERS = ("host", "jobs", "runtime", "sandbox", "base")  # the highest first
SKIPPED = 77

HERE = pathlib.Path(__file__).resolve().parent
ROOT = pathlib.Path(os.environ.get("LINT_ROOT") or HERE.parent.parent).resolve()


def files(*suffixes, under=None):
    """Return the tree's files of these suffixes (all, without one), sorted.

    The paths are relative to ROOT.  In a git checkout these are the files that
    git tracks or would offer to add; elsewhere, all but dot folders and build.
    """
    paths = sorted(git_files() if (ROOT / ".git").exists() else all_files())
    return [
        path
        for path in paths
        if (not suffixes or path.suffix in suffixes)
        and (under is None or path.parts[0] in under)
    ]


def git_files():
    # A checkout may belong to somebody else: a CI machine's, root's here.
    command = ["git", "-c", "safe.directory=*", "-C", ROOT, "ls-files", "-z"]
    listed = subprocess.run(
        [*command, "--cached", "--others", "--exclude-standard"],
        check=True,
        stdout=subprocess.PIPE,
    ).stdout.decode()
    paths = {pathlib.Path(name) for name in listed.split("\0") if name}
    return [path for path in paths if (ROOT / path).is_file()]


def all_files():
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [
            name
            for name in folders
            if name != "build" and not name.startswith(".")
        ]
        for name in names:
            yield (pathlib.Path(folder) / name).relative_to(ROOT)


def lines(path):
    """Yield (line number, line without its newline) of a text file."""
    text = (ROOT / path).read_text("utf-8")
    yield from enumerate(text.splitlines(), start=1)


def scripts(interpreter):
    """Return the executable scripts without a suffix, of this interpreter."""
    found = []
    for path in files(""):
        with open(ROOT / path, "rb") as opened:
            first = opened.readline(128)
        if first.startswith(b"#!") and interpreter.encode() in first:
            found.append(path)
    return found


def cppflags():
    """Return the compiler's flags: the check is skipped where none are."""
    path = os.environ.get("LINT_CPPFLAGS")
    if not path:
        skip("LINT_CPPFLAGS isn't set: `make check TESTS=...` sets it")
    return pathlib.Path(path).read_text("utf-8").splitlines()


def skip(reason):
    print(f"SKIP: {reason}")
    sys.exit(1 if os.environ.get("LINT_MUST_RUN") else SKIPPED)


def finish(findings):
    """Print the findings and end the check."""
    found = list(findings)
    for finding in found:
        print(finding)
    sys.exit(1 if found else 0)


def run_tool(command, paths, after=(), one_by_one=False):
    """Run a tool over the files and end the check.

    The tool finds something where its status isn't 0.  `after` follows the
    files.  With one_by_one it is run once a file, on all our processors.
    """
    if not shutil.which(command[0]):
        skip(f"{command[0]} is not installed: `scripts/setup check` does")
    if not paths:
        skip("there is no file for this check")
    names = [str(ROOT / path) for path in paths]
    batches = [[name] for name in names] if one_by_one else [names]
    workers = len(os.sched_getaffinity(0))
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        commands = [[*command, *batch, *after] for batch in batches]
        outcomes = list(pool.map(outcome, commands))
    finish([text for status, text in outcomes if status != 0])


def outcome(command):
    """Return (exit status, all that the tool said)."""
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    said = done.stdout.replace(f"{ROOT}/", "").rstrip()
    return done.returncode, said or f"{command}: status {done.returncode}"
