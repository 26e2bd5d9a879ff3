"""System calls that a job must not get through, as data.

Each has arguments that do no harm where it does get through: then it fails
later, with another errno, or does something to this sandbox alone.
"""

AT_FDCWD = -100
NEW_NS, NEW_CGROUP, NEW_UTS = 0x20000, 0x02000000, 0x04000000
NEW_IPC, NEW_USER, NEW_PID = 0x08000000, 0x10000000, 0x20000000
NEW_NET, NEW_TIME = 0x40000000, 0x80

BAD = -1  # a descriptor or pointer that is none
NONE = 0xFFFF  # a command or flag that is none

# Name: (number on x86_64, on i386, arguments). Each argument fits 32 bits, so
# that it goes through all three doors. The part of a name after a comma is the
# variant's.
CALLS = {
    "io_uring_setup": (425, 425, (1, 0)),
    "io_uring_enter": (426, 426, (BAD, 0, 0, 0)),
    "io_uring_register": (427, 427, (BAD, 0, 0)),
    "io_setup": (206, 245, (1, 0)),
    "bpf": (321, 357, (NONE, 0, 0)),
    "userfaultfd": (323, 374, (1,)),
    "add_key": (248, 286, (0, 0, 0, 0, 0)),
    "request_key": (249, 287, (0, 0, 0, 0)),
    "keyctl": (250, 288, (0, 0xFFFFFFFD, 0)),
    "perf_event_open": (298, 336, (0, 0, BAD, BAD, 0)),
    "unshare, user": (272, 310, (NEW_USER,)),
    "unshare, mount": (272, 310, (NEW_NS,)),
    "unshare, cgroup": (272, 310, (NEW_CGROUP,)),
    "unshare, uts": (272, 310, (NEW_UTS,)),
    "unshare, ipc": (272, 310, (NEW_IPC,)),
    "unshare, pid": (272, 310, (NEW_PID,)),
    "unshare, net": (272, 310, (NEW_NET,)),
    "unshare, time": (272, 310, (NEW_TIME,)),
    "setns": (308, 346, (0, NEW_NS)),
    "mount": (165, 21, (0, 0, 0, 0, 0)),
    "umount2": (166, 52, (0, NONE)),
    "fsopen": (430, 430, (0, 0)),
    "fsconfig": (431, 431, (BAD, NONE, 0, 0, 0)),
    "fsmount": (432, 432, (BAD, NONE, 0)),
    "fspick": (433, 433, (BAD, 0, NONE)),
    "move_mount": (429, 429, (BAD, 0, BAD, 0, 0x40000000)),
    "open_tree": (428, 428, (BAD, 0, 0)),
    "mount_setattr": (442, 442, (BAD, 0, 0x40000000, 0, 0)),
    "pivot_root": (155, 217, (0, 0)),
    "chroot": (161, 61, (0,)),
    "ptrace": (101, 26, (16, BAD, 0, 0)),
    "process_vm_readv": (310, 347, (BAD, 0, 0, 0, 0, 1)),
    "process_vm_writev": (311, 348, (BAD, 0, 0, 0, 0, 1)),
    "pidfd_getfd": (438, 438, (BAD, 0, 0)),
    "kcmp": (312, 349, (BAD, BAD, 0, 0, 0)),
    "name_to_handle_at": (303, 341, (BAD, 0, 0, 0, 0)),
    "open_by_handle_at": (304, 342, (BAD, 0, 0)),
    "init_module": (175, 128, (0, 0, 0)),
    "finit_module": (313, 350, (BAD, 0, NONE)),
    "delete_module": (176, 129, (0, 0)),
    "kexec_load": (246, 283, (0, 0, 0, NONE)),
    "kexec_file_load": (320, None, (BAD, BAD, 0, 0, NONE)),
    "reboot": (169, 88, (0, 0, 0, 0)),
    "swapon": (167, 87, (0, 0x7FFFFFFF)),
    "swapoff": (168, 115, (0,)),
    "clock_settime": (227, 264, (0, 0)),
    "clock_adjtime": (305, 343, (0, 0)),
    "settimeofday": (164, 79, (1, 0)),
    "adjtimex": (159, 124, (0,)),
    "sethostname": (170, 74, (0, BAD)),
    "setdomainname": (171, 121, (0, BAD)),
    "personality": (135, 136, (0x0040000,)),  # ADDR_NO_RANDOMIZE
    "iopl": (172, 110, (4,)),
    "ioperm": (173, 101, (0xFFFFFFFF, 8, 1)),
    "modify_ldt": (154, 123, (0, 0, 0)),
    "acct": (163, 51, (1,)),
    "quotactl": (179, 131, (0xFFFFFFFF, 0, 0, 0)),
    "quotactl_fd": (443, 443, (BAD, 0xFFFFFFFF, 0, 0)),
    "syslog": (103, 103, (99, 0, 0)),
    "vhangup": (153, 111, ()),
    "lookup_dcookie": (212, 253, (0, 0, 0)),
    "fanotify_init": (300, 338, (0x200, 0)),  # FAN_REPORT_FID: for everybody
    "fanotify_mark": (301, 339, (BAD, 0xFFFFFFFF, 0, 0, 0)),
    "memfd_secret": (447, 447, (NONE,)),
    "vmsplice": (278, 316, (BAD, 0, 0, 0)),
    "process_madvise": (440, 440, (BAD, 0, 0, 0, 1)),
    "process_mrelease": (448, 448, (BAD, 1)),
    "move_pages": (279, 317, (BAD, 0, 0, 0, 0, NONE)),
    "migrate_pages": (256, 294, (BAD, 0, 0, 0)),
    "remap_file_pages": (216, 257, (1, 0, 0, 0, 0)),
    "set_mempolicy_home_node": (450, 450, (0, 0, 0, 1)),
    "sched_setattr": (314, 351, (0, 0, 1)),
    "sched_setscheduler": (144, 156, (0, 1, 0)),  # SCHED_FIFO
    "seccomp": (317, 354, (99, 0, 0)),
    "clone3": (435, 435, (0, 0)),
    "openat2": (437, 437, (BAD, 0, 0, 0)),
}

