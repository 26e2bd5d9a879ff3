/* The policy's tables against the filter that is compiled of them: what a table
 * says, and so what `wafer doctor --explain` and --seccomp-log tell, is what a
 * process meets. */
#include "config.h"

#include "sandbox/seccomp_explain.h"

#include "base/mem.h"
#include "sandbox/seccomp_notify.h"
#include "tests/unit/seccomp_child.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NUMBERS = 600 }; /* x86_64 has fewer than 500 */

/* Arguments that no call takes: pointers and descriptors that are none. */
static void call_badly(const void *number)
{
  long result = syscall(*(const int *)number, -1, -1, -1, -1, -1, -1);
  _exit(result < 0 ? errno : 0);
}

static int number_of(const char *call)
{
  for (int number = 0; number < NUMBERS; number++) {
    const char *name = seccomp_call_name(number);
    if (name != NULL && strcmp(name, call) == 0)
      return number;
  }
  return -1;
}

static void expect_errno(const char *call, struct outcome outcome, int code)
{
  if (!WIFEXITED(outcome.status) || WEXITSTATUS(outcome.status) != code)
    fail_msg("%s: status %#x, not errno %d", call, outcome.status, code);
}

/* Each row that isn't ALLOW, in each form of the filter. */
static void test_each_row_that_allows_nothing(void **state)
{
  (void)state;
  size_t tried = 0;
  for (size_t i = 0; i < seccomp_calls_count; i++) {
    const struct seccomp_call *row = &seccomp_calls[i];
    int number = number_of(row->call);
    int code = seccomp_action_errno(row->action);
    if (row->action == SECCOMP_ALLOW || number < 0)
      continue; /* libseccomp doesn't know some that are absent */
    expect_errno(row->call, run_alone(call_badly, &number), code);
    struct outcome outcome = run_supervised(call_badly, &number);
    expect_errno(row->call, outcome, code);
    assert_int_equal(outcome.refused_count, row->action == SECCOMP_REFUSE);
    outcome = run_logged(call_badly, &number);
    expect_errno(row->call, outcome, code);
    assert_int_equal(outcome.refused_count, 1);
    assert_string_equal(outcome.refused[0], row->call);
    tried++;
  }
  assert_true(tried > 80);
}

/* By which the kernel's own probes return: see seccomp_table.h. */
static bool is_unfiltered(int number)
{
  enum { URETPROBE = 335, UPROBE = 336 };
  return number == URETPROBE || number == UPROBE;
}

/* Whatever has no row is absent, up to the last number that could have one. */
static void test_each_number_without_a_row(void **state)
{
  (void)state;
  static const uint32_t none[SECCOMP_ARGUMENTS_MAX];
  size_t tried = 0;
  for (int number = 0; number < NUMBERS; number++) {
    const char *name = seccomp_call_name(number);
    struct seccomp_verdict verdict = seccomp_judge(name, none);
    if (is_unfiltered(number) ||
        (name != NULL && verdict.action != SECCOMP_ABSENT))
      continue;
    assert_int_equal(verdict.action, SECCOMP_ABSENT);
    char title[32];
    snprintf(title, sizeof title, "number %d", number);
    expect_errno(title, run_alone(call_badly, &number), ENOSYS);
    tried++;
  }
  assert_true(tried > 100);
}

/* A call is in one table; the rows of one call are neighbours, since they are
 * printed so; each has a reason. */
static void test_the_tables_are_well_formed(void **state)
{
  (void)state;
  for (size_t i = 0; i < seccomp_calls_count; i++) {
    assert_true(seccomp_calls[i].reason[0] != '\0');
    assert_int_equal(seccomp_tested_arguments(seccomp_calls[i].call), 0);
    for (size_t j = 0; j < i; j++)
      assert_string_not_equal(seccomp_calls[i].call, seccomp_calls[j].call);
  }
  for (size_t i = 1; i < seccomp_arguments_count; i++) {
    const char *call = seccomp_arguments[i].call;
    assert_true(seccomp_arguments[i].reason[0] != '\0');
    if (strcmp(seccomp_arguments[i - 1].call, call) == 0)
      continue;
    for (size_t j = 0; j < i; j++)
      assert_string_not_equal(seccomp_arguments[j].call, call);
  }
}

static void expect_verdict(const char *call, uint32_t first, uint32_t second,
                           enum seccomp_action action)
{
  const uint32_t arguments[SECCOMP_ARGUMENTS_MAX] = {first, second};
  struct seccomp_verdict verdict = seccomp_judge(call, arguments);
  if (verdict.action != action)
    fail_msg("%s (%u, %u) is %s", call, first, second,
             seccomp_action_name(verdict.action));
  assert_non_null(verdict.reason);
}

static void test_verdicts(void **state)
{
  (void)state;
  enum { UNIX = 1, INET = 2, NETLINK = 16, PACKET = 17, STREAM = 1, RAW = 3 };
  expect_verdict("read", 0, 0, SECCOMP_ALLOW);
  expect_verdict("mount", 0, 0, SECCOMP_REFUSE);
  expect_verdict("sync", 0, 0, SECCOMP_QUIET);
  expect_verdict("clone3", 0, 0, SECCOMP_ABSENT);
  expect_verdict("socket", UNIX, STREAM, SECCOMP_ALLOW);
  expect_verdict("socket", INET, STREAM | 02000000, SECCOMP_ALLOW);
  expect_verdict("socket", INET, RAW, SECCOMP_REFUSE);
  expect_verdict("socket", NETLINK, RAW, SECCOMP_QUIET);
  expect_verdict("socket", PACKET, RAW, SECCOMP_REFUSE);
  expect_verdict("chmod", 0, 0755, SECCOMP_ALLOW);
  expect_verdict("chmod", 0, 04755, SECCOMP_REFUSE);
  expect_verdict("no such call", 0, 0, SECCOMP_ABSENT);
  assert_int_equal(seccomp_tested_arguments("socket"), 7);
  assert_int_equal(seccomp_tested_arguments("read"), 0);
}

static void test_texts(void **state)
{
  (void)state;
  static const struct seccomp_argument row = {
      "socket",
      SECCOMP_ALLOW,
      {{0, UINT32_MAX, 2}, {1, 0xf, 1}},
      "a reason",
  };
  cleanup_free char *text = seccomp_tests_text(&row);
  assert_string_equal(text, "a0 = 0x2, a1 & 0xf = 0x1");
  assert_string_equal(seccomp_action_name(SECCOMP_QUIET), "quiet");
  assert_int_equal(seccomp_action_errno(SECCOMP_ALLOW), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_each_row_that_allows_nothing),
      cmocka_unit_test(test_each_number_without_a_row),
      cmocka_unit_test(test_the_tables_are_well_formed),
      cmocka_unit_test(test_verdicts),
      cmocka_unit_test(test_texts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
