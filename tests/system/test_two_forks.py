"""Two jobs that are forks of one warm zygote. What a fork makes new has a row
each in tests/python/test_renewal.py."""

import os
import pathlib
import signal

import pytest
import world
from wafer_command import WAFER, WARM

TWO = {"WAFER_WARM_RUNS": "2"}


def halves(lines):
    return lines[: len(lines) // 2], lines[len(lines) // 2 :]


def test_they_draw_different_random_numbers(warm_wafer):
    script = """\
        import os, random, secrets, ssl, tempfile, uuid
        print(os.getpid(), random.random(), secrets.token_hex(), uuid.uuid4(),
              uuid.uuid1(), os.urandom(4).hex(), ssl.RAND_bytes(8).hex(),
              next(tempfile._get_candidate_names()), sep="\\n")
        """
    outcome = warm_wafer.run(script, environment=TWO).check(0, "SUCCEEDED")
    first, second = halves(outcome.lines)
    assert first[0] == second[0] == "2"  # one process id, each in its own
    assert len(first) == len(second) == 8
    assert not set(first[1:]) & set(second)


def test_they_share_the_seed_of_hash(warm_wafer):
    """It is an interpreter's, taken at its start: so is the zygote's."""
    script = "print(hash('wafer'))"
    first, second = warm_wafer.run(script, environment=TWO).check().lines
    alone = warm_wafer.run(script).check().lines
    assert first == second
    assert [first] != alone


def test_nothing_of_the_first_is_in_the_second(warm_wafer):
    script = """\
        import builtins, os, signal, sys, time, warnings
        print(hasattr(builtins, "left"), "LEFT" in os.environ,
              signal.getsignal(signal.SIGTERM), len(warnings.filters),
              sys.getrecursionlimit(), time.tzname, os.listdir("/tmp"),
              os.getcwd(), os.path.exists("/dev/shm/left"))
        builtins.left = True
        os.environ.update(LEFT="yes", TZ="Asia/Tokyo")
        time.tzset()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        warnings.simplefilter("ignore")
        sys.setrecursionlimit(2000)
        open("/tmp/left", "w").close()
        open("/dev/shm/left", "w").close()
        os.chdir("/")
        """
    outcome = warm_wafer.run(script, environment=TWO).check(0, "SUCCEEDED")
    first, second = outcome.lines
    assert "left" not in second.replace("glue", "")
    assert len(first) == len(second)
    assert first.split("[")[0] == second.split("[")[0]


AS_A_CONTAINER = ["unshare", "--pid", "--fork", "--mount-proc"]


@pytest.mark.parametrize("program", [WAFER, WARM])
def test_no_zygote_has_the_process_id_of_its_jobs(root_wafer, program):
    """Libraries see by the id that they were forked: JOB_PID of protocol.h. In
    a container, where wafer is process 1, its zygote could have the same."""
    root_wafer.program = program
    root_wafer.enter = AS_A_CONTAINER
    process = root_wafer.start_script(
        "import time; print('up', flush=True); time.sleep(600)"
    )
    process.wait_for_output(b"up\n")
    below = world.descendants(process.popen.pid)
    by_name = {name: pid for pid, name in below.items()}
    host, zygote = by_name[program.name], by_name["wafer-zygote"]
    inside = [innermost_pid(host), innermost_pid(zygote)]
    os.kill(host, signal.SIGTERM)
    process.wait()
    assert inside == [1, 3]


def innermost_pid(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text("utf-8")
    (line,) = (each for each in status.splitlines() if "NSpid" in each)
    return int(line.split()[-1])


# A module of a set, imported ahead, that has begun to use everything.
USER = """\
import logging, multiprocessing, random, ssl, tempfile, uuid
random.random(), ssl.RAND_bytes(1), uuid.getnode(), tempfile.gettempdir()
next(tempfile._get_candidate_names())
"""


def test_what_was_imported_ahead_is_new_in_each(sets):
    lock = sets.index.add("user", files={"user.py": USER})
    sets.add(lock, "--preload=user").check()
    sets.wafer.wait_for_pool(sets.wafer.serve(), 16)
    script = """\
        import sys
        assert "user" in sys.modules
        import logging, multiprocessing, random, ssl, tempfile, uuid
        import threading
        print(random.random(), ssl.RAND_bytes(8).hex(), logging._startTime,
              multiprocessing.current_process().authkey.hex(),
              next(tempfile._get_candidate_names()), sep="\\n")
        assert threading.main_thread().native_id == threading.get_native_id()
        assert uuid._node is None and tempfile.gettempdir() == "/tmp"
        """
    outcomes = [sets.run(script).check(0, "SUCCEEDED") for _ in range(2)]
    assert [o.report["start"] for o in outcomes] == ["parked"] * 2
    first, second = (outcome.lines for outcome in outcomes)
    assert len(first) == len(second) == 5
    assert not set(first) & set(second)
