"""Python's own warm start: `multiprocessing` by forkserver, for bench/run.

    forkserver.py MODULE...    what it has imported ahead

There is no sandbox.  Each line that it reads names scripts, with tabs between
them, which are run at once; it answers with a line for each, as bench/client
does: "preloaded" or "imports", whether the first module was there when the
script began, and the nanoseconds from Process.start() until the first byte of
its output has been read.
"""

import multiprocessing
import os
import sys
import threading
import time


def main():
    modules = sys.argv[1:]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(modules)
    for line in sys.stdin:
        scripts = line.rstrip("\n").split("\t")
        for row in play_round(context, scripts, modules[0]):
            print(*row)
        sys.stdout.flush()


def play_round(context, scripts, module):
    rows = [None] * len(scripts)
    together = threading.Barrier(len(scripts))

    def start(i):
        read, write = context.Pipe(duplex=False)
        process = context.Process(
            target=run_script, args=(scripts[i], write, module)
        )
        together.wait()
        begun_ns = time.monotonic_ns()
        process.start()
        write.close()
        first = os.read(read.fileno(), 1)
        taken_ns = time.monotonic_ns() - begun_ns
        process.join()
        if process.exitcode != 0 or not first:
            return
        preloaded = os.read(read.fileno(), 4096).endswith(b"+")
        rows[i] = ("preloaded" if preloaded else "imports", taken_ns)

    threads = [
        threading.Thread(target=start, args=[i]) for i in range(len(scripts))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if None in rows:
        sys.exit("forkserver.py: a script failed")
    return rows


def run_script(script, output, module):
    """In the child."""
    was_there = module in sys.modules
    os.dup2(output.fileno(), 1)
    with open(script, encoding="utf-8") as file:
        code = compile(file.read(), script, "exec")
    exec(code, {"__name__": "__main__"})
    os.write(1, b"+" if was_there else b"-")


if __name__ == "__main__":
    main()
