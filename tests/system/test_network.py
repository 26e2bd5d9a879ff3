"""`wafer run --network egress`: what a job reaches, and what nobody sees.

Each test looks at both sides: what the job got, and who came to the servers
of an internet that the test makes (internet.py).
"""

import json
import os
import signal
import subprocess
import ssl

import pytest

import world
from internet import (
    DNS, MACHINE, METADATA, NAMES, OFFICE, PORT, PRIVATE, PUBLIC, Internet,
)  # fmt: skip
from waiting import wait_for

EGRESS = "--network=egress"

# Each target of argv as "kind address [device]"; prints what came of it.
REACH = """\
    import errno, json, socket, sys
    def reach(kind, address, device=None):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        if kind == "unix":
            family, kind, where = socket.AF_UNIX, "tcp", "\\0" + address
        else:
            where = (address, 8080)
        types = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
        try:
            with socket.socket(family, types[kind]) as one:
                one.settimeout(0.3 if len(sys.argv) > 9 else 5)
                if device:
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE,
                                   device.encode())
                if kind == "udp":
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
                one.connect(where)
                if kind == "udp":
                    one.send(b"x")
                return json.loads(one.recv(999))
        except OSError as error:
            return type(error).__name__
    for target in sys.argv[1:]:
        print(json.dumps(reach(*target.split())), flush=True)
    """


@pytest.fixture
def folder(no_leaks, tmp_path):
    os.chmod(tmp_path, 0o755)
    for parent in tmp_path.parents:
        if os.stat(parent).st_uid == 0 and str(parent).startswith("/tmp/"):
            os.chmod(parent, 0o755)
    return tmp_path


@pytest.fixture
def internet(folder):
    net = Internet(folder)
    yield net
    try:
        net.check_clean()
    finally:
        net.stop()


@pytest.fixture(params=["veth", "pasta as root", "pasta"])
def way(request, internet, wafer_of):
    """A wafer on the machine, by each way to a network that there is."""
    wafer = wafer_of("plain" if request.param == "pasta" else "root")
    internet.forward(request.param == "veth")
    return internet.wafer(wafer)


def reach(wafer, *targets, options=()):
    """What a job gets of each target."""
    outcome = wafer.run(REACH, EGRESS, *options, argv=targets)
    outcome.check(0, "SUCCEEDED")
    return [json.loads(line) for line in outcome.lines], outcome


def test_the_internet_is_reached(internet, way):
    """With the machine's address, which is the only one that has a route."""
    got, outcome = reach(way, f"tcp {PUBLIC}", f"udp {PUBLIC}")
    expected = [
        {"kind": kind, "to": PUBLIC, "from": MACHINE} for kind in ("tcp", "udp")
    ]
    assert got == expected
    assert internet.world.seen == expected
    assert outcome.report["network"] == "egress"
    assert outcome.report["allowed_networks"] == []


FORBIDDEN = [
    # the machine: loopback, "this host", each address, its broadcasts
    *("127.0.0.1", "127.0.0.53", "127.1.2.3", "0.0.0.0", MACHINE, "10.77.0.1"),
    *("203.0.113.255", "10.77.0.255", "255.255.255.255"),
    *("198.18.0.1", "198.19.255.254", "224.0.0.1", "240.0.0.1", "192.88.99.1"),
    *("192.0.0.192", OFFICE, *PRIVATE, *METADATA),
]


def test_what_is_forbidden_is_not_reached(internet, way):
    """By neither protocol, nor when a job names the way that it should take."""
    targets = [
        f"{kind} {address}{device}"
        for address in FORBIDDEN
        for kind in ("tcp", "udp")
        for device in ("", " eth0")
    ]
    got, _ = reach(way, *targets)
    # A datagram to its own loopback comes to nobody: no answer to that either.
    assert all(isinstance(each, str) for each in got), [
        pair for pair in zip(targets, got) if not isinstance(pair[1], str)
    ]
    for host in internet.hosts:
        assert host.seen == [], host.name


def test_no_form_of_ipv6_leads_there(internet, way):
    targets = [
        f"{kind} {address}"
        for address in (
            "::1", f"::ffff:{OFFICE}", "::ffff:169.254.169.254",
            "::ffff:127.0.0.1", "64:ff9b::a4d:2", "2002:a4d:2::1",
            "fd00:ec2::254", "fe80::1%eth0", "ff02::1%eth0", "2001:db8::1",
        )  # fmt: skip
        for kind in ("tcp", "udp")
    ]
    got, _ = reach(way, *targets, "unix wafer-test-abstract")
    assert all(isinstance(each, str) for each in got), got
    for host in internet.hosts:
        assert host.seen == [], host.name


