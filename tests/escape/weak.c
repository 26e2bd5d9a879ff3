/* A zygote with walls taken away on purpose, for the escape suite's test of
 * itself: never installed. It is the zygote's own objects, with calls that
 * raise a wall led here by the linker (--wrap).
 *
 * Which walls are away is written at the end of the program's file, as its last
 * line: "walls away: seccomp,rlimits". Without that line it refuses to run. The
 * user namespace can't be taken away: it is what keeps a capability that is
 * left, or a call that gets through, from being the machine's. */
#include "config.h"

#include "base/fd.h"
#include "sandbox/landlock.h"
#include "sandbox/namespace.h"
#include "sandbox/network.h"
#include "sandbox/privileges.h"
#include "sandbox/rlimits.h"
#include "sandbox/rootfs.h"
#include "sandbox/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/mount.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum wall {
  WALL_SECCOMP,
  WALL_LANDLOCK,
  WALL_RLIMITS,
  WALL_CAPABILITIES,
  WALL_DESCRIPTORS,
  WALL_CGROUP,
  WALL_CGROUP_NAMESPACE,
  WALL_READ_ONLY_ROOT,
  WALL_ROOT,
  WALL_PID,
  WALL_IPC,
  WALL_UTS,
  WALL_COUNT
};

static const char *const names[WALL_COUNT] = {
    [WALL_SECCOMP] = "seccomp",
    [WALL_LANDLOCK] = "landlock",
    [WALL_RLIMITS] = "rlimits",
    [WALL_CAPABILITIES] = "capabilities",
    [WALL_DESCRIPTORS] = "descriptors",
    [WALL_CGROUP] = "cgroup",
    [WALL_CGROUP_NAMESPACE] = "cgroup-namespace",
    [WALL_READ_ONLY_ROOT] = "read-only-root",
    [WALL_ROOT] = "root",
    [WALL_PID] = "pid",
    [WALL_IPC] = "ipc",
    [WALL_UTS] = "uts",
};

static bool away[WALL_COUNT];

static bool take_away(const char *name)
{
  for (size_t i = 0; i < WALL_COUNT; i++) {
    if (strcmp(names[i], name) == 0) {
      away[i] = true;
      return true;
    }
  }
  return false;
}

/* The last line of the program's file, without its newline. */
static char *last_line(char *tail, size_t room)
{
  cleanup_fd int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  struct stat status;
  if (fd < 0 || fstat(fd, &status) < 0 || status.st_size < (off_t)room)
    return NULL;
  ssize_t got = pread(fd, tail, room, status.st_size - (off_t)room);
  if (got != (ssize_t)room || tail[room - 1] != '\n')
    return NULL;
  tail[room - 1] = '\0';
  char *line = memrchr(tail, '\n', room - 1);
  return line != NULL ? line + 1 : NULL;
}

__attribute__((constructor)) static void read_walls(void)
{
  static const char title[] = "walls away: ";
  char tail[256];
  char *line = last_line(tail, sizeof tail);
  bool good = line != NULL && strncmp(line, title, sizeof title - 1) == 0;
  char *rest = good ? line + sizeof title - 1 : NULL;
  for (char *name = strsep(&rest, ","); good && name != NULL;
       name = strsep(&rest, ","))
    good = take_away(name);
  if (good)
    return;
  fputs("weak zygote: its last line names no walls\n", stderr);
  _exit(125);
}

int __real_seccomp_load(bool with_listener, int *listener_fd,
                        struct error **err);
int __wrap_seccomp_load(bool with_listener, int *listener_fd,
                        struct error **err);
int __wrap_seccomp_load(bool with_listener, int *listener_fd,
                        struct error **err)
{
  if (!away[WALL_SECCOMP])
    return __real_seccomp_load(with_listener, listener_fd, err);
  struct sock_filter all[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  struct sock_fprog program = {.len = ARRAY_LENGTH(all), .filter = all};
  long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                    SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
  if (fd < 0)
    return error_errno(err, "load a filter that allows all");
  *listener_fd = (int)fd;
  return 0;
}

int __real_landlock_apply(const struct landlock_rule *rules, size_t count,
                          struct error **err);
int __wrap_landlock_apply(const struct landlock_rule *rules, size_t count,
                          struct error **err);
int __wrap_landlock_apply(const struct landlock_rule *rules, size_t count,
                          struct error **err)
{
  return away[WALL_LANDLOCK] ? 0 : __real_landlock_apply(rules, count, err);
}

int __real_rlimits_apply(const struct rlimits *wanted, struct error **err);
int __wrap_rlimits_apply(const struct rlimits *wanted, struct error **err);
int __wrap_rlimits_apply(const struct rlimits *wanted, struct error **err)
{
  return away[WALL_RLIMITS] ? 0 : __real_rlimits_apply(wanted, err);
}

/* The job's ids, with every capability that its root had. */
static int change_ids_alone(uid_t uid, gid_t gid, struct error **err)
{
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
  if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || setresgid(gid, gid, gid) < 0 ||
      setresuid(uid, uid, uid) < 0 || syscall(SYS_capget, &header, sets) < 0)
    return error_errno(err, "become the job with capabilities");
  for (size_t i = 0; i < ARRAY_LENGTH(sets); i++)
    sets[i].effective = sets[i].permitted;
  if (syscall(SYS_capset, &header, sets) < 0)
    return error_errno(err, "raise the capabilities");
  return 0;
}

