/* The system-call filter, from inside: each attempt runs in a child of its own
 * that loads the real filter. An attempt has arguments that do no harm should
 * the call get through, and the errno then differs from the filter's. */
#include "config.h"

#include "sandbox/seccomp.h"

#include "base/fd.h"
#include "sandbox/seccomp_notify.h"
#include "tests/unit/seccomp_child.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define BAD     (-1L)      /* no pointer, no descriptor */
#define HIGH    (1L << 40) /* above the 32 bits that a kernel reads */
#define X32     0x40000000L
#define NOWHERE ((long)(intptr_t) "/nonexistent/wafer")

struct attempt {
  const char *title;
  long number;
  long args[6];
  int expected; /* errno, or 0 for success */
};

static void call(const void *argument)
{
  const struct attempt *attempt = argument;
  const long *a = attempt->args;
  pid_t self = getpid();
  long result = syscall(attempt->number, a[0], a[1], a[2], a[3], a[4], a[5]);
  /* A fork that was let through returns twice. */
  if (getpid() != self)
    _exit(0);
  _exit(result < 0 ? errno : 0);
}

static void expect(const struct attempt *attempt, const char *form, int status)
{
  if (!WIFEXITED(status))
    fail_msg("%s (%s): ended with signal %d", attempt->title, form,
             WTERMSIG(status));
  if (WEXITSTATUS(status) != attempt->expected)
    fail_msg("%s (%s): errno %d (%s), not %d (%s)", attempt->title, form,
             WEXITSTATUS(status), strerror(WEXITSTATUS(status)),
             attempt->expected, strerror(attempt->expected));
}

/* The form that logs answers the same, whatever it tells. */
static void expect_logged(const struct attempt *attempt, size_t told)
{
  struct outcome outcome = run_logged(call, attempt);
  expect(attempt, "logged", outcome.status);
  if (outcome.refused_count != told)
    fail_msg("%s: %zu logged", attempt->title, outcome.refused_count);
  const char *name = seccomp_call_name((int)attempt->number);
  if (told > 0)
    assert_string_equal(outcome.refused[0], name != NULL ? name : "unknown");
}

/* A refused call: EPERM in each form of the filter, and the host learns its
 * name, which is what shows that it was the filter and not the kernel. */
static void expect_refused(const struct attempt *attempt)
{
  expect(attempt, "alone", run_alone(call, attempt).status);
  struct outcome outcome = run_supervised(call, attempt);
  expect(attempt, "supervised", outcome.status);
  if (outcome.refused_count != 1)
    fail_msg("%s: %zu notifications", attempt->title, outcome.refused_count);
  assert_string_equal(outcome.refused[0],
                      seccomp_call_name((int)attempt->number));
  expect_logged(attempt, 1);
}

/* Any other outcome: the same in each form, and the host hears nothing, or of
 * the log alone. */
static void expect_silent(const struct attempt *attempt, size_t logged)
{
  expect(attempt, "alone", run_alone(call, attempt).status);
  struct outcome outcome = run_supervised(call, attempt);
  expect(attempt, "supervised", outcome.status);
  if (outcome.refused_count != 0)
    fail_msg("%s: the host was told of %s", attempt->title, outcome.refused[0]);
  expect_logged(attempt, logged);
}

#define CASE(call, errnum, ...)                                                \
  .title = #call "(" #__VA_ARGS__ ")", .number = SYS_##call,                   \
  .args = {__VA_ARGS__}, .expected = errnum
#define REFUSED(call, ...) CASE(call, EPERM, __VA_ARGS__)

