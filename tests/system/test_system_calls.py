"""The system-call filter, tried from inside with harmless arguments."""

import errno
import json
import signal

import pytest

# Numbers of x86_64 (asm/unistd_64.h).
REFUSED = {
    "unshare": (272, 0x10000000),
    "mount": (165, 0, 0, 0, 0, 0),
    "umount2": (166, 0, 0),
    "pivot_root": (155, 0, 0),
    "chroot": (161, 0),
    "setns": (308, 0, 0),
    "open_tree": (428, -100, 0, 0),
    "fsopen": (430, 0, 0),
    "ptrace": (101, 0, 0, 0, 0),
    "process_vm_readv": (310, 1, 0, 0, 0, 0, 0),
    "pidfd_getfd": (438, 0, 0, 0),
    "bpf": (321, 0, 0, 0),
    "perf_event_open": (298, 0, 0, 0, 0, 0),
    "io_uring_setup": (425, 0, 0),
    "userfaultfd": (323, 0),
    "keyctl": (250, 0, 0),
    "add_key": (248, 0, 0, 0, 0, 0),
    "open_by_handle_at": (304, 0, 0, 0),
    "init_module": (175, 0, 0, 0),
    "kexec_load": (246, 0, 0, 0, 0),
    "reboot": (169, 0, 0, 0),
    "swapon": (167, 0, 0),
    "clock_settime": (227, 0, 0),
    "sethostname": (170, 0, 0),
    "iopl": (172, 3),
    "seccomp": (317, 0, 0, 0),
    "modify_ldt": (154, 0, 0, 0),
}

# Allowed as such, refused with these arguments.
REFUSED_ARGUMENTS = {
    "clone": (56, 0x10000000 | 17, 0, 0, 0, 0),
    "socket of AF_PACKET": (41, 17, 3, 0),
    "socket of AF_VSOCK": (41, 40, 1, 0),
    "raw socket": (41, 2, 3, 1),
    "ioctl TIOCSTI": (16, 0, 0x5412, 0),
    "ioctl TIOCSTI, high bits": (16, 0, 0xFFFFFFFF00005412, 0),
    "ioctl TIOCLINUX": (16, 0, 0x541C, 0),
    "personality": (135, 0x0040000),
    "prctl PR_SET_SECCOMP": (157, 22, 1, 0, 0, 0),
    "sched_setscheduler": (144, 0, 1, 0),
}

ABSENT = {
    "clone3": (435, 0, 0),
    "openat2": (437, 0, 0, 0, 0),
    "fchmodat2": (452, 0, 0, 0, 0),
    "unknown": (9999,),
}

CALL = """\
import ctypes, json, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
for name, words in json.loads(sys.argv[1]).items():
    ctypes.set_errno(0)
    result = libc.syscall(*[ctypes.c_long(word) for word in words])
    print(name, result, ctypes.get_errno(), sep="|", flush=True)
"""


def results(wafer, calls):
    outcome = wafer.run(CALL, argv=[json.dumps(calls)]).check(0, "SUCCEEDED")
    lines = [line.split("|") for line in outcome.lines]
    found = {name: (int(value), int(code)) for name, value, code in lines}
    assert found.keys() == calls.keys()
    return found, outcome


@pytest.mark.parametrize(
    "calls, code",
    [
        (REFUSED, errno.EPERM),
        (REFUSED_ARGUMENTS, errno.EPERM),
        (ABSENT, errno.ENOSYS),
    ],
    ids=["refused", "refused arguments", "absent"],
)
def test_calls(wafer, calls, code):
    found, _ = results(wafer, calls)
    wrong = {name: it for name, it in found.items() if it != (-1, code)}
    assert not wrong


def test_refused_calls_are_counted_by_name(wafer):
    _, outcome = results(wafer, REFUSED)
    refused = outcome.reason["refused_syscalls"]
    assert {call["name"]: call["count"] for call in refused} == {
        name: 1 for name in REFUSED
    }


