"""The small scripts of examples/, each run by itself."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[2]


def run(name, *arguments):
    return subprocess.run(
        [sys.executable, "-B", "-X", "dev", ROOT / "examples" / name]
        + list(arguments),
        env={"PYTHONPATH": str(ROOT / "runtime" / "python")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_hello():
    done = run("hello.py", "--name", "Ada", "--day", "2018-11-26")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0].endswith("'--name', 'Ada', '--day', '2018-11-26']")
    assert lines[1:] == ["Hello, Ada!", "The day is 2018-11-26."]


def test_hello_without_arguments():
    assert run("hello.py").stdout.splitlines()[1:] == ["Hello, world!"]


def uppercase(folder, *arguments):
    options = ["--source", folder, "--target", folder / "out"]
    return run("uppercase_csv.py", *options, *arguments)


def test_uppercase_csv(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "p.csv").write_text('name,city\nÄ,"köln, süd"\nB\n', "utf-8")
    done = uppercase(tmp_path, "--column", "city", "--file", "p.csv")
    assert (done.returncode, done.stderr) == (0, "")
    text = (tmp_path / "out" / "p.csv").read_text("utf-8")
    assert text == 'name,city\nÄ,"KÖLN, SÜD"\nB,\n'


def test_uppercase_csv_without_the_column(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "p.csv").write_text("name\nA\n", "utf-8")
    done = uppercase(tmp_path, "--column", "city", "--file", "p.csv")
    assert done.returncode == 1
    assert "has no column city" in done.stderr
    assert not any((tmp_path / "out").iterdir())
