"""What a start can't be faster than, on this machine: for bench/run.

A program of its own, since what it forks is to be no larger than a zygote: it
imports the modules that it is given the names of, if any, and does, for each
line that it reads, one round of so many at once:

    pipe N       wake N processes that wait on a pipe; each answers by a byte
    fork N       fork N times; each child writes a byte and ends
    sync N       N threads each append 4 KiB to a file and fdatasync it

It answers with a line of nanoseconds for each: until the byte was read, or the
write is on disk; in a round of forks, also until all the children were reaped,
which is the last line.
"""

import importlib
import os
import sys
import tempfile
import threading
import time


def main():
    folder, *modules = sys.argv[1:]
    for module in modules:
        importlib.import_module(module)
    for line in sys.stdin:
        what, count = line.split()
        for taken_ns in ROUNDS[what](int(count), folder):
            print(taken_ns)
        sys.stdout.flush()


def wake(count, _):
    sleepers = [start_sleeper() for _ in range(count)]
    time.sleep(0.001)  # by then they wait
    begun_ns = []
    for asking, _, _ in sleepers:
        begun_ns.append(time.monotonic_ns())
        os.write(asking, b".")
    taken_ns = []
    for begun, (_, answer, _) in zip(begun_ns, sleepers):
        os.read(answer, 1)
        taken_ns.append(time.monotonic_ns() - begun)
    # All before the first is waited for: the later ones have copies.
    for asking, answer, _ in sleepers:
        os.close(asking)
        os.close(answer)
    for _, _, pid in sleepers:
        os.waitpid(pid, 0)
    return taken_ns


def start_sleeper():
    question, asking = os.pipe()
    answer, answering = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(asking)
        while byte := os.read(question, 1):
            os.write(answering, byte)
        os._exit(0)
    os.close(question)
    os.close(answering)
    for _ in range(3):  # else it is the pages that a fork shares
        os.write(asking, b".")
        os.read(answer, 1)
    return asking, answer, pid


def fork(count, _):
    answers = []
    all_begun_ns = time.monotonic_ns()
    for _ in range(count):
        begun_ns = time.monotonic_ns()
        answer, answering = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.write(answering, b".")
            os._exit(0)
        os.close(answering)
        answers.append((begun_ns, answer, pid))
    taken_ns = []
    for begun_ns, answer, _ in answers:
        os.read(answer, 1)
        taken_ns.append(time.monotonic_ns() - begun_ns)
        os.close(answer)
    for _, _, pid in answers:
        os.waitpid(pid, 0)
    return [*taken_ns, time.monotonic_ns() - all_begun_ns]


def sync(count, folder):
    taken_ns = [0] * count
    together = threading.Barrier(count)

    def append(i):
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            file.write(bytes(4096))
            os.fsync(file.fileno())
            together.wait()
            begun_ns = time.monotonic_ns()
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
            taken_ns[i] = time.monotonic_ns() - begun_ns

    threads = [threading.Thread(target=append, args=[i]) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return taken_ns


ROUNDS = {"pipe": wake, "fork": fork, "sync": sync}

if __name__ == "__main__":
    main()
