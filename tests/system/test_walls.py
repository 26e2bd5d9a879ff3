"""The walls, as a script inside sees them."""

import json
import os
import pathlib
import socket

import pytest

VIEW = """\
import json, os, resource, socket

def attempt(path, flags):
    try:
        os.close(os.open(path, flags))
    except OSError as error:
        return error.errno
    return 0

def listing(path):
    return sorted(os.listdir(path))

status = dict(line.rstrip("\\n").split(":\\t", 1)
              for line in open("/proc/self/status") if ":\\t" in line)
descriptors = {}
for name in listing("/proc/self/fd"):
    try:
        descriptors[name] = os.readlink("/proc/self/fd/" + name)
    except OSError:
        pass  # that of the listing itself
print(json.dumps({
    "ids": [*os.getresuid(), *os.getresgid(), *os.getgroups()],
    "status": status,
    "namespaces": {name: os.readlink("/proc/self/ns/" + name)
                   for name in listing("/proc/self/ns")},
    "dev": {name: os.path.islink("/dev/" + name) and
            os.readlink("/dev/" + name) for name in listing("/dev")},
    "mounts": [[line.split()[4], line.split()[5].split(",")]
               for line in open("/proc/self/mountinfo")],
    "root": listing("/"),
    "descriptors": descriptors,
    "host_name": socket.gethostname(),
    "interfaces": [line.split(":")[0].strip()
                   for line in open("/proc/net/dev") if ":" in line],
    "pids": [int(name) for name in listing("/proc") if name.isdecimal()],
    "comm_1": open("/proc/1/comm").read().strip(),
    "absent": [path for path in PATHS if os.path.lexists(path)],
    "writable": [path for path in FOLDERS
                 if attempt(path + "/x", os.O_CREAT | os.O_WRONLY) == 0],
    "readable": [path for path in FILES if attempt(path, os.O_RDONLY) == 0],
    "session": [os.getsid(0), os.getpid()],
    "terminal": attempt("/dev/tty", os.O_RDWR),
    "cgroup": open("/proc/self/cgroup").read(),
}))
"""

# Of the host, and not to be seen.
PATHS = [
    "/etc/shadow", "/home", "/root", "/boot", "/srv", "/mnt", "/sys/kernel",
    "/dev/kmsg", "/dev/mem", "/dev/tty", "/dev/ptmx", "/dev/pts",
    "/dev/loop-control", "/dev/fuse", "/dev/net", "/dev/mqueue",
    "/run/systemd", "/run/dbus", "/run/docker.sock", "/var/lib", "/var/log",
    "/proc/sys/kernel/not-a-file", "/.oldroot", "/oldroot",
]  # fmt: skip

# A root of its own or not: a job can't write here.
FOLDERS = [
    "", "/usr", "/usr/bin", "/usr/lib/python3.11", "/etc", "/opt",
    "/opt/wafer/python", "/run", "/run/secrets", "/dev", "/proc", "/proc/1",
    "/var",
]  # fmt: skip

FILES = ["/proc/1/environ", "/proc/1/mem", "/proc/1/maps", "/proc/kcore"]


@pytest.fixture
def view(wafer):
    lists = f"PATHS, FOLDERS, FILES = {PATHS}, {FOLDERS}, {FILES}\n"
    outcome = wafer.run(lists + VIEW, environment={"LEAK": "no"})
    return json.loads(outcome.check(0, "SUCCEEDED").stdout)


def test_identity(view):
    assert set(view["ids"]) == {1000}
    status = view["status"]
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[name], 16) == 0, name
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    assert status["Threads"] == "1"
    assert int(status["SigBlk"], 16) == 0


def test_namespaces(view):
    for name in ("user", "pid", "mnt", "ipc", "uts", "net", "cgroup"):
        host = os.readlink(f"/proc/self/ns/{name}")
        assert view["namespaces"][name] != host, name
    assert view["host_name"] == "wafer"
    assert view["host_name"] != socket.gethostname()
    # What the namespace shows as its root is where the job itself stands.
    for line in view["cgroup"].splitlines():
        assert line.endswith(":/"), line


def test_processes(view):
    """Its own alone: the keeper as pid 1, and itself."""
    assert len(view["pids"]) == 2 and 1 in view["pids"]
    assert view["comm_1"].startswith("wafer-keeper"[:15])
    assert view["readable"] == []


def test_a_session_without_a_terminal(view):
    session, pid = view["session"]
    assert session == pid
    assert view["terminal"] != 0


def test_devices(view):
    devices = {name for name, link in view["dev"].items() if not link}
    expected = {"null", "zero", "full", "random", "urandom", "shm"}
    assert devices == expected
    links = {name: link for name, link in view["dev"].items() if link}
    assert links == {
        "fd": "/proc/self/fd",
        "stdin": "/proc/self/fd/0",
        "stdout": "/proc/self/fd/1",
        "stderr": "/proc/self/fd/2",
    }


def test_root_is_read_only(view):
    assert view["writable"] == []
    may_write = {"/tmp", "/dev/shm", "/proc"}
    devices = {f"/dev/{n}" for n in ("null", "zero", "full")}
    devices |= {"/dev/random", "/dev/urandom"}
    for point, attributes in view["mounts"]:
        if point not in may_write | devices:
            assert "ro" in attributes, point
        assert "nosuid" in attributes, point
        if point not in devices:
            assert "nodev" in attributes, point


