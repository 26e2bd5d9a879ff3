"""Every refused system call, by three doors; and refused arguments."""

import trial  # isort: skip

import calls
import machine_code


def through(door, *words):
    def go():
        door(*words)

    return go


for name, (number, i386, words) in calls.CALLS.items():
    trial.add(name, through(trial.call, number, *words), in_child=True)
    trial.add(
        f"{name} by x32",
        through(machine_code.x32, number, *words),
        in_child=True,
    )
    if i386 is not None:
        trial.add(
            f"{name} by int 0x80",
            through(machine_code.int_80, i386, *words),
            in_child=True,
        )
for name, (number, words) in calls.UNKNOWN.items():
    trial.add(name, through(trial.call, number, *words))

# The kernel takes a number's lower half alone.
for name in ("mount", "bpf"):
    number, _, words = calls.CALLS[name]
    trial.add(
        f"{name} by high bits",
        through(trial.call, calls.HIGH_BITS | number, *words),
    )

SOCKET, SOCKETPAIR, IOCTL, PRCTL = 41, 53, 16, 157
for name, words in calls.SOCKETS.items():
    trial.add(f"socket {name}", through(trial.call, SOCKET, *words))
# Flags beside the type hide nothing of it.
trial.add("socket AF_INET raw, cloexec", through(trial.call, 41, 2, 0x80003, 1))
trial.add(
    "socketpair AF_NETLINK", through(trial.call, SOCKETPAIR, 16, 3, 0, 0)
)
for name, request in calls.IOCTLS.items():
    trial.add(f"ioctl {name}", through(trial.call, IOCTL, 0, request, 0))
for name, (option, words) in calls.PRCTLS.items():
    trial.add(f"prctl {name}", through(trial.call, PRCTL, option, *words), True)

I386_SOCKET, I386_IOCTL, I386_PRCTL = 359, 54, 172
trial.add(
    "socket AF_PACKET by int 0x80",
    through(machine_code.int_80, I386_SOCKET, *calls.SOCKETS["AF_PACKET"]),
    True,
)
trial.add(
    "ioctl TIOCSTI by int 0x80",
    through(machine_code.int_80, I386_IOCTL, 0, 0x5412, 0),
    True,
)
trial.add(
    "prctl PR_SET_SECCOMP by int 0x80",
    through(machine_code.int_80, I386_PRCTL, 22, 99, 0),
    True,
)

if __name__ == "__main__":
    trial.main()
