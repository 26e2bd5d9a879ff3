"""getResolvedOptions, one test a clause of what Glue scripts rely on."""

import argparse
import pathlib
import subprocess
import sys

import pytest

LIBRARY = pathlib.Path(__file__).parents[2] / "runtime" / "python"
sys.path.insert(0, str(LIBRARY))

from awsglue.utils import (  # noqa: E402
    GlueArgumentError,
    getResolvedOptions,
)

ALWAYS_PRESENT = {
    "job_bookmark_option": "job-bookmark-disable",
    "job_bookmark_from": None,
    "job_bookmark_to": None,
    "JOB_ID": None,
    "JOB_RUN_ID": None,
    "SECURITY_CONFIGURATION": None,
    "encryption_type": None,
    "enable_data_lineage": None,
    "RedshiftTempDir": None,
    "TempDir": None,
}


def resolve(arguments, options, *more, **keywords):
    argv = ["script.py", *arguments]
    return getResolvedOptions(argv, options, *more, **keywords)


# --- values ---------------------------------------------------------------


@pytest.mark.parametrize("arguments", (["--a", "1"], ["--a=1"]))
def test_both_spellings_give_text(arguments):
    assert resolve(arguments, ["a"])["a"] == "1"


def test_first_item_of_argv_is_passed_over():
    with pytest.raises(GlueArgumentError):
        getResolvedOptions(["--a=1"], ["a"])


def test_last_of_two_holds():
    assert resolve(["--a", "1", "--a", "2"], ["a"])["a"] == "2"


@pytest.mark.parametrize("arguments", (["--a", ""], ["--a="]))
def test_empty_value(arguments):
    assert resolve(arguments, ["a"])["a"] == ""


def test_unknown_arguments_are_ignored():
    arguments = ["--b", "2", "stray", "--a", "1", "--flag", "-z"]
    assert resolve(arguments, ["a"]) == {**ALWAYS_PRESENT, "a": "1"}


def test_what_every_result_has():
    assert resolve([], []) == ALWAYS_PRESENT


def test_what_every_result_has_when_passed():
    arguments = ["--JOB_ID", "j", "--JOB_RUN_ID", "jr"]
    arguments += ["--SECURITY_CONFIGURATION", "s", "--encryption-type", "e"]
    arguments += ["--enable-data-lineage", "true"]
    assert resolve(arguments, []) == {
        **ALWAYS_PRESENT,
        "JOB_ID": "j",
        "JOB_RUN_ID": "jr",
        "SECURITY_CONFIGURATION": "s",
        "encryption_type": "e",
        "enable_data_lineage": "true",
    }


def test_names_may_come_from_an_iterator():
    assert resolve(["--a=1"], iter(["a"]))["a"] == "1"


def test_unicode():
    assert resolve(["--größe", "α"], ["größe"])["größe"] == "α"


# --- dashes and underscores -----------------------------------------------


def test_dash_becomes_underscore_in_the_result():
    args = resolve(["--day-key", "1"], ["day-key"])
    assert args["day_key"] == "1"
    assert "day-key" not in args


def test_dash_and_underscore_are_two_arguments():
    with pytest.raises(GlueArgumentError):
        resolve(["--day_key", "1"], ["day-key"])
    with pytest.raises(GlueArgumentError):
        resolve(["--day-key", "1"], ["day_key"])


# --- errors ---------------------------------------------------------------


def test_missing_argument():
    with pytest.raises(GlueArgumentError) as caught:
        resolve(["--b", "1"], ["a", "b", "day-key"])
    assert str(caught.value) == (
        "the following arguments are required: --a, --day-key"
    )


@pytest.mark.parametrize(
    "arguments",
    (["--a"], ["--a", "-x"], ["--a", "--x"], ["--a", "--b", "1"]),
)
def test_argument_without_a_value(arguments):
    with pytest.raises(GlueArgumentError) as caught:
        resolve(arguments, ["a"])
    assert str(caught.value) == "argument --a: expected one argument"


@pytest.mark.parametrize("number", ("-5", "-5.25", "-.5"))
def test_negative_number_is_a_value(number):
    assert resolve(["--a", number], ["a"])["a"] == number


def test_dash_after_an_equals_sign_is_a_value():
    assert resolve(["--a=-x"], ["a"])["a"] == "-x"


def test_help_prints_usage_and_exits_with_0(capsys):
    with pytest.raises(SystemExit) as caught:
        resolve(["--help"], ["a"])
    assert caught.value.code == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("usage:") and "--a" in printed.out
    assert printed.err == ""


def test_errors_print_nothing(capsys):
    with pytest.raises(GlueArgumentError):
        resolve([], ["a"])
    assert capsys.readouterr() == ("", "")


# --- abbreviations --------------------------------------------------------


def test_abbreviation_is_unknown():
    with pytest.raises(GlueArgumentError):
        resolve(["--sour", "1"], ["source"])


def test_abbreviation_where_allowed():
    assert resolve(["--sour=1"], ["source"], True)["source"] == "1"
    args = resolve(["--sour=1"], ["source"], allow_abbrev=True)
    assert args["source"] == "1"


def test_ambiguous_abbreviation():
    with pytest.raises(GlueArgumentError, match="ambiguous"):
        resolve(["--s=1"], ["source", "sink"], allow_abbrev=True)


# --- reserved names -------------------------------------------------------


