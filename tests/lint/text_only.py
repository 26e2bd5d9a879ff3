#!/usr/bin/python3.11 -B
"""Every file of the tree is text that ends with a newline, and is small."""

import tree

MAX_BYTES = 256 << 10
PICTURES = {".png", ".svg", ".webp"}


def main():
    findings = []
    for path in tree.files():
        wrong = what_is_wrong((tree.ROOT / path).read_bytes(), path.suffix)
        if wrong:
            findings.append(f"{path}:1: {wrong}")
    tree.finish(findings)


def what_is_wrong(content, suffix):
    if len(content) > MAX_BYTES:
        return f"{len(content)} bytes, {MAX_BYTES} at most"
    if suffix in PICTURES:
        return None
    if b"\0" in content:
        return "it is a binary file"
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return "it is not UTF-8"
    if text and not text.endswith("\n"):
        return "its last line has no newline"
    return None


if __name__ == "__main__":
    main()
