"""What is set up outside around a job, and looked at once it has ended.

Each is a context manager that takes the job's Stage: it adds facts for the
payload, options and descriptors for `wafer run`, and problems that it saw.
"""

import contextlib
import ctypes
import fcntl
import os
import pty
import shutil
import socket
import termios

KEY = 0x57414645  # also the neighbour's
TOKEN = b"planted by the runner"
IPC_CREAT, IPC_RMID = 0o1000, 0
REPORT_FD = 1023

_libc = ctypes.CDLL(None, use_errno=True)
_libc.shmat.restype = ctypes.c_void_p


@contextlib.contextmanager
def places(stage):
    """Where things are on the host, which are not to be there inside."""
    bench = stage.bench
    stage.facts.update(
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
        listening["abstract"].bind("\0" + name)
        listening["abstract"].listen()
        for server in listening.values():
            stack.enter_context(server)
            server.setblocking(False)
        stage.facts["port"] = listening["loopback"].getsockname()[1]
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
def slow_reader(stage):
    """The caller reads nothing of the output for a while."""
    reader, writer = os.pipe()
    stage.keywords["stdout"] = writer
    try:
        yield
    finally:
        os.close(reader)
        os.close(writer)


@contextlib.contextmanager
def writable_mount(stage):
    """A folder that is mounted for writing."""
    folder = stage.bench.wafer.folder(f"writable-{id(stage)}")
    stage.options.append(f"--mount={folder}:/data:rw")
    stage.facts["mount"] = "/data"
    stage.folder = folder
    yield
    shutil.rmtree(folder)


@contextlib.contextmanager
def private_network(stage):
    """A network without a way out, with a cloud's metadata servers in it.

    For a job of `--network=host`: it reaches what the machine reaches, so the
    runner is in a network namespace of its own (see selftest.py).
    """
    # They answer nothing: to be reached is enough.
    with contextlib.ExitStack() as stack:
        for address in ("169.254.169.254", "169.254.170.2"):
            server = socket.socket()
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind((address, 80))
            server.listen()
            stack.enter_context(server)
        yield


