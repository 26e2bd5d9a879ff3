#!/usr/bin/python3.11 -B
"""Every check in this folder fails on bad input, and passes on good.

A check that can't fail proves nothing: each has its bad trees here, with what
it must say of them.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent

GOOD = {
    "base/good.h": (
        "#ifndef GOOD_H\n#define GOOD_H\n\nint good(int x);\n\n#endif\n"
    ),
    "base/good.c": (
        '#include "config.h"\n\n#include "base/good.h"\n\n'
        "int good(int x)\n{\n  /* never system (3) */\n  return x;\n}\n"
    ),
    "local.mk": "SOURCES = base/good.c base/good.h jobs/good.c\n",
    "jobs/good.c": '#include "base/good.h"\n',
    "docs/good.1": (
        ".Dd November 26, 2018\n.Dt GOOD 1\n.Os\n.Sh NAME\n"
        ".Nm good\n.Nd a page without fault\n"
    ),
    "scripts/good": '#!/bin/bash\necho "$1"\n',
    "good.py": '"""A module."""\n',
}


def function(body):
    return f"int bad(int x);\nint bad(int x)\n{{\n{body}  return x;\n}}\n"


# (check, {path: text}, what the check says of it). A misspelt word is put
# together here, so that this file has none.
BAD = [
    ("includes", {"base/a.c": '#include "jobs/b.h"\n'}, "base/a.c:1: "),
    ("includes", {"base/a.c": '#include "fd.h"\n'}, 'not written "folder'),
    ("includes", {"base/a.c": '#include "base/../host/x.h"\n'}, "not written"),
    (
        "includes",
        {
            "base/a.h": '#include "base/b.h"\n',
            "base/b.h": '#include "base/a.h"\n',
        },
        "base/a.h -> base/b.h -> base/a.h",
    ),
    ("sizes", {"base/a.c": "\n" * 601}, "601 lines, 600 at most"),
    ("sizes", {"a.py": "\n" * 601}, "601 lines, 600 at most"),
    ("sizes", {"base/a.c": "/*" + "x" * 77 + "*/\n"}, "81 columns"),
    ("sizes", {"base/a.c": function("  x++;\n" * 80)}, "bad has "),
    ("sizes", {"base/a.c": function("  if (x)\n    x++;\n" * 15)}, "ity 16"),
    ("sizes", {"a.py": "def bad(x):\n" + "    x += 1\n" * 80}, "bad has 81"),
    ("sizes", {"a.py": "def b(x):\n" + " if x: x = 1\n" * 15}, "plexity 16"),
    ("sizes", {"a": "#!/bin/sh\n: " + "x" * 80 + "\n"}, "a:2: 82 columns"),
    ("banned", {"base/a.c": function('  system ("x");\n')}, "base/a.c:4: sys"),
    ("banned", {"base/a.c": function("  /* \n */ gets(0);\n")}, "a.c:5: gets"),
    ("banned", {"base/a.c": function("  fork();\n")}, "may fork"),
    ("built", {"base/a.c": "int a;\n"}, "base/a.c:1: no local.mk names it"),
    ("built", {"local.mk": "# base/good.c\n"}, "base/good.c:1: no local.mk"),
    ("headers", {"base/a.h": "size_t size(void);\n"}, "base/a.h:1:"),
    ("layout", {"base/a.c": "int  a(void) {return 0;}\n"}, "base/a.c:1:"),
    ("clang_tidy", {"base/a.c": function("  if (x);\n    x++;\n")}, "a.c:4:"),
    ("clang_tidy", {"base/a.c": function("  int y;\n  x += y;\n")}, "garbage"),
    ("cppcheck", {"base/a.c": function("  int a[2];\n  a[2] = 0;\n")}, "a.c:5"),
    ("spelling", {"README.md": "It is recie" + "ved.\n"}, "README.md:1:"),
    ("manual", {"docs/a.1": ".Dd today\n.Dt A 1\n.Os\n.Sx\n"}, "docs/a.1:"),
    ("shell", {"scripts/a": "#!/bin/bash\nrm $1\n"}, "SC2086"),
    ("shell", {"scripts/a.sh": "#!/bin/sh\ncd /tmp\nrm x\n"}, "SC2164"),
    ("python", {"a.py": "import os\n"}, "a.py:1:1"),
    ("python", {"scripts/a": "#!/usr/bin/python3\nx\n"}, "undefined name 'x'"),
    ("text_only", {"a.bin": "a\0b\n"}, "a.bin:1: it is a binary file"),
    ("text_only", {"a.txt": "no newline"}, "a.txt:1: its last line"),
    ("text_only", {"a.txt": "x\n" * (128 << 10) + "\n"}, "at most"),
]


def main():
    checks = {path.stem for path in HERE.glob("*.py")} - {"tree", "selftest"}
    untried = checks - {name for name, _, _ in BAD}
    wrong = [f"{name}: it has no bad input" for name in sorted(untried)]
    for name in sorted(checks):
        wrong += judge(name, {}, 0, "")
    for name, files, said in BAD:
        wrong += judge(name, files, 1, said)
    for line in wrong:
        print(line)
    print(f"{len(checks)} checks, {len(BAD)} bad inputs, {len(wrong)} wrong")
    return 1 if wrong else 0


def judge(name, files, wanted_status, wanted_text):
    """Run a check over a small tree; return what was wrong with its verdict."""
    with tempfile.TemporaryDirectory() as root:
        write_tree(pathlib.Path(root), GOOD | files)
        status, said = run_check(name, pathlib.Path(root))
    if status == wanted_status and wanted_text in said:
        return []
    return [
        f"{name} of {', '.join(files) or 'good input'}: status {status}, not"
        f" {wanted_status} with {wanted_text!r}:\n{said}"
    ]


def write_tree(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    # Out of the checks' sight: a build has its own folder.
    build = root / ".build"
    build.mkdir()
    (build / "config.h").touch()
    (build / "cppflags").write_text(f"-D_GNU_SOURCE\n-I{root}\n-I{build}\n")


def run_check(name, root):
    done = subprocess.run(
        [sys.executable, "-B", HERE / f"{name}.py"],
        cwd=root,
        env=os.environ
        | {
            "LINT_ROOT": str(root),
            "LINT_CPPFLAGS": str(root / ".build" / "cppflags"),
            "LINT_MUST_RUN": "",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    return done.returncode, done.stdout


if __name__ == "__main__":
    sys.exit(main())
