#!/usr/bin/python3.11 -B
"""C files are laid out by clang-format (.clang-format)."""

import tree

STYLE = tree.HERE.parent.parent / ".clang-format"

tree.run_tool(
    ["clang-format-14", "--dry-run", "-Werror", f"--style=file:{STYLE}"],
    tree.files(".c", ".h"),
)
