"""`wafer doctor --explain`: what it prints is what a job meets."""

import errno
import json
import os
import re

TABLES = (
    "namespaces",
    "mounts",
    "limits",
    "rlimits",
    "privileges",
    "landlock",
    "seccomp",
    "egress",
)


def explain(wafer, *tables):
    which = f"={','.join(tables)}" if tables else ""
    outcome = wafer.call("doctor", f"--explain{which}", "--json")
    return json.loads(outcome.check(0).stdout)


def inside(wafer, script, *options):
    """What a script prints as JSON."""
    outcome = wafer.run(script, *options).check(0, "SUCCEEDED")
    return json.loads(outcome.stdout)


def test_every_row_is_printed(wafer):
    """In the order of the tables, a line a row, each cell in its column."""
    tables = explain(wafer)
    assert tuple(tables) == TABLES
    parts = wafer.call("doctor", "--explain").check(0).stdout.decode()
    parts = parts.split("\n\n")
    assert len(parts) == len(TABLES)
    for name, part in zip(TABLES, parts):
        title, head, *lines = part.rstrip("\n").split("\n")
        assert title.startswith(f"{name}: ")
        rows = tables[name]
        assert len(lines) == len(rows) > 4
        assert head.split() == [key.upper() for key in rows[0]]
        for line, row in zip(lines, rows):
            cells = [cell.strip() for cell in re.split(r"  +", line.strip())]
            assert cells == [cell for cell in row.values() if cell], line
            assert row["reason"]


def test_one_table(wafer):
    assert tuple(explain(wafer, "seccomp")) == ("seccomp",)
    assert tuple(explain(wafer, "landlock", "mounts")) == ("mounts", "landlock")
    outcome = wafer.call("doctor", "--explain=doors")
    (message,) = outcome.check(125).messages
    assert "no table" in message and "landlock" in message


def test_it_starts_nothing(plain_wafer):
    """The tables are wafer's own: no wall is looked for."""
    outcome = plain_wafer.call("doctor", "--explain=seccomp")
    assert outcome.check(0).stderr == b""
    assert not plain_wafer.state_dir.exists()


MOUNTS = """\
import json, os, stat
mounts = {}
for line in open("/proc/self/mountinfo"):
    fields = line.split()
    mounts[fields[4]] = fields[5].split(",")
kinds = {}
for path in [*mounts, *PATHS]:
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        continue
    kinds[path] = stat.S_IFMT(mode)
    if stat.S_ISLNK(mode):
        kinds[path] = os.readlink(path)
print(json.dumps({"mounts": mounts, "kinds": kinds}))
"""


def test_mounts(wafer):
    rows = explain(wafer, "mounts")["mounts"]
    paths = [row["path"] for row in rows if row["when"] != "as asked"]
    folder = wafer.folder("data")
    seen = inside(
        wafer,
        MOUNTS.replace("PATHS", repr(paths)),
        f"--mount={folder}:/data",
    )
    mounts, kinds = seen["mounts"], seen["kinds"]
    ours = {row["path"]: row for row in rows}
    ours["/data"] = ours.pop("--mount …:ro")
    system = [
        path for path, row in ours.items() if row["what"] == "host's folder"
    ]
    for path, options in mounts.items():
        if path not in ours:
            # What the host has mounted below a folder of its system.
            (above,) = [one for one in system if path.startswith(f"{one}/")]
            assert "nosuid" in options and "ro" in options
            continue
        wanted = set(ours[path]["options"].split(","))
        assert wanted <= set(options), path
        assert ("nodev" in options) == ("nodev" in wanted), path
        assert ("noexec" in options) <= ("noexec" in wanted), path
    for path, row in ours.items():
        if row["when"] == "always":
            assert path in kinds, path
        if row["what"].startswith("link "):
            assert kinds[path] == row["what"].removeprefix("link ")
        if row["options"] and path in kinds and isinstance(kinds[path], int):
            assert path in mounts, path
    assert "/etc/resolv.conf" not in kinds


def test_nothing_else_is_there(wafer):
    """Every file and folder of the root is a row's, or in or above one."""
    rows = explain(wafer, "mounts")["mounts"]
    whole = [
        row["path"]
        for row in rows
        if row["options"] and row["path"] != "/" and row["when"] != "as asked"
    ]
    script = f"""\
        import json, os
        found = []
        for where, folders, files in os.walk("/"):
            found += [os.path.join(where, name) for name in folders + files]
            folders[:] = [name for name in folders
                          if os.path.join(where, name) not in {whole!r}]
        print(json.dumps(found))
        """
    assert set(inside(wafer, script)) <= {row["path"] for row in rows}


