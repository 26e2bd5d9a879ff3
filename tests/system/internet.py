"""A small internet in network namespaces, with a machine to run wafer on.

    machine   up0 203.0.113.2 ───── 203.0.113.1 wan0   world
              lan0 10.77.0.1 ─────── 10.77.0.2 eth0    office

The world has all that is public, and whatever address nobody else has: so
metadata services and private networks that a packet may leak to, too. The
office is a private network of the machine's. A server of each notes who comes
(internet_server.py), on every address. Nothing here has a way out to the real
network, and nothing has a name: it goes with its processes.
"""

import json
import os
import pathlib
import subprocess

from waiting import wait_for

SERVER = pathlib.Path(__file__).with_name("internet_server.py")
PYTHON = "/usr/bin/python3.11"

PORT = 8080
PUBLIC = "198.51.100.7"
DNS = "198.51.100.53"
MACHINE = "203.0.113.2"
OFFICE = "10.77.0.2"
METADATA = (
    "169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16",
)  # fmt: skip
PRIVATE = (
    "10.99.0.9", "172.20.0.9", "192.168.9.9", "100.64.9.9", "169.254.7.7",
)  # fmt: skip

NAMES = {
    "tls.example.test": [PUBLIC],
    "rebound.example.test": [OFFICE],
    "metadata.example.test": ["169.254.169.254"],
    "local.example.test": ["127.0.0.1"],
    # More than fits in a datagram of 512 bytes.
    "many.example.test": [f"198.51.100.{i}" for i in range(100, 180)],
}


class Host:
    """One network namespace, held by a process that sleeps."""

    def __init__(self, name, folder):
        self.name = name
        self.log = folder / f"{name}.log"
        self.children = []
        self.holder = subprocess.Popen(
            [
                *("unshare", "--net", "--mount", "--propagation", "private"),
                *("sh", "-c", "echo ready; exec sleep infinity"),
            ],
            stdout=subprocess.PIPE,
        )
        assert self.holder.stdout.readline() == b"ready\n"
        self.call("ip", "link", "set", "lo", "up")

    @property
    def enter(self):
        """What a command begins with that is to run on this host."""
        return ["nsenter", f"--target={self.holder.pid}", "--net", "--mount"]

    def call(self, *words):
        done = subprocess.run(
            self.enter + list(words), check=False, capture_output=True
        )
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout.decode()

    def start(self, *words):
        child = subprocess.Popen(
            self.enter + list(words),
            stdout=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
        )
        self.children.append(child)
        return child

    def serve(self):
        self.start(PYTHON, "-B", str(SERVER), str(self.log))
        wait_for(
            lambda: self.log.exists() and self.log.read_text(),
            f"the server of {self.name}",
        )

    @property
    def seen(self):
        """Who came, as [{kind, to, from}]."""
        lines = self.log.read_text().splitlines()
        return [json.loads(line) for line in lines[1:]]

    def links(self):
        return {link["ifname"] for link in self.json("link")}

    def routes(self):
        return [route["dst"] for route in self.json("route")]

    def json(self, what):
        return json.loads(self.call("ip", "-json", what, "show"))

    def tables(self):
        return self.call("nft", "list", "tables").splitlines()

    def stop(self):
        for child in [*self.children, self.holder]:
            child.kill()
            child.wait()
        self.holder.stdout.close()


class Internet:
    def __init__(self, folder):
        self.folder = folder
        self.hosts = []
        try:
            self.machine = self.add("machine")
            self.world = self.add("world")
            self.office = self.add("office")
            self.connect()
            self.lend_tun()
            self.set_resolver(DNS)
            for host in self.hosts:
                host.serve()
            self.serve_names(self.world, DNS)
        except BaseException:
            self.stop()
            raise
        self.links = self.machine.links()
        self.routes = self.machine.routes()

    def add(self, name):
        host = Host(name, self.folder)
        self.hosts.append(host)
        return host

    def connect(self):
        self.link(self.machine, "up0", MACHINE, self.world, "203.0.113.1")
        self.link(self.machine, "lan0", "10.77.0.1", self.office, OFFICE)
        for address in (PUBLIC, DNS, *METADATA, *PRIVATE):
            self.world.call("ip", "address", "add", address, "dev", "lo")
        self.machine.call("ip", "route", "add", "default", "via", "203.0.113.1")
        self.office.call("ip", "route", "add", "default", "via", "10.77.0.1")
        self.forward(True)

    def link(self, one, name, address, other, other_address):
        peer = str(other.holder.pid)
        one.call(
            *("ip", "link", "add", name, "type", "veth"),
            *("peer", "name", "eth0", "netns", peer),
        )
        for host, end, its in (
            (one, name, address),
            (other, "eth0", other_address),
        ):
            where = ("brd", "+", "dev")
            host.call("ip", "address", "add", f"{its}/24", *where, end)
            host.call("ip", "link", "set", end, "up")

    def forward(self, on):
        """Whether the machine forwards packets."""
        setting = f"net.ipv4.ip_forward={int(on)}"
        self.machine.call("sysctl", "--quiet", "--write", setting)

    def lend_tun(self, mode=0o666):
        """A /dev/net/tun as a usual machine has it; seen there alone."""
        device = self.folder / "tun"
        if not device.exists():
            os.mknod(device, 0o20000 | mode, os.makedev(10, 200))
        os.chmod(device, mode)
        self.machine.call("mount", "--bind", str(device), "/dev/net/tun")

    def set_resolver(self, *servers):
        lines = [f"nameserver {server}\n" for server in servers]
        file = self.folder / "resolv.conf"
        file.write_text("search example.test\n" + "".join(lines))
        os.chmod(file, 0o644)
        there = os.path.realpath("/etc/resolv.conf")
        self.machine.call("mount", "--bind", str(file), there)

    def serve_names(self, host, address):
        """A DNS server, which is asked until it answers."""
        records = [
            f"--host-record={name},{each}"
            for name, addresses in NAMES.items()
            for each in addresses
        ]
        host.start(
            *("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null"),
            *("--no-resolv", "--no-hosts", "--bind-interfaces", "--user=root"),
            *("--pid-file=", f"--listen-address={address}", *records),
        )
        wait_for(
            lambda: f"{address}:53 " in host.call("ss", "-lnu"),
            f"the name server at {address}",
        )

    def wafer(self, wafer):
        """Has this wafer's commands run on the machine."""
        wafer.enter = self.machine.enter
        return wafer

    def check_clean(self):
        """No run has left anything on the machine."""
        wait_for(
            lambda: self.machine.links() == self.links
            and self.machine.routes() == self.routes
            and not self.machine.tables(),
            lambda: (
                f"left: {self.machine.links() - self.links},"
                f" {self.machine.routes()}, {self.machine.tables()}"
            ),
        )

    def stop(self):
        for host in self.hosts:
            host.stop()


