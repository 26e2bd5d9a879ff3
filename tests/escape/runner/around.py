"""What is set up outside around a job, and looked at once it has ended.

Each is a context manager that takes the job's Stage: it adds facts for the
payload, options and descriptors for `wafer run`, and problems that it saw.
"""

import contextlib
import ctypes
import fcntl
import http.server
import os
import pty
import shutil
import socket
import stat
import subprocess
import termios
import threading
import time
import zipfile

import world

KEY = 0x57414645  # also the neighbour's
TOKEN = b"planted by the runner"
IPC_CREAT, IPC_RMID = 0o1000, 0
REPORT_FD = 1023
REFUSED = 125  # of wafer itself

_libc = ctypes.CDLL(None, use_errno=True)
_libc.shmat.restype = ctypes.c_void_p


@contextlib.contextmanager
def places(stage):
    """Where things are on the host, which are not to be there inside."""
    bench = stage.bench
    below = world.descendants(bench.neighbour.popen.pid)
    zygote = min(below)  # it was started first
    (record,) = [
        run for run in bench.wafer.records() if run["name"] == "neighbour.py"
    ]
    stage.facts.update(
        zygote_pid=zygote,
        zygote_memory=f"/proc/{zygote}/mem",
        neighbour_log=str(
            bench.wafer.state_dir / "runs" / record["id"] / "stdout"
        ),
        canary_path=str(bench.canary_file),
        state_dir=str(bench.wafer.state_dir),
        config_dir=str(bench.wafer.config_dir),
        neighbour_script=str(bench.wafer.work / "neighbour.py"),
        host_pid=os.getpid(),
        neighbour_pid=bench.neighbour.popen.pid,
        report_fd=REPORT_FD,
    )
    yield


@contextlib.contextmanager
def setuid_mount(stage):
    """A setuid-root `id` in a folder that is mounted."""
    folder = stage.bench.wafer.folder(f"setuid-{id(stage)}")
    program = folder / "id"
    shutil.copy("/usr/bin/id", program)
    os.chown(program, 0, 0)
    os.chmod(program, 0o4755)
    stage.options.append(f"--mount={folder}:/data")
    stage.facts["setuid_path"] = "/data/id"
    yield
    shutil.rmtree(folder)


@contextlib.contextmanager
def listeners(stage):
    """On the host's loopback and in its abstract sockets: nobody comes."""
    name = f"wafer-escape-{os.getpid()}"
    with contextlib.ExitStack() as stack:
        listening = {
            "loopback": socket.create_server(("127.0.0.1", 0)),
            "abstract": socket.socket(socket.AF_UNIX),
        }
        port = listening["loopback"].getsockname()[1]
        with contextlib.suppress(OSError):  # a machine without IPv6
            listening["IPv6 loopback"] = socket.create_server(
                ("::1", port), family=socket.AF_INET6
            )
        listening["abstract"].bind("\0" + name)
        listening["abstract"].listen()
        for server in listening.values():
            stack.enter_context(server)
            server.setblocking(False)
        stage.facts["port"] = port
        stage.facts["abstract"] = name
        yield
        for kind, server in listening.items():
            with contextlib.suppress(BlockingIOError):
                server.accept()
                stage.problem(f"it connected to the host's {kind} socket")


@contextlib.contextmanager
def system_v(stage):
    """A segment and a queue of the host's, open to all."""
    segment = _libc.shmget(KEY, 4096, IPC_CREAT | 0o666)
    address = _libc.shmat(segment, None, 0)
    ctypes.memmove(address, TOKEN, len(TOKEN))
    queue = _libc.msgget(KEY, IPC_CREAT | 0o666)
    semaphores = _libc.semget(KEY, 1, IPC_CREAT | 0o666)
    stage.facts["key"] = KEY
    try:
        yield
        if ctypes.string_at(address, len(TOKEN)) != TOKEN:
            stage.problem("the host's shared memory was written")
        room = ctypes.create_string_buffer(64)
        ipc_nowait = 0o4000
        if _libc.msgrcv(queue, room, 32, 0, ipc_nowait) >= 0:
            stage.problem("a message came into the host's queue")
    finally:
        _libc.shmdt(ctypes.c_void_p(address))
        _libc.shmctl(segment, IPC_RMID, None)
        _libc.msgctl(queue, IPC_RMID, None)
        _libc.semctl(semaphores, 0, IPC_RMID, 0)