def test_the_hosts_files_are_absent(view):
    assert view["absent"] == []
    expected = {"usr", "etc", "dev", "proc", "tmp", "run", "opt", "var"}
    merged = {"bin", "lib", "lib64", "sbin"}
    assert expected <= set(view["root"]) <= expected | merged


def test_no_network(view):
    assert view["interfaces"] == ["lo"]


def test_descriptors(view):
    """0, 1, 2, and the one on which the end is explained: close-on-exec."""
    descriptors = dict(view["descriptors"])
    assert descriptors.pop("0") == "/dev/null"
    for name in ("1", "2"):
        assert descriptors.pop(name).startswith("pipe:")
    assert len(descriptors) <= 1
    for target in descriptors.values():
        assert target.startswith("pipe:")


def test_descriptors_of_the_caller_stay_out(wafer):
    """And a child of the script's has three, whatever the caller had."""
    reader, writer = os.pipe()
    script = """\
        import subprocess
        print(subprocess.run(["ls", "/proc/self/fd"], close_fds=False,
                             capture_output=True, text=True).stdout.split())
        """
    process = wafer.start_script(script, pass_fds=[reader, writer])
    os.close(reader)
    os.close(writer)
    outcome = process.wait().check(0, "SUCCEEDED")
    assert outcome.lines == ["['0', '1', '2', '3']"]  # 3 is ls's own


def test_every_wall_stands_for_root(root_wafer):
    report = root_wafer.run("pass").check(0, "SUCCEEDED").report
    assert report["walls"]["missing"] == []
    assert report["usage"]["source"] in ("cgroup-v1", "cgroup-v2")


def test_what_a_plain_user_has(plain_wafer):
    """As `wafer doctor` has it; and where it's known, as it has to be."""
    report = plain_wafer.run("pass").check(0, "SUCCEEDED").report
    assert set(report["walls"]["missing"]) == plain_wafer.missing
    has_cgroup = "cgroup" not in plain_wafer.missing
    assert report["usage"]["source"].startswith("cgroup-v") == has_cgroup
    if "WAFER_PLAIN_LACKS" in os.environ:
        lacks = os.environ["WAFER_PLAIN_LACKS"].split(",")
        assert plain_wafer.missing == set(lacks)


def test_a_plain_user_without_a_cgroup(bare_wafer):
    report = bare_wafer.run("pass").check(0, "SUCCEEDED").report
    assert "cgroup" in report["walls"]["missing"]
    assert report["usage"]["source"] == "rusage"


def test_a_missing_wall_refuses_the_run(plain_wafer):
    """One line names it, with a flag that can be pasted as it is."""
    plain_wafer.allow = []
    outcome = plain_wafer.run("print(1)").check(125)
    assert outcome.stdout == b""
    (message,) = outcome.messages
    assert len(outcome.stderr.splitlines()) == 1
    flag = next(w for w in message.split() if "--allow-missing=" in w)
    flag = flag.strip("`'\"().,;:")
    walls = flag.partition("=")[2].split(",")
    assert all(wall in message.replace(flag, "") for wall in walls)
    report = plain_wafer.run("print(1)", flag).check(0, "SUCCEEDED").report
    assert sorted(report["walls"]["missing"]) == sorted(walls)
    if "cgroup" in walls:
        assert report["usage"]["source"] == "rusage"


def test_a_configuration_line_keeps_the_choice(plain_wafer):
    flag = plain_wafer.allow.pop()
    walls = flag.partition("=")[2]
    plain_wafer.configure(f"# for this machine\nallow_missing = {walls}\n")
    report = plain_wafer.run("pass").check(0, "SUCCEEDED").report
    assert "scratch" in report["walls"]["missing"]


@pytest.mark.parametrize("line", ["allow_missing = moat", "colour = red", "x"])
def test_a_bad_configuration_line(root_wafer, line):
    root_wafer.configure(f"\n{line}\n")
    outcome = root_wafer.run("print(1)").check(125)
    (message,) = outcome.stderr.decode().splitlines()
    assert "wafer.conf:2" in message
    assert outcome.stdout == b""


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


CONNECT = """\
import errno, socket, sys
try:
    socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5)
    print("connected")
except OSError as error:
    print(errno.errorcode[error.errno])
"""


def test_the_hosts_loopback(wafer, listener):
    outcome = wafer.run(CONNECT, argv=[str(listener)]).check(0, "SUCCEEDED")
    assert outcome.lines == ["ECONNREFUSED"]
    assert outcome.report["network"] == "none"


def test_network_host(wafer, listener):
    outcome = wafer.run(CONNECT, "--network=host", argv=[str(listener)])
    assert outcome.check(0, "SUCCEEDED").lines == ["connected"]
    assert outcome.report["network"] == "host"


def test_abstract_sockets_of_the_host(wafer):
    name = f"\0wafer-test-{os.getpid()}"
    script = """\
        import errno, socket, sys
        try:
            socket.socket(socket.AF_UNIX).connect("\\0" + sys.argv[1])
        except OSError as error:
            print(errno.errorcode[error.errno])
        """
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(name)
        server.listen()
        outcome = wafer.run(script, argv=[name[1:]]).check(0, "SUCCEEDED")
    assert outcome.lines == ["ECONNREFUSED"]


def test_shared_memory_is_not_shared(wafer):
    """SysV and /dev/shm: a key that the host has is free inside."""
    mine = pathlib.Path("/dev/shm", f"wafer-test-{os.getpid()}")
    mine.write_text("x")
    try:
        script = "import os; print(os.listdir('/dev/shm'))"
        assert wafer.run(script).check().lines == ["[]"]
    finally:
        mine.unlink()
