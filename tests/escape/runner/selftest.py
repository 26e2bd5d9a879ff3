"""The suite's test of itself: without its wall an attempt must get through.

For each set of walls that rows name, their jobs run once more with those walls
away, in a mount namespace of our own where a weak zygote (weak.c) lies over the
installed one, and each must be reported as escaped.
"""

import os
import pickle
import shutil
import sys
import traceback

import manifest
import world
from rows import EVERYWHERE, WALLS
from runner import networks, stage
from runner.kernel import check, libc
from wafer_command import ZYGOTE

NEW_NS, NEW_IPC = 0x20000, 0x08000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000


def problems_of_manifest():
    """Walls that no row is stopped by alone, with no reason given."""
    alone = set()
    for _, rows, _ in manifest.headings():
        alone |= {row.walls[0] for row in rows if len(row.walls) == 1}
        for row in rows:
            for wall in row.walls:
                if wall not in WALLS:
                    yield f"{row.name}: there is no wall {wall}"
    for name, wall in WALLS.items():
        if name not in alone and not wall.not_alone:
            yield f"no attempt is stopped by {name} alone, for no reason"


def plan(rows, there, setting):
    """{walls: rows} of what can be tried with walls away in a setting."""
    found = {}
    for row in rows:
        walls = [WALLS[name] for name in row.walls]
        if any(wall.kept for wall in walls):
            continue
        where = [
            name
            for name in EVERYWHERE
            if name in row.settings
            and all(name in wall.settings for wall in walls)
        ]
        if where[:1] == [setting] and there.issuperset(row.needs):
            found.setdefault(row.walls, []).append(row)
    return found


def run(bench, weak, rows, there):
    """Yields (row, walls, verdict, why) of each row that was tried."""
    for walls, chosen in plan(rows, there, bench.setting).items():
        for row, result in in_child(bench, weak, walls, chosen):
            yield row, walls, result.verdict, result.why


def in_child(bench, weak, walls, rows):
    """[(row, Result)] of a child in namespaces of its own."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        status = 1
        try:
            answers = without(bench, weak, walls, rows)
            with open(writer, "wb") as pipe:
                pickle.dump(answers, pipe)
            status = 0
        except BaseException:
            traceback.print_exc()
        sys.stderr.flush()
        os._exit(status)
    os.close(writer)
    with open(reader, "rb") as pipe:
        data = pipe.read()
    os.waitpid(pid, 0)
    if not data:
        lost = stage.Result(None, stage.UNPROVEN, "its runner crashed")
        return [(row, lost) for row in rows]
    answers = pickle.loads(data)
    return [
        (row, stage.Result(None, verdict, why))
        for row, (verdict, why) in zip(rows, answers)
    ]


def without(bench, weak, walls, rows):
    """[(verdict, why)], with the walls away."""
    world.adopt_orphans()
    bench.wafer.base = bench.wafer.folder(f"without-{'-'.join(walls)}")
    # Of IPC, too: what is left in a job's without one is left here.
    check(libc.unshare(NEW_NS | NEW_IPC), "unshare")
    check(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "/")
    # What a job without a root of its own leaves in /tmp goes with it.
    check(libc.mount(b"none", b"/tmp", b"tmpfs", 0, b"mode=1777"), "/tmp")
    lay_over(bench, weak, walls)
    if "network" in walls:
        networks.enter_metadata()
    answers = {}
    for group in dict.fromkeys(row.group for row in rows):
        for batch in stage.batches(group, rows):
            results = stage.run_rows(bench, group, batch, away=walls)
            answers |= {
                result.row.name: (result.verdict, result.why)
                for result in results
            }
    return [answers[row.name] for row in rows]


def lay_over(bench, weak, walls):
    names = [name for name in walls if not WALLS[name].options]
    if not names:
        return
    program = bench.wafer.base / f"weak-{'-'.join(names)}"
    shutil.copy(weak, program)
    with open(program, "a", encoding="ascii") as file:
        file.write(f"\nwalls away: {','.join(names)}\n")
    os.chmod(program, 0o755)
    check(
        libc.mount(bytes(program), bytes(ZYGOTE), None, MS_BIND, None),
        "lay the weak zygote over the installed one",
    )
