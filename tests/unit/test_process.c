/* Processes that a reused pid isn't taken for. */
#include "config.h"

#include "host/process.h"

#include "base/clock.h"
#include "base/fd.h"

#include "tests/unit/check.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static void test_identify(void **state)
{
  (void)state;
  struct run_process self, again;
  process_identify(getpid(), &self);
  process_identify(getpid(), &again);
  assert_int_equal(self.pid, getpid());
  assert_true(self.start_ticks > 0);
  assert_int_equal(self.start_ticks, again.start_ticks);
  assert_int_equal(strlen(self.boot_id), 36);
  assert_string_equal(self.boot_id, again.boot_id);
  assert_true(process_lives(&self));
}

/* A process may call itself anything: no field can be forged by a name. */
static void test_names(void **state)
{
  (void)state;
  static const char *const names[] = {
      "a b", ")", ") Z 1 2 3", "((", "a) X\n) Z 0 0", "", "\xFF\x01)",
  };
  char before[16];
  struct run_process self, renamed;
  process_identify(getpid(), &self);
  assert_int_equal(prctl(PR_GET_NAME, before), 0);
  for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
    assert_int_equal(prctl(PR_SET_NAME, names[i]), 0);
    process_identify(getpid(), &renamed);
    assert_int_equal(renamed.pid, getpid());
    assert_int_equal(renamed.start_ticks, self.start_ticks);
    assert_true(process_lives(&self));
  }
  prctl(PR_SET_NAME, before);
}

static void is_nobody(pid_t pid)
{
  struct run_process process = {.pid = 1, .start_ticks = 2, .boot_id = "x"};
  process_identify(pid, &process);
  assert_int_equal(process.pid, 0);
  assert_int_equal(process.start_ticks, 0);
  assert_string_equal(process.boot_id, "");
  assert_false(process_lives(&process));
  process_await_end(&process, 1);
}

static void test_nobody(void **state)
{
  (void)state;
  is_nobody(0);
  is_nobody(-1);
  is_nobody(INT32_MAX);
  is_nobody(INT32_MIN);
}

static void test_another(void **state)
{
  (void)state;
  struct run_process self;
  process_identify(getpid(), &self);
  struct run_process other = self;
  other.start_ticks++; /* the pid was reused */
  assert_false(process_lives(&other));
  other = self;
  other.boot_id[0] = other.boot_id[0] == '0' ? '1' : '0'; /* after a reboot */
  assert_false(process_lives(&other));
  other = self;
  other.boot_id[0] = '\0';
  assert_false(process_lives(&other));
  other = self;
  other.pid = -other.pid;
  assert_false(process_lives(&other));
}

static pid_t start_child(void)
{
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    signal(SIGTERM, SIG_DFL);
    for (;;)
      pause();
  }
  return child;
}

static void test_zombie(void **state)
{
  (void)state;
  struct run_process process;
  pid_t child = start_child();
  process_identify(child, &process);
  assert_true(process_lives(&process));
  siginfo_t info;
  assert_int_equal(kill(child, SIGTERM), 0);
  assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
  assert_false(process_lives(&process));
  int64_t before = clock_monotonic_ns();
  process_await_end(&process, 60000);
  assert_true(clock_monotonic_ns() - before < INT64_C(10) * NS_PER_S);
  assert_int_equal(waitpid(child, NULL, 0), child);
  assert_false(process_lives(&process));
  is_nobody(child);
}

static void test_kills_after_the_wait(void **state)
{
  (void)state;
  struct run_process process;
  int status;
  pid_t child = start_child();
  process_identify(child, &process);
  int64_t before = clock_monotonic_ns();
  process_await_end(&process, 50);
  assert_true(clock_monotonic_ns() - before >= INT64_C(50) * NS_PER_MS);
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void test_leaves_another_alone(void **state)
{
  (void)state;
  struct run_process process;
  int status;
  pid_t child = start_child();
  process_identify(child, &process);
  process.start_ticks++;
  process_await_end(&process, 1);
  process.start_ticks--;
  assert_true(process_lives(&process));
  assert_int_equal(kill(child, SIGTERM), 0);
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      CHECK_TEST(test_identify),
      CHECK_TEST(test_names),
      CHECK_TEST(test_nobody),
      CHECK_TEST(test_another),
      CHECK_TEST(test_zombie),
      CHECK_TEST(test_kills_after_the_wait),
      CHECK_TEST(test_leaves_another_alone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
