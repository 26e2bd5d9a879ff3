"""Modules of a job: --additional-python-modules, from the tests' own index."""

import os
import time

import pytest

VERSION = "import one; print(one.version)"


def run(sets, script, modules, *options, **keywords):
    keywords.setdefault("environment", sets.index.environment)
    option = f"--additional-python-modules={modules}"
    return sets.wafer.run(script, option, *options, **keywords)


def refuse(sets, modules, *options):
    outcome = run(sets, "pass", modules, *options).check(125)
    assert outcome.report is None or outcome.report == {}
    return outcome.messages[-1]


def kept(sets):
    """The names of what is kept for jobs."""
    return {path.name for path in sets.folder.glob("m.*") if path.is_symlink()}


def test_installed_once_and_the_same_again(sets):
    """Later runs don't ask the index, and get what the first got."""
    line = sets.index.add("one", "1")
    first = run(sets, VERSION, "one").check(0, "SUCCEEDED")
    assert first.lines == ["1"]
    assert first.report["python_modules"] == [line.strip()]
    (message,) = (m for m in first.messages if "to install" in m)
    assert "isn't billed" in message
    sets.index.add("one", "2")
    asked = []
    sets.index.before_wheel = asked.append
    second = run(sets, VERSION, "one").check(0, "SUCCEEDED")
    assert second.lines == ["1"] and asked == []
    assert not any("to install" in m for m in second.messages)
    assert second.report["python_modules"] == first.report["python_modules"]
    sets.index.stop()
    run(sets, VERSION, "one").check(0, "SUCCEEDED")
    show = sets.wafer.call("show", second.report["id"]).check().stdout
    assert b"one==1" in show


def test_other_words_are_another_set(sets):
    sets.index.add("one", "1")
    sets.index.add("one", "2")
    assert run(sets, VERSION, "one<2").check(0).lines == ["1"]
    assert run(sets, VERSION, "one>=1,<3").check(0).lines == ["2"]
    assert len(kept(sets)) == 2


def test_on_top_of_a_library_set(sets):
    """What the set has isn't installed again, unless another is asked for."""
    base = sets.index.add("one", "1")
    two = sets.index.add("two", requires=["one"])
    sets.index.add("one", "2")
    sets.add(base).check()
    script = "import one, two; print(one.version)"
    outcome = run(sets, script, "two", "--library-set=mine")
    assert outcome.check(0, "SUCCEEDED").lines == ["1"]
    assert outcome.report["python_modules"] == [two.strip()]
    outcome = run(sets, script, "two,one==2", "--library-set=mine")
    assert outcome.check(0, "SUCCEEDED").lines == ["2"]
    outcome = run(sets, VERSION, "one", "--library-set=mine")
    assert outcome.check(0, "SUCCEEDED").lines == ["1"]
    assert outcome.report["python_modules"] == []


def test_an_index_by_option(sets):
    """And what it says of the index, a password maybe, is kept nowhere."""
    sets.index.add("one")
    environment = sets.index.environment
    url = environment.pop("PIP_INDEX_URL").replace("//", "//u:pa55word@")
    option = f"--python-modules-installer-option=--index-url={url} --pre"
    outcome = run(sets, VERSION, "one", option, environment=environment)
    outcome.check(0, "SUCCEEDED")
    for path in sets.wafer.state_dir.rglob("*"):
        if path.is_file() and path.suffix != ".ext4":
            assert b"pa55word" not in path.read_bytes(), path


REFUSED = [
    (["--index-url=http://x"], "isn't a package's name"),
    (["/etc/passwd"], "isn't a package's name"),
    (["one @ https://x/y.whl"], "isn't a package's name"),
    (["none-such"], "none-such"),
    (["one", "--python-modules-installer-option=--target=/"], "hands to pip"),
    (["one", "--python-modules-installer-option=--index-url"], "a value"),
    (["one", "--python-modules-installer-option=--pre=1"], "no value"),
]


@pytest.mark.parametrize("words, told", REFUSED)
def test_what_is_refused(root_sets, words, told):
    """One line, no record, and nothing is left."""
    assert told in refuse(root_sets, *words)
    assert not root_sets.folder.exists() or root_sets.names == set()
    assert "no run" in root_sets.wafer.call("runs").stderr.decode()


def test_an_index_that_is_down(root_sets):
    root_sets.index.stop()
    assert "can't be reached" in refuse(root_sets, "one")
    assert root_sets.names == set()


def test_what_is_long_unused_goes(root_sets):
    """By age, when the next is built; what is used stays."""
    for name in ("one", "two", "three"):
        root_sets.index.add(name)
    run(root_sets, "import one", "one").check(0)
    (old,) = kept(root_sets)
    long_ago = time.time() - 31 * 24 * 60 * 60
    os.utime(root_sets.folder / old / "manifest.json", (long_ago, long_ago))
    run(root_sets, "import two", "two").check(0)
    assert old not in kept(root_sets) and len(kept(root_sets)) == 1
    (used,) = kept(root_sets)
    os.utime(root_sets.folder / used / "manifest.json", (long_ago, long_ago))
    run(root_sets, "import two", "two").check(0)
    run(root_sets, "import three", "three").check(0)
    assert used in kept(root_sets)


def test_two_runs_that_ask_for_the_same(sets):
    sets.index.add("one")
    option = "--additional-python-modules=one"
    environment = sets.index.environment
    runs = [
        sets.wafer.start_script(VERSION, option, environment=environment)
        for _ in range(2)
    ]
    for process in runs:
        process.wait().check(0, "SUCCEEDED")
    assert len(kept(sets)) == 1


def test_installing_is_not_billed(root_sets):
    """The run begins when it is over: its record is younger."""
    root_sets.index.add("one")
    done = []

    def wait_there(_):
        time.sleep(1)
        done.append(time.time_ns())

    root_sets.index.before_wheel = wait_there
    outcome = run(root_sets, VERSION, "one").check(0)
    assert outcome.report["created_realtime_ns"] > done[-1]
