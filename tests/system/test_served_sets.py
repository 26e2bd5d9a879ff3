"""Library sets in `wafer serve`: imported ahead, and otherwise as ever."""

import subprocess
import sys

import pytest

PARKED = 8  # of each set

# What was imported ahead is in sys.modules before the script imports it.
AHEAD = """\
import sys
ahead = "one" in sys.modules
import one
print(ahead, one.version)
"""

# How a program ends: everything that this prints, python3 prints, too.
ENDS = """\
import atexit, gc, sys, tempfile, threading, time

class Last:
    def __init__(self, name):
        self.name = name
    def __del__(self):
        print("gone:", self.name, time is not None)

class Circle(Last):
    def __init__(self, name):
        self.name, self.me = name, self

def late():
    time.sleep(0.1)
    print("the thread ends")

atexit.register(print, "the exit function")
threading.Thread(target=late).start()
folder = tempfile.TemporaryDirectory()
unclosed = open("/tmp/unclosed", "w")
unclosed.write("text")
last, circle = Last("last"), Circle("circle")
gc.disable()
sys.stdout.write("the script ends\\n")
"""


def serve(sets, *modules):
    sets.add(sets.index.add("one"), *modules).check()
    server = sets.wafer.serve()
    sets.wafer.wait_for_pool(server, 2 * PARKED)
    return server


def test_a_set_is_imported_ahead(sets):
    serve(sets, "--preload=one")
    outcome = sets.run(AHEAD).check(0, "SUCCEEDED")
    assert outcome.report["start"] == "parked"
    assert outcome.lines == ["True 1"]
    outcome = sets.run(AHEAD, name="none").check(1, "FAILED")
    assert outcome.report["start"] == "parked"


def test_without_modules_to_import(sets):
    serve(sets)
    outcome = sets.run(AHEAD).check(0, "SUCCEEDED")
    assert outcome.report["start"] == "parked"
    assert outcome.lines == ["False 1"]


def test_a_set_that_is_built_anew(sets):
    """What has imported the old one gives no run any more."""
    server = serve(sets, "--preload=one")
    sets.add(sets.index.add("one", "2"), "--preload=one").check()
    outcome = sets.run(AHEAD).check(0, "SUCCEEDED")
    assert outcome.lines[0].split()[1] == "2"
    assert outcome.report["start"] == "alone"
    sets.wafer.wait_for_pool(server, 2 * PARKED)
    outcome = sets.run(AHEAD).check(0, "SUCCEEDED")
    assert outcome.lines == ["True 2"]
    assert outcome.report["start"] == "parked"


def test_only_the_sets_that_are_named(sets):
    sets.wafer.configure("pool_library_sets = mine\n")
    sets.add(sets.index.add("one"), "--preload=one").check()
    server = sets.wafer.serve()
    sets.wafer.wait_for_pool(server, PARKED)
    assert sets.run(AHEAD).check(0).report["start"] == "parked"
    outcome = sets.wafer.run("").check(0)
    assert outcome.report["start"] == "alone"


def test_a_set_that_is_named_and_not_there(root_sets):
    root_sets.wafer.configure("pool_library_sets = none, yours\n")
    outcome = root_sets.wafer.call("serve").check(125)
    assert "no library set yours" in outcome.messages[0]


@pytest.mark.parametrize("modules", [[], ["--preload=one"]])
def test_how_a_program_ends(root_sets, modules):
    serve(root_sets, *modules)
    outcome = root_sets.run(ENDS).check(0, "SUCCEEDED")
    assert outcome.report["start"] == "parked"
    expected = subprocess.run(
        [sys.executable, "-I", "-c", ENDS], stdout=subprocess.PIPE, check=True
    )
    assert outcome.stdout == expected.stdout
    assert outcome.stdout.count(b"gone:") == 2


def test_what_can_not_be_written_at_the_end(root_sets):
    """As python3: 120, and the reason."""
    serve(root_sets, "--preload=one")
    script = """\
        import os, sys
        reader, writer = os.pipe()
        os.close(reader)
        sys.stdout.write("lost")
        os.dup2(writer, 1)
        """
    outcome = root_sets.run(script).check(120, "FAILED")
    assert b"BrokenPipeError" in outcome.stderr


def test_an_exit_function_that_fails(root_sets):
    serve(root_sets, "--preload=one")
    script = "import atexit; atexit.register(lambda: 1 / 0)"
    outcome = root_sets.run(script).check(0, "SUCCEEDED")
    assert b"ZeroDivisionError" in outcome.stderr
