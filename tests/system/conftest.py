"""Fixtures: wafer as root, as a plain user, and as both in turn.

The tests run the installed program, so they need WAFER_PREFIX, root, and the
users that scripts/check makes: wafer-test with subordinate ids, and
wafer-third, who owns folders that the others mount.
"""

import os
import pathlib
import pwd
import subprocess
import sys

import pytest

sys.dont_write_bytecode = True

import world  # noqa: E402
from library_sets import Sets  # noqa: E402
from package_index import Index  # noqa: E402
from wafer_command import WAFER, WARM, Wafer  # noqa: E402
from waiting import wait_for  # noqa: E402

PLAIN_USER = "wafer-test"
THIRD_USER = "wafer-third"
USERS = {"root": "root", "plain": PLAIN_USER}


def pytest_sessionstart(session):
    problem = missing_prerequisite()
    if problem:
        pytest.exit(f"system tests: {problem}", returncode=1)
    world.adopt_orphans()


def missing_prerequisite():
    """What has to be there and isn't, as a sentence; else None."""
    if os.geteuid() != 0:
        return "run them as root; they become the plain user by themselves"
    if "WAFER_PREFIX" not in os.environ:
        return "set WAFER_PREFIX to where wafer is installed"
    for name in (PLAIN_USER, THIRD_USER):
        if not has_user(name):
            return f"there is no user {name}; scripts/check makes it"
    for file in ("/etc/subuid", "/etc/subgid"):
        lines = pathlib.Path(file).read_text("utf-8").splitlines()
        if not any(line.startswith(f"{PLAIN_USER}:") for line in lines):
            return f"{file} gives {PLAIN_USER} no ids; see scripts/check"
    try:
        call_version()
    except (OSError, subprocess.CalledProcessError) as error:
        return f"{PLAIN_USER} can't run {WAFER}: {error}"
    if not WARM.exists():
        return f"there is no {WARM}: make install-for-tests"
    return None


def has_user(name):
    try:
        return pwd.getpwnam(name) is not None
    except KeyError:
        return False


def call_version():
    """Can the plain user reach the installed program?"""
    plain = pwd.getpwnam(PLAIN_USER)
    subprocess.run(
        [WAFER, "--version"],
        user=plain.pw_uid,
        group=plain.pw_gid,
        extra_groups=[],
        cwd="/",
        check=True,
        stdout=subprocess.DEVNULL,
    )


@pytest.fixture(autouse=True)
def no_leaks():
    """Every test leaves the world as it found it."""
    wafers = []
    before = world.Snapshot()
    yield wafers
    try:
        for wafer in wafers:
            wafer.stop_all()
        before.check([wafer.base for wafer in wafers])
    finally:
        for wafer in wafers:
            wafer.remove()


@pytest.fixture
def wafer_of(no_leaks):
    """A function that makes the wafer of "root" or "plain"."""

    def make(user):
        wafer = Wafer(pwd.getpwnam(USERS[user]))
        no_leaks.append(wafer)
        if os.environ.get("WAFER_SERVED"):
            wafer.wait_for_pool(wafer.serve())
        return wafer

    return make


@pytest.fixture(params=USERS)
def wafer(request, wafer_of):
    """wafer as root, then as a plain user."""
    return wafer_of(request.param)


@pytest.fixture(params=["cold", "warm", "parked"])
def any_wafer(request, wafer):
    """Each of these, with an interpreter of each job's own, with a fork, and
    with one that waited in the pool of `wafer serve`."""
    if request.param == "warm":
        wafer.program = WARM
    if request.param == "parked":
        wafer.wait_for_pool(wafer.serve())
    return wafer


@pytest.fixture
def warm_wafer(wafer):
    """Each of these whose jobs are forks of one warm zygote."""
    wafer.program = WARM
    return wafer


@pytest.fixture
def root_wafer(wafer_of):
    return wafer_of("root")


@pytest.fixture
def plain_wafer(wafer_of):
    return wafer_of("plain")


@pytest.fixture
def bare_wafer(plain_wafer, no_leaks):
    """That of a plain user who has no cgroup: one who has stands in another."""
    if "cgroup" in plain_wafer.missing:
        yield plain_wafer
        return
    group = world.CGROUPS / f"not-delegated-{os.getpid()}"
    group.mkdir()
    wafer = Wafer(plain_wafer.user, group)
    no_leaks.append(wafer)
    yield wafer
    wafer.stop_all()
    wait_for(lambda: removed(group), f"the end of all in {group}")


def removed(group):
    try:
        group.rmdir()
    except OSError:
        return False
    return True


@pytest.fixture
def third_user():
    """A user who is neither of those that run wafer."""
    return pwd.getpwnam(THIRD_USER)


@pytest.fixture
def index():
    with Index() as served:
        yield served


@pytest.fixture
def sets(wafer, index):
    """wafer, told of the index."""
    return Sets(wafer, index)


@pytest.fixture
def root_sets(root_wafer, index):
    return Sets(root_wafer, index)
