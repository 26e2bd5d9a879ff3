"""A server of one host of the tests' internet: python internet_server.py LOG.

It takes TCP connections and UDP datagrams at port 8080 of every address, and
connections at an abstract socket. Each of them is a line in the log, as JSON,
before it is answered with that line; "ready" is the first.
"""

import contextlib
import json
import os
import selectors
import socket
import sys

PORT = 8080
ABSTRACT = "\0wafer-test-abstract"
IP_PKTINFO = 8


def main(path):
    log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    selector = selectors.DefaultSelector()
    for kind, address in (("tcp", ("0.0.0.0", PORT)), ("unix", ABSTRACT)):
        family = socket.AF_UNIX if kind == "unix" else socket.AF_INET
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(64)
        selector.register(listener, selectors.EVENT_READ, kind)
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
    datagrams.bind(("0.0.0.0", PORT))
    selector.register(datagrams, selectors.EVENT_READ, "udp")
    os.write(log, b'"ready"\n')
    while True:
        for key, _ in selector.select():
            answer(log, key.data, key.fileobj)


def answer(log, kind, listener):
    if kind == "udp":
        _, control, _, peer = listener.recvmsg(512, 64)
        local = socket.inet_ntoa(control[0][2][8:12])
        line = note(log, kind, local, peer[0])
        # From the address that was asked, whichever the route would take.
        source = bytes(4) + socket.inet_aton(local) + bytes(4)
        control = [(socket.IPPROTO_IP, IP_PKTINFO, source)]
        with contextlib.suppress(OSError):  # a broadcast's can't be one
            listener.sendmsg([line], control, 0, peer)
        return
    connection, peer = listener.accept()
    with connection:
        unix = kind == "unix"
        local = "abstract" if unix else connection.getsockname()[0]
        line = note(log, kind, local, "" if unix else peer[0])
        try:
            connection.sendall(line)
        except OSError:
            return  # it has gone; that it came is noted


def note(log, kind, local, peer):
    line = json.dumps({"kind": kind, "to": local, "from": peer}).encode()
    os.write(log, line + b"\n")
    return line + b"\n"


if __name__ == "__main__":
    main(sys.argv[1])
