#!/usr/bin/python3.11 -B
"""cppcheck finds nothing in the C files.

What is suppressed, all else being on:
  missingIncludeSystem      it reads no system header by design
  variableScope             a declaration at its block's head reads better
  unmatchedSuppression      a line for one file is unmatched in the others
"""

import tree

# Our own folders: of a library's headers it would read a half.
INCLUDES = [
    flag
    for flag in tree.cppflags()
    if flag.startswith(("-D", "-I")) and not flag.startswith("-I/usr/")
]
SUPPRESSED = ["missingIncludeSystem", "variableScope", "unmatchedSuppression"]

tree.run_tool(
    [
        "cppcheck",
        "--quiet",
        "--std=c11",
        "--enable=warning,performance,portability",
        "--inline-suppr",
        "--error-exitcode=1",
        "--template={file}:{line}: {id}: {message}",
        *(f"--suppress={name}" for name in SUPPRESSED),
        "-D_GNU_SOURCE",
        *INCLUDES,
    ],
    tree.files(".c"),
    one_by_one=True,
)
