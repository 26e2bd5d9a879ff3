"""What a script sees here and what `python3 -I` shows it: each difference.

interpreter_probe.py looks at some hundred things. What differs has a row in
DIFFERENCES; a difference without a row fails, and so does a row without one.
"""

import fnmatch
import json
import pathlib
import subprocess

PROBE = pathlib.Path(__file__).with_name("interpreter_probe.py")
PYTHON = "/usr/bin/python3.11"
ARGUMENTS = ["--day", "two words", ""]
# As host/spec.c has it; and another time zone than the machine's.
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": "/tmp",
    "USER": "job",
    "LOGNAME": "job",
    "LANG": "C.UTF-8",
    "TZ": "Europe/Berlin",
}
ANY = "*"

NO_SITE = "wafer's bootstrap does what scripts need of site, without os"
NO_COMMAND = "no command line started it: its program is the zygote"
LIMITS = "a wall: sandbox/rlimits.c"

# (what differs, what it is under wafer, why); both may be patterns, and None
# means that it isn't there.
DIFFERENCES = [
    ("flag no_site", "1", NO_SITE),
    ("builtin credits", None, "for an interactive session"),
    ("builtin license", None, "for an interactive session"),
    ("sys has _home", None, "site sets it, to nothing"),
    ("module site", None, NO_SITE),
    ("module sitecustomize", None, "the machine's, which no operator named"),
    ("module _distutils_hack", None, "a .pth file of the machine's imports it"),
    ("sys.meta_path", "*", "the same .pth file adds a finder"),
    ("module os", None, NO_SITE),
    ("module os.path", None, NO_SITE),
    ("module posixpath", None, NO_SITE),
    ("module genericpath", None, NO_SITE),
    ("module stat", None, NO_SITE),
    ("module _stat", None, NO_SITE),
    ("module _collections_abc", None, NO_SITE),
    ("importer of *", None, "nothing was imported from files yet"),
    ("sys path", "['HERE', *'/opt/wafer/python']",
     "the script's folder, as without -I; awsglue, not the machine's packages"),
    ("sys orig_argv", "['/usr/bin/python3.11', 'HERE/*", NO_COMMAND),
    ("flag dont_write_bytecode", "1",
     "nobody will import again from where a script can write"),
    ("sys dont_write_bytecode", "True", "the same"),
    ("stdout.line_buffering", "True", "output is to be seen as it comes"),
    ("depth of the stack", "6", "the bootstrap's three frames"),
    ("gc frozen", "True", "what the interpreter is made of is no garbage"),
    ("SigCgt", "8*2", "faulthandler's, for the stack signal (64)"),
    ("descriptors", "[0, 1, 2, 1023]", "the report pipe, for stacks"),
    ("name", "wafer-job", NO_COMMAND),
    ("program", "wafer-zygote", NO_COMMAND),
    ("command line", "wafer-zygote*", NO_COMMAND),
    ("leads a session", "True", "a wall: no terminal to type into"),
    ("ids", "((1000, 1000, 1000), (1000, 1000, 1000), [*])",
     "a wall: ids of its own"),
    ("environment *_NUM_THREADS", "1", "as many as the size has CPUs"),
    ("RLIMIT_*", ANY, LIMITS),
]  # fmt: skip


def look_as_python(wafer):
    """What `python3 -I` shows the same user."""
    identity = {"user": wafer.user.pw_uid, "group": wafer.user.pw_gid}
    python = subprocess.run(
        [PYTHON, "-I", PROBE, *ARGUMENTS],
        cwd="/tmp",
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        extra_groups=[],
        **identity,
    )
    assert python.returncode == 0, python.stderr.decode()
    return json.loads(python.stdout)


def look_inside(wafer):
    parked = len(wafer.leases) > 0
    outcome = wafer.run(PROBE, "--env=TZ=Europe/Berlin", argv=ARGUMENTS)
    assert (outcome.report["start"] == "parked") == parked
    return json.loads(outcome.check(0, "SUCCEEDED").stdout)


def matches(row, name, value):
    if not fnmatch.fnmatchcase(name, row[0]):
        return False
    if row[1] is None or value is None:
        return row[1] is value
    return fnmatch.fnmatchcase(value, row[1].replace("[", "[[]"))


def test_each_difference_has_a_row(any_wafer):
    python, inside = look_as_python(any_wafer), look_inside(any_wafer)
    unused, unlisted = set(DIFFERENCES), []
    for name in sorted(python.keys() | inside.keys()):
        value = inside.get(name)
        if python.get(name) == value:
            continue
        rows = {row for row in DIFFERENCES if matches(row, name, value)}
        unused -= rows
        if not rows:
            unlisted.append((name, python.get(name), value))
    assert not unlisted, "no row has these: name, python3's, wafer's"
    assert not unused, "these rows have no difference"


ELSEWHERE = """\
mount --bind /usr/share/zoneinfo/Asia/Tokyo /etc/localtime &&
exec "$@"
"""


def test_the_machines_time_zone_stays_outside(any_wafer):
    """A job without TZ is in UTC, wherever the machine is."""
    any_wafer.enter = ["unshare", "--mount", "sh", "-c", ELSEWHERE, "sh"]
    script = """\
        import subprocess, time
        print(time.tzname, time.localtime(0).tm_hour)
        print(subprocess.check_output(["date", "+%Z"], text=True))
        """
    lines = any_wafer.run(script).check(0, "SUCCEEDED").lines
    assert lines[:2] == ["('UTC', 'UTC') 0", "UTC"]
