"""After a fork everything random differs: a row for each thing.

A process that stands for a zygote imports what a library set may import, and
uses it; two children of it, each process 1 of a pid namespace of its own, tell
what they draw. So is the zygote: that all three have one process id is the
worst case, since some libraries know a fork by the id alone. Without `renew`
the rows of SHARED are the same in both, which shows that the others can fail.
"""

import ctypes
import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import pytest

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
SOURCE = TOP / "runtime" / "python" / "wafer_bootstrap.py"

CLONE_NEWPID = 0x20000000

# What is drawn, as an expression.
ROWS = {
    "random": "random.random()",
    "os.urandom": "os.urandom(8).hex()",
    "secrets": "secrets.token_hex(8)",
    "uuid4": "uuid.uuid4().hex",
    "uuid1": "uuid.uuid1().hex",
    "ssl": "ssl.RAND_bytes(8).hex()",
    "tempfile": "next(tempfile._get_candidate_names())",
    "multiprocessing": "multiprocessing.current_process().authkey.hex()",
    "node": "uuid._node",
    "temporary folder": "tempfile.tempdir",
    "logging": "logging._startTime",
    "sqlite": "sqlite3.connect('').execute('SELECT random()').fetchone()[0]",
    "numpy": "numpy.random.random()",
}
MODULES = (
    "logging", "multiprocessing", "numpy", "os", "random", "secrets",
    "sqlite3", "ssl", "tempfile", "uuid",
)  # fmt: skip
# Those that two forks of one zygote share unless it is renewed.
SHARED = {"ssl", "tempfile", "multiprocessing", "node", "logging", "numpy"}
# Those that are forgotten, not drawn anew.
FORGOTTEN = {"node", "temporary folder"}
# SQLite has no way to draw anew; JOB_PID of runtime/protocol.h is the answer.
BY_PID_ALONE = {"sqlite"}


def load_bootstrap():
    spec = importlib.util.spec_from_file_location("wafer_bootstrap", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def into_new_pid_namespace():
    """For the children to come."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/self/ns/pid", "rb") as own:
        if libc.setns(own.fileno(), CLONE_NEWPID) != 0:
            raise OSError(ctypes.get_errno(), "setns")
    if libc.unshare(CLONE_NEWPID) != 0:
        raise OSError(ctypes.get_errno(), "unshare")


def in_child(function):
    """What it returns, in a child that is process 1."""
    into_new_pid_namespace()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            assert os.getpid() == 1
            os.write(writer, json.dumps(function()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    return json.loads(told)


def be_zygote(with_renewal):
    """Imports all, uses all, and forks two; what they draw."""
    modules = {name: importlib.import_module(name) for name in MODULES}
    renew = load_bootstrap().renew if with_renewal else lambda: None
    for expression in ROWS.values():
        eval(expression, modules)
    modules["uuid"].getnode()
    modules["tempfile"].gettempdir()

    def draw():
        renew()
        return {row: eval(text, modules) for row, text in ROWS.items()}

    return [in_child(draw), in_child(draw)]


def draw_twice(with_renewal):
    zygote = subprocess.run(
        [sys.executable, "-B", __file__, str(int(with_renewal))],
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(zygote.stdout)


@pytest.fixture(scope="module")
def renewed():
    return draw_twice(True)


@pytest.fixture(scope="module")
def not_renewed():
    return draw_twice(False)


def values(drawn, row):
    return [child[row] for child in drawn]


@pytest.mark.parametrize("row", sorted(ROWS.keys() - BY_PID_ALONE - FORGOTTEN))
def test_differs_in_two_forks(renewed, row):
    first, second = values(renewed, row)
    assert first != second


@pytest.mark.parametrize("row", sorted(FORGOTTEN))
def test_is_forgotten_by_a_fork(renewed, row):
    assert values(renewed, row) == [None, None]


@pytest.mark.parametrize("row", sorted(SHARED | BY_PID_ALONE))
def test_is_shared_without(not_renewed, row):
    first, second = values(not_renewed, row)
    assert first == second


if __name__ == "__main__":
    both = in_child(lambda: be_zygote(sys.argv[1] == "1"))
    print(json.dumps(both))