def test_namespaces(wafer):
    rows = explain(wafer, "namespaces")["namespaces"]
    names = [row["namespace"] for row in rows]
    script = f"""\
        import json, os
        print(json.dumps({{name: os.readlink(f"/proc/self/ns/{{name}}")
                          for name in {names!r}}}))
        """
    for name, link in inside(wafer, script).items():
        assert link != os.readlink(f"/proc/self/ns/{name}"), name
    host = inside(wafer, script, "--network=host")
    assert host["net"] == os.readlink("/proc/self/ns/net")


def test_rlimits(root_wafer):
    """With a cgroup; `wafer` inherits what the test has, and only lowers."""
    rows = explain(root_wafer, "rlimits")["rlimits"]
    script = """\
        import json, resource
        names = [name for name in dir(resource) if name.startswith("RLIMIT_")]
        print(json.dumps({name[7:].lower(): resource.getrlimit(
            getattr(resource, name)) for name in names}))
        """
    limits = inside(root_wafer, script)
    for row in rows:
        words = row["soft"], row["hard"]
        for word, limit in zip(words, limits[row["limit"]]):
            if word != "inherited":
                assert 0 <= limit <= int(word), row
    none = [row["limit"] for row in rows if row["hard"] == "0"]
    assert none and all(limits[name] == [0, 0] for name in none)
    assert limits["fsize"] == [20 << 30, 20 << 30]


SECUREBITS = {  # linux/securebits.h: the bit, and its lock
    "noroot": 0b11,
    "no_setuid_fixup": 0b1100,
    "keep_caps off": 0b100000,
    "no_cap_ambient_raise": 0b11000000,
}


def test_privileges(wafer):
    rows = explain(wafer, "privileges")["privileges"]
    stated = {row["what"]: row["state"] for row in rows}
    script = """\
        import ctypes, json, os
        status = dict(line.strip().split(":", 1)
                      for line in open("/proc/self/status"))
        bits = ctypes.CDLL(None).prctl(27, 0, 0, 0, 0)  # PR_GET_SECUREBITS
        print(json.dumps({"status": status, "bits": bits}))
        """
    seen = inside(wafer, script)
    status = seen["status"]
    assert set(status["Uid"].split()) == {stated["uid, gid"]} == {"1000"}
    assert set(status["Gid"].split()) == {"1000"}
    assert stated["groups"] == "none" and status["Groups"].strip() == ""
    assert stated["capabilities"] == "none"
    for sets in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[sets], 16) == 0
    assert stated["no_new_privs"] == "set"
    assert status["NoNewPrivs"].strip() == "1"
    named = {name for name, state in stated.items() if state == "locked"}
    assert named == SECUREBITS.keys()
    assert seen["bits"] == sum(SECUREBITS.values())


def test_landlock(wafer):
    """Each row grants what it says, and what none grants is denied."""
    rows = explain(wafer, "landlock")["landlock"]
    access = {row["path"]: row["access"].split() for row in rows}
    assert access["/tmp"] == access["/dev/shm"] == access["--mount …:rw"]
    assert "write" not in access["/"] and "execute" not in access["/"]
    script = """\
        import json, os, shutil, subprocess
        def attempt(function, *arguments):
            try:
                function(*arguments)
                return 0
            except OSError as error:
                return error.errno
        def use(folder):
            os.mkdir(folder + "/a")
            os.mkdir(folder + "/b")
            open(folder + "/a/x", "w").close()
            os.rename(folder + "/a/x", folder + "/b/x")
            os.truncate(folder + "/b/x", 1)
            shutil.rmtree(folder + "/b")
        shutil.copy("/bin/true", "/tmp/true")
        print(json.dumps({
            "/tmp": attempt(use, "/tmp"),
            "/dev/shm": attempt(use, "/dev/shm"),
            "/tmp execute": subprocess.run(["/tmp/true"]).returncode,
            "/usr execute": subprocess.run(["/usr/bin/true"]).returncode,
            "/dev write": attempt(open, "/dev/null", "w"),
            "/ read": attempt(os.listdir, "/"),
            # Which its mode and its mount allow.
            "/proc write": attempt(open, "/proc/self/comm", "w"),
        }))
        """
    denied = {"/proc write": errno.EACCES}
    seen = inside(wafer, script)
    assert {what: code for what, code in seen.items() if code} == denied


def test_limits(root_wafer):
    """Of the smaller size, as the job's own counters have them."""
    rows = explain(root_wafer, "limits")["limits"]
    stated = {
        row["limit"]: row["value"] for row in rows if row["dpu"] == "0.0625"
    }
    script = """\
        import json, os
        disk = os.statvfs("/tmp")
        print(json.dumps(disk.f_blocks * disk.f_frsize))
        """
    outcome = root_wafer.run(script).check(0, "SUCCEEDED")
    assert stated["/tmp"] == "20 GiB"
    assert 0.9 < json.loads(outcome.stdout) / (20 << 30) <= 1
    assert stated["memory"] == outcome.bill["limit"]
    assert (stated["CPUs"], stated["swap"], stated["processes"]) == (
        "0.25",
        "none",
        "128",
    )