@contextlib.contextmanager
def shared_memory(stage):
    """A file in the host's /dev/shm, for all to read and write."""
    path = f"/dev/shm/wafer-escape-{os.getpid()}"
    with open(path, "wb") as file:
        file.write(TOKEN)
    os.chmod(path, 0o666)
    stage.facts["shm_path"] = path
    try:
        yield
        with open(path, "rb") as file:
            if file.read() != TOKEN:
                stage.problem("the host's file in /dev/shm was written")
    finally:
        os.unlink(path)


@contextlib.contextmanager
def terminal(stage):
    """wafer stands in a terminal of its own: nothing is typed into it."""
    leader, follower = pty.openpty()
    attributes = termios.tcgetattr(follower)
    attributes[3] &= ~(termios.ECHO | termios.ICANON)
    termios.tcsetattr(follower, termios.TCSANOW, attributes)

    def take_terminal():
        fcntl.ioctl(follower, termios.TIOCSCTTY, 0)

    stage.keywords.update(stdin=follower, preexec_fn=take_terminal)
    try:
        yield
        os.set_blocking(follower, False)
        with contextlib.suppress(BlockingIOError):
            typed = os.read(follower, 100)
            stage.problem(f"typed into the terminal: {typed!r}")
    finally:
        os.close(leader)
        os.close(follower)


@contextlib.contextmanager
def open_descriptors(stage):
    """The caller has more open than 0, 1 and 2: a folder, a file, a socket."""
    with contextlib.ExitStack() as stack:
        numbers = [os.open("/", os.O_RDONLY), os.open("/etc", os.O_PATH)]
        numbers += os.pipe()
        for number in numbers:
            os.set_inheritable(number, True)
            stack.callback(os.close, number)
        stage.keywords["pass_fds"] = numbers
        yield


@contextlib.contextmanager
def writable_mount(stage):
    """A folder that is mounted for writing."""
    folder = stage.bench.wafer.folder(f"writable-{id(stage)}")
    stage.options.append(f"--mount={folder}:/data:rw")
    stage.facts["mount"] = "/data"
    stage.folder = folder
    yield
    shutil.rmtree(folder)


