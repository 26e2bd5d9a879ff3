#!/usr/bin/python3.11 -B
"""Every C file is named in a local.mk: it is built, and a test is run."""

import re

import tree

NAME = re.compile(r"[\w./-]+")


def main():
    named = set()
    for path in tree.files(".mk"):
        for _, line in tree.lines(path):
            named |= set(NAME.findall(line.partition("#")[0]))
    tree.finish(
        f"{path}:1: no local.mk names it"
        for path in tree.files(".c", ".h")
        if str(path) not in named and str(path.with_suffix("")) not in named
    )


if __name__ == "__main__":
    main()
