"""Networks of the runner's own, which it enters: nothing leads out of them."""

import fcntl
import pathlib
import socket
import struct

from runner.kernel import check, libc

NEW_NET = 0x40000000
SIOCSIFADDR, SIOCSIFFLAGS = 0x8916, 0x8914
IFF_UP, LOOPBACK = 1, 1
FORWARDING = pathlib.Path("/proc/sys/net/ipv4/ip_forward")

# Of a cloud's metadata and of private networks.
ADDRESSES = (
    "169.254.169.254", "169.254.170.2", "10.0.0.1", "172.16.0.1",
    "192.168.0.1", "100.64.0.1",
)  # fmt: skip
ADDRESS_6 = "fd00:ec2::254"


def enter():
    """No interface but loopback."""
    check(libc.unshare(NEW_NET), "unshare the network")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        flags = struct.pack("16sh14x", b"lo", IFF_UP)
        fcntl.ioctl(control, SIOCSIFFLAGS, flags)


def enter_forwarding():
    """One that forwards packets, as --network egress needs it."""
    enter()
    FORWARDING.write_text("1")


def enter_metadata():
    """One whose loopback has the addresses that jobs try."""
    enter()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for number, text in enumerate(ADDRESSES):
            address = struct.pack(
                "=16sH2x4s8x",
                f"lo:{number}".encode(),
                socket.AF_INET,
                socket.inet_aton(text),
            )
            fcntl.ioctl(control, SIOCSIFADDR, address)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as control:
        address = socket.inet_pton(socket.AF_INET6, ADDRESS_6)
        packed = struct.pack("=16sIi", address, 128, LOOPBACK)
        fcntl.ioctl(control, SIOCSIFADDR, packed)
