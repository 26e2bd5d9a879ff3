#include "config.h"

#include "sandbox/seccomp_explain.h"

#include "base/mem.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

const char *seccomp_action_name(enum seccomp_action action)
{
  static const char *const names[] = {
      [SECCOMP_ALLOW] = "allow",
      [SECCOMP_REFUSE] = "refuse",
      [SECCOMP_QUIET] = "quiet",
      [SECCOMP_ABSENT] = "absent",
  };
  return names[action];
}

int seccomp_action_errno(enum seccomp_action action)
{
  static const int codes[] = {
      [SECCOMP_ALLOW] = 0,
      [SECCOMP_REFUSE] = EPERM,
      [SECCOMP_QUIET] = EPERM,
      [SECCOMP_ABSENT] = ENOSYS,
  };
  return codes[action];
}

/* What a script, or the library that it uses, can do without a call. */
static const struct {
  const char *call;
  const char *instead;
} instead[] = {
    {"clone3", "nothing is lost: libc falls back to clone"},
    {"openat2", "nothing is lost: libc and Python use openat"},
    {"fchmodat2", "nothing is lost: libc falls back to fchmodat"},
    {"cachestat", "do without: it only informs"},
    {"sync", "os.fsync on the files that matter"},
    {"syncfs", "os.fsync on the files that matter"},
    {"mbind", "nothing is lost: libraries do without"},
    {"set_mempolicy", "nothing is lost: libraries do without"},
    {"vmsplice", "os.write, or os.splice from a file"},
    {"userfaultfd", "nothing is lost: who uses it has another way"},
    {"memfd_secret", "memfd_create"},
    {"remap_file_pages", "mmap"},
    {"sched_setattr", "os.nice"},
    {"sched_setscheduler", "os.nice; real-time policies are the machine's"},
    {"ptrace", "debug outside the sandbox; faulthandler works inside"},
    {"process_vm_readv", "a pipe or shared memory between the processes"},
    {"process_vm_writev", "a pipe or shared memory between the processes"},
    {"pidfd_getfd", "send the descriptor by socket.send_fds"},
    {"kcmp", "os.path.samefile"},
    {"io_setup", "threads, or plain reads and writes"},
    {"io_uring_setup", "epoll and threads; libraries fall back to them"},
    {"fanotify_init", "inotify, on the folders that matter"},
    {"open_by_handle_at", "open by path"},
    {"name_to_handle_at", "os.stat: st_dev and st_ino"},
    {"mount", "--mount shows a folder of the host's inside"},
    {"chroot", "the sandbox has a root of its own already"},
    {"pivot_root", "the sandbox has a root of its own already"},
    {"unshare", "the sandbox has namespaces of its own already"},
    {"setns", "the sandbox has namespaces of its own already"},
    {"clone", "fork without namespace flags"},
    {"sethostname", "do without: the name is wafer"},
    {"keyctl", "--secret gives a secret as a file"},
    {"add_key", "--secret gives a secret as a file"},
    {"request_key", "--secret gives a secret as a file"},
    {"clock_settime", "a time zone or an offset in the script"},
    {"settimeofday", "a time zone or an offset in the script"},
    {"adjtimex", "a time zone or an offset in the script"},
    {"perf_event_open", "profile outside; cProfile works inside"},
    {"syslog", "the logging module: standard error is kept"},
    {"personality", "run without: addresses stay random"},
    {"socket", "TCP, UDP and local sockets"},
    {"socketpair", "a local socket pair"},
    {"open", "a mode without the set-id bits"},
    {"openat", "a mode without the set-id bits"},
    {"creat", "a mode without the set-id bits"},
    {"mkdir", "a mode without the set-id bits"},
    {"mkdirat", "a mode without the set-id bits"},
    {"chmod", "a mode without the set-id bits"},
    {"fchmod", "a mode without the set-id bits"},
    {"fchmodat", "a mode without the set-id bits"},
    {"mknod", "a plain file, a FIFO or a socket"},
    {"mknodat", "a plain file, a FIFO or a socket"},
    {"seccomp", "the sandbox's filter is on already"},
};

static const char *find_instead(const char *call)
{
  for (size_t i = 0; i < ARRAY_LENGTH(instead); i++)
    if (strcmp(instead[i].call, call) == 0)
      return instead[i].instead;
  return NULL;
}

static bool is_last_test(const struct seccomp_argument *row, size_t at)
{
  return at == SECCOMP_TESTS_MAX || row->tests[at].mask == 0;
}

char *seccomp_tests_text(const struct seccomp_argument *row)
{
  char *text = xstrdup("");
  for (size_t i = 0; !is_last_test(row, i); i++) {
    const struct seccomp_test *test = &row->tests[i];
    cleanup_free char *before = text;
    cleanup_free char *mask = test->mask == UINT32_MAX
                                  ? xstrdup("")
                                  : xasprintf(" & %#x", test->mask);
    text = xasprintf("%s%sa%u%s = %#x", before, i > 0 ? ", " : "",
                     test->argument, mask, test->value);
  }
  return text;
}

static bool matches(const struct seccomp_argument *row,
                    const uint32_t arguments[SECCOMP_ARGUMENTS_MAX])
{
  for (size_t i = 0; !is_last_test(row, i); i++)
    if ((arguments[row->tests[i].argument] & row->tests[i].mask) !=
        row->tests[i].value)
      return false;
  return true;
}

/* Of a call that has rows for its arguments. */
static struct seccomp_verdict
judge_arguments(const char *call,
                const uint32_t arguments[SECCOMP_ARGUMENTS_MAX])
{
  for (size_t i = 0; i < seccomp_arguments_count; i++) {
    const struct seccomp_argument *row = &seccomp_arguments[i];
    if (strcmp(row->call, call) == 0 && matches(row, arguments))
      return (struct seccomp_verdict){row->action, row->reason, NULL};
  }
  return (struct seccomp_verdict){
      SECCOMP_REFUSE, "not with these arguments: no row allows them",
      find_instead(call)};
}

struct seccomp_verdict
seccomp_judge(const char *call, const uint32_t arguments[SECCOMP_ARGUMENTS_MAX])
{
  for (size_t i = 0; call != NULL && i < seccomp_calls_count; i++)
    if (strcmp(seccomp_calls[i].call, call) == 0)
      return (struct seccomp_verdict){
          seccomp_calls[i].action, seccomp_calls[i].reason, find_instead(call)};
  if (call != NULL && seccomp_tested_arguments(call) != 0)
    return judge_arguments(call, arguments);
  return (struct seccomp_verdict){
      SECCOMP_ABSENT, "newer than the policy, or no call at all", NULL};
}

unsigned seccomp_tested_arguments(const char *call)
{
  unsigned tested = 0;
  for (size_t i = 0; i < seccomp_arguments_count; i++) {
    const struct seccomp_argument *row = &seccomp_arguments[i];
    if (strcmp(row->call, call) != 0)
      continue;
    for (size_t j = 0; !is_last_test(row, j); j++)
      tested |= 1U << row->tests[j].argument;
  }
  return tested;
}