# Unknown to the filter, newer or none at all: (number, arguments).
UNKNOWN = {
    "fchmodat2": (452, (BAD, 0, 0, NONE)),
    "map_shadow_stack": (453, (0, 0, NONE)),
    "statmount": (457, (0, 0, 0, 1)),
    "listmount": (458, (0, 0, 0, 1)),
    "lsm_set_self_attr": (460, (0, 0, 0, 1)),
    "open_tree_attr": (467, (BAD, 0, 0, 0, 0)),
    "file_setattr": (469, (BAD, 0, 0, 0, 0)),
    "number 9999": (9999, ()),
}

# (family, type, protocol); what is allowed is stream and datagram of the first
# three families.
RAW, DATAGRAM, STREAM = 3, 2, 1
SOCKETS = {
    "AF_UNIX raw": (1, RAW, 0),
    "AF_INET raw": (2, RAW, 1),
    "AF_INET ping": (2, DATAGRAM, 1),
    "AF_INET packet": (2, 10, 0x300),
    "AF_INET SCTP": (2, STREAM, 132),
    "AF_INET MPTCP": (2, STREAM, 262),
    "AF_INET UDP-Lite": (2, DATAGRAM, 136),
    "AF_INET6 raw": (10, RAW, 58),
    "AF_INET6 L2TP": (10, DATAGRAM, 115),
    "AF_AX25": (3, DATAGRAM, 0),
    "AF_X25": (9, 5, 0),
    "AF_KEY": (15, RAW, 2),
    "AF_NETLINK": (16, RAW, 0),
    "AF_PACKET": (17, RAW, 0x300),
    "AF_RDS": (21, 5, 0),
    "AF_PPPOX": (24, STREAM, 0),
    "AF_CAN": (29, RAW, 1),
    "AF_TIPC": (30, 5, 0),
    "AF_BLUETOOTH": (31, RAW, 1),
    "AF_ALG": (38, 5, 0),
    "AF_NFC": (39, STREAM, 0),
    "AF_VSOCK": (40, STREAM, 0),
    "AF_KCM": (41, DATAGRAM, 0),
    "AF_QIPCRTR": (42, DATAGRAM, 0),
    "AF_SMC": (43, STREAM, 0),
    "AF_XDP": (44, RAW, 0),
    "AF_MCTP": (45, DATAGRAM, 0),
}

