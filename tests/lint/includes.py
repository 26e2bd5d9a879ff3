#!/usr/bin/python3.11 -B
"""An include points to its own folder or down the layers, in no circle.

host -> jobs -> runtime -> sandbox -> base: see docs/ARCHITECTURE.md.
"""

import pathlib
import re

import tree

INCLUDE = re.compile(r'\s*#\s*include\s*"([^"]+)"')
GENERATED = {"config.h"}


def main():
    findings = []
    graph = {}
    for path in tree.files(".c", ".h", under=tree.LAYERS):
        graph[str(path)] = set()
        for number, target in includes(path):
            wrong = what_is_wrong(path, target)
            if wrong:
                findings.append(f"{path}:{number}: {wrong}")
            graph[str(path)].add(target)
    circle = find_circle(graph)
    if circle:
        way = " -> ".join(circle)
        findings.append(f"{circle[0]}:1: includes itself: {way}")
    if not graph:
        tree.skip("there is no C file")
    tree.finish(findings)


def includes(path):
    for number, line in tree.lines(path):
        match = INCLUDE.match(line)
        if match and match[1] not in GENERATED:
            yield number, match[1]


def what_is_wrong(path, target):
    folder = pathlib.PurePath(target).parts[0]
    if folder not in tree.LAYERS or ".." in target:
        return f'"{target}" is not written "folder/file.h"'
    if tree.LAYERS.index(folder) < tree.LAYERS.index(path.parts[0]):
        return f'"{target}": {path.parts[0]}/ may not include {folder}/'
    return None


def find_circle(graph):
    """Return the nodes of one circle, its first node again at its end."""
    done = set()

    def visit(node, trail):
        if node in trail:
            return [*trail[trail.index(node) :], node]
        if node in done:
            return None
        for target in sorted(graph.get(node, ())):
            circle = visit(target, [*trail, node])
            if circle:
                return circle
        done.add(node)
        return None

    for node in sorted(graph):
        circle = visit(node, [])
        if circle:
            return circle
    return None


if __name__ == "__main__":
    main()
