"""Network: metadata, the host's loopback, raw access.

What `none` and `egress` must both keep a job from; `host` is no wall.
"""

from rows import EGRESS, EVERYWHERE, Group, Later, Row

HEADING = "Network"

# Mode: (settings, what an address of a cloud's or a private network says, what
# one of IPv6 says, routes, what binding to an interface says).
MODES = {
    "none": (EVERYWHERE, "ENETUNREACH", "ENETUNREACH", "none", "ENODEV"),
    "egress": (EGRESS, "EHOSTUNREACH", "ENETUNREACH", "there are", "OK"),
}

# What nobody listens on, in a network of the job's own.
NOBODY = ("ECONNREFUSED",)

METADATA = (
    "metadata at 169.254.169.254",
    "metadata at 2852039166",
    "metadata at 0xa9fea9fe",
    "metadata at 0251.0376.0251.0376",
    "metadata at 169.254.43518",
    "metadata at [::ffff:169.254.169.254]",
    "container credentials at 169.254.170.2",
    "metadata by UDP",
    "metadata by TCP fast open",
    "metadata by a name that is bound to it",
    "metadata by a redirect",
    "the private network at 10.0.0.1",
    "the private network at 172.16.0.1",
    "the private network at 192.168.0.1",
    "the private network at 100.64.0.1",
)
LOOPBACK = (
    "the host's loopback",
    "the host's loopback by 0.0.0.0",
)


def of_mode(mode, settings, unreachable, unreachable_6, routes, bind):
    job = Group(
        "network.py",
        around=("places", "listeners"),
        options=(f"--network={mode}",),
    )
    # Without connections of its own before.
    first = Group(
        "network.py", around=("places",), options=(f"--network={mode}",)
    )
    network = ("network",)

    def row(name, contained, walls, group=job, **more):
        if isinstance(contained, str):
            contained = (contained,)
        title = f"{name}, --network {mode}"
        return Row(
            name, title, group, contained, walls, settings=settings, **more
        )

    for name in METADATA:
        yield row(name, unreachable, network)
    yield row(
        "metadata at fd00:ec2::254", unreachable_6, network, needs=("ipv6",)
    )
    for name in LOOPBACK:
        yield row(name, NOBODY, network)
    yield row("the host's loopback by ::1", NOBODY, network, needs=("ipv6",))
    yield row("the neighbour's loopback", NOBODY, ("network", "kernel"))
    yield row("services of the machine's on loopback", "none", network)
    yield row("interfaces beyond those of its own", "its own",
              ("network", "kernel"))  # fmt: skip
    yield row("routes", routes, ("network", "kernel"))
    yield row("the machine's connections", "none", network, first)
    yield row("an address of its own on an interface", "EPERM",
              ("seccomp", "capabilities"))  # fmt: skip
    yield row("bind to an interface", bind, ("network", "kernel"))
    yield row("a mark that routing goes by", "EPERM", ("capabilities",))
    yield row("spoof a source address", "EPERM", ("capabilities",))
    yield row("the host's network namespace", "none",
              ("pid", "user-namespace"))  # fmt: skip
    yield row("a socket filter", "its own", ("kernel",))


ROWS = [
    row for mode, answers in MODES.items() for row in of_mode(mode, *answers)
]

LATER = [
    Later("the server's API from a job", "a server with the Glue API"),
    Later("a credentials endpoint of another run's", "a credentials endpoint"),
]  # fmt: skip
