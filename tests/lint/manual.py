#!/usr/bin/python3.11 -B
"""mandoc finds nothing in the manual pages."""

import tree

tree.run_tool(["mandoc", "-T", "lint", "-W", "warning"], tree.files(".1"))
