#!/usr/bin/python3.11 -B
"""Files, functions, lines and branches stay within their limits.

C functions are measured by pmccabe, whose complexity counts a switch once;
those of Python by its own parser, with one for each branch.
"""

import ast
import shutil
import subprocess

import tree

MAX_FILE_LINES = 600
MAX_LINE_COLUMNS = 80
MAX_FUNCTION_LINES = 80
MAX_COMPLEXITY = 15

BRANCHES = (
    ast.If,
    ast.IfExp,
    ast.For,
    ast.While,
    ast.ExceptHandler,
    ast.comprehension,
    ast.match_case,
)


def main():
    if not shutil.which("pmccabe"):
        tree.skip("pmccabe is not installed: `scripts/setup check` does")
    findings = []
    c_files = tree.files(".c", ".h")
    python_files = tree.files(".py") + tree.scripts("python")
    shell_files = tree.files(".sh") + tree.scripts("sh")
    for path in c_files + python_files + shell_files:
        findings += measure_text(path)
    for path in c_files:
        findings += measure(path, c_functions(path))
    for path in python_files:
        findings += measure(path, python_functions(path))
    tree.finish(findings)


def measure_text(path):
    count = 0
    for count, line in tree.lines(path):
        if len(line) > MAX_LINE_COLUMNS:
            yield (
                f"{path}:{count}: {len(line)} columns,"
                f" {MAX_LINE_COLUMNS} at most"
            )
    if count > MAX_FILE_LINES:
        yield f"{path}:{count}: {count} lines, {MAX_FILE_LINES} at most"


def measure(path, functions):
    for line, name, length, complexity in functions:
        if length > MAX_FUNCTION_LINES:
            yield (
                f"{path}:{line}: {name} has {length} lines,"
                f" {MAX_FUNCTION_LINES} at most"
            )
        if complexity > MAX_COMPLEXITY:
            yield (
                f"{path}:{line}: {name} has complexity {complexity},"
                f" {MAX_COMPLEXITY} at most"
            )


def c_functions(path):
    """Yield (line, name, lines, complexity) of each function."""
    said = subprocess.run(
        ["pmccabe", tree.ROOT / path],
        check=True,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ).stdout
    for row in said.splitlines():
        complexity, _, _, first, length, where = row.split("\t")
        yield int(first), where.split(": ")[-1], int(length), int(complexity)


def python_functions(path):
    """Yield (line, name, lines, complexity) of each function."""
    module = ast.parse((tree.ROOT / path).read_text("utf-8"), str(path))
    for node in ast.walk(module):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = node.end_lineno - node.lineno + 1
            yield node.lineno, node.name, length, python_complexity(node)


def python_complexity(function):
    complexity = 1
    for node in ast.walk(function):
        if isinstance(node, BRANCHES):
            complexity += 1
        elif isinstance(node, ast.BoolOp):
            complexity += len(node.values) - 1
    return complexity


if __name__ == "__main__":
    main()
