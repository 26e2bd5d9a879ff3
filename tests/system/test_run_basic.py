"""`wafer run`: scripts of every kind, their exit status, their options."""

import json
import os
import re
import subprocess
import zipfile

import pytest


def test_hello(wafer):
    outcome = wafer.run("print('hello')\n").check(0, "SUCCEEDED")
    assert outcome.stdout == b"hello\n"
    assert outcome.bill["state"] == "SUCCEEDED"
    assert outcome.reason["kind"] == ""


def test_empty_script(wafer):
    outcome = wafer.run("").check(0, "SUCCEEDED")
    assert outcome.stdout == b""
    assert outcome.stderr.decode().splitlines() == outcome.messages


@pytest.mark.parametrize(
    "end, status",
    [
        ("sys.exit()", 0),
        ("sys.exit(0)", 0),
        ("sys.exit(3)", 3),
        ("sys.exit(124)", 124),
        ("sys.exit(255)", 255),
        ("sys.exit(256 + 7)", 7),
        ("sys.exit(True)", 1),
        ("os._exit(9)", 9),
    ],
)
def test_exit_status_is_the_scripts_own(root_wafer, end, status):
    state = "FAILED" if status else "SUCCEEDED"
    outcome = root_wafer.run(f"import os, sys\n{end}\n").check(status, state)
    assert outcome.bill["state"] == state
    assert outcome.reason["kind"] == ("exit_status" if status else "")


def test_exit_with_a_text(wafer):
    outcome = wafer.run("import sys\nsys.exit('no input')\n")
    outcome.check(1, "FAILED")
    assert outcome.stderr.splitlines()[0] == b"no input"
    assert outcome.reason["kind"] == "exit_status"


def test_exception(wafer):
    script = """\
        import json

        def load(text):
            return json.loads(text)

        load('{"a": ]')
        """
    outcome = wafer.run(script).check(1, "FAILED")
    text = outcome.stderr.decode()
    assert text.startswith("Traceback (most recent call last):\n")
    assert "wafer_bootstrap" not in text and "<frozen" not in text
    assert outcome.reason["kind"] == "exception"
    exception = outcome.reason["exception"]
    assert exception["type"].endswith("JSONDecodeError")
    assert "Expecting value" in exception["message"]
    # The script's own line, not json's that raised it.
    assert (exception["file"], exception["line"]) == ("script.py", 4)
    explanation = " ".join(outcome.messages[:-1])
    assert "JSONDecodeError" in explanation
    assert "script.py" in explanation and "4" in explanation


def test_traceback_is_what_python_prints(root_wafer):
    script = root_wafer.file(
        "fail.py",
        """\
        def inner():
            raise KeyError("day")

        try:
            inner()
        except KeyError as error:
            raise ValueError("no day") from error
        """,
    )
    python = subprocess.run(
        ["/usr/bin/python3.11", "-I", script], stderr=subprocess.PIPE
    )
    outcome = root_wafer.run(script).check(1, "FAILED")
    text = outcome.stderr.decode()
    inside = re.search(r"/tmp/glue-python-scripts-\w{8}", text).group()
    text = text.replace(inside, str(root_wafer.work))
    lines = text.splitlines()[: -len(outcome.messages)]
    assert lines == python.stderr.decode().splitlines()


def test_system_exit_in_a_function_and_atexit(wafer):
    script = """\
        import atexit, sys
        atexit.register(lambda: print("cleaned up"))
        def stop():
            sys.exit(5)
        stop()
        """
    outcome = wafer.run(script).check(5, "FAILED")
    assert outcome.lines == ["cleaned up"]


def test_script_from_standard_input(wafer):
    text = "import sys\nprint(repr(sys.stdin.read()))"
    script = wafer.file("piped.py", text)
    with open(script, "rb") as stdin:
        outcome = wafer.run("-", argv=["--a", "1"], stdin=stdin)
    outcome.check(0, "SUCCEEDED")
    assert outcome.lines == ["''"]
    assert outcome.report["script"] == "-"


def test_standard_input_is_empty(wafer):
    """What is on the caller's standard input is not the job's."""
    data = wafer.file("data", "secret words\n")
    script = "import sys; print(len(sys.stdin.read()))"
    with open(data, "rb") as stdin:
        outcome = wafer.run(script, stdin=stdin)
    assert outcome.check().lines == ["0"]