static void test_refused_calls(void **state)
{
  (void)state;
  static const struct attempt attempts[] = {
      {REFUSED(io_uring_setup, BAD, BAD)},
      {REFUSED(io_uring_enter, BAD)},
      {REFUSED(io_uring_register, BAD)},
      {REFUSED(bpf, BAD)},
      {REFUSED(userfaultfd, BAD)},
      {REFUSED(keyctl, BAD)},
      {REFUSED(add_key, BAD, BAD, BAD, 0, 0)},
      {REFUSED(request_key, BAD, BAD, BAD, 0)},
      {REFUSED(perf_event_open, BAD, 0, BAD, BAD, 0)},
      {REFUSED(unshare, 1)},
      {REFUSED(setns, BAD, 0)},
      {REFUSED(mount, BAD, BAD, BAD, 0, 0)},
      {REFUSED(umount2, BAD, 0)},
      {REFUSED(fsopen, BAD, 0)},
      {REFUSED(fsconfig, BAD)},
      {REFUSED(fsmount, BAD)},
      {REFUSED(fspick, BAD, BAD, 0)},
      {REFUSED(move_mount, BAD, BAD, BAD, BAD, 0)},
      {REFUSED(open_tree, BAD, BAD, 0)},
      {REFUSED(mount_setattr, BAD, BAD, 0)},
      {REFUSED(pivot_root, BAD, BAD)},
      {REFUSED(chroot, BAD)},
      {REFUSED(ptrace, BAD, BAD, 0, 0)},
      {REFUSED(process_vm_readv, BAD, BAD, 1, BAD, 1, 0)},
      {REFUSED(process_vm_writev, BAD, BAD, 1, BAD, 1, 0)},
      {REFUSED(process_madvise, BAD)},
      {REFUSED(pidfd_getfd, BAD, 0, 0)},
      {REFUSED(name_to_handle_at, BAD, BAD, BAD, BAD, 0)},
      {REFUSED(open_by_handle_at, BAD, BAD, 0)},
      {REFUSED(init_module, BAD, 0, BAD)},
      {REFUSED(finit_module, BAD, BAD, 0)},
      {REFUSED(delete_module, BAD, 0)},
      {REFUSED(kexec_load, 0, 0, BAD, BAD)},
      {REFUSED(kexec_file_load, BAD, BAD, 0, 0, BAD)},
      {REFUSED(reboot, 0, 0, 0, 0)},
      {REFUSED(swapon, BAD, 0)},
      {REFUSED(swapoff, BAD)},
      {REFUSED(clock_settime, BAD, BAD)},
      {REFUSED(clock_adjtime, BAD, BAD)},
      {REFUSED(settimeofday, BAD, BAD)},
      {REFUSED(adjtimex, BAD)},
      {REFUSED(sethostname, BAD, BAD)},
      {REFUSED(setdomainname, BAD, BAD)},
      {REFUSED(iopl, 77)},
      {REFUSED(ioperm, BAD, BAD, 0)},
      {REFUSED(modify_ldt, BAD, 0, 0)},
      {REFUSED(quotactl, BAD, BAD, 0, 0)},
      {REFUSED(acct, BAD)},
      {REFUSED(syslog, BAD, 0, 0)},
      {REFUSED(fanotify_init, BAD, 0)},
      {REFUSED(lookup_dcookie, 0, BAD, 0)},
      {REFUSED(kcmp, BAD, BAD, 99, 0, 0)},
      {REFUSED(move_pages, BAD, 1, BAD, BAD, BAD, 0)},
      {REFUSED(migrate_pages, BAD, 0, BAD, BAD)},
      {REFUSED(seccomp, BAD, 0, 0)},
      {REFUSED(sched_setattr, BAD, BAD, 0)},
      {REFUSED(vmsplice, BAD, BAD, 1, 0)},
      {REFUSED(io_setup, 0, BAD)},
  };
  for (size_t i = 0; i < ARRAY_LENGTH(attempts); i++)
    expect_refused(&attempts[i]);
}