def test_a_private_network_is_allowed_by_name(internet, way):
    options = ["--allow-network=10.77.0.0/16,172.20.0.9"]
    got, outcome = reach(
        way,
        *(f"tcp {OFFICE}", "udp 172.20.0.9"),
        *("tcp 192.168.9.9", f"tcp {PUBLIC}"),
        options=options,
    )
    assert [each["to"] for each in got if isinstance(each, dict)] == [
        OFFICE, "172.20.0.9", PUBLIC,
    ]  # fmt: skip
    assert got[2] in ("TimeoutError", "OSError", "PermissionError")
    assert outcome.report["allowed_networks"] == [
        "10.77.0.0/16", "172.20.0.9/32",
    ]  # fmt: skip
    assert [each["to"] for each in internet.office.seen] == [OFFICE]
    assert way.record(outcome.report["id"])["allowed_networks"] == (
        outcome.report["allowed_networks"]
    )


def test_what_is_never_allowed_stays_shut(internet, way):
    """A network around it opens neither metadata nor the machine."""
    options = ["--allow-network=169.254.0.0/16,100.64.0.0/10,10.0.0.0/8"]
    targets = [f"tcp {address}" for address in (*METADATA, "10.77.0.1")]
    got, _ = reach(way, *targets, "tcp 169.254.7.7", options=options)
    assert got[-1]["to"] == "169.254.7.7"
    assert all(isinstance(each, str) for each in got[:-1]), got
    assert [each["to"] for each in internet.world.seen] == ["169.254.7.7"]
    assert internet.machine.seen == []


@pytest.mark.parametrize(
    "network, reason",
    {
        "169.254.169.254": "can't be allowed",
        "127.0.0.0/8": "can't be allowed",
        "198.18.3.0/24": "can't be allowed",
        "8.8.8.0/24": "is in no private network",
        "0.0.0.0/0": "is in no private network",
        "10.77.0.1/16": "the network is 10.77.0.0/16",
        "fd00::/8": "no IPv6",
        "10.0.0.0/33": "is no IPv4 network",
        "office": "is no IPv4 network",
        "": "is no IPv4 network",
    }.items(),
)
def test_what_cant_be_allowed_is_refused(wafer, network, reason):
    outcome = wafer.run("pass", EGRESS, f"--allow-network={network}")
    (message,) = outcome.check(125).messages
    assert reason in message
    assert outcome.report is None


def test_allowing_asks_for_egress(wafer):
    outcome = wafer.run("pass", "--allow-network=10.0.0.0/8")
    (message,) = outcome.check(125).messages
    assert "--network egress" in message


def test_the_configuration_allows_a_network(internet, wafer_of):
    wafer = internet.wafer(wafer_of("root"))
    wafer.configure("allow_network = 10.77.0.0/24\n")
    got, outcome = reach(wafer, f"tcp {OFFICE}")
    assert got[0]["to"] == OFFICE
    assert outcome.report["allowed_networks"] == ["10.77.0.0/24"]


LOOK_UP = """\
    import json, socket, sys
    for name in sys.argv[1:]:
        found = socket.getaddrinfo(name, 80, socket.AF_INET, socket.SOCK_STREAM)
        print(json.dumps([name, sorted(each[4][0] for each in found)]))
    own = socket.gethostbyname(socket.gethostname())
    print(json.dumps([socket.gethostname(), own]))
    print(json.dumps(["conf", open("/etc/resolv.conf").read().split()]))
    """


@pytest.mark.parametrize("place", ["public", "loopback", "private"])
def test_names_resolve(internet, way, place):
    """Wherever the machine's name server is; a long answer comes by TCP."""
    if place == "loopback":
        internet.serve_names(internet.machine, "127.0.0.53")
        internet.set_resolver("127.0.0.53")
    if place == "private":
        internet.serve_names(internet.office, OFFICE)
        internet.set_resolver(OFFICE)
    names = ["tls.example.test", "many.example.test", "rebound", "local"]
    outcome = way.run(LOOK_UP, EGRESS, argv=names).check(0, "SUCCEEDED")
    found = dict(json.loads(line) for line in outcome.lines)
    for name in names:
        full = name if "." in name else f"{name}.example.test"
        assert found[name] == sorted(NAMES[full]), name
    assert found["wafer"] == "127.0.0.1"
    assert found["conf"][:4] == [
        "nameserver", "127.0.0.53", "search", "example.test",
    ]  # fmt: skip


def test_the_second_name_server_answers_for_the_first(internet, wafer_of):
    wafer = internet.wafer(wafer_of("root"))
    internet.set_resolver("203.0.113.77", DNS)
    outcome = wafer.run(LOOK_UP, EGRESS, argv=["tls.example.test"])
    outcome.check(0, "SUCCEEDED")
    assert json.loads(outcome.lines[0])[1] == [PUBLIC]