class Answer(http.server.BaseHTTPRequestHandler):
    """What a metadata server says, as far as an attempt is concerned."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        return


class Server(http.server.ThreadingHTTPServer):
    """On every address there is, of both families."""

    address_family = socket.AF_INET6


@contextlib.contextmanager
def private_network(stage):
    """A cloud's metadata servers, in a network without a way out.

    For a job of `--network=host`, which reaches what the machine reaches: so
    the runner is in a network namespace of its own by now (see selftest.py).
    """
    if socket.if_nameindex() != [(1, "lo")]:
        raise RuntimeError("this isn't a network of our own")
    with Server(("::", 80), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield
        server.shutdown()


@contextlib.contextmanager
def quiet_output(stage):
    """stdout goes nowhere; the tries are told on stderr."""
    stage.keywords["stdout"] = subprocess.DEVNULL
    stage.facts["tell_fd"] = 2
    yield


@contextlib.contextmanager
def late_reader(stage):
    """The caller reads nothing of stdout for a second, and then all."""
    reader, writer = os.pipe()
    stage.keywords["stdout"] = writer
    stage.facts["tell_fd"] = 2

    def read_late():
        time.sleep(1)
        while os.read(reader, 1 << 16):
            continue

    thread = threading.Thread(target=read_late, daemon=True)
    thread.start()
    try:
        yield
    finally:
        os.close(writer)
        thread.join(30)
        os.close(reader)


METACHARACTERS = [
    "; touch /tmp/injected", "$(touch /tmp/injected)", "`touch /tmp/injected`",
    "| touch /data/injected", "a\nb", "", "--", "--report=/tmp/injected",
    "-c", "*", "~", "'", '"', "\\", "x" * 4096, "\udcff", "%n%n%s",
]  # fmt: skip


@contextlib.contextmanager
def metacharacters(stage):
    """Arguments that a shell or a second parser would make something of."""
    stage.words = METACHARACTERS
    stage.facts["words"] = METACHARACTERS
    yield


@contextlib.contextmanager
def loader_variables(stage):
    """In wafer's environment, as a caller may have them."""
    folder = stage.bench.wafer.folder(f"inject-{id(stage)}")
    (folder / "injected.py").write_text("")
    sanitizer = os.environ.get("ASAN_OPTIONS", "")
    stage.environment.update(
        ASAN_OPTIONS=f"{sanitizer}:verify_asan_link_order=0",
        LD_PRELOAD="libBrokenLocale.so.1",  # of libc6, and used by nothing
        PYTHONPATH=str(folder),
        PYTHONHOME="/nowhere",
        PYTHONSTARTUP=str(folder / "injected.py"),
        GLIBC_TUNABLES="glibc.malloc.check=3",
        LD_LIBRARY_PATH=str(folder),
        BASH_ENV=str(folder / "injected.py"),
    )
    yield
    shutil.rmtree(folder)


@contextlib.contextmanager
def planted_mount(stage):
    """A folder for writing, with a link in it that leads out.

    Afterwards: nothing in it is a device, is setuid, or was followed.
    """
    with writable_mount(stage):
        os.symlink(stage.bench.canary_file, stage.folder / "to-canary")
        before = os.stat(stage.bench.canary_file)
        stage.facts["canary_path"] = str(stage.bench.canary_file)
        read_only = stage.bench.wafer.folder(f"ro-{id(stage)}")
        stage.options.append(f"--mount={read_only}:/ro")
        yield
        for path in stage.folder.iterdir():
            mode = path.lstat().st_mode
            if mode & 0o6000 or stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
                stage.problem(f"{path.name} has mode {mode:o}")
        report_where_planted(stage)
        after = os.stat(stage.bench.canary_file)
        if (before.st_mtime_ns, before.st_nlink) != (
            after.st_mtime_ns,
            after.st_nlink,
        ):
            stage.problem("the canary's file was touched")
        if list(read_only.iterdir()):
            stage.problem("something is in the read-only mount")
        os.rmdir(read_only)


def report_where_planted(stage):
    """The next run's report isn't written through what is in its place."""
    for name in ("link-to-canary", "fifo"):
        path = stage.folder / name
        if not os.path.lexists(path):
            continue
        said = stage.bench.wafer.start("run", "-", f"--report={path}").wait()
        if said.status != REFUSED:
            stage.problem(f"a report to {name} ended as {said.status}")


def make_wheel(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, data in members.items():
            wheel.writestr(name, data)
    os.chmod(path, 0o644)


@contextlib.contextmanager
def hostile_wheel(stage):
    """Members that would leave the folder where a wheel is unpacked."""
    path = stage.bench.wafer.base / "hostile-1-py3-none-any.whl"
    make_wheel(
        path,
        {
            "hostile.py": b"",
            "../../../../tmp/planted": b"x",
            "/etc/planted": b"x",
            "../../../opt/planted": b"x",
        },
    )
    stage.libraries.append(path)
    yield


@contextlib.contextmanager
def wheel_bomb(stage):
    """A wheel of a few MiB that unpacks to more than the job's memory."""
    path = stage.bench.wafer.base / "bomb-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, True, 1) as wheel:
        with wheel.open("bomb.bin", "w") as member:
            for _ in range(1280):
                member.write(bytes(1 << 20))
    os.chmod(path, 0o644)
    stage.libraries.append(path)
    yield
    path.unlink()
