#!/usr/bin/python3.11 -B
"""pyflakes finds nothing in the Python files."""

import tree

tree.run_tool(["pyflakes3"], tree.files(".py") + tree.scripts("python"))
