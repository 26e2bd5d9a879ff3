#include "config.h"

#include "sandbox/seccomp_table.h"

#include "base/mem.h"

#include <asm/termbits.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/prctl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/stat.h>

#ifndef PR_GET_AUXV
#  define PR_GET_AUXV 0x41555856 /* Linux 6.4 */
#endif

#define ALLOW SECCOMP_ALLOW
#define QUIET SECCOMP_QUIET

/* The tests, in braces of their own: argument n is a value; some of its bits
 * are a value; some of its bits are clear. */
#define IS(n, wanted)         BITS(n, UINT32_MAX, wanted)
#define CLEAR(n, bits)        BITS(n, bits, 0)
#define BITS(n, bits, wanted) .argument = (n), .mask = (bits), .value = (wanted)

/* A namespace flag that clone (2) can take: CLONE_NEWTIME can't come this way,
 * its bit is part of the exit signal here. */
#define NAMESPACES                                                             \
  (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |               \
   CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

/* A setuid file that a job leaves in a mounted folder of another user would
 * run with that user's rights on the host. Every call that gives a file a mode
 * is here. */
#define SETUID_BITS (S_ISUID | S_ISGID)

/* Without one of these flags an open makes no file, and its mode is whatever
 * the register held (mimalloc, of pyarrow, opens that way). */
#define MAKES_FILE (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))

/* What kind of node, and no setuid bits: a device node would open hardware. */
#define NODE_BITS (S_IFMT | SETUID_BITS)

/* socket (2) keeps the type below its two flags. */
#define TYPE(type) BITS(1, 0xf, type)

/* A policy may come with a flag that resets it in children. */
#define POLICY(policy) BITS(1, ~(uint32_t)SCHED_RESET_ON_FORK, policy)

const struct seccomp_argument seccomp_arguments[] = {
    /* Files whose mode has no setuid bits. */
    {"open", ALLOW, {{CLEAR(1, MAKES_FILE)}}, "opens a file"},
    {"open", ALLOW, {{CLEAR(2, SETUID_BITS)}}, "opens or makes a file"},
    {"openat", ALLOW, {{CLEAR(2, MAKES_FILE)}}, "opens a file"},
    {"openat", ALLOW, {{CLEAR(3, SETUID_BITS)}}, "opens or makes a file"},
    {"creat", ALLOW, {{CLEAR(1, SETUID_BITS)}}, "makes a file"},
    {"mkdir", ALLOW, {{CLEAR(1, SETUID_BITS)}}, "makes a folder"},
    {"mkdirat", ALLOW, {{CLEAR(2, SETUID_BITS)}}, "makes a folder"},
    {"chmod", ALLOW, {{CLEAR(1, SETUID_BITS)}}, "sets permissions"},
    {"fchmod", ALLOW, {{CLEAR(1, SETUID_BITS)}}, "sets permissions"},
    {"fchmodat", ALLOW, {{CLEAR(2, SETUID_BITS)}}, "sets permissions"},
    {"mknod", ALLOW, {{BITS(1, NODE_BITS, 0)}}, "makes a file"},
    {"mknod", ALLOW, {{BITS(1, NODE_BITS, S_IFREG)}}, "makes a file"},
    {"mknod", ALLOW, {{BITS(1, NODE_BITS, S_IFIFO)}}, "makes a FIFO"},
    {"mknod", ALLOW, {{BITS(1, NODE_BITS, S_IFSOCK)}}, "makes a socket"},
    {"mknodat", ALLOW, {{BITS(2, NODE_BITS, 0)}}, "makes a file"},
    {"mknodat", ALLOW, {{BITS(2, NODE_BITS, S_IFREG)}}, "makes a file"},
    {"mknodat", ALLOW, {{BITS(2, NODE_BITS, S_IFIFO)}}, "makes a FIFO"},
    {"mknodat", ALLOW, {{BITS(2, NODE_BITS, S_IFSOCK)}}, "makes a socket"},

    /* Processes. */
    {"clone", ALLOW, {{CLEAR(0, NAMESPACES)}}, "makes processes and threads"},
    {"personality", ALLOW, {{IS(0, PER_LINUX)}}, "the ordinary one"},
    {"personality", ALLOW, {{IS(0, UINT32_MAX)}}, "only reads"},
    {"sched_setscheduler", ALLOW, {{POLICY(SCHED_OTHER)}}, "ordinary"},
    {"sched_setscheduler", ALLOW, {{POLICY(SCHED_BATCH)}}, "yields to others"},
    {"sched_setscheduler", ALLOW, {{POLICY(SCHED_IDLE)}}, "yields to others"},

    /* Sockets: no raw ones, and of the protocols only TCP and UDP, since SCTP,
     * MPTCP, L2TP and others are much kernel code for no ETL script. */
    {"socket", ALLOW, {{IS(0, AF_UNIX)}, {TYPE(SOCK_STREAM)}}, "local"},
    {"socket", ALLOW, {{IS(0, AF_UNIX)}, {TYPE(SOCK_DGRAM)}}, "local"},
    {"socket", ALLOW, {{IS(0, AF_UNIX)}, {TYPE(SOCK_SEQPACKET)}}, "local"},
    {"socket",
     ALLOW,
     {{IS(0, AF_INET)}, {TYPE(SOCK_STREAM)}, {IS(2, IPPROTO_IP)}},
     "TCP by default"},
    {"socket",
     ALLOW,
     {{IS(0, AF_INET)}, {TYPE(SOCK_STREAM)}, {IS(2, IPPROTO_TCP)}},
     "TCP"},
    {"socket",
     ALLOW,
     {{IS(0, AF_INET)}, {TYPE(SOCK_DGRAM)}, {IS(2, IPPROTO_IP)}},
     "UDP by default"},
    {"socket",
     ALLOW,
     {{IS(0, AF_INET)}, {TYPE(SOCK_DGRAM)}, {IS(2, IPPROTO_UDP)}},
     "UDP"},
    {"socket",
     ALLOW,
     {{IS(0, AF_INET6)}, {TYPE(SOCK_STREAM)}, {IS(2, IPPROTO_IP)}},
     "TCP by default"},
    {"socket",
     ALLOW,
     {{IS(0, AF_INET6)}, {TYPE(SOCK_STREAM)}, {IS(2, IPPROTO_TCP)}},
     "TCP"},
    {"socket",
     ALLOW,
     {{IS(0, AF_INET6)}, {TYPE(SOCK_DGRAM)}, {IS(2, IPPROTO_IP)}},
     "UDP by default"},
    {"socket",
     ALLOW,
     {{IS(0, AF_INET6)}, {TYPE(SOCK_DGRAM)}, {IS(2, IPPROTO_UDP)}},
     "UDP"},
    {"socket",
     QUIET,
     {{IS(0, AF_NETLINK)}},
     "libc's getaddrinfo asks for addresses by it, and does without"},
    {"socketpair", ALLOW, {{IS(0, AF_UNIX)}, {TYPE(SOCK_STREAM)}}, "local"},
    {"socketpair", ALLOW, {{IS(0, AF_UNIX)}, {TYPE(SOCK_DGRAM)}}, "local"},
    {"socketpair", ALLOW, {{IS(0, AF_UNIX)}, {TYPE(SOCK_SEQPACKET)}}, "local"},

    /* ioctl on terminals. Not here: TIOCSTI and TIOCLINUX, which type into the
     * caller's terminal; TIOCSETD, which loads line disciplines; TIOCCONS. */
    {"ioctl", ALLOW, {{IS(1, TCGETS)}}, "isatty, at every open in Python"},
    {"ioctl", ALLOW, {{IS(1, TCSETS)}}, "tcsetattr"},
    {"ioctl", ALLOW, {{IS(1, TCSETSW)}}, "tcsetattr"},
    {"ioctl", ALLOW, {{IS(1, TCSETSF)}}, "tcsetattr"},
    {"ioctl", ALLOW, {{IS(1, TCGETS2)}}, "isatty in newer libc"},
    {"ioctl", ALLOW, {{IS(1, TCSETS2)}}, "tcsetattr in newer libc"},
    {"ioctl", ALLOW, {{IS(1, TCSETSW2)}}, "tcsetattr in newer libc"},
    {"ioctl", ALLOW, {{IS(1, TCSETSF2)}}, "tcsetattr in newer libc"},
    {"ioctl", ALLOW, {{IS(1, TCSBRK)}}, "tcdrain"},
    {"ioctl", ALLOW, {{IS(1, TCSBRKP)}}, "tcsendbreak"},
    {"ioctl", ALLOW, {{IS(1, TCXONC)}}, "tcflow"},
    {"ioctl", ALLOW, {{IS(1, TCFLSH)}}, "tcflush"},
    {"ioctl", ALLOW, {{IS(1, TIOCGWINSZ)}}, "get_terminal_size"},
    {"ioctl", ALLOW, {{IS(1, TIOCSWINSZ)}}, "size of a pty"},
    {"ioctl", ALLOW, {{IS(1, TIOCGPGRP)}}, "tcgetpgrp"},
    {"ioctl", ALLOW, {{IS(1, TIOCSPGRP)}}, "tcsetpgrp"},
    {"ioctl", ALLOW, {{IS(1, TIOCGSID)}}, "tcgetsid"},
    {"ioctl", ALLOW, {{IS(1, TIOCSCTTY)}}, "login_tty on a pty"},
    {"ioctl", ALLOW, {{IS(1, TIOCNOTTY)}}, "leaves the terminal"},
    {"ioctl", ALLOW, {{IS(1, TIOCOUTQ)}}, "bytes not yet sent; SIOCOUTQ too"},
    {"ioctl", ALLOW, {{IS(1, TIOCGPTN)}}, "ptsname"},
    {"ioctl", ALLOW, {{IS(1, TIOCSPTLCK)}}, "unlockpt"},
    {"ioctl", ALLOW, {{IS(1, TIOCGPTPEER)}}, "openpty"},
    {"ioctl", ALLOW, {{IS(1, TIOCEXCL)}}, "exclusive use"},
    {"ioctl", ALLOW, {{IS(1, TIOCNXCL)}}, "shared use"},

    /* ioctl on files. Not here: FS_IOC_FSSETXATTR, which moves a file out of
     * its project's quota. */
    {"ioctl", ALLOW, {{IS(1, FIONREAD)}}, "bytes to read"},
    {"ioctl", ALLOW, {{IS(1, FIONBIO)}}, "set_blocking"},
    {"ioctl", ALLOW, {{IS(1, FIOASYNC)}}, "signals on input"},
    {"ioctl", ALLOW, {{IS(1, FIOCLEX)}}, "set_inheritable"},
    {"ioctl", ALLOW, {{IS(1, FIONCLEX)}}, "set_inheritable"},
    {"ioctl", ALLOW, {{IS(1, FIOQSIZE)}}, "size of a file"},
    {"ioctl", ALLOW, {{IS(1, FICLONE)}}, "cp shares blocks"},
    {"ioctl", ALLOW, {{IS(1, FICLONERANGE)}}, "cp shares blocks"},
    {"ioctl", ALLOW, {{IS(1, FIDEDUPERANGE)}}, "shares equal blocks"},
    {"ioctl", ALLOW, {{IS(1, FS_IOC_FIEMAP)}}, "cp and tar look for holes"},
    {"ioctl", ALLOW, {{IS(1, FS_IOC_GETFLAGS)}}, "lsattr"},
    {"ioctl", ALLOW, {{IS(1, FS_IOC_SETFLAGS)}}, "nodatacow, as databases do"},
    {"ioctl", ALLOW, {{IS(1, FS_IOC_GETVERSION)}}, "lsattr"},
    {"ioctl", ALLOW, {{IS(1, FS_IOC_FSGETXATTR)}}, "lsattr"},

    /* ioctl on sockets: reading what interfaces there are. */
    {"ioctl", ALLOW, {{IS(1, SIOCATMARK)}}, "sockatmark"},
    {"ioctl", ALLOW, {{IS(1, SIOCGIFCONF)}}, "lists interfaces"},
    {"ioctl", ALLOW, {{IS(1, SIOCGIFNAME)}}, "if_indextoname"},
    {"ioctl", ALLOW, {{IS(1, SIOCGIFINDEX)}}, "if_nametoindex"},
    {"ioctl", ALLOW, {{IS(1, SIOCGIFFLAGS)}}, "is it up"},
    {"ioctl", ALLOW, {{IS(1, SIOCGIFADDR)}}, "its address"},
    {"ioctl", ALLOW, {{IS(1, SIOCGIFBRDADDR)}}, "its address"},
    {"ioctl", ALLOW, {{IS(1, SIOCGIFNETMASK)}}, "its address"},
    {"ioctl", ALLOW, {{IS(1, SIOCGIFHWADDR)}}, "uuid.getnode"},
    {"ioctl", ALLOW, {{IS(1, SIOCGIFMTU)}}, "its packet size"},

    /* prctl. Not here: PR_SET_MM, PR_SET_SECCOMP, PR_SET_PTRACER, and
     * PR_SET_MEMORY_MERGE, which shares pages with other processes. */
    {"prctl", ALLOW, {{IS(0, PR_SET_NAME)}}, "names a thread"},
    {"prctl", ALLOW, {{IS(0, PR_GET_NAME)}}, "names a thread"},
    {"prctl", ALLOW, {{IS(0, PR_SET_VMA)}}, "names memory: malloc, mimalloc"},
    {"prctl", ALLOW, {{IS(0, PR_SET_PDEATHSIG)}}, "dies with its parent"},
    {"prctl", ALLOW, {{IS(0, PR_GET_PDEATHSIG)}}, "dies with its parent"},
    {"prctl", ALLOW, {{IS(0, PR_SET_CHILD_SUBREAPER)}}, "adopts orphans"},
    {"prctl", ALLOW, {{IS(0, PR_GET_CHILD_SUBREAPER)}}, "adopts orphans"},
    {"prctl", ALLOW, {{IS(0, PR_SET_DUMPABLE)}}, "hides its memory, or not"},
    {"prctl", ALLOW, {{IS(0, PR_GET_DUMPABLE)}}, "hides its memory, or not"},
    {"prctl", ALLOW, {{IS(0, PR_SET_NO_NEW_PRIVS)}}, "already set"},
    {"prctl", ALLOW, {{IS(0, PR_GET_NO_NEW_PRIVS)}}, "already set"},
    {"prctl", ALLOW, {{IS(0, PR_GET_SECCOMP)}}, "am I filtered"},
    {"prctl", ALLOW, {{IS(0, PR_GET_KEEPCAPS)}}, "only reads"},
    {"prctl", ALLOW, {{IS(0, PR_GET_SECUREBITS)}}, "only reads"},
    {"prctl", ALLOW, {{IS(0, PR_CAPBSET_READ)}}, "only reads"},
    {"prctl", ALLOW, {{IS(0, PR_CAP_AMBIENT)}}, "nothing is left to raise"},
    {"prctl", ALLOW, {{IS(0, PR_SET_TIMERSLACK)}}, "coarser timers"},
    {"prctl", ALLOW, {{IS(0, PR_GET_TIMERSLACK)}}, "coarser timers"},
    {"prctl", ALLOW, {{IS(0, PR_GET_TIMING)}}, "only reads"},
    {"prctl",
     ALLOW,
     {{IS(0, PR_SET_THP_DISABLE)}},
     "no huge pages, as jemalloc"},
    {"prctl",
     ALLOW,
     {{IS(0, PR_GET_THP_DISABLE)}},
     "no huge pages, as jemalloc"},
    {"prctl", ALLOW, {{IS(0, PR_GET_SPECULATION_CTRL)}}, "only reads"},
    {"prctl", ALLOW, {{IS(0, PR_GET_TID_ADDRESS)}}, "only reads"},
    {"prctl", ALLOW, {{IS(0, PR_GET_AUXV)}}, "only reads"},
};

const size_t seccomp_arguments_count = ARRAY_LENGTH(seccomp_arguments);
