"""Addresses that a job must not reach, and nothing is sent where it could.

The guard has looked that this is a sandbox; in it there is no route, or one
that a wall decides over. No try sends anything but a connection's first packet.
"""

import trial  # isort: skip

import errno
import os
import select
import socket
import struct

TIMEOUT_S = 2

# Spellings that libc's resolver takes for 169.254.169.254.
SPELLINGS = (
    "169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376",
    "169.254.43518", "[::ffff:169.254.169.254]",
)  # fmt: skip

PRIVATE = ("10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1")


def connect(address, port, family=socket.AF_INET):
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.settimeout(TIMEOUT_S)
        try:
            client.connect((address, port))
        except TimeoutError:
            raise OSError(errno.ETIMEDOUT, "") from None


def connecting(address, port, family=socket.AF_INET):
    return lambda: connect(address, port, family)


for text in SPELLINGS:
    family = socket.AF_INET6 if "[" in text else socket.AF_INET
    trial.add(
        f"metadata at {text}", connecting(text.strip("[]"), 80, family)
    )
trial.add(
    "container credentials at 169.254.170.2", connecting("169.254.170.2", 80)
)
trial.add(
    "metadata at fd00:ec2::254",
    connecting("fd00:ec2::254", 80, socket.AF_INET6),
)
for text in PRIVATE:
    trial.add(f"the private network at {text}", connecting(text, 80))


@trial.attempt("metadata by UDP")
def by_udp():
    """connect asks for a route alone; where there is one, a byte follows."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(TIMEOUT_S)
        client.connect(("169.254.169.254", 53))
        client.send(b"x")
        try:
            client.recv(1)
        except TimeoutError:
            raise OSError(errno.ETIMEDOUT, "") from None


@trial.attempt("metadata by TCP fast open")
def by_fast_open():
    msg_fastopen = 0x20000000
    with socket.socket() as client:
        client.settimeout(TIMEOUT_S)
        try:
            client.sendto(b"x", msg_fastopen, ("169.254.169.254", 80))
        except BlockingIOError:
            select.select([], [client], [], TIMEOUT_S)
            code = client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                raise OSError(code, "") from None


@trial.attempt("metadata by a name that is bound to it")
def by_name():
    """As a rebinding name would: whatever the name was, the address is not
    reached. /etc/hosts can't be written, so the answer is looked up here."""
    (found,) = {
        answer[4][0]
        for answer in socket.getaddrinfo("169.254.169.254", 80)
    }
    connect(found, 80)


@trial.attempt("metadata by a redirect")
def by_redirect():
    """An HTTP client that follows one from the job's own loopback."""
    import http.server
    import threading
    import urllib.error
    import urllib.request

    class Redirect(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(302)
            self.send_header("Location", "http://169.254.169.254/")
            self.end_headers()

        def log_message(self, *_):
            return

    with http.server.HTTPServer(("127.0.0.1", 0), Redirect) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        try:
            urllib.request.urlopen(url, timeout=TIMEOUT_S)
        except urllib.error.URLError as error:
            server.shutdown()
            if isinstance(error.reason, OSError):
                raise error.reason from None
            raise OSError(errno.EPROTO, "") from None
    return "answered"


@trial.attempt("the host's loopback")
def loopback():
    connect("127.0.0.1", trial.facts["port"])


@trial.attempt("the host's loopback by 0.0.0.0")
def any_address():
    connect("0.0.0.0", trial.facts["port"])


@trial.attempt("the host's loopback by ::1")
def loopback_6():
    connect("::1", trial.facts["port"], socket.AF_INET6)


@trial.attempt("the neighbour's loopback")
def neighbour():
    connect("127.0.0.1", 47100)


@trial.attempt("services of the machine's on loopback")
def services():
    """Databases, an API of wafer's, a proxy."""
    for port in (22, 80, 443, 3306, 5432, 6379, 8080, 9070, 27017):
        try:
            connect("127.0.0.1", port)
            return f"port {port}"
        except OSError:
            continue
    return "none"


@trial.attempt("interfaces beyond those of its own")
def interfaces():
    with open("/proc/net/dev", encoding="ascii") as file:
        names = {line.split(":")[0].strip() for line in file if ":" in line}
    return "its own" if names <= {"lo", "wafer0", "eth0"} else repr(names)


@trial.attempt("routes")
def routes():
    with open("/proc/net/route", encoding="ascii") as file:
        return "none" if len(file.readlines()) <= 1 else "there are"


@trial.attempt("the machine's connections")
def connections():
    """All but the sandbox's own name server, on 127.0.0.53."""
    with open("/proc/net/tcp", encoding="ascii") as file:
        local = [line.split()[1] for line in file.readlines()[1:]]
    others = [place for place in local if place != "3500007F:0035"]
    return "none" if not others else " ".join(others)


@trial.attempt("an address of its own on an interface")
def own_address():
    name = struct.pack("16sH2x4s8x", b"lo", 2, socket.inet_aton("10.9.9.9"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        trial.call(16, control.fileno(), 0x8916, name)


@trial.attempt("bind to an interface")
def bind_to_device():
    with socket.socket() as client:
        client.setsockopt(
            socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0"
        )


@trial.attempt("a mark that routing goes by")
def mark():
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, 36, 1)


@trial.attempt("spoof a source address")
def spoof():
    with socket.socket() as client:
        ip_transparent = 19
        client.setsockopt(socket.SOL_IP, ip_transparent, 1)


@trial.attempt("the host's network namespace")
def other_namespace():
    """By /proc of whoever is there."""
    mine = os.readlink("/proc/self/ns/net")
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        try:
            target = os.readlink(f"/proc/{pid}/ns/net")
        except OSError:
            continue
        if target != mine:
            return f"of {pid}"
    return "none"


@trial.attempt("a socket filter")
def socket_filter():
    """Classic BPF on a socket of its own: it sees that socket's bytes."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        import ctypes

        code = ctypes.create_string_buffer(struct.pack("=HBBI", 6, 0, 0, 0))
        program = struct.pack("HxxxxxxQ", 1, ctypes.addressof(code))
        client.setsockopt(socket.SOL_SOCKET, 26, program)
    return "its own"


if __name__ == "__main__":
    trial.main()
