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
