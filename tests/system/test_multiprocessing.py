"""multiprocessing and other Pythons that a script starts, by each way."""

import pytest

SCRIPT = """\
import multiprocessing, sys
from multiprocessing import shared_memory
from concurrent.futures import ProcessPoolExecutor

from awsglue.utils import getResolvedOptions


def square(number):
    return number * number


def serve(queue, answers, name):
    memory = shared_memory.SharedMemory(name)
    memory.buf[:4] = b"done"
    memory.close()
    options = getResolvedOptions(["", "--day", "one"], ["day"])
    for item in iter(queue.get, None):
        answers.put((item.upper(), options["day"]))


def main(context):
    with context.Pool(2) as pool:
        print(pool.map(square, range(4)))
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        print(list(pool.map(square, range(4))))
    memory = shared_memory.SharedMemory(create=True, size=4)
    queue, answers = context.Queue(), context.Queue()
    process = context.Process(
        target=serve, args=(queue, answers, memory.name)
    )
    process.start()
    queue.put("a")
    queue.put(None)
    print(answers.get(timeout=60))
    process.join()
    print(bytes(memory.buf[:4]), process.exitcode)
    memory.close()
    memory.unlink()
    with context.Manager() as manager:
        print(manager.dict(b=2).copy())


if __name__ == "__main__":
    main(multiprocessing.get_context(sys.argv[1]))
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_each_start_method(any_wafer, method):
    outcome = any_wafer.run(SCRIPT, argv=[method]).check(0, "SUCCEEDED")
    assert outcome.lines == [
        "[0, 1, 4, 9]",
        "[0, 1, 4, 9]",
        "('A', 'one')",
        "b'done' 0",
        "{'b': 2}",
    ]
    assert outcome.stderr.decode().splitlines() == outcome.messages


def test_a_python_of_its_own(any_wafer):
    """sys.executable is Debian's python3, with the walls of its parent."""
    script = """\
        import os, subprocess, sys
        child = "import os, sys; print(sys.version_info[:2], os.getuid())"
        print(subprocess.check_output([sys.executable, "-c", child]).decode())
        print(sys.version_info[:2], os.getuid())
        """
    outcome = any_wafer.run(script).check(0, "SUCCEEDED")
    child, _, own = outcome.lines
    assert child == own
