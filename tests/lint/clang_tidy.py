#!/usr/bin/python3.11 -B
"""clang-tidy finds nothing in the C files (.clang-tidy)."""

import tree

CONFIG = tree.HERE.parent.parent / ".clang-tidy"

tree.run_tool(
    ["clang-tidy-14", "--quiet", f"--config-file={CONFIG}"],
    tree.files(".c"),
    after=["--", "-std=gnu11", *tree.cppflags()],
    one_by_one=True,
)
