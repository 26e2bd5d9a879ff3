/* Credentials and limits: each case runs in a child, and what is left is read
 * back from /proc, not through the code under test. */
#include "config.h"

#include "sandbox/privileges.h"

#include "base/fd.h"
#include "sandbox/rlimits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
  JOB_UID = 61234,
  JOB_GID = 61235,
  STATUS_BYTES_MAX = 64 << 10,
};

static void require(bool holds, const char *what)
{
  if (holds)
    return;
  dprintf(STDERR_FILENO, "child: not so: %s\n", what);
  _exit(1);
}

#define REQUIRE(condition) require(condition, #condition)

static bool status_has(const char *line)
{
  struct error *err = NULL;
  cleanup_free char *text = NULL;
  size_t count;
  REQUIRE(fd_read_file(AT_FDCWD, "/proc/self/status", STATUS_BYTES_MAX, &text,
                       &count, &err) == 0);
  if (strstr(text, line) != NULL)
    return true;
  dprintf(STDERR_FILENO, "child: no %s in:\n%s", line, text);
  return false;
}

static void run_in_child(void (*function)(void))
{
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    function();
    _exit(0);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
}

static void skip_unless_root(void)
{
  if (geteuid() != 0) {
    print_message("only root has privileges to drop\n");
    skip();
  }
}

static void drop_and_look(void)
{
  struct error *err = NULL;
  gid_t groups[] = {1, 2};
  REQUIRE(setgroups(2, groups) == 0);
  REQUIRE(privileges_drop(JOB_UID, JOB_GID, &err) == 0);
  REQUIRE(privileges_set_dumpable(&err) == 0);
  REQUIRE(status_has("\nUid:\t61234\t61234\t61234\t61234\n"));
  REQUIRE(status_has("\nGid:\t61235\t61235\t61235\t61235\n"));
  REQUIRE(getgroups(0, NULL) == 0);
  REQUIRE(status_has("\nCapInh:\t0000000000000000\n"));
  REQUIRE(status_has("\nCapPrm:\t0000000000000000\n"));
  REQUIRE(status_has("\nCapEff:\t0000000000000000\n"));
  REQUIRE(status_has("\nCapBnd:\t0000000000000000\n"));
  REQUIRE(status_has("\nCapAmb:\t0000000000000000\n"));
  REQUIRE(setuid(0) < 0 && setgid(0) < 0 && setgroups(2, groups) < 0);
  REQUIRE(prctl(PR_SET_SECUREBITS, 0, 0, 0, 0) < 0);
  REQUIRE(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1);
  /* A second time there is nothing left to do. */
  REQUIRE(privileges_drop(JOB_UID, JOB_GID, &err) == 0);
  REQUIRE(privileges_drop(0, 0, &err) == -1 && err != NULL);
}

static void test_drop(void **state)
{
  (void)state;
  skip_unless_root();
  run_in_child(drop_and_look);
}

static void keep_kill_and_look(void)
{
  static const int kept[] = {CAP_KILL};
  struct error *err = NULL;
  REQUIRE(privileges_keep_only(kept, 1, &err) == 0);
  REQUIRE(status_has("\nCapInh:\t0000000000000020\n"));
  REQUIRE(status_has("\nCapPrm:\t0000000000000020\n"));
  REQUIRE(status_has("\nCapEff:\t0000000000000020\n"));
  REQUIRE(status_has("\nCapBnd:\t0000000000000020\n"));
  REQUIRE(status_has("\nCapAmb:\t0000000000000020\n"));
  REQUIRE(prctl(PR_SET_SECUREBITS, 0, 0, 0, 0) < 0);
  REQUIRE(privileges_no_new(&err) == 0);
  /* uid 0 gains nothing by exec, and keeps what it had. */
  execl("/bin/sh", "sh", "-c",
        "grep -q 'CapEff:.0000000000000020' /proc/self/status", (char *)NULL);
  _exit(1);
}

static void test_keep_only(void **state)
{
  (void)state;
  skip_unless_root();
  run_in_child(keep_kill_and_look);
}

static void refuse_unknown_capability(void)
{
  static const int unknown[] = {64};
  struct error *err = NULL;
  REQUIRE(privileges_keep_only(unknown, 1, &err) == -1 && err != NULL);
}

static void test_unknown_capability(void **state)
{
  (void)state;
  run_in_child(refuse_unknown_capability);
}

static void look_at_no_new(void)
{
  struct error *err = NULL;
  REQUIRE(privileges_no_new(&err) == 0);
  REQUIRE(status_has("\nNoNewPrivs:\t1\n"));
}

static void test_no_new(void **state)
{
  (void)state;
  run_in_child(look_at_no_new);
}

static bool limit_is(int resource, rlim_t soft, rlim_t hard)
{
  struct rlimit now;
  return getrlimit(resource, &now) == 0 && now.rlim_cur == soft &&
         now.rlim_max == hard;
}

static void apply_with_cgroup(void)
{
  struct rlimits wanted = {.open_files_max = 2048,
                           .file_bytes_max = 1 << 20,
                           .processes_max = RLIMITS_KEEP,
                           .has_cgroup = true,
                           .memory_bytes = 1,
                           .cpu_s = 1};
  struct error *err = NULL;
  struct rlimit before, after;
  REQUIRE(getrlimit(RLIMIT_NPROC, &before) == 0);
  REQUIRE(rlimits_apply(&wanted, &err) == 0);
  REQUIRE(getrlimit(RLIMIT_NPROC, &after) == 0);
  REQUIRE(after.rlim_cur == before.rlim_cur);
  REQUIRE(limit_is(RLIMIT_CORE, 0, 0));
  REQUIRE(limit_is(RLIMIT_NOFILE, 1024, 2048));
  REQUIRE(limit_is(RLIMIT_FSIZE, 1 << 20, 1 << 20));
  REQUIRE(limit_is(RLIMIT_RTPRIO, 0, 0));
  REQUIRE(limit_is(RLIMIT_NICE, 0, 0));
  REQUIRE(limit_is(RLIMIT_AS, RLIM_INFINITY, RLIM_INFINITY));
  REQUIRE(limit_is(RLIMIT_CPU, RLIM_INFINITY, RLIM_INFINITY));

  /* Only ever lowered. */
  wanted.open_files_max = 4096;
  REQUIRE(rlimits_apply(&wanted, &err) == 0);
  REQUIRE(limit_is(RLIMIT_NOFILE, 1024, 2048));
}

static void apply_without_cgroup(void)
{
  struct rlimits wanted = {.open_files_max = 512,
                           .file_bytes_max = RLIMITS_KEEP,
                           .processes_max = 64,
                           .memory_bytes = 1 << 30,
                           .cpu_s = 60};
  struct error *err = NULL;
  REQUIRE(rlimits_apply(&wanted, &err) == 0);
  REQUIRE(limit_is(RLIMIT_NOFILE, 512, 512));
  REQUIRE(limit_is(RLIMIT_NPROC, 64, 64));
  REQUIRE(limit_is(RLIMIT_CPU, 60, 65));
#ifndef __SANITIZE_ADDRESS__
  REQUIRE(limit_is(RLIMIT_AS, 1 << 30, 1 << 30));
#endif
}

static void test_rlimits(void **state)
{
  (void)state;
  run_in_child(apply_with_cgroup);
  run_in_child(apply_without_cgroup);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_drop),
      cmocka_unit_test(test_keep_only),
      cmocka_unit_test(test_unknown_capability),
      cmocka_unit_test(test_no_new),
      cmocka_unit_test(test_rlimits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
