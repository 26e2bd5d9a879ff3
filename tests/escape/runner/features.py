"""What this machine has of the features that rows may need."""

import ctypes
import mmap
import os
import socket

from wafer_command import ZYGOTE

# getpid of the i386 interface: mov eax, 20; int 0x80; ret
GETPID_BY_INT_80 = bytes.fromhex("b814000000cd80c3")


def has_ia32():
    """Tried in a child, which dies where it hasn't."""
    pid = os.fork()
    if pid == 0:
        page = mmap.mmap(
            -1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
        )
        page.write(GETPID_BY_INT_80)
        address = ctypes.addressof(ctypes.c_char.from_buffer(page))
        found = ctypes.CFUNCTYPE(ctypes.c_int)(address)()
        os._exit(0 if found == os.getpid() else 1)
    _, status = os.waitpid(pid, 0)
    return status == 0


def landlock_abi():
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    create_ruleset, ask_version = 444, 1
    return libc.syscall(create_ruleset, None, 0, ask_version)


def has_ipv6():
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def of_machine(setting, missing):
    """The features that there are; `missing`: walls that a run reports."""
    there = {
        "cgroup": "cgroup" not in missing,
        "scratch": "scratch" not in missing,
        "uid": "uid" not in missing,
        "landlock": "landlock" not in missing,
        "landlock scopes": landlock_abi() >= 6 and "landlock" not in missing,
        "ia32": has_ia32(),
        "ipv6": has_ipv6(),
        # A group limits memory better, where there is one.
        "address limit": "cgroup" in missing
        and b"__asan_init" not in ZYGOTE.read_bytes(),
        "rw mounts": setting != "plain",
    }
    return {name for name, is_there in there.items() if is_there}
