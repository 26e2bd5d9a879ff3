#include "config.h"

#include "sandbox/namespace.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

const struct namespace_row namespace_rows[] = {
    {"user", CLONE_NEWUSER, "its ids and capabilities count here alone"},
    {"pid", CLONE_NEWPID, "sees and signals its own processes alone"},
    {"mnt", CLONE_NEWNS, "its own root; the host's is taken off"},
    {"ipc", CLONE_NEWIPC, "its own System V objects and POSIX queues"},
    {"uts", CLONE_NEWUTS, "its own host name, wafer"},
    {"net", CLONE_NEWNET, "no interface but lo; not with --network host"},
    {"cgroup", CLONE_NEWCGROUP, "sees no group above its own; made in it"},
};

const size_t namespace_rows_count = ARRAY_LENGTH(namespace_rows);

#ifdef __SANITIZE_ADDRESS__
#  include <sanitizer/asan_interface.h>
/* The child marked its frames, on the shared stack, as out of bounds, and left
 * by exec, which took none of that back. Not instrumented, since its own frame
 * lies where the child's were. */
__attribute__((no_sanitize("address"))) static void forget_frames_of_child(void)
{
  enum { CHILD_STACK_BYTES = 256 << 10 };
  char *here = __builtin_frame_address(0);
  __asan_unpoison_memory_region(here - CHILD_STACK_BYTES, CHILD_STACK_BYTES);
}
#else
static void forget_frames_of_child(void)
{
}
#endif

/* The clone and the branch on its result are one assembly block apart from a
 * call that never returns: nothing that the child does to this frame can be
 * seen by the parent, which holds its state in registers of its own. noinline,
 * so that no caller's frame is laid out around it. */
__attribute__((noinline)) pid_t namespace_vfork(unsigned long flags, int *pidfd,
                                                void (*child)(void *argument),
                                                void *argument)
{
  long result;
  register long no_tid __asm__("r10") = 0;
  register long no_tls __asm__("r8") = 0;
  unsigned long all =
      flags | CLONE_VM | CLONE_VFORK | CLONE_PIDFD | (unsigned long)SIGCHLD;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "0"((long)SYS_clone), "D"(all), "S"(0L), "d"(pidfd),
                     "r"(no_tid), "r"(no_tls)
                   : "rcx", "r11", "memory");
  if (result == 0) {
    child(argument);
    _exit(125);
  }
  forget_frames_of_child();
  if (result < 0) {
    errno = (int)-result;
    return -1;
  }
  return (pid_t)result;
}

struct namespace_ids namespace_ids_of_pid(pid_t pid)
{
  unsigned root = NAMESPACE_UID_BASE + 2U * (unsigned)pid;
  return (struct namespace_ids){
      .root_uid = root,
      .root_gid = root,
      .job_uid = root + 1,
      .job_gid = root + 1,
  };
}

static int write_proc(pid_t pid, const char *file, const char *text,
                      struct error **err)
{
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
  return fd_write_file(AT_FDCWD, path, text, err);
}

/* The kernel takes a map of one's own gid only once setgroups is denied
 * (user_namespaces(7), since Linux 3.19). */
static int map_own(pid_t pid, const struct namespace_ids *ids,
                   struct error **err)
{
  char uids[64], gids[64];
  snprintf(uids, sizeof uids, "%d %u 1\n", NAMESPACE_JOB_ID, ids->job_uid);
  snprintf(gids, sizeof gids, "%d %u 1\n", NAMESPACE_JOB_ID, ids->job_gid);
  if (write_proc(pid, "uid_map", uids, err) < 0 ||
      write_proc(pid, "setgroups", "deny", err) < 0 ||
      write_proc(pid, "gid_map", gids, err) < 0)
    return -1;
  return 0;
}

