"""Unpacking of wheels: whatever their members are called, nothing is written
outside the folder that they are for, and a wheel that can't be unpacked is an
ImportError that names it."""

import importlib.util
import os
import pathlib
import stat
import sys
import tempfile
import zipfile

import hypothesis
import pytest
from hypothesis import strategies

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
SOURCE = TOP / "runtime" / "python" / "wafer_bootstrap.py"

PARTS = strategies.sampled_from(
    ["..", ".", "", "a", "b.data", "purelib", "platlib", "C:", "\\", "..\\.."]
) | strategies.text(max_size=6)
NAMES = strategies.lists(PARTS, min_size=1, max_size=6).map("/".join)
LINK = stat.S_IFLNK | 0o777
MODES = strategies.sampled_from([0o644, 0o4755, LINK, stat.S_IFCHR | 0o666])
MEMBERS = strategies.lists(
    strategies.tuples(NAMES, MODES, strategies.binary(max_size=40)), max_size=6
)


@pytest.fixture(scope="module")
def unpack():
    spec = importlib.util.spec_from_file_location("wafer_bootstrap", SOURCE)
    module = importlib.util.module_from_spec(spec)
    kept = {name: vars(sys.modules["builtins"])[name] for name in ("help",)}
    spec.loader.exec_module(module)
    vars(sys.modules["builtins"]).update(kept)
    return module._unpack_wheel


def make_wheel(path, members):
    with zipfile.ZipFile(path, "w") as wheel:
        for name, mode, content in members:
            info = zipfile.ZipInfo("x")
            info.filename = name
            info.external_attr = mode << 16
            try:
                wheel.writestr(info, content)
            except UnicodeEncodeError:
                continue


def everything(folder):
    """What lies in a folder, links not followed, as paths."""
    return {
        os.path.join(where, name)
        for where, folders, files in os.walk(folder)
        for name in folders + files
    }


def unpack_in_a_house(unpack, fill):
    """Unpacks in a folder of its own; returns what went wrong, or None."""
    with tempfile.TemporaryDirectory() as house:
        path = os.path.join(house, "a-1-py3-none-any.whl")
        target = os.path.join(house, "target")
        fill(path)
        failure = None
        try:
            assert unpack(path, target) == target
        except ImportError as error:
            assert "a-1-py3-none-any.whl" in str(error)
            failure = error
        made = everything(house) - {path, target}
        for one in made:
            assert one.startswith(target + os.sep)
            assert not os.path.islink(one)
            assert not os.stat(one).st_mode & (stat.S_ISUID | stat.S_ISGID)
            kind = stat.S_IFMT(os.stat(one).st_mode)
            assert kind in (stat.S_IFREG, stat.S_IFDIR)
        return failure


@hypothesis.settings(max_examples=300, deadline=None)
@hypothesis.given(members=MEMBERS)
@hypothesis.example(members=[("../../../etc/cron.d/x", 0o644, b"x")])
@hypothesis.example(members=[("/etc/cron.d/x", 0o644, b"x")])
@hypothesis.example(members=[("l", LINK, b"/etc"), ("l/x", 0o644, b"x")])
@hypothesis.example(members=[("a.data/purelib/../../x", 0o644, b"x")])
@hypothesis.example(members=[("a", 0o644, b"x"), ("a/b", 0o644, b"x")])
@hypothesis.example(
    members=[("a", 0o644, b""), ("b.data/purelib/a/c", 0o644, b"x")]
)
@hypothesis.example(members=[])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_nothing_is_written_elsewhere(unpack, members):
    unpack_in_a_house(unpack, lambda path: make_wheel(path, members))


def test_a_good_one(unpack):
    members = [
        ("a/__init__.py", 0o644, b"X = 1\n"),
        ("a-1.data/purelib/b.py", 0o644, b"Y = 2\n"),
    ]

    def look(path, target):
        done = unpack(path, target)
        assert (pathlib.Path(done) / "a" / "__init__.py").is_file()
        assert (pathlib.Path(done) / "b.py").is_file()
        return done

    assert not unpack_in_a_house(look, lambda path: make_wheel(path, members))


@hypothesis.settings(max_examples=300, deadline=None)
@hypothesis.given(
    cuts=strategies.lists(
        strategies.tuples(
            strategies.integers(0, 400), strategies.integers(0, 255)
        ),
        min_size=1,
        max_size=8,
    )
)
def test_a_damaged_one_is_an_import_error(unpack, cuts):
    """Each pair sets a byte of a good wheel: any other error fails."""

    def fill(path):
        members = [("a.py", 0o644, b"x = 1\n" * 9), ("b.py", 0o644, b"")]
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
            for name, _, content in members:
                wheel.writestr(name, content)
        data = bytearray(pathlib.Path(path).read_bytes())
        for place, byte in cuts:
            data[place % len(data)] = byte
        pathlib.Path(path).write_bytes(data)

    unpack_in_a_house(unpack, fill)