static void test_refused_arguments(void **state)
{
  (void)state;
  static const struct attempt attempts[] = {
      {CASE(socket, EPERM, AF_PACKET, SOCK_DGRAM, 0)},
      {CASE(socket, EPERM, AF_PACKET, SOCK_RAW, 0)},
      {CASE(socket, EPERM, AF_INET, SOCK_RAW, IPPROTO_ICMP)},
      {CASE(socket, EPERM, AF_INET, SOCK_PACKET, 0)},
      {CASE(socket, EPERM, AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP)},
      {CASE(socket, EPERM, AF_INET, SOCK_STREAM, IPPROTO_SCTP)},
      {CASE(socket, EPERM, AF_INET6, SOCK_RAW | HIGH, IPPROTO_ICMPV6)},
      {CASE(socket, EPERM, AF_ALG, SOCK_SEQPACKET, 0)},
      {CASE(socket, EPERM, AF_VSOCK, SOCK_STREAM, 0)},
      {CASE(socket, EPERM, AF_KEY, SOCK_RAW, 2)},
      {CASE(socketpair, EPERM, AF_TIPC, SOCK_STREAM, 0, 0)},
      {CASE(clone, EPERM, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0)},
      {CASE(clone, EPERM, CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0)},
      {CASE(clone, EPERM, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0)},
      {CASE(clone, EPERM, CLONE_NEWNET | SIGCHLD, 0, 0, 0, 0)},
      {CASE(clone, EPERM, CLONE_NEWIPC | SIGCHLD, 0, 0, 0, 0)},
      {CASE(clone, EPERM, CLONE_NEWUTS | SIGCHLD, 0, 0, 0, 0)},
      {CASE(clone, EPERM, CLONE_NEWCGROUP | SIGCHLD | HIGH, 0, 0, 0, 0)},
      {CASE(personality, EPERM, ADDR_NO_RANDOMIZE)},
      {CASE(personality, EPERM, READ_IMPLIES_EXEC)},
      {CASE(personality, EPERM, ADDR_NO_RANDOMIZE | HIGH)},
      {CASE(ioctl, EPERM, BAD, TIOCSTI, 0)},
      {CASE(ioctl, EPERM, BAD, TIOCSTI | HIGH, 0)},
      {CASE(ioctl, EPERM, BAD, TIOCLINUX, 0)},
      {CASE(ioctl, EPERM, BAD, TIOCLINUX | HIGH, 0)},
      {CASE(ioctl, EPERM, BAD, TIOCSETD, 0)},
      {CASE(chmod, EPERM, NOWHERE, 04755)},
      {CASE(chmod, EPERM, NOWHERE, 02755)},
      {CASE(chmod, EPERM, NOWHERE, 04755 | HIGH)},
      {CASE(fchmod, EPERM, BAD, 06755)},
      {CASE(fchmodat, EPERM, AT_FDCWD, NOWHERE, 04755)},
      {CASE(open, EPERM, NOWHERE, O_CREAT | O_WRONLY, 04755)},
      {CASE(open, EPERM, NOWHERE, O_CREAT | HIGH, 02000)},
      {CASE(open, EPERM, NOWHERE, O_TMPFILE | O_WRONLY, 04755)},
      {CASE(open, EPERM, NOWHERE, O_TMPFILE & ~O_DIRECTORY, 04755)},
      {CASE(openat, EPERM, AT_FDCWD, NOWHERE, O_CREAT | O_WRONLY, 02755)},
      {CASE(openat, EPERM, AT_FDCWD, NOWHERE, O_TMPFILE | O_WRONLY, 04755)},
      {CASE(creat, EPERM, NOWHERE, 04755)},
      {CASE(mkdir, EPERM, NOWHERE, 02755)},
      {CASE(mkdirat, EPERM, AT_FDCWD, NOWHERE, 04755)},
      {CASE(mknod, EPERM, NOWHERE, S_IFCHR | 0644, 0x103)},
      {CASE(mknod, EPERM, NOWHERE, S_IFBLK | 0644, 0x103)},
      {CASE(mknod, EPERM, NOWHERE, S_IFREG | 04755, 0)},
      {CASE(mknodat, EPERM, AT_FDCWD, NOWHERE, S_IFCHR | 0644, 0x103)},
      {CASE(mknodat, EPERM, AT_FDCWD, NOWHERE, 02755, 0)},
      {CASE(prctl, EPERM, PR_SET_SECCOMP, 99)},
      {CASE(prctl, EPERM, PR_SET_MM, 99)},
      {CASE(prctl, EPERM, PR_SET_MM | HIGH, 99)},
      {CASE(sched_setscheduler, EPERM, BAD, SCHED_FIFO, 0)},
      {CASE(sched_setscheduler, EPERM, BAD, SCHED_RR, 0)},
      {CASE(sched_setscheduler, EPERM, BAD, SCHED_RR | SCHED_RESET_ON_FORK, 0)},
  };
  for (size_t i = 0; i < ARRAY_LENGTH(attempts); i++)
    expect_refused(&attempts[i]);
}

