#!/usr/bin/python3.11 -B
"""codespell finds no misspelt word (.codespellrc has the exceptions)."""

import tree

tree.run_tool(
    ["codespell", "--config", str(tree.HERE.parent.parent / ".codespellrc")],
    # What a fuzzer found has no words.
    [path for path in tree.files() if "corpus" not in path.parts],
)
