#!/usr/bin/python3.11 -B
"""shellcheck finds nothing in the shell scripts."""

import tree

tree.run_tool(
    ["shellcheck", "--external-sources", "--source-path=SCRIPTDIR"],
    tree.files(".sh") + tree.scripts("sh"),
)