def test_a_script_that_fails_of_one_is_told(wafer):
    script = """\
        import os
        os.chroot("/tmp")
        """
    outcome = wafer.run(script).check(1, "FAILED")
    names = [call["name"] for call in outcome.reason["refused_syscalls"]]
    assert names == ["chroot"]
    explanation = " ".join(outcome.messages[:-1])
    assert "chroot" in explanation and "refused" in explanation
    assert outcome.reason["exception"]["type"] == "PermissionError"


def test_a_call_refused_to_a_child(wafer):
    script = """\
        import subprocess, sys
        sys.exit(subprocess.run(["unshare", "--user", "true"]).returncode)
        """
    outcome = wafer.run(script)
    outcome.check(1, "FAILED")
    assert outcome.reason["kind"] == "exit_status"
    names = [call["name"] for call in outcome.reason["refused_syscalls"]]
    assert "unshare" in names


def test_many_refused_calls(wafer):
    """Each waits for the host's answer, and none gets another."""
    script = """\
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        for _ in range(300):
            assert libc.unshare(0x10000000) == -1
            assert ctypes.get_errno() == 1
        """
    outcome = wafer.run(script).check(0, "SUCCEEDED")
    (call,) = outcome.reason["refused_syscalls"]
    assert call == {"name": "unshare", "count": 300}


QUIET = {
    "sync": (162,),
    "mbind": (237, 0, 0, 99, 0, 0, 0),
    "socket": (41, 16, 3, 0),  # of AF_NETLINK
}


def logged(outcome):
    """The log of the report: {call: row}, which has no two of one call."""
    rows = outcome.report["seccomp_log"]
    found = {row["call"]: row for row in rows}
    assert len(found) == len(rows)
    return found


def run_logged(wafer, calls):
    """Makes the calls, which mustn't notice that they are logged."""
    outcome = wafer.run(CALL, "--seccomp-log", argv=[json.dumps(calls)])
    lines = [line.split("|") for line in outcome.check().lines]
    answers = {name: (int(value), int(code)) for name, value, code in lines}
    assert answers == results(wafer, calls)[0]
    return logged(outcome), outcome


@pytest.mark.parametrize(
    "calls, action, answer",
    [
        (REFUSED, "refuse", "EPERM"),
        (QUIET, "quiet", "EPERM"),
        (
            {name: ABSENT[name] for name in ABSENT if name != "unknown"},
            "absent",
            "ENOSYS",
        ),
    ],
    ids=["refused", "quiet", "absent"],
)
def test_the_log_names_each_call(wafer, calls, action, answer):
    found, outcome = run_logged(wafer, calls)
    assert found.keys() == calls.keys()
    text = outcome.stderr.decode()
    for name, row in found.items():
        assert (row["action"], row["answer"]) == (action, answer), row
        assert row["count"] == 1 and row["reason"]
        assert f"wafer:   {action} {name} " in text
    refused = outcome.reason["refused_syscalls"]
    assert {call["name"] for call in refused} == (
        set(calls) if action == "refuse" else set()
    )


def test_the_log_tells_arguments_apart(wafer):
    logs = wafer.run(
        CALL, "--seccomp-log", argv=[json.dumps(REFUSED_ARGUMENTS)]
    ).report["seccomp_log"]
    sockets = {row["arguments"] for row in logs if row["call"] == "socket"}
    assert sockets == {
        "a0 = 0x11, a1 = 0x3, a2 = 0",
        "a0 = 0x28, a1 = 0x1, a2 = 0",
        "a0 = 0x2, a1 = 0x3, a2 = 0x1",
    }
    # Of TIOCSTI with high bits the kernel, and so the log, sees the low half.
    ioctls = {row["arguments"]: row for row in logs if row["call"] == "ioctl"}
    assert ioctls["a1 = 0x5412"]["count"] == 2
    assert sum(row["count"] for row in logs) == len(REFUSED_ARGUMENTS)


def test_the_log_of_an_unknown_number(wafer):
    found, _ = run_logged(wafer, {"unknown": (9999,)})
    assert found.keys() == {"system call 9999"}