def test_a_name_opens_no_address(internet, way):
    """One that was rebound leads as far as its address does."""
    names = ("rebound", "metadata", "local")
    got, _ = reach(way, *(f"tcp {name}.example.test" for name in names))
    assert all(isinstance(each, str) for each in got), got
    for host in internet.hosts:
        assert host.seen == [], host.name


def test_a_name_server_that_answers_nothing_holds_nobody_up(internet, way):
    """A flood of queries to one that is silent; then the run ends as usual."""
    internet.set_resolver("203.0.113.78")
    script = """\
        import socket
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            for i in range(2000):
                one.sendto(b"x" * (1 + i % 1400), ("127.0.0.53", 53))
        held = [socket.create_connection(("127.0.0.53", 53)) for i in range(12)]
        print("asked")
        """
    assert way.run(script, EGRESS).check(0, "SUCCEEDED").lines == ["asked"]


FETCH = """\
    import datetime, json, socket, ssl, sys, urllib.request, zoneinfo
    berlin = zoneinfo.ZoneInfo("Europe/Berlin")
    summer = datetime.datetime(2026, 7, 1, 12, tzinfo=berlin)
    context = ssl.create_default_context()
    with urllib.request.urlopen(sys.argv[1], timeout=20) as answer:
        body = answer.read().decode()
    print(json.dumps({
        "body": body,
        "offset_h": summer.utcoffset().total_seconds() / 3600,
    }))
    try:
        urllib.request.urlopen(sys.argv[2], timeout=20)
    except OSError as error:
        print(json.dumps(str(error)))
    """


@pytest.fixture
def tls_server(internet, folder):
    """A TLS server on another host, with a CA of its own; the CA's file."""

    def openssl(*words):
        subprocess.run(
            ["openssl", *words], check=True, cwd=folder, capture_output=True
        )

    new = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    openssl(*new, "-subj", "/CN=test CA", "-keyout", "ca.key", "-out", "ca.pem")
    openssl(
        *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
        *("-subj", "/CN=tls.example.test", "-CA", "ca.pem", "-CAkey", "ca.key"),
        *("-addext", "subjectAltName=DNS:tls.example.test"),
        *("-addext", "basicConstraints=critical,CA:FALSE"),
        *("-keyout", "server.key", "-out", "server.pem"),
    )
    internet.world.start(
        *("openssl", "s_server", "-quiet", "-accept", f"{PUBLIC}:8443"),
        *("-cert", str(folder / "server.pem"), "-key"),
        *(str(folder / "server.key"), "-www"),
    )
    wait_for(
        lambda: ":8443 " in internet.world.call("ss", "-lnt"), "the TLS server"
    )
    os.chmod(folder / "ca.pem", 0o644)
    return folder / "ca.pem"


@pytest.mark.parametrize("network", ["egress", "host"])
def test_https_with_names_certificates_and_time_zones(
    internet, way, tls_server, network
):
    url = "https://tls.example.test:8443/"
    outcome = way.run(
        FETCH,
        f"--network={network}",
        f"--mount={tls_server}:/data/ca.pem",
        "--env=SSL_CERT_FILE=/data/ca.pem",
        argv=[url, f"https://{PUBLIC}:8443/"],
    ).check(0, "SUCCEEDED")
    got, refusal = map(json.loads, outcome.lines)
    assert "s_server" in got["body"] or "TLS" in got["body"]
    assert got["offset_h"] == 2
    assert "CERTIFICATE_VERIFY_FAILED" in refusal


@pytest.mark.parametrize("network", ["none", "egress", "host"])
def test_the_machines_certificates_are_there(internet, wafer_of, network):
    wafer = internet.wafer(wafer_of("root"))
    script = """\
        import json, ssl
        store = ssl.create_default_context()
        store.load_verify_locations("/etc/ssl/certs/ca-certificates.crt")
        print(store.cert_store_stats()["x509_ca"])
        """
    outcome = wafer.run(script, f"--network={network}").check(0, "SUCCEEDED")
    context = ssl.create_default_context()
    context.load_verify_locations("/etc/ssl/certs/ca-certificates.crt")
    assert int(outcome.lines[0]) == context.cert_store_stats()["x509_ca"] > 0


SIXTEEN = 16

MEET = """\
    import socket, sys, time
    with socket.create_connection((sys.argv[1], 8080), 20) as one:
        print(one.getsockname()[0], len(one.recv(999)) > 0, flush=True)
    """


