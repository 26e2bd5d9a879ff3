"""What keeps an escape suite's payload from starting outside a sandbox."""

import ast
import dataclasses
import pathlib
import sys

import pytest

ESCAPE = pathlib.Path(__file__).resolve().parents[1] / "escape"
sys.path.insert(0, str(ESCAPE / "inside"))

import guard  # noqa: E402

INSIDE = guard.View(
    uids=(1000, 1000, 1000),
    id_map=((0, 1879048192, 1), (1000, 1879048193, 1)),
    capabilities=0,
    host_name="wafer",
    parent=1,
    process_count=2,
)
ALL = guard.ALL_IDS


def test_inside():
    assert guard.refusal(INSIDE) is None


@pytest.mark.parametrize(
    "change, text",
    [
        ({"id_map": ((0, 0, ALL),)}, "own user namespace"),
        ({"id_map": ((0, 0, ALL),), "uids": (0, 0, 0)}, "own user namespace"),
        ({"id_map": ()}, "mapped nowhere"),
        ({"id_map": ((0, 1000, 1), (1, 0, 1))}, "machine's root"),
        ({"id_map": ((0, 0, 1),)}, "machine's root"),
        ({"uids": (0, 0, 0)}, "it is root"),
        ({"uids": (1000, 0, 1000)}, "it is root"),
        ({"uids": (1000, 1000, 0)}, "it is root"),
        ({"uids": (1001, 1001, 1001)}, "uid is not 1000"),
        ({"capabilities": 1 << 21}, "capabilities"),
        ({"host_name": "elsewhere"}, "host name"),
        ({"parent": 2}, "keeper"),
        ({"process_count": 200}, "keeper"),
    ],
)
def test_refused(change, text):
    view = dataclasses.replace(INSIDE, **change)
    assert text in guard.refusal(view)


def test_a_missing_wall_waives_its_own_mark_alone():
    view = dataclasses.replace(INSIDE, capabilities=1 << 21)
    assert guard.refusal(view, ["capabilities"]) is None
    assert guard.refusal(view, ["pid", "uts", "root"])
    assert guard.refusal(dataclasses.replace(INSIDE, parent=9), ["pid"]) is None


def test_the_machines_root_is_never_waived():
    """Whatever walls are said to be away."""
    names = ["capabilities", "uts", "pid", "root", "user-namespace", "uid"]
    for change in (
        {"id_map": ((0, 0, ALL),)},
        {"id_map": ((0, 0, ALL),), "uids": (0, 0, 0)},
        {"uids": (0, 0, 0)},
    ):
        assert guard.refusal(dataclasses.replace(INSIDE, **change), names)


def test_this_process_is_refused():
    assert guard.refusal(guard.look())


@pytest.mark.parametrize(
    "path", sorted((ESCAPE / "payloads").glob("*.py")), ids=lambda p: p.name
)
def test_every_payload_asks_first(path):
    """Before anything else of it runs, the guard does."""
    body = ast.parse(path.read_text("utf-8")).body
    statements = [
        node for node in body if not isinstance(node, ast.Expr)
    ]
    first = statements[0]
    assert isinstance(first, ast.Import) and first.names[0].name == "trial"