def test_the_log_says_what_is_harmless(wafer):
    """libc tries clone3 for each thread, and falls back."""
    script = """\
        import threading
        thread = threading.Thread(target=print, args=("from a thread",))
        thread.start()
        thread.join()
        """
    outcome = wafer.run(script, "--seccomp-log").check(0, "SUCCEEDED")
    assert outcome.lines == ["from a thread"]
    row = logged(outcome)["clone3"]
    assert row["action"] == "absent"
    assert "nothing is lost" in row["instead"]


def test_the_log_comes_before_the_bill(wafer):
    script = """\
        import os, sys
        print("the script's own", file=sys.stderr)
        os.sync()
        """
    outcome = wafer.run(script, "--seccomp-log").check(0, "SUCCEEDED")
    lines = outcome.stderr.decode().splitlines()
    assert lines[0] == "the script's own"
    assert lines[1].startswith("wafer: seccomp log: 1 kind of ")
    assert lines[2].startswith("wafer:   quiet sync × 1, EPERM: ")
    assert "os.fsync" in lines[2]
    assert outcome.bill
    quiet = wafer.run(script, "--seccomp-log", "--quiet")
    assert quiet.stderr == b"the script's own\n"
    assert logged(quiet).keys() == {"sync"}


def test_an_empty_log_and_none(wafer):
    outcome = wafer.run("pass", "--seccomp-log").check(0, "SUCCEEDED")
    assert outcome.report["seccomp_log"] == []
    assert "wafer: seccomp log: every system call was allowed" in (
        outcome.messages
    )
    outcome = wafer.run("pass").check(0, "SUCCEEDED")
    assert outcome.report["seccomp_log"] is None
    assert "seccomp log" not in outcome.stderr.decode()


def test_the_log_is_kept(wafer):
    outcome = wafer.run("import os; os.sync()", "--seccomp-log")
    kept = wafer.record(outcome.report["id"])
    assert kept["seccomp_log"] == outcome.report["seccomp_log"]
    shown = wafer.call("show", outcome.report["id"]).check().stdout.decode()
    assert any(
        line.split() == ["seccomp", "log", "quiet", "sync", "×", "1"]
        for line in shown.splitlines()
    )


FLOOD = """\
import ctypes, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
first, last = int(sys.argv[1]), int(sys.argv[2])
end = time.monotonic() + 2
def flood(at):
    while time.monotonic() < end:
        assert libc.syscall(at) == -1
        at = at + 1 if at < last else first
threads = [threading.Thread(target=flood, args=(first,)) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_a_flood_costs_the_host_nothing(wafer):
    """After the first 1000 an answer comes each 10 ms: so few calls are made,
    however many the job would make, and the log has few kinds of them."""
    outcome = wafer.run(FLOOD, "--seccomp-log", argv=["5000", "500000"])
    outcome.check(0, "SUCCEEDED")
    rows = outcome.report["seccomp_log"]
    made = sum(row["count"] for row in rows)
    wall_s = outcome.report["duration_ns"] / 1e9
    assert 1000 <= made <= 1000 + 100 * wall_s + 8 + 1
    assert len(rows) <= 128 + 1
    others = rows[-1]
    assert others["call"] == "others"
    assert others["count"] == made - sum(row["count"] for row in rows[:-1])


MACHINE_CODE = """\
import ctypes, mmap
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE |
                 mmap.PROT_EXEC)
page.write(bytes.fromhex({code!r}))
address = ctypes.addressof(ctypes.c_char.from_buffer(page))
ctypes.CFUNCTYPE(ctypes.c_int)(address)()
print("it returned")
"""


@pytest.mark.parametrize(
    "code",
    [
        # mov eax, 20 (getpid of i386); int 0x80; ret
        "b814000000cd80c3",
        # mov eax, 0x40000027 (getpid of x32); syscall; ret
        "b8270000400f05c3",
    ],
    ids=["int 0x80", "x32"],
)
def test_another_architecture_kills(wafer, code):
    outcome = wafer.run(MACHINE_CODE.format(code=code))
    outcome.check(128 + signal.SIGSYS, "FAILED")
    assert b"it returned" not in outcome.stdout
    assert outcome.reason["kind"] == "signal"