/* What an allowed call answers is the kernel's own errno, or success. */
static void test_allowed_arguments(void **state)
{
  (void)state;
  static const struct attempt attempts[] = {
      {CASE(socket, 0, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)},
      {CASE(socket, 0, AF_UNIX, SOCK_SEQPACKET, 0)},
      {CASE(socket, 0, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_TCP)},
      {CASE(socket, 0, AF_INET, SOCK_DGRAM, 0)},
      {CASE(socket, 0, AF_UNIX | HIGH, SOCK_STREAM | HIGH, 0)},
      {CASE(socketpair, EFAULT, AF_UNIX, SOCK_STREAM, 0, BAD)},
      {CASE(clone, 0, SIGCHLD, 0, 0, 0, 0)},
      {CASE(clone, EINVAL, CLONE_SIGHAND, 0, 0, 0, 0)},
      {CASE(personality, 0, PER_LINUX)},
      {CASE(personality, 0, 0xffffffffL)},
      {CASE(ioctl, EBADF, BAD, TIOCGWINSZ, 0)},
      {CASE(ioctl, EBADF, BAD, FIONREAD, 0)},
      {CASE(ioctl, EBADF, BAD, FIOCLEX, 0)},
      {CASE(chmod, ENOENT, NOWHERE, 01777)},
      {CASE(fchmod, EBADF, BAD, 0644)},
      {CASE(fchmodat, ENOENT, AT_FDCWD, NOWHERE, 0755)},
      {CASE(open, ENOENT, NOWHERE, O_RDONLY, 0)},
      {CASE(open, ENOENT, NOWHERE, O_RDONLY, BAD)},
      {CASE(open, ENOENT, NOWHERE, O_RDWR | O_DIRECTORY | O_TRUNC, BAD)},
      {CASE(open, ENOENT, NOWHERE, O_CREAT | O_WRONLY, 01777)},
      {CASE(openat, ENOENT, AT_FDCWD, NOWHERE, O_RDONLY, BAD)},
      {CASE(openat, ENOENT, AT_FDCWD, NOWHERE, O_TMPFILE | O_RDWR, 0600)},
      {CASE(openat, ENOENT, AT_FDCWD, NOWHERE, O_CREAT | O_WRONLY, 0777)},
      {CASE(creat, ENOENT, NOWHERE, 0644)},
      {CASE(mkdir, ENOENT, NOWHERE, 0777)},
      {CASE(mknod, ENOENT, NOWHERE, S_IFIFO | 0644, 0)},
      {CASE(mknodat, ENOENT, AT_FDCWD, NOWHERE, S_IFREG | 0644, 0)},
      {CASE(prctl, 0, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)},
      {CASE(sched_setscheduler, EINVAL, 0, SCHED_BATCH, 0)},
      {CASE(sched_setscheduler, EINVAL, 0, SCHED_IDLE, 0)},
      {CASE(futex, ENOSYS, BAD, 99)},
      {CASE(futex_waitv, EINVAL, BAD, 0, 0, 0, 0)},
      {CASE(memfd_create, EFAULT, BAD, 0)},
      {CASE(execve, EFAULT, BAD, 0, 0)},
      {CASE(copy_file_range, EBADF, BAD, 0, BAD, 0, 1, 0)},
      {CASE(pidfd_send_signal, EBADF, BAD, 0, 0, 0)},
      {CASE(faccessat2, ENOENT, AT_FDCWD, NOWHERE, 0, 0)},
      {CASE(getrandom, 0, 0, 0, 0)},
      {CASE(close_range, EINVAL, 9, 8, 0)},
      {CASE(semget, ENOENT, 0x77616665, 1, 0)},
      {CASE(getgroups, EINVAL, BAD, 0)},
  };
  for (size_t i = 0; i < ARRAY_LENGTH(attempts); i++)
    expect_silent(&attempts[i], 0);
}

