"""What a script finds in sys.argv, and in awsglue's getResolvedOptions."""

import json
import re

import pytest

PRINT_ARGV = "import json, sys; print(json.dumps(sys.argv))"

RESOLVE = """\
import json, sys
from awsglue.utils import GlueArgumentError, getResolvedOptions
options = json.loads({options!r})
try:
    print(json.dumps(getResolvedOptions(sys.argv, options)))
except Exception as error:
    print(json.dumps([type(error).__name__, str(error)]))
"""

ALWAYS = {
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


def test_script_path_comes_first(wafer):
    outcome = wafer.run(PRINT_ARGV, argv=["--day", "2018-11-26"])
    script, *rest = json.loads(outcome.check(0, "SUCCEEDED").stdout)
    pattern = r"/tmp/glue-python-scripts-[A-Za-z0-9_]{8}/script\.py"
    assert re.fullmatch(pattern, script)
    assert rest == ["--day", "2018-11-26"]
    assert outcome.report["arguments"] == ["--day", "2018-11-26"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--a", "", "--b", " two  blanks "],
        ["--", "--after", "--"],
        ["--report", "x", "--quiet", "--help", "--name"],
        ["$(id)", "`id`", "a;b", "a|b", "*", "~", "%s%n", "\\n", "'\"'"],
        ["line\nbreak", "tab\t", "\x1b[31m"],
        ["größe", "日本語", "\U0001f600"],
        ["--key=value", "-5", "stray"],
        ["--long", "x" * 20_000],
    ],
)
def test_arguments_arrive_as_given(root_wafer, arguments):
    outcome = root_wafer.run(PRINT_ARGV, argv=arguments)
    assert json.loads(outcome.check(0, "SUCCEEDED").stdout)[1:] == arguments
    assert outcome.report["arguments"] == arguments


def test_arguments_that_are_no_utf_8(root_wafer):
    """As Python itself passes them on: as surrogates."""
    script = "import os, sys; print(os.fsencode(sys.argv[1]))"
    outcome = root_wafer.run(script, argv=[b"caf\xe9"]).check(0, "SUCCEEDED")
    assert outcome.lines == ["b'caf\\xe9'"]
    assert outcome.report["arguments"] == ["caf\ufffd"]


def test_no_arguments(wafer):
    outcome = wafer.run(PRINT_ARGV).check(0, "SUCCEEDED")
    assert len(json.loads(outcome.stdout)) == 1


@pytest.mark.parametrize(
    "arguments, options, expected",
    [
        (["--a", "1"], ["a"], {"a": "1"}),
        (["--a=1"], ["a"], {"a": "1"}),
        (["--a", "1", "--a", "2"], ["a"], {"a": "2"}),
        (["--a", "-5"], ["a"], {"a": "-5"}),
        (["--a", ""], ["a"], {"a": ""}),
        # A dash in the name is an underscore in the key.
        (["--day-key", "1"], ["day-key"], {"day_key": "1"}),
        (["--day_key", "1"], ["day_key"], {"day_key": "1"}),
        # Others' arguments, Glue's own among them, are passed over.
        (["--enable-metrics", "--x", "y", "--a", "1"], ["a"], {"a": "1"}),
        (["--TempDir", "/tmp/t"], [], {"TempDir": "/tmp/t"}),
        ([], ["TempDir"], {}),
        ([], [], {}),
    ],
)
def test_resolved_options(root_wafer, arguments, options, expected):
    script = RESOLVE.format(options=json.dumps(options))
    outcome = root_wafer.run(script, argv=arguments).check(0, "SUCCEEDED")
    expected = {**ALWAYS, **expected}
    if "TempDir" in arguments or "--TempDir" in arguments:
        expected["RedshiftTempDir"] = expected["TempDir"]
    assert json.loads(outcome.stdout) == expected


@pytest.mark.parametrize(
    "arguments, options, error, text",
    [
        ([], ["a"], "GlueArgumentError", "required: --a"),
        (["--a"], ["a"], "GlueArgumentError", "expected one argument"),
        (["--a", "-x"], ["a"], "GlueArgumentError", "expected one argument"),
        ([], ["JOB_NAME"], "GlueArgumentError", "--JOB_NAME"),
        ([], ["job-bookmark-option"], "RuntimeError", "reserved"),
        ([], ["continuation-option"], "RuntimeError", "reserved"),
        ([], ["job-bookmark-from"], "RuntimeError", "reserved"),
        ([], ["JOB_ID"], "ArgumentError", "conflicting option string"),
        ([], ["JOB_RUN_ID"], "ArgumentError", "conflicting option string"),
    ],
)
def test_options_that_do_not_resolve(
    root_wafer, arguments, options, error, text
):
    script = RESOLVE.format(options=json.dumps(options))
    outcome = root_wafer.run(script, argv=arguments).check(0, "SUCCEEDED")
    kind, message = json.loads(outcome.stdout)
    assert kind == error
    assert text in message


def test_defaults_for_optional_names(wafer):
    script = """\
        import sys
        from awsglue.utils import getResolvedOptions
        found = getResolvedOptions(sys.argv, ["a"], defaults={"day": "today"})
        print(found["a"], found["day"])
        """
    outcome = wafer.run(script, argv=["--a", "1"]).check(0, "SUCCEEDED")
    assert outcome.lines == ["1 today"]
    outcome = wafer.run(script, argv=["--a", "1", "--day", "2"])
    assert outcome.check(0, "SUCCEEDED").lines == ["1 2"]


def test_an_argument_error_fails_the_run(wafer):
    script = """\
        import sys
        from awsglue.utils import getResolvedOptions
        getResolvedOptions(sys.argv, ["day"])
        """
    outcome = wafer.run(script).check(1, "FAILED")
    assert outcome.reason["exception"]["type"].endswith("GlueArgumentError")
    assert outcome.reason["exception"]["line"] == 3