def test_sixteen_at_once(internet, way, request):
    """All get through; on one machine no two have one address."""
    runs = [
        way.start_script(MEET, EGRESS, argv=[PUBLIC]) for _ in range(SIXTEEN)
    ]
    lines = [
        run.wait(180).check(0, "SUCCEEDED").lines[0].split() for run in runs
    ]
    assert [line[1] for line in lines] == ["True"] * SIXTEEN
    assert len(internet.world.seen) == SIXTEEN
    own = {line[0] for line in lines}
    assert all(address.startswith(("198.18.", "198.19.")) for address in own)
    if request.node.callspec.params["way"] == "veth":
        assert len(own) == SIXTEEN


LISTEN = """\
    import socket, time
    with socket.create_server(("0.0.0.0", 8080)) as one:
        with socket.create_connection(("198.51.100.7", 8080), 20) as out:
            print(out.getsockname()[0], flush=True)
        one.settimeout(600)
        one.accept()
    print("somebody came")
    """


def test_nobody_gets_in(internet, wafer_of):
    """Neither another sandbox, nor a host that knows the way."""
    wafer = internet.wafer(wafer_of("root"))
    process = wafer.start_script(LISTEN, EGRESS)
    process.wait_for_output(b"\n")
    address = process.stdout.decode().split()[0]
    got, _ = reach(wafer, f"tcp {address}", f"udp {address}")
    assert all(isinstance(each, str) for each in got), got
    internet.world.call("ip", "route", "add", address, "via", MACHINE)
    done = subprocess.run(
        internet.world.enter
        + ["timeout", "2", "bash", "-c", f"</dev/tcp/{address}/{PORT}"],
        check=False,
        capture_output=True,
    )
    assert done.returncode != 0
    assert not process.ended
    process.signal(signal.SIGTERM)
    process.wait().check(143, "STOPPED")


def test_a_flushed_ruleset_opens_nothing(internet, wafer_of):
    """Administrators reload their firewall while jobs run."""
    wafer = internet.wafer(wafer_of("root"))
    script = """\
        import socket, sys, time
        print("up", flush=True)
        while not socket.gethostbyname("tls.example.test"):
            pass
        time.sleep(1)
        for address in sys.argv[1:]:
            try:
                socket.create_connection((address, 8080), 1)
                print("reached", address)
            except OSError:
                print("shut", address)
        """
    process = wafer.start_script(
        script, EGRESS, argv=[METADATA[0], OFFICE, MACHINE, PUBLIC]
    )
    process.wait_for_output(b"up")
    internet.machine.call("nft", "flush", "ruleset")
    outcome = process.wait().check(0, "SUCCEEDED")
    assert [line.split()[0] for line in outcome.lines[1:]] == [
        "shut", "shut", "shut", "reached",
    ]  # fmt: skip


@pytest.mark.parametrize("victim", ["wafer", "keeper"])
def test_nothing_is_left_where_somebody_is_killed(internet, way, victim):
    """The fixtures look for interfaces, routes, tables and processes."""
    script = "print('up', flush=True)\nwhile True: pass"
    process = way.start_script(script, EGRESS)
    process.wait_for_output(b"up")
    below = world.descendants(process.popen.pid)
    pids = [pid for pid, name in below.items() if name == "wafer-keeper"]
    victim_pid = pids[0] if victim == "keeper" else process.popen.pid
    os.kill(victim_pid, signal.SIGKILL)
    process.wait()
    # Before any other command of wafer's.
    wait_for(
        lambda: not (
            world.reap_orphans()
            or world.descendants(os.getpid()).keys() & below.keys()
        ),
        "the end of all that belonged to the run",
    )
    internet.check_clean()
    way.call("runs").check()


def test_a_machine_with_no_way_says_so(internet, wafer):
    """What it lacks, and what to type; and the doctor says the same."""
    internet.forward(False)
    internet.lend_tun(0o600)
    internet.wafer(wafer)
    outcome = wafer.run("pass", EGRESS).check(125)
    (message,) = outcome.messages
    assert "/dev/net/tun" in message and "chmod 666 /dev/net/tun" in message
    assert ("net.ipv4.ip_forward=1" in message) == wafer.is_root
    assert outcome.report is None
    doctor = json.loads(wafer.call("doctor", "--json").stdout)
    row = doctor["machine"]["network egress"]
    assert not row["ok"] and row["why"] in message and row["fix"] in message


def test_the_doctor_names_the_way(internet, way, request):
    doctor = json.loads(way.call("doctor", "--json").stdout)
    row = doctor["machine"]["network egress"]
    name = request.node.callspec.params["way"]
    word = "virtual interfaces, " if name == "veth" else "pasta; "
    assert row["ok"] and row["detail"].startswith(word), row
