"""Library sets: how they are built, chosen and removed, and what breaks it.

The index is the tests' own; test_analytics.py has what comes with wafer.
"""

import json
import os
import pathlib
import re
import signal
import subprocess
import threading

import pytest
from library_sets import Sets
from waiting import wait_for

ONE = "import one; print(one.version, one.__file__)"


def test_add_run_list_show_remove(sets):
    lock = sets.index.add("one")
    sets.add(lock, "--preload=one").check()
    outcome = sets.run(ONE).check(0, "SUCCEEDED")
    version, file = outcome.lines[0].split()
    assert version == "1"
    packages = sets.folder / sets.chosen / "lib/python3.11/site-packages"
    seen = str(packages).replace("/var/tmp/", "/tmp/")
    assert os.path.dirname(file) in (str(packages), seen)
    text = sets.call("list").check().stdout.decode()
    (row,) = (line for line in text.splitlines() if line.startswith("mine"))
    assert row.split()[2].startswith("3.11.") and row.split()[-1] == "one"
    text = sets.call("show", "mine").check().stdout.decode()
    assert lock in text
    recorded = outcome.report["library_lock"]
    assert outcome.report["library_set"] == "mine"
    assert f"sha256:{recorded}" in text
    assert sets.chosen == f"mine-{recorded[:16]}"
    sets.call("remove", "mine").check()
    assert sets.names == set()
    assert "no library set mine" in sets.run(ONE).check(125).messages[0]
    assert sets.call("list").check().stdout == b""


def test_the_set_belongs_to_its_maker_alone(sets):
    """Everybody may read it; zygotes and jobs have no right of their own."""
    sets.add(sets.index.add("one")).check()
    for path in [sets.folder, *sets.folder.rglob("*")]:
        status = path.lstat()
        assert status.st_uid == sets.wafer.user.pw_uid, path
        if path.is_symlink() or path.name == ".lock":
            continue
        assert status.st_mode & 0o022 == 0, path
        assert status.st_mode & 0o444 == 0o444, path
    # Beside it all is closed, where the state folder may be passed through.
    sets.run("pass").check(0, "SUCCEEDED")
    for path in sets.wafer.state_dir.iterdir():
        if path != sets.folder:
            assert path.stat().st_mode & 0o077 == 0, path
    closed = 0o711 if sets.wafer.is_root else 0o700
    assert sets.wafer.state_dir.stat().st_mode & 0o777 == closed


def test_what_a_job_sees_of_it(sets):
    """Read-only, compiled, last but for awsglue on sys.path, no .pth read."""
    files = {
        "one.py": "version = '1'\n",
        "evil.pth": "import sys; sys.evil = 1\n",
    }
    sets.add(sets.index.add("one", files=files)).check()
    sets.run(
        """
        import os, sys, one
        folder = os.path.dirname(one.__file__)
        assert os.path.realpath(sys.path[-2]) == os.path.realpath(folder)
        assert sys.path[-1] == "/opt/wafer/python"
        assert os.path.exists(one.__cached__), one.__cached__
        assert not hasattr(sys, "evil")
        for attempt in (
            lambda: open(folder + "/new", "w"),
            lambda: os.remove(one.__file__),
            lambda: os.mkdir(folder + "/../new"),
        ):
            try:
                attempt()
            except OSError:
                continue
            raise SystemExit("it can be written to")
        """
    ).check(0, "SUCCEEDED")


def test_none_is_the_standard_library_until_it_is_built(sets):
    script = "import sys; print(sum('site-packages' in p for p in sys.path))"
    outcome = sets.wafer.run(script).check(0, "SUCCEEDED")
    assert outcome.lines == ["0"]
    assert outcome.report["library_set"] == "none"
    assert outcome.report["library_lock"] is None
    sets.add(sets.index.add("one"), name="none").check()
    outcome = sets.wafer.run(script).check(0, "SUCCEEDED")
    assert outcome.lines == ["1"]
    assert re.fullmatch("[0-9a-f]{64}", outcome.report["library_lock"])