def zip_of(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    os.chmod(path, 0o644)
    return path


def test_zipapp(wafer):
    script = zip_of(
        wafer.work / "app.zip",
        {
            "__main__.py": "import helper, sys\n"
            "print(__name__, helper.WORD, sys.argv[1:])\nsys.exit(4)\n",
            "helper.py": "WORD = 'from the zip'\n",
        },
    )
    outcome = wafer.run(script, argv=["--day", "1"]).check(4, "FAILED")
    assert outcome.lines == ["__main__ from the zip ['--day', '1']"]


def test_zip_without_main(wafer):
    script = zip_of(wafer.work / "app.zip", {"other.py": ""})
    outcome = wafer.run(script).check(1, "FAILED")
    assert b"__main__" in outcome.stderr


def wheel_of(folder, module, text):
    name = folder / f"{module}-1.0-py3-none-any.whl"
    info = f"{module}-1.0.dist-info"
    return zip_of(
        name,
        {
            f"{module}/__init__.py": text,
            f"{module}/data.txt": "beside the module",
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {module}\n"
            "Version: 1.0\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\n"
            "Root-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/RECORD": "",
        },
    )


def test_extra_py_files(wafer):
    wheel = wheel_of(wafer.work, "in_wheel", "WORD = 'wheel'\n")
    archive = zip_of(wafer.work / "lib.zip", {"in_zip.py": "WORD = 'zip'\n"})
    module = wafer.file("plain_module.py", "WORD = 'py'\n")
    script = """\
        import importlib.metadata, pathlib
        import in_wheel, in_zip, plain_module
        print(in_wheel.WORD, in_zip.WORD, plain_module.WORD)
        folder = pathlib.Path(in_wheel.__file__).parent
        print((folder / "data.txt").read_text())
        print(importlib.metadata.version("in_wheel"))
        """
    outcome = wafer.run(script, f"--extra-py-files={wheel},{archive},{module}")
    outcome.check(0, "SUCCEEDED")
    assert outcome.lines == ["wheel zip py", "beside the module", "1.0"]


@pytest.mark.parametrize(
    "capacity, micro_dpu, dpu_s",
    [("0.0625", 62_500, "3.75"), ("1", 1_000_000, "60.00")],
)
def test_max_capacity(wafer, capacity, micro_dpu, dpu_s):
    outcome = wafer.run("pass", "--max-capacity", capacity)
    report = outcome.check(0, "SUCCEEDED").report
    assert (report["size"], report["micro_dpu"]) == (capacity, micro_dpu)
    assert outcome.bill["dpu_s"] == dpu_s
    memory_gib = {"0.0625": 1, "1": 16}[capacity]
    assert report["usage"]["memory_limit_bytes"] == memory_gib << 30


def test_default_capacity(wafer):
    assert wafer.run("pass").check().report["size"] == "0.0625"


PRINT_ENVIRONMENT = "import json, os; print(json.dumps(dict(os.environ)))"


def test_environment(wafer):
    file = wafer.file(
        "settings", "# a comment\n\nFROM_FILE=a=b c\nTWICE=file\nQUOTED='x'\n"
    )
    outcome = wafer.run(
        PRINT_ENVIRONMENT,
        *("--env", "GIVEN=a b=c", "--env", "EMPTY=", "--env", "CALLERS"),
        *("--env-file", file, "--env", "TWICE=option"),
        environment={"CALLERS": "own value", "NOT_ASKED_FOR": "x"},
    )
    seen = json.loads(outcome.check(0, "SUCCEEDED").stdout)
    wanted = {
        "GIVEN": "a b=c",
        "EMPTY": "",
        "CALLERS": "own value",
        "FROM_FILE": "a=b c",
        "QUOTED": "'x'",
        "TWICE": "option",
        "HOME": "/tmp",
    }
    assert {name: seen.get(name) for name in wanted} == wanted
    for name in ("NOT_ASKED_FOR", "WAFER_STATE_DIR", "LANG_OF_CALLER"):
        assert name not in seen
    names = set(outcome.report["env_names"])
    assert {"GIVEN", "EMPTY", "CALLERS", "FROM_FILE", "TWICE"} <= names
    # The record has the names alone: a value may be a password.
    assert "own value" not in json.dumps(outcome.report)


def test_dangerous_environment_does_not_reach_wafer(wafer):
    """Variables of Python and the loader are the job's, not the zygote's."""
    outcome = wafer.run(
        "import sys; print(sys.flags.optimize, sys.path[0])",
        *("--env", "PYTHONOPTIMIZE=2", "--env", "LD_PRELOAD=/nonexistent.so"),
        environment={"PYTHONSTARTUP": "/none", "PYTHONHOME": "/nowhere"},
    )
    assert outcome.check(0, "SUCCEEDED").lines[0].startswith("0 ")


def test_name_and_tags(wafer):
    outcome = wafer.run(
        "pass",
        *("--name", "nightly load", "--tag", "team=data", "--tag", "cost=a=b"),
    )
    report = outcome.check(0, "SUCCEEDED").report
    assert report["name"] == "nightly load"
    assert report["tags"] == {"team": "data", "cost": "a=b"}


def test_working_place(wafer):
    script = """\
        import getpass, os, pathlib, sys
        print(os.getcwd(), os.environ["HOME"], getpass.getuser(), os.getuid())
        print(os.path.dirname(sys.argv[0]) == sys.path[0])
        pathlib.Path("made").write_text("in /tmp")
        print(pathlib.Path("/tmp/made").read_text(), __file__ == sys.argv[0])
        print(__name__, oct(os.stat(sys.path[0]).st_mode & 0o777))
        """
    outcome = wafer.run(script).check(0, "SUCCEEDED")
    assert outcome.lines == [
        "/tmp /tmp job 1000",
        "True",
        "in /tmp True",
        "__main__ 0o700",
    ]


def test_nothing_of_one_run_is_there_for_the_next(wafer):
    wafer.run("open('/tmp/left', 'w').write('x')").check(0, "SUCCEEDED")
    script = "import os; print(os.listdir('/tmp'), os.listdir('/dev/shm'))"
    folder = wafer.run(script).check().lines[0]
    assert "left" not in folder and folder.endswith(" []")


def test_script_with_a_declared_coding(wafer):
    text = "# coding: latin-1\nprint('é')\n"
    script = wafer.file("old.py", text.encode("latin-1"))
    assert wafer.run(script).check(0, "SUCCEEDED").lines == ["é"]


@pytest.mark.parametrize("name", ["größe 'x'.py", "-dash.py", "no_suffix"])
def test_script_names(wafer, name):
    script = wafer.file(name, "import sys; print(sys.argv[0])")
    given = f"./{name}" if name.startswith("-") else script
    outcome = wafer.run(wafer.work / given).check(0, "SUCCEEDED")
    assert outcome.lines[0].endswith("/" + name)


def test_common_modules_work(wafer):
    """A subprocess, a thread, a pool, SQLite, TLS: what ETL scripts use."""
    script = """\
        import concurrent.futures, csv, ctypes, decimal, gzip, hashlib
        import multiprocessing, random, sqlite3, ssl, subprocess, tempfile
        import threading, uuid, zoneinfo
        print(subprocess.run(["echo", "child"], capture_output=True).stdout)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            print(list(pool.map(len, ["a", "bb"])))
        if __name__ == "__main__":
            with multiprocessing.Pool(2) as pool:
                print(pool.map(len, ["a", "bb"]))
        print(sqlite3.connect(":memory:").execute("SELECT 1").fetchone())
        print(len(ssl.create_default_context().get_ca_certs()) > 0)
        print(zoneinfo.ZoneInfo("Europe/Berlin"))
        with tempfile.NamedTemporaryFile() as file:
            print(file.name.startswith("/tmp/"))
        """
    outcome = wafer.run(script).check(0, "SUCCEEDED")
    assert outcome.lines == [
        "b'child\\n'",
        "[1, 2]",
        "[1, 2]",
        "(1,)",
        "True",
        "Europe/Berlin",
        "True",
    ]


def test_two_runs_share_no_randomness(wafer):
    script = """\
        import os, random, secrets, tempfile, uuid
        print(random.random(), secrets.token_hex(), tempfile.mktemp(),
              uuid.uuid1().hex, uuid.uuid4(), os.urandom(4).hex(), sep="\\n")
        """
    first, second = (wafer.run(script).check().lines for _ in range(2))
    assert not set(first) & set(second)


def test_runs_at_once_share_a_store(wafer):
    processes = [wafer.start_script(f"print({n})") for n in range(6)]
    outcomes = [process.wait().check(0, "SUCCEEDED") for process in processes]
    assert sorted(line for o in outcomes for line in o.lines) == list("012345")
    assert len({outcome.report["id"] for outcome in outcomes}) == 6
    assert len(wafer.records()) == 6


def test_help_and_version(wafer):
    for words in (["--help"], ["run", "--help"], ["--version"]):
        outcome = wafer.call(*words).check()
        assert outcome.stdout and not outcome.stderr
    options = wafer.call("run", "--help").stdout.decode()
    for option in (
        "max-capacity timeout extra-py-files env env-file secret mount network"
        " name tag report quiet allow-missing allow-network"
    ).split():
        assert f"--{option}" in options


def test_the_interpreter_finds_its_codecs_and_builtins(wafer):
    """Some of encodings is part of the program, and site isn't imported."""
    script = """\
        import sys
        assert "os" not in sys.modules
        import encodings, encodings.latin_1
        print(encodings.__file__, encodings.latin_1.__file__)
        print("\\u00e9".encode("cp1252"), "\\u00e9".encode("utf_8"))
        print(repr(copyright).splitlines()[0], "|", quit)
        """
    lines = wafer.run(script).check(0, "SUCCEEDED").lines
    folder = "/usr/lib/python3.11/encodings"
    assert lines[0] == f"{folder}/__init__.py {folder}/latin_1.py"
    assert lines[1] == "b'\\xe9' b'\\xc3\\xa9'"
    assert lines[2].startswith("Copyright (c) 2001-")
    assert lines[2].endswith("| Use quit() or Ctrl-D (i.e. EOF) to exit")


def test_what_a_script_holds_goes_at_its_end(any_wafer):
    """Files are written out, even where the script's functions hold them."""
    script = """\
        import sys
        def function():
            return kept
        class Last:
            def __del__(self):
                print("gone", sys is not None)
        kept, last = open(1, "w", closefd=False), Last()
        kept.write("kept ")
        """
    outcome = any_wafer.run(script).check(0, "SUCCEEDED")
    assert sorted(outcome.stdout.split()) == [b"True", b"gone", b"kept"]