static int map_as_root(pid_t pid, const struct namespace_ids *ids,
                       struct error **err)
{
  char uids[128], gids[128];
  snprintf(uids, sizeof uids, "%d %u 1\n%d %u 1\n", NAMESPACE_ROOT_ID,
           ids->root_uid, NAMESPACE_JOB_ID, ids->job_uid);
  snprintf(gids, sizeof gids, "%d %u 1\n%d %u 1\n", NAMESPACE_ROOT_ID,
           ids->root_gid, NAMESPACE_JOB_ID, ids->job_gid);
  if (write_proc(pid, "uid_map", uids, err) < 0 ||
      write_proc(pid, "gid_map", gids, err) < 0)
    return -1;
  return 0;
}

static int wait_for(pid_t pid, const char *what, struct error **err)
{
  int status;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR)
      return error_errno(err, "wait for %s", what);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    return error_make(err, EPERM, "%s failed (status %d)", what,
                      WIFEXITED(status) ? WEXITSTATUS(status) : -1);
  return 0;
}

static int run_mapper(const char *tool, pid_t pid, unsigned root, unsigned job,
                      struct error **err)
{
  char target[16], outer_root[16], outer_job[16];
  snprintf(target, sizeof target, "%d", pid);
  snprintf(outer_root, sizeof outer_root, "%u", root);
  snprintf(outer_job, sizeof outer_job, "%u", job);
  const char *argv[] = {tool,   target,    "0", outer_root, "1",
                        "1000", outer_job, "1", NULL};
  pid_t child = vfork();
  if (child < 0)
    return error_errno(err, "start %s", tool);
  if (child == 0) {
    execv(tool, (char **)argv);
    _exit(127);
  }
  return wait_for(child, tool, err);
}

#define NEWUIDMAP "/usr/bin/newuidmap"
#define NEWGIDMAP "/usr/bin/newgidmap"

int namespace_map_ids(pid_t pid, const struct namespace_ids *ids,
                      struct error **err)
{
  if (ids->own)
    return map_own(pid, ids, err);
  if (geteuid() == 0)
    return map_as_root(pid, ids, err);
  if (run_mapper(NEWUIDMAP, pid, ids->root_uid, ids->job_uid, err) < 0 ||
      run_mapper(NEWGIDMAP, pid, ids->root_gid, ids->job_gid, err) < 0)
    return -1;
  return 0;
}

/* A process that only holds a user namespace until it is killed. */
static int hold_namespace(void *unused)
{
  (void)unused;
  while (pause() < 0)
    continue;
  return 0;
}

int namespace_for_idmap(uid_t fs_uid, gid_t fs_gid, uid_t uid, gid_t gid,
                        struct error **err)
{
  enum { STACK_BYTES = 16384 };
  cleanup_free char *stack = xmalloc(STACK_BYTES);
  pid_t holder = clone(hold_namespace, stack + STACK_BYTES,
                       CLONE_NEWUSER | CLONE_VM | SIGCHLD, NULL);
  if (holder < 0)
    return error_errno(err, "make a user namespace for an id-mapped mount");
  char uids[64], gids[64], path[64];
  snprintf(uids, sizeof uids, "%u %u 1\n", fs_uid, uid);
  snprintf(gids, sizeof gids, "%u %u 1\n", fs_gid, gid);
  snprintf(path, sizeof path, "/proc/%d/ns/user", holder);
  int fd = -1;
  if (write_proc(holder, "uid_map", uids, err) == 0 &&
      write_proc(holder, "gid_map", gids, err) == 0) {
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
      error_errno(err, "open %s", path);
  }
  kill(holder, SIGKILL);
  waitpid(holder, NULL, 0);
  return fd;
}

static void probe_child(void *unused)
{
  (void)unused;
  _exit(0);
}

int namespace_probe(struct error **err)
{
  cleanup_fd int pidfd = -1;
  pid_t pid = namespace_vfork(NAMESPACE_FLAGS | CLONE_NEWNET, &pidfd,
                              probe_child, NULL);
  if (pid < 0)
    return error_errno(err,
                       "make user, pid, mount, ipc, uts and net namespaces");
  return wait_for(pid, "a process in new namespaces", err);
}