def test_requirements_are_resolved_and_locked(sets):
    one = sets.index.add("one", "1")
    two = sets.index.add("two", "2.5", requires=["one<2"])
    sets.index.add("one", "3")
    path = sets.wafer.file("requirements.txt", "two>=2 # a comment\n")
    sets.call("add", "mine", f"--requirements={path}").check()
    text = sets.call("show", "mine").check().stdout.decode()
    assert one + two in text
    sets.run("import two, one; assert one.version == '1'").check(0)


def test_a_new_one_replaces_the_old(sets):
    sets.add(sets.index.add("one", "1")).check()
    old = sets.chosen
    sets.add(sets.index.add("one", "2")).check()
    assert sets.chosen != old
    assert sets.names == {"mine", sets.chosen}
    assert sets.run(ONE).check(0).lines[0].split()[0] == "2"


def test_the_same_again_changes_only_what_is_imported(sets):
    lock = sets.index.add("one")
    sets.add(lock).check()
    folder = sets.folder / sets.chosen
    before = folder.stat().st_ino
    sets.index.wheels.clear()
    sets.add(lock, "--preload=one").check()
    assert (sets.folder / sets.chosen).stat().st_ino == before
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["preload"] == ["one"]


def test_what_a_run_uses_is_not_removed_under_it(sets):
    files = {"one.py": "version = '1'\n", "late.py": "version = 'late'\n"}
    sets.add(sets.index.add("one", files=files)).check()
    old = sets.chosen
    process = sets.wafer.start_script(
        """
        import time, os, one
        print("runs", flush=True)
        while not os.path.exists("/data/go"):
            time.sleep(0.01)
        import late
        print(late.version)
        """,
        "--library-set=mine",
        f"--mount={sets.wafer.folder('shared')}:/data",
    )
    process.wait_for_output(b"runs")
    outcome = sets.call("remove", "mine").check()
    assert "still uses" in outcome.messages[0]
    assert sets.names == {old}
    sets.wafer.file("go", "", folder=sets.wafer.base / "shared")
    assert process.wait().check(0, "SUCCEEDED").lines == ["runs", "late"]
    sets.add(sets.index.add("one"), name="other").check()
    assert old not in sets.names


REFUSED = [
    # lock, in the message
    ("one==1 --hash=sha256:" + 64 * "0" + "\n", "not the one that the lock"),
    ("one==1\n", "hash"),
    ("one==7 --hash=sha256:" + 64 * "0" + "\n", "one==7"),
    ("no such thing\n", "no such thing"),
]


@pytest.mark.parametrize("lock, words", REFUSED)
def test_a_lock_that_does_not_hold(sets, lock, words):
    """The old set goes on serving, and nothing is left of the new."""
    sets.add(sets.index.add("one")).check()
    before = sets.names
    assert words in sets.refuse(lock)
    assert sets.names == before
    sets.run(ONE).check(0, "SUCCEEDED")


def test_requirements_that_contradict_each_other(sets):
    sets.index.add("one", "1")
    sets.index.add("two", "1", requires=["one>1"])
    path = sets.wafer.file("requirements.txt", "two\none==1\n")
    outcome = sets.call("add", "mine", f"--requirements={path}").check(125)
    assert "contradict" in outcome.messages[-1]
    assert sets.names == set()


def test_an_index_that_is_down(sets):
    lock = sets.index.add("one")
    sets.index.stop()
    assert "can't be reached" in sets.refuse(lock)
    assert sets.names == set()


def test_an_index_that_breaks_off(sets):
    lock = sets.index.add("one") + sets.index.add("two")
    sets.index.cut = {"two-1-py3-none-any.whl"}
    line = sets.refuse(lock)
    assert "broke off" in line or "not the one that the lock" in line
    assert sets.names == set()


PRELOADS = [
    # module, preload, in the message
    ("raise ValueError('no\\nway')", "bad", "ValueError: no way"),
    ("import os; os.abort()", "bad", "loading bad crashed: signal 6"),
    ("import os; os._exit(3)", "bad", "exit status 3"),
    (
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=(99,), daemon=True).start()",
        "bad",
        "bad starts threads",
    ),
    ("", "bad.worse", "No module named 'bad.worse'"),
    ("", "bad;import os", "isn't a module's name"),
]


