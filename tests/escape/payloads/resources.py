"""More than a job may have: memory, processor time, disk, output, archives.

Each asks for somewhat more than the limit, never for all that there is: without
its wall it ends, and the machine is none the worse.
"""

import trial  # isort: skip

import fcntl
import gzip
import io
import os
import struct
import sys
import tarfile
import time
import zipfile

MIB, GIB = 1 << 20, 1 << 30
MEMORY = 1 * GIB
FILES_MAX = 4096
SCRATCH = 20 * GIB
BEYOND = MEMORY + 256 * MIB


def deadly(name):
    """A try that is expected to end its process: it says that it begins."""

    def register(function):
        def go():
            trial.tell(name, "begun")
            return function()

        trial.add(name, go)
        return function

    return register


def in_blocks(take):
    """Takes `BEYOND` bytes, a mebibyte at a time."""
    block = os.urandom(1 << 10) * 1024
    for _ in range(BEYOND // MIB):
        take(block)
    return f"{BEYOND >> 20} MiB"


@deadly("anonymous memory")
def anonymous():
    kept = []
    return in_blocks(lambda block: kept.append(bytearray(block)))


def in_file(descriptor):
    return in_blocks(lambda block: os.write(descriptor, block))


@deadly("memory by /dev/shm")
def by_shm():
    return in_file(os.open("/dev/shm/big", os.O_RDWR | os.O_CREAT))


@deadly("memory by a memory file")
def by_memory_file():
    return in_file(os.memfd_create("big"))


@deadly("memory by its children together")
def by_children():
    """Each has less than the limit; all have more."""
    share = BEYOND // 4
    children = []
    news, have = os.pipe()
    wait, go = os.pipe()
    for _ in range(4):
        pid = os.fork()
        if pid == 0:
            os.close(go)
            kept = bytearray(share)
            kept[::4096] = b"x" * len(kept[::4096])
            os.close(have)
            os.read(wait, 1)  # until the others have theirs
            os._exit(0)
        children.append(pid)
    os.close(have)
    os.read(news, 1)
    os.close(go)
    statuses = [os.waitpid(pid, 0)[1] for pid in children]
    if any(os.WIFSIGNALED(status) for status in statuses):
        return "killed"
    return f"{BEYOND >> 20} MiB"


@trial.attempt("memory by pipes")
def by_pipes():
    """Pages in pipes are counted for the group, and bounded for the id."""
    pipes, filled = [], 0
    try:
        while filled < BEYOND:
            reader, writer = os.pipe()
            pipes += [reader, writer]
            try:
                fcntl.fcntl(writer, 1031, 1 << 20)
            except OSError:
                pass
            os.set_blocking(writer, False)
            try:
                while filled < BEYOND:
                    filled += os.write(writer, bytes(1 << 16))
            except BlockingIOError:
                continue
    except OSError:
        return "bounded"
    finally:
        for number in pipes:
            os.close(number)
    return f"{filled >> 20} MiB"


@trial.attempt("page cache beyond its memory")
def page_cache():
    """Files in /tmp, read and written: the kernel takes the cache back."""
    block = os.urandom(MIB)
    with open("/tmp/cached", "wb", buffering=0) as file:
        for _ in range(BEYOND // MIB):
            file.write(block)
    with open("/tmp/cached", "rb", buffering=0) as file:
        while file.read(MIB):
            continue
    os.unlink("/tmp/cached")
    return "it goes on"


@trial.attempt("fill /tmp")
def fill():
    """By space asked for, which takes no time: how much was there?"""
    asked, number = 0, 0
    try:
        while asked < SCRATCH + GIB:
            with open(f"/tmp/fill-{number}", "wb") as file:
                os.posix_fallocate(file.fileno(), 0, GIB)
            asked += GIB
            number += 1
    except OSError:
        return "bounded" if asked <= SCRATCH else f"{asked}"
    finally:
        for index in range(number + 1):
            if os.path.exists(f"/tmp/fill-{index}"):
                os.unlink(f"/tmp/fill-{index}")
    return f"{asked >> 30} GiB"


@trial.attempt("a sparse petabyte")
def sparse():
    with open("/tmp/sparse", "wb") as file:
        os.ftruncate(file.fileno(), 1 << 50)


@trial.attempt("a sparse file beyond the scratch")
def sparse_beyond():
    """21 GiB, which the file system itself could have."""
    with open("/tmp/sparse", "wb") as file:
        os.ftruncate(file.fileno(), SCRATCH + GIB)


@trial.attempt("an inode bomb in the root")
def inodes_in_root():
    with open("/etc/x", "wb"):
        return "made"


@trial.attempt("an inode bomb in /tmp")
def inodes():
    """The file system has a number that it can't go beyond, and all that is
    made in it goes with the job."""
    for number in range(5000):
        os.close(os.open(f"/tmp/inode-{number}", os.O_CREAT | os.O_WRONLY))
    space = os.statvfs("/tmp")
    return "bounded" if 0 < space.f_files < 1 << 25 else f"{space.f_files}"


@trial.attempt("open files without end")
def open_files():
    opened = []
    try:
        while len(opened) < 2 * FILES_MAX:
            opened.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        return "bounded"
    finally:
        for number in opened:
            os.close(number)
    return f"{len(opened)}"


@trial.attempt("POSIX queues without end")
def queues():
    attributes = struct.pack("=4q32x", 0, 10, 8192, 0)
    try:
        for number in range(256):
            trial.call(
                240, f"q{number}".encode(), 0o102, 0o600, attributes
            )
    except OSError:
        return "bounded"
    return "256"


@trial.attempt("a quarter of a CPU by four processes")
def burn():
    """10 s of four busy processes: the record has what they got."""
    end = time.monotonic() + 10
    for _ in range(3):
        if os.fork() == 0:
            break
    while time.monotonic() < end:
        pass
    return "burnt"


def one_line(mebibytes):
    """The log takes a gigabyte, and the host keeps none of it in memory."""

    def go():
        block = bytes(MIB)
        for _ in range(mebibytes):
            os.write(1, block)
        return "written"

    return go


trial.add("one line of more than a gigabyte, with NULs", one_line(1025))
trial.add("a line of 64 MiB, with NULs", one_line(64))


@trial.attempt("output that is read late")
def unread():
    for _ in range(64):
        os.write(1, bytes(MIB))
    return "written"


@trial.attempt("escape sequences and broken UTF-8")
def sequences():
    os.write(2, b"\x1b]0;title\x07\x1b[2J\xff\xfe\x00\r\n")
    os.write(1, b"\xc3\x28\xed\xa0\x80\xf4\x90\x80\x80\n")
    return "written"


@deadly("a gzip bomb read whole")
def gzip_bomb():
    """Zeros, deflated, many times over; read whole, it costs this job alone."""
    part = gzip.compress(bytes(64 * MIB), compresslevel=1)
    packed = io.BytesIO(part * (BEYOND // (64 * MIB)))
    with gzip.open(packed) as file:
        return f"{len(file.read()) >> 20} MiB"


def members():
    """Names and kinds that leave the folder where they are unpacked."""
    yield tarfile.TarInfo("../../../../tmp/planted")
    yield tarfile.TarInfo("/etc/planted")
    link = tarfile.TarInfo("link")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc"
    yield link
    yield tarfile.TarInfo("link/planted")
    hard = tarfile.TarInfo("hard")
    hard.type, hard.linkname = tarfile.LNKTYPE, "/etc/passwd"
    yield hard
    device = tarfile.TarInfo("device")
    device.type, device.devmajor, device.devminor = tarfile.CHRTYPE, 1, 1
    yield device
    setuid = tarfile.TarInfo("setuid")
    setuid.mode = 0o6755
    yield setuid
    yield tarfile.TarInfo("deep/" * 200 + "planted")


@trial.attempt("hostile tar members")
def tar_members():
    """Unpacked as carelessly as can be: nothing outside /tmp changes."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for member in members():
            archive.addfile(member)
    os.makedirs("/tmp/unpack", exist_ok=True)
    packed.seek(0)
    with tarfile.open(fileobj=packed) as archive:
        for member in archive:
            try:
                archive.extract(member, "/tmp/unpack")
            except (OSError, KeyError):
                continue
    if os.path.exists("/etc/planted"):
        return "in /etc"
    for name in ("setuid", "device"):
        path = f"/tmp/unpack/{name}"
        if os.path.exists(path) and os.stat(path).st_mode & 0o6000:
            return "setuid"
    return "in /tmp alone"


@trial.attempt("hostile zip members")
def zip_members():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in ("../../etc/planted", "/etc/planted", "a" * 4096):
            archive.writestr(name, b"x")
    with zipfile.ZipFile(packed) as archive:
        for name in archive.namelist():
            try:
                archive.extract(name, "/tmp/unzip")
            except OSError:
                continue
    return "in /etc" if os.path.exists("/etc/planted") else "in /tmp alone"


if __name__ == "__main__":
    sys.setrecursionlimit(10000)
    trial.main()