static void test_absent_and_quiet_calls(void **state)
{
  (void)state;
  static const struct attempt attempts[] = {
      {CASE(clone3, ENOSYS, BAD, sizeof(struct clone_args))},
      {CASE(openat2, ENOSYS, AT_FDCWD, NOWHERE, BAD, 24)},
      {"fchmodat2", 452, {AT_FDCWD, NOWHERE, 0755, 0}, ENOSYS},
      {"a number in a gap", 400, {0}, ENOSYS},
      {"a number of the future", 1000, {0}, ENOSYS},
      {"a large number", X32 - 1, {0}, ENOSYS},
      {CASE(ustat, ENOSYS, 0, BAD)},
      {CASE(mbind, EPERM, BAD, 0, 99, 0, 0, 0)},
      {CASE(syncfs, EPERM, BAD)},
      {CASE(socket, EPERM, AF_NETLINK, SOCK_RAW, 0)},
  };
  for (size_t i = 0; i < ARRAY_LENGTH(attempts); i++)
    expect_silent(&attempts[i], 1);
}

static void test_minus_one_is_no_call(void **state)
{
  (void)state;
  static const struct attempt attempt = {"-1", -1, {0}, EPERM};
  expect(&attempt, "alone", run_alone(call, &attempt).status);
  expect(&attempt, "supervised", run_supervised(call, &attempt).status);
  expect_logged(&attempt, 1);
}

static void call_32_bit(const void *argument)
{
  (void)argument;
  long result = 20; /* getpid on i386; writev here */
  __asm__ volatile("int $0x80" : "+a"(result) : : "memory", "cc");
  _exit(0);
}

static bool has_32_bit_calls(void)
{
  int status;
  pid_t child = fork();
  if (child == 0)
    call_32_bit(NULL);
  assert_int_equal(waitpid(child, &status, 0), child);
  return WIFEXITED(status);
}

static void expect_killed(int status)
{
  assert_true(WIFSIGNALED(status));
  assert_int_equal(WTERMSIG(status), SIGSYS);
}

static void test_another_architecture_kills(void **state)
{
  (void)state;
  if (!has_32_bit_calls()) {
    print_message("this kernel makes no 32-bit calls\n");
    skip();
  }
  expect_killed(run_alone(call_32_bit, NULL).status);
  expect_killed(run_supervised(call_32_bit, NULL).status);
  expect_killed(run_logged(call_32_bit, NULL).status);
}

static void test_x32_numbers_kill(void **state)
{
  (void)state;
  static const struct attempt attempts[] = {
      {"x32 getpid", X32 | SYS_getpid, {0}, 0},
      {"x32 mount", X32 | SYS_mount, {0}, 0},
      {"x32 execve", X32 | 520, {0}, 0},
      {"x32, far", X32 | 5000, {0}, 0},
  };
  for (size_t i = 0; i < ARRAY_LENGTH(attempts); i++) {
    expect_killed(run_alone(call, &attempts[i]).status);
    expect_killed(run_supervised(call, &attempts[i]).status);
    expect_killed(run_logged(call, &attempts[i]).status);
  }
}

static void test_without_a_host_refused_calls_fail(void **state)
{
  (void)state;
  int pair[2];
  assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair),
                   0);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    close(pair[0]);
    load_or_exit(SECCOMP_LISTENED, pair[1]);
    char byte;
    if (read(pair[1], &byte, 1) != 0)
      _exit(CHILD_BROKEN);
    _exit(mount("", "", "", 0, NULL) < 0 ? errno : 0);
  }
  close(pair[1]);
  int listener_fd = take_listener(pair[0]);
  close(listener_fd);
  close(pair[0]);
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), ENOSYS);
}

static void test_probe_and_names(void **state)
{
  (void)state;
  struct error *err = NULL;
  bool listener = false;
  assert_int_equal(seccomp_probe(&listener, &err), 0);
  assert_true(listener);
  assert_string_equal(seccomp_call_name(SYS_mount), "mount");
  assert_null(seccomp_call_name(-1));
  assert_null(seccomp_call_name(100000));
  assert_null(seccomp_call_name(400));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_refused_calls),
      cmocka_unit_test(test_refused_arguments),
      cmocka_unit_test(test_allowed_arguments),
      cmocka_unit_test(test_absent_and_quiet_calls),
      cmocka_unit_test(test_minus_one_is_no_call),
      cmocka_unit_test(test_another_architecture_kills),
      cmocka_unit_test(test_x32_numbers_kill),
      cmocka_unit_test(test_without_a_host_refused_calls_fail),
      cmocka_unit_test(test_probe_and_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