@pytest.mark.parametrize("code, preload, words", PRELOADS)
def test_a_module_that_no_zygote_can_import(root_sets, code, preload, words):
    lock = root_sets.index.add("bad", files={"bad.py": code + "\n"})
    assert words in root_sets.refuse(lock, f"--preload={preload}")
    assert root_sets.names == set()


def test_a_module_that_hangs_is_ended(root_sets):
    lock = root_sets.index.add(
        "bad", files={"bad.py": "while True:\n    pass\n"}
    )
    assert "loading bad hangs" in root_sets.refuse(lock, "--preload=bad")


def test_what_a_module_prints_is_shown(root_sets):
    code = "import sys; print('to out'); print('to err', file=sys.stderr)\n"
    lock = root_sets.index.add("loud", files={"loud.py": code})
    outcome = root_sets.add(lock, "--preload=loud").check()
    assert b"to out" not in outcome.stdout
    assert b"to out" in outcome.stderr and b"to err" in outcome.stderr


@pytest.mark.parametrize("moment", ["one-1", "two-1"])
def test_killed_in_the_middle(sets, moment):
    """The old set serves; the next command removes what is left."""
    sets.add(sets.index.add("one")).check()
    old = sets.chosen
    reached, go_on = threading.Event(), threading.Event()

    def wait_there(name):
        if name.startswith(moment):
            reached.set()
            go_on.wait(30)

    lock = sets.index.add("one", files={"one.py": "version = 'new'\n"})
    path = sets.wafer.file("new.lock", lock + sets.index.add("two"))
    sets.index.before_wheel = wait_there
    process = sets.start("add", "mine", f"--lock={path}")
    assert reached.wait(30)
    process.signal(signal.SIGKILL)
    go_on.set()
    assert process.wait().status == -signal.SIGKILL
    assert sets.chosen == old
    assert sets.run(ONE).check(0).lines[0].split()[0] == "1"
    sets.index.before_wheel = lambda name: None
    sets.call("add", "other", f"--lock={path}").check()
    other = (sets.folder / "other").readlink().name
    assert sets.names == {"mine", old, "other", other}


def test_two_builds_at_once(sets):
    """One waits for the other, and both sets are there in the end."""
    reached, go_on = threading.Event(), threading.Event()

    def wait_there(name):
        reached.set()
        go_on.wait(30)

    path = sets.wafer.file("one.lock", sets.index.add("one"))
    sets.index.before_wheel = wait_there
    first = sets.start("add", "first", f"--lock={path}")
    assert reached.wait(30)
    second = sets.start("add", "second", f"--lock={path}")
    wait_for(lambda: b"waits for it" in second.stderr, "the second's message")
    assert not second.ended
    go_on.set()
    first.wait().check()
    second.wait().check()
    for name in ("first", "second"):
        sets.run(ONE, name=name).check(0, "SUCCEEDED")