@pytest.mark.parametrize("spelling", ("-", "_"))
@pytest.mark.parametrize(
    "name",
    (
        "continuation-option",
        "job-bookmark-option",
        "job-bookmark-from",
        "job-bookmark-to",
    ),
)
def test_reserved_name(name, spelling):
    name = name.replace("-", spelling)
    with pytest.raises(RuntimeError, match="Using reserved arguments " + name):
        resolve([], [name])
    with pytest.raises(RuntimeError, match="Using reserved arguments " + name):
        resolve([], [], defaults={name: "x"})


@pytest.mark.parametrize(
    "name", ("JOB_ID", "JOB_RUN_ID", "SECURITY_CONFIGURATION")
)
def test_conflicting_name(name):
    with pytest.raises(argparse.ArgumentError, match="conflicting option"):
        resolve(["--" + name, "1"], [name])


def test_name_asked_for_twice():
    with pytest.raises(argparse.ArgumentError, match="conflicting option"):
        resolve(["--a", "1"], ["a", "a"])


def test_job_name_is_required_when_asked_for():
    assert resolve(["--JOB_NAME=n"], ["JOB_NAME"])["JOB_NAME"] == "n"
    with pytest.raises(GlueArgumentError, match="--JOB_NAME"):
        resolve([], ["JOB_NAME"])
    assert "JOB_NAME" not in resolve(["--JOB_NAME=n"], [])


# --- temporary folders ----------------------------------------------------


@pytest.mark.parametrize("name", ("TempDir", "RedshiftTempDir"))
def test_either_temporary_folder_stands_for_both(name):
    args = resolve(["--" + name, "/t"], [])
    assert args["TempDir"] == args["RedshiftTempDir"] == "/t"


def test_two_temporary_folders_stay_two():
    args = resolve(["--TempDir=/t", "--RedshiftTempDir=/r"], [])
    assert (args["TempDir"], args["RedshiftTempDir"]) == ("/t", "/r")


def test_asking_for_a_temporary_folder_does_not_require_it():
    assert resolve([], ["TempDir"])["TempDir"] is None
    assert resolve(["--TempDir=/t"], ["TempDir"])["TempDir"] == "/t"


# --- bookmarks ------------------------------------------------------------


def test_bookmark_option():
    args = resolve(["--job-bookmark-option", "job-bookmark-enable"], [])
    assert args["job_bookmark_option"] == "job-bookmark-enable"


def test_bogus_bookmark_option():
    with pytest.raises(GlueArgumentError, match="invalid choice: 'bogus'"):
        resolve(["--job-bookmark-option", "bogus"], [])


PAUSE = ["--job-bookmark-option", "job-bookmark-pause"]
FROM = ["--job-bookmark-from", "f"]
TO = ["--job-bookmark-to", "t"]


def test_bookmark_pause_has_both_ends():
    args = resolve(PAUSE + FROM + TO, [])
    assert args["job_bookmark_from"] == "f"
    assert args["job_bookmark_to"] == "t"


@pytest.mark.parametrize(
    "arguments", (PAUSE, PAUSE + FROM, PAUSE + TO, FROM + TO)
)
def test_bookmark_arguments_that_contradict_each_other(arguments):
    with pytest.raises(RuntimeError):
        resolve(arguments, [])


# --- defaults, which Glue doesn't have ------------------------------------


def test_default_of_an_argument_that_is_not_passed():
    args = resolve(["--a=1"], ["a"], defaults={"day": "today", "limit": None})
    assert (args["a"], args["day"], args["limit"]) == ("1", "today", None)


def test_argument_beats_its_default():
    assert resolve(["--day", "d"], [], defaults={"day": "t"})["day"] == "d"


def test_default_makes_a_listed_name_optional():
    assert resolve([], ["day"], defaults={"day": "today"})["day"] == "today"


def test_default_with_a_dash():
    defaults = {"day-key": "today"}
    assert resolve([], [], defaults=defaults)["day_key"] == "today"
    args = resolve(["--day-key=d"], [], defaults=defaults)
    assert args["day_key"] == "d"


def test_default_under_the_name_of_the_result():
    args = resolve([], ["day-key"], defaults={"day_key": "today"})
    assert args["day_key"] == "today"


def test_default_leaves_other_names_required():
    with pytest.raises(GlueArgumentError, match="required: --a$"):
        resolve([], ["a"], defaults={"day": "today"})


def test_default_is_no_excuse_for_a_missing_value():
    with pytest.raises(GlueArgumentError, match="expected one argument"):
        resolve(["--day"], [], defaults={"day": "today"})


def test_default_of_what_every_result_has():
    args = resolve([], [], defaults={"TempDir": "/tmp"})
    assert args["TempDir"] == args["RedshiftTempDir"] == "/tmp"


def test_default_of_job_name():
    assert resolve([], [], defaults={"JOB_NAME": "n"})["JOB_NAME"] == "n"


def test_arguments_are_left_as_they_were():
    argv, names, defaults = ["s", "--a=1"], ["a"], {"b": "2"}
    getResolvedOptions(argv, names, defaults=defaults)
    assert (argv, names, defaults) == (["s", "--a=1"], ["a"], {"b": "2"})


# --- cost -----------------------------------------------------------------


def test_import_loads_nothing_else():
    code = (
        "import sys; before = set(sys.modules); import awsglue.utils;"
        "print(sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-S", "-c", code],
        env={"PYTHONPATH": str(LIBRARY)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "['awsglue', 'awsglue.utils']"
