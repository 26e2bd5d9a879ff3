"""What the zygote, the host and earlier jobs could have left in a job."""

import trial  # isort: skip

import hashlib
import os
import random
import re
import secrets
import sys
import tempfile
import uuid

# Written so that it isn't found in this text.
CANARY = re.compile(rb"CANARY" + rb"-[0-9a-f]{32}")
PAST_MAPS = ("[vvar", "[vsyscall]", "[vdso]")


def found_in_memory():
    """The canaries in all that this process can read of itself."""
    found = set()
    with (
        open("/proc/self/maps", encoding="utf-8") as maps,
        open("/proc/self/mem", "rb", buffering=0) as memory,
    ):
        for line in maps:
            if " r" not in line or any(name in line for name in PAST_MAPS):
                continue
            start, end = (int(part, 16) for part in line.split()[0].split("-"))
            if end - start > 1 << 30:
                continue  # AddressSanitizer's shadow
            try:
                memory.seek(start)
                found.update(CANARY.findall(memory.read(end - start)))
            except (OSError, OverflowError, ValueError):
                continue
    return found


@trial.attempt("a canary of the host's in its memory")
def memory():
    found = found_in_memory()
    # Printed, so that the runner compares them with its own.
    print(*sorted(text.decode() for text in found))
    return "none" if not found else f"{len(found)}"


@trial.attempt("a canary of its own in its memory")
def own_memory():
    """The search finds what is there."""
    kept = f"CANARY-{secrets.token_hex(16)}".encode()
    return "found" if kept in found_in_memory() else "lost"


@trial.attempt("a secret of the caller's in its environment")
def environment():
    return "none" if not CANARY.search(repr(os.environ).encode()) else "found"


@trial.attempt("its initial environment")
def initial_environment():
    """That of the zygote's exec, which the kernel still shows."""
    with open("/proc/self/environ", "rb") as file:
        text = file.read()
    return "none" if b"CANARY" not in text else "found"


@trial.attempt("its command line")
def command_line():
    with open("/proc/self/cmdline", "rb") as file:
        return "none" if b"CANARY" not in file.read() else "found"


def told(make):
    """A value that differs from job to job: the runner compares."""

    def go():
        return hashlib.sha256(repr(make()).encode()).hexdigest()

    return go


def temporary_name():
    with tempfile.NamedTemporaryFile() as file:
        return os.path.basename(file.name)


for name, make in {
    "random": lambda: [random.random() for _ in range(4)],
    "uuid1": uuid.uuid1,
    "uuid4": uuid.uuid4,
    "secrets": lambda: secrets.token_bytes(16),
    "urandom": lambda: os.urandom(16),
    "tempfile": temporary_name,
    "hash seed": lambda: hash("a text"),
    "script folder": lambda: sys.path[0],
}.items():
    trial.add(f"the same {name} in two jobs", told(make))


@trial.attempt("the same addresses in two jobs")
def addresses():
    """Of a stack, a heap and a library: a zygote for each run."""
    with open("/proc/self/maps", encoding="utf-8") as maps:
        lines = [line for line in maps if "[stack]" in line or "libc" in line]
    return hashlib.sha256(repr(lines).encode()).hexdigest()


PATCHED = "patched by an earlier job"


@trial.attempt("what an earlier job patched")
def patches():
    if getattr(os, "earlier", None) or "earlier" in sys.modules:
        return "there"
    if "EARLIER" in os.environ or "/earlier" in sys.path:
        return "there"
    os.earlier = PATCHED
    sys.modules["earlier"] = sys
    os.environ["EARLIER"] = PATCHED
    sys.path.append("/earlier")
    return "none"


@trial.attempt("a process that an earlier job started")
def processes():
    count = sum(name.isdecimal() for name in os.listdir("/proc"))
    if os.fork() == 0:
        os.setsid()
        os.execv("/usr/bin/sleep", ["sleep", "1000"])
    return "none" if count == 2 else f"{count}"


@trial.attempt("the bootstrap in the script's way")
def bootstrap():
    """What ran before the script has no module left to patch."""
    return "a module" if "wafer_bootstrap" in sys.modules else "none"


@trial.attempt("a site package or .pth file of its own")
def site_packages():
    for folder in (
        "/usr/lib/python3/dist-packages",
        "/usr/lib/python3.11/site-packages",
        "/usr/local/lib/python3.11/dist-packages",
        "/opt/wafer/python",
    ):
        try:
            with open(f"{folder}/x.pth", "w", encoding="ascii"):
                return folder
        except OSError:
            continue
    return "none"


if __name__ == "__main__":
    trial.main()