@pytest.fixture
def small_disk(root_wafer):
    """The folder of the sets on a disk of 4 MiB."""
    root_wafer.state_dir.mkdir(mode=0o700)
    folder = root_wafer.state_dir / "library-sets"
    folder.mkdir(mode=0o755)
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m,mode=755", "tmpfs"]
    subprocess.run([*mount, folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk(small_disk, root_wafer, index):
    sets = Sets(root_wafer, index)
    sets.add(index.add("one")).check()
    before = sets.names
    data = "".join(chr(97 + (i * i) % 26) for i in range(997)) * 6000
    lock = index.add("big", files={"big.py": f"data = '{data}'\n"})
    assert "space" in sets.refuse(lock)
    assert sets.names == before
    sets.run(ONE).check(0, "SUCCEEDED")


def test_root_builds_without_its_rights(root_sets):
    """pip's id owns nothing but the folder, and that no more at the end."""
    seen = []

    def look(_):
        for path in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                command = (path / "cmdline").read_bytes()
                status = (path / "status").read_text()
            except OSError:
                continue
            if str(root_sets.folder).encode() in command:
                seen.append(status)

    root_sets.index.before_wheel = look
    root_sets.add(root_sets.index.add("one")).check()
    uids = [
        re.search(r"^Uid:\s+(\d+)\s+(\d+)", status, re.MULTILINE)
        for status in seen
        if "Name:\tpython" in status
    ]
    assert uids and all(int(uid[2]) >= 0x70000000 for uid in uids)


DAMAGE = [
    ("{", "isn't JSON"),
    ("{}", "no manifest"),
    ('{"format": 1}', '"name" is damaged'),
]


@pytest.mark.parametrize("text, words", DAMAGE)
def test_a_damaged_manifest(root_sets, text, words):
    root_sets.add(root_sets.index.add("one")).check()
    (root_sets.folder / "mine" / "manifest.json").write_text(text)
    (line,) = root_sets.run(ONE).check(125).messages
    assert words in line
    assert words in root_sets.call("list").check().messages[0]
    assert words in root_sets.wafer.call("doctor").check(1).stdout.decode()
    root_sets.call("remove", "mine").check()
    assert root_sets.names == set()


def test_a_set_that_others_may_write_to(root_sets):
    root_sets.add(root_sets.index.add("one")).check()
    os.chmod(root_sets.folder / "mine", 0o777)
    (line,) = root_sets.run(ONE).check(125).messages
    assert "nobody else may write" in line


def test_another_python(root_sets):
    """It is refused, and doctor says so."""
    root_sets.add(root_sets.index.add("one")).check()
    path = root_sets.folder / "mine" / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({**manifest, "python_version": "3.10.1"}))
    (line,) = root_sets.run(ONE).check(125).messages
    assert "for Python 3.10.1" in line
    text = root_sets.wafer.call("doctor").check(1).stdout.decode()
    assert "for Python 3.10.1" in text


def test_the_builder_is_the_embedded_python(root_sets):
    """Debian's python3.11 and the linked libpython, which doctor shows."""
    root_sets.add(root_sets.index.add("one")).check()
    path = root_sets.folder / "mine" / "manifest.json"
    built = json.loads(path.read_text())["python_version"]
    text = root_sets.wafer.call("doctor").check().stdout.decode()
    assert f"mine (Python {built}, lock " in text
    assert f"{built}, embedded" in text


WRONG_LINES = [
    (["add", "mine"], "no set called mine comes with wafer"),
    (["add", "../x", "--lock=/dev/null"], "isn't a set's name"),
    (["add", "a-0123456789abcdef", "--lock=/dev/null"], "isn't a set's name"),
    (["add", "mine", "--lock=a", "--requirements=b"], "not both"),
    (["add", "m.x", "--lock=/dev/null"], "take another"),
    (["add", "mine", "--lock=/none"], "/none"),
    (["add"], "usage"),
    (["list", "mine"], "usage"),
    (["show", "mine", "--lock=a"], "takes no options"),
    (["remove", "mine"], "no library set mine"),
    (["erase", "mine"], "add, list, show or remove"),
]


@pytest.mark.parametrize("words, told", WRONG_LINES)
def test_wrong_command_lines(root_sets, words, told):
    (line,) = root_sets.call(*words).check(125).messages
    assert told in line


def test_a_mount_in_its_way(root_sets):
    root_sets.add(root_sets.index.add("one")).check()
    inside = str(root_sets.folder).replace("/var/tmp/", "/tmp/")
    source = root_sets.wafer.folder("data")
    (line,) = (
        root_sets.run(ONE, f"--mount={source}:{inside}").check(125).messages
    )
    assert "lie in one another" in line


def test_threads_follow_the_size(wafer):
    script = "import os; print(os.environ['OMP_NUM_THREADS'])"
    assert wafer.run(script).check(0).lines == ["1"]
    outcome = wafer.run(script, "--max-capacity=1").check(0)
    assert outcome.lines == ["4"]
    outcome = wafer.run(script, "--env=OMP_NUM_THREADS=3").check(0)
    assert outcome.lines == ["3"]
