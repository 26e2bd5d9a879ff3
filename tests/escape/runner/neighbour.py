"""A job that minds its own business while others try to reach it."""

import ctypes
import os
import socket
import sys
import time

KEY = 0x57414645  # also the attackers'
IPC_CREAT = 0o1000
SHM_BYTES = 4096

kept_in_memory = sys.argv[2]

with open("/tmp/mine", "w", encoding="ascii") as file:
    file.write(kept_in_memory)
with open("/dev/shm/mine", "w", encoding="ascii") as file:
    file.write(kept_in_memory)

libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
segment = libc.shmget(KEY, SHM_BYTES, IPC_CREAT | 0o666)
address = libc.shmat(segment, None, 0)
ctypes.memmove(address, kept_in_memory.encode(), len(kept_in_memory))
queue = libc.msgget(KEY, IPC_CREAT | 0o666)

server = socket.socket(socket.AF_UNIX)
server.bind("\0wafer-neighbour")
server.listen()
server.settimeout(0.05)
loopback = socket.create_server(("127.0.0.1", 47100))
loopback.settimeout(0.05)


def touched():
    """What somebody else did, as texts."""
    for path in ("/tmp/mine", "/dev/shm/mine"):
        with open(path, encoding="ascii") as file:
            if file.read() != kept_in_memory:
                yield f"{path} was written"
    if ctypes.string_at(address, len(kept_in_memory)).decode() != (
        kept_in_memory
    ):
        yield "its shared memory was written"
    room = ctypes.create_string_buffer(64)
    ipc_nowait = 0o4000
    if libc.msgrcv(queue, room, 32, 0, ipc_nowait) >= 0:
        yield "a message came into its queue"
    for name, listening in (("abstract", server), ("loopback", loopback)):
        try:
            listening.accept()
            yield f"somebody connected to its {name} socket"
        except TimeoutError:
            pass


print("ready", flush=True)
while not os.path.exists("/data/end"):
    time.sleep(0.02)
for text in touched():
    print("touched:", text)
