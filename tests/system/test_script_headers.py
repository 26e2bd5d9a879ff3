"""How a script begins decides what it is taken for: a zip, an encoding, text.
Whatever the first bytes are, wafer does what `python3 FILE` does."""

import subprocess

import hypothesis
from hypothesis import strategies

PARTS = [
    b"\xef\xbb\xbf",  # UTF-8's byte order mark
    b"\xff\xfe",  # UTF-16's
    b"#!/usr/bin/python3",
    b"# -*- coding: latin-1 -*-",
    b"# coding: utf-8",
    b"#coding=ascii",
    b"# coding: no-such-coding",
    b"# vim: set fileencoding=cp1252 :",
    b"\n",
    b"\r\n",
    b"\r",
    b"\x0c",
    b"\x1a",
    b"\x00",
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"PK",
    b"# \xc3\xa9",
    b"# \xe9",
    b" ",
    b"#",
    b"'",
    b"\\",
    b"\x7fELF",
]
HEADERS = strategies.lists(strategies.sampled_from(PARTS), max_size=5)


def python_says(path):
    return subprocess.run(
        ["/usr/bin/python3.11", "-I", path],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=False,
    )


def test_headers(root_wafer):
    @hypothesis.settings(
        max_examples=80, deadline=None, derandomize=True, database=None
    )
    @hypothesis.given(HEADERS)
    @hypothesis.example([b"\xef\xbb\xbf", b"# coding: latin-1"])
    @hypothesis.example([b"\n", b"\n", b"# coding: no-such-coding"])
    def check(parts):
        content = b"".join(parts) + b"\nprint('ran')\n"
        path = root_wafer.work / "script.py"
        path.write_bytes(content)
        outcome = root_wafer.run(path)
        said = python_says(path)
        # CPython 3.11.2 ends a file at its first NUL: a script cut short.
        if b"\0" in content and not content.startswith(b"PK\x03\x04"):
            outcome.check(1, "FAILED")
            return
        state = "FAILED" if said.returncode else "SUCCEEDED"
        outcome.check(said.returncode, state)
        assert outcome.stdout == said.stdout

    check()
