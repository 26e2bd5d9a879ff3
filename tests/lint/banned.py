#!/usr/bin/python3.11 -B
"""No C file calls a function that has a safer one, or forks where it may not.

Names in comments and texts don't count.
"""

import re

import tree

INSTEAD = {
    "alloca": "xmalloc: the stack is small",
    "atof": "strtod, which can fail",
    "atoi": "strtol, which can fail",
    "atol": "strtol, which can fail",
    "atoll": "strtoll, which can fail",
    "gets": "fd_read_all",
    "mktemp": "mkostemp",
    "popen": "fork and exec: no shell",
    "sprintf": "snprintf or xasprintf",
    "strcat": "xasprintf",
    "strcpy": "snprintf or xstrdup",
    "strncpy": "snprintf, which ends its text",
    "strtok": "strsep, which keeps no state",
    "system": "fork and exec: no shell",
    "tempnam": "mkostemp",
    "tmpnam": "mkostemp",
    "vsprintf": "vsnprintf or xvasprintf",
}

# A fork copies locks, buffers and descriptors: who makes one has to know what
# is open then.  The tests, one process each, may.
FORKS = re.compile(r"(?:v?fork|clone3?|posix_spawnp?|daemon)")
MAY_FORK = {
    "host/library_pip.c",  # pip, venv and compileall
    "runtime/fork.c",  # the job, from the keeper, through CPython's hooks
    "runtime/launch.c",  # the zygote, which execs at once
    "sandbox/cgroup_scope.c",  # wafer-scope
    "sandbox/namespace.c",  # the keeper, and newuidmap
    "sandbox/pasta.c",  # pasta
    "sandbox/scratch.c",  # mkfs.ext4
}

# A comment, a text or a character: the first that starts wins.
NOT_CODE = re.compile(
    r"""/\*.*?\*/ | //[^\n]* | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'""",
    re.DOTALL | re.VERBOSE,
)
CALL = re.compile(r"(?<![\w.>])([A-Za-z_]\w*)\s*\(")


def main():
    findings = []
    for path in tree.files(".c", ".h"):
        text = NOT_CODE.sub(blank, (tree.ROOT / path).read_text("utf-8"))
        for number, line in enumerate(text.splitlines(), start=1):
            for name in CALL.findall(line):
                wrong = what_is_wrong(path, name)
                if wrong:
                    findings.append(f"{path}:{number}: {wrong}")
    tree.finish(findings)


def blank(match):
    """Replace what isn't code, and keep the count of lines."""
    return " " + "\n" * match[0].count("\n")


def what_is_wrong(path, name):
    if name in INSTEAD:
        return f"{name} is banned: use {INSTEAD[name]}"
    may_fork = str(path) in MAY_FORK or path.parts[0] == "tests"
    if FORKS.fullmatch(name) and not may_fork:
        return f"{name}: only the files that banned.py names may fork"
    return None


if __name__ == "__main__":
    main()
