"""Compiles a module into C, when the project is built.

    freeze.py MODULE.py > MODULE.inc

The output is the initializer of an array of bytes: the marshalled code object,
which only the Python version that wrote it can read.
"""

import marshal
import os
import sys


def main():
    path = sys.argv[1]
    with open(path, "rb") as file:
        code = compile(file.read(), os.path.basename(path), "exec",
                       dont_inherit=True, optimize=0)
    data = marshal.dumps(code)
    for start in range(0, len(data), 12):
        print(" ".join(f"{byte}," for byte in data[start:start + 12]))


main()