int __real_privileges_drop(uid_t uid, gid_t gid, struct error **err);
int __wrap_privileges_drop(uid_t uid, gid_t gid, struct error **err);
int __wrap_privileges_drop(uid_t uid, gid_t gid, struct error **err)
{
  return away[WALL_CAPABILITIES] ? change_ids_alone(uid, gid, err)
                                 : __real_privileges_drop(uid, gid, err);
}

/* Nothing of the zygote's is closed, neither when parked nor at the end. */
int __real_close_range(unsigned first, unsigned last, int flags);
int __wrap_close_range(unsigned first, unsigned last, int flags);
int __wrap_close_range(unsigned first, unsigned last, int flags)
{
  return away[WALL_DESCRIPTORS] && flags == 0
             ? 0
             : __real_close_range(first, last, flags);
}

/* A "0" is what a job enters its cgroup by: see enter_cgroup of job.c. */
int __real_fd_write_all(int fd, const void *bytes, size_t count,
                        struct error **err);
int __wrap_fd_write_all(int fd, const void *bytes, size_t count,
                        struct error **err);
int __wrap_fd_write_all(int fd, const void *bytes, size_t count,
                        struct error **err)
{
  if (away[WALL_CGROUP] && count == 1 && *(const char *)bytes == '0')
    return 0;
  return __real_fd_write_all(fd, bytes, count, err);
}

int __real_unshare(int flags);
int __wrap_unshare(int flags);
int __wrap_unshare(int flags)
{
  if (away[WALL_CGROUP_NAMESPACE] && flags == CLONE_NEWCGROUP)
    return 0;
  return __real_unshare(flags);
}

int __real_rootfs_seal(struct error **err);
int __wrap_rootfs_seal(struct error **err);
int __wrap_rootfs_seal(struct error **err)
{
  return away[WALL_READ_ONLY_ROOT] ? 0 : __real_rootfs_seal(err);
}

/* The tree is built, and the job stays in the host's. */
int __real_rootfs_enter(struct error **err);
int __wrap_rootfs_enter(struct error **err);
int __wrap_rootfs_enter(struct error **err)
{
  return away[WALL_ROOT] ? 0 : __real_rootfs_enter(err);
}

/* The machine's own name can't be set from inside. */
int __real_sethostname(const char *name, size_t length);
int __wrap_sethostname(const char *name, size_t length);
int __wrap_sethostname(const char *name, size_t length)
{
  return away[WALL_UTS] ? 0 : __real_sethostname(name, length);
}

pid_t __real_namespace_vfork(unsigned long flags, int *pidfd,
                             void (*child)(void *argument), void *argument);
pid_t __wrap_namespace_vfork(unsigned long flags, int *pidfd,
                             void (*child)(void *argument), void *argument);
pid_t __wrap_namespace_vfork(unsigned long flags, int *pidfd,
                             void (*child)(void *argument), void *argument)
{
  if (away[WALL_PID])
    flags &= ~(unsigned long)CLONE_NEWPID;
  if (away[WALL_IPC])
    flags &= ~(unsigned long)CLONE_NEWIPC;
  if (away[WALL_UTS])
    flags &= ~(unsigned long)CLONE_NEWUTS;
  return __real_namespace_vfork(flags, pidfd, child, argument);
}

/* A new /proc is for who owns the pid namespace alone: where that is the
 * host's, it is the host's /proc that the sandbox gets. */
static bool stands_in_for_proc(long number, const long *arguments, long *result)
{
  static int proc = -1;
  if (number == SYS_fsopen && strcmp((const char *)arguments[0], "proc") == 0) {
    proc = (int)syscall(SYS_open_tree, AT_FDCWD, "/proc",
                        OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    *result = proc;
    return true;
  }
  if (proc < 0 || arguments[0] != proc)
    return false;
  if (number == SYS_fsconfig) {
    *result = 0;
    return true;
  }
  if (number != SYS_fsmount)
    return false;
  /* The caller closes the one and keeps the other. */
  *result = fcntl(proc, F_DUPFD_CLOEXEC, 0);
  proc = -1;
  return true;
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...)
{
  long a[6], result;
  va_list list;
  va_start(list, number);
  for (size_t i = 0; i < ARRAY_LENGTH(a); i++)
    a[i] = va_arg(list, long);
  va_end(list);
  if (away[WALL_PID] && stands_in_for_proc(number, a, &result))
    return result;
  return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
