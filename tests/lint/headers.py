#!/usr/bin/python3.11 -B
"""Each header compiles alone: it includes all that it uses."""

import tree

COMMAND = ["gcc", "-std=gnu11", "-fsyntax-only", "-Wall", "-Wextra", "-Werror"]

tree.run_tool(
    # A header of ours is the main file here, so this one warning is moot.
    [*COMMAND, *tree.cppflags(), "-include", "config.h", "-x", "c"],
    tree.files(".h"),
    one_by_one=True,
)