# On descriptor 0: a request that gets through finds no terminal there.
HIGH_BITS = 0xFFFFFFFF << 32
IOCTLS = {
    "TIOCSTI": 0x5412,
    "TIOCSTI, high bits": HIGH_BITS | 0x5412,
    "TIOCSTI, one high bit": 1 << 32 | 0x5412,
    "TIOCLINUX": 0x541C,
    "TIOCLINUX, high bits": HIGH_BITS | 0x541C,
    "TIOCCONS": 0x541D,
    "TIOCSETD": 0x5423,
    "TIOCVHANGUP": 0x5437,
    "TCSETX": 0x5433,
    "KDSETMODE": 0x4B3A,
    "VT_ACTIVATE": 0x5606,
    "FIBMAP": 1,
    "FIFREEZE": 0xC0045877,
    "FITRIM": 0xC0185879,
    "FS_IOC_FSSETXATTR": 0x401C5820,
    "EXT4_IOC_SWAP_BOOT": 0x6611,
    "LOOP_SET_FD": 0x4C00,
    "LOOP_CTL_ADD": 0x4C80,
    "BLKROSET": 0x125D,
    "KVM_CREATE_VM": 0xAE01,
    "TUNSETIFF": 0x400454CA,
    "SIOCSIFADDR": 0x8916,
    "SIOCADDRT": 0x890B,
    "NS_GET_PARENT": 0xB702,
    "NS_GET_USERNS": 0xB701,
    "SECCOMP_IOCTL_NOTIF_RECV": 0xC0502100,
    "SECCOMP_IOCTL_NOTIF_ADDFD": 0x40182103,
    "PIDFD_GET_NET_NAMESPACE": 0xFF04,
    "USERFAULTFD_IOC_NEW": 0xAA00,
}

# (option, arguments); the option is an int to the kernel, and to the filter.
PRCTLS = {
    "PR_SET_MM": (35, (NONE, 0, 0, 0)),
    "PR_SET_MM, high bits": (HIGH_BITS | 35, (NONE, 0, 0, 0)),
    "PR_SET_SECCOMP": (22, (99, 0, 0, 0)),
    "PR_SET_PTRACER": (0x59616D61, (BAD, 0, 0, 0)),
    "PR_SET_MEMORY_MERGE": (67, (99, 0, 0, 0)),
    "PR_SET_KEEPCAPS": (8, (99, 0, 0, 0)),
    "PR_SET_SECUREBITS": (28, (0, 0, 0, 0)),
    "PR_CAPBSET_DROP": (24, (0, 0, 0, 0)),
    "PR_SET_TSC": (26, (99, 0, 0, 0)),
    "PR_SET_SPECULATION_CTRL": (53, (99, 0, 0, 0)),
    "PR_SET_IO_FLUSHER": (57, (99, 0, 0, 0)),
    "PR_SCHED_CORE": (62, (99, 0, 0, 0)),
    "PR_SET_SYSCALL_USER_DISPATCH": (59, (99, 0, 0, 0)),
    "PR_MCE_KILL": (33, (99, 0, 0, 0)),
    "PR_TASK_PERF_EVENTS_DISABLE": (31, (0, 0, 0, 0)),
    "PR_SET_MDWE": (65, (99, 0, 0, 0)),
    "PR_SET_ENDIAN": (20, (99, 0, 0, 0)),
}
