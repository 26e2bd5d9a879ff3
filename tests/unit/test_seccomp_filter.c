/* The three compiled programs, run here by hand: for each number, and for
 * arguments at and beside the edge of each test, they do what the tables say.
 * So rows that allow a call are held against the filter, too, without making
 * it, and no form of the filter allows what another doesn't. */
#include "config.h"

#include "sandbox/seccomp_explain.h"

#include "base/mem.h"
#include "sandbox/seccomp_notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <string.h>

#include "sandbox/seccomp_filter.inc"

enum { NUMBERS = 600 };

struct program {
  const char *name;
  const struct sock_filter *code;
  size_t length;
};

static const struct program programs[] = {
    {"alone", filter_alone, ARRAY_LENGTH(filter_alone)},
    {"listened", filter_with_listener, ARRAY_LENGTH(filter_with_listener)},
    {"logged", filter_with_log, ARRAY_LENGTH(filter_with_log)},
};

static bool jumps(const struct sock_filter *at, uint32_t accumulator)
{
  switch (BPF_OP(at->code)) {
  case BPF_JEQ:
    return accumulator == at->k;
  case BPF_JGT:
    return accumulator > at->k;
  case BPF_JGE:
    return accumulator >= at->k;
  case BPF_JSET:
    return (accumulator & at->k) != 0;
  default:
    fail_msg("unknown jump %#x", at->code);
    return false;
  }
}

/* The few instructions that libseccomp writes (BPF, networking/filter.rst of
 * the kernel). Returns SECCOMP_RET_…. */
static uint32_t interpret(const struct program *program,
                          const struct seccomp_data *data)
{
  uint32_t accumulator = 0;
  for (size_t at = 0; at < program->length; at++) {
    const struct sock_filter *step = &program->code[at];
    switch (step->code) {
    case BPF_LD | BPF_W | BPF_ABS:
      assert_true(step->k + sizeof accumulator <= sizeof *data);
      memcpy(&accumulator, (const char *)data + step->k, sizeof accumulator);
      break;
    case BPF_ALU | BPF_AND | BPF_K:
      accumulator &= step->k;
      break;
    case BPF_JMP | BPF_JA:
      at += step->k;
      break;
    case BPF_RET | BPF_K:
      return step->k;
    default:
      assert_int_equal(BPF_CLASS(step->code), BPF_JMP);
      at += jumps(step, accumulator) ? step->jt : step->jf;
    }
  }
  fail_msg("%s doesn't end", program->name);
  return 0;
}

/* What each form gives of a verdict. */
static uint32_t wanted(const char *form, enum seccomp_action action)
{
  if (action == SECCOMP_ALLOW)
    return SECCOMP_RET_ALLOW;
  bool told = strcmp(form, "logged") == 0 ||
              (strcmp(form, "listened") == 0 && action == SECCOMP_REFUSE);
  return told ? SECCOMP_RET_USER_NOTIF
              : SECCOMP_RET_ERRNO | (uint32_t)seccomp_action_errno(action);
}

static size_t checked;

static void check(const struct seccomp_data *data)
{
  uint32_t arguments[SECCOMP_ARGUMENTS_MAX];
  for (size_t i = 0; i < SECCOMP_ARGUMENTS_MAX; i++)
    arguments[i] = (uint32_t)data->args[i];
  const char *name = seccomp_call_name(data->nr);
  struct seccomp_verdict verdict = seccomp_judge(name, arguments);
  for (size_t i = 0; i < ARRAY_LENGTH(programs); i++) {
    uint32_t result = interpret(&programs[i], data);
    if (result != wanted(programs[i].name, verdict.action))
      fail_msg("%s of %s (%d): %#x where the tables %s it", programs[i].name,
               name, data->nr, result, seccomp_action_name(verdict.action));
  }
  checked++;
}

static struct seccomp_data call_of(int number)
{
  return (struct seccomp_data){.nr = number, .arch = AUDIT_ARCH_X86_64};
}

static void test_each_number(void **state)
{
  (void)state;
  for (int number = 0; number < NUMBERS; number++) {
    struct seccomp_data data = call_of(number);
    check(&data);
    memset(data.args, 0xff, sizeof data.args);
    check(&data);
  }
  struct seccomp_data far = call_of(0x3fffffff);
  check(&far);
}

static int number_of(const char *call)
{
  for (int number = 0; number < NUMBERS; number++) {
    const char *name = seccomp_call_name(number);
    if (name != NULL && strcmp(name, call) == 0)
      return number;
  }
  fail_msg("no number of %s", call);
  return -1;
}

/* Arguments that match the row, and such as differ from these in one bit. */
static void check_row(const struct seccomp_argument *row)
{
  struct seccomp_data data = call_of(number_of(row->call));
  for (size_t i = 0; i < SECCOMP_TESTS_MAX && row->tests[i].mask != 0; i++)
    data.args[row->tests[i].argument] = row->tests[i].value;
  check(&data);
  for (size_t i = 0; i < SECCOMP_ARGUMENTS_MAX; i++)
    for (unsigned bit = 0; bit < 64; bit++) {
      data.args[i] ^= UINT64_C(1) << bit;
      check(&data);
      data.args[i] ^= UINT64_C(1) << bit;
    }
}

static void test_each_test_of_arguments(void **state)
{
  (void)state;
  for (size_t i = 0; i < seccomp_arguments_count; i++)
    check_row(&seccomp_arguments[i]);
  assert_true(checked > 384 * seccomp_arguments_count);
}

static void test_other_architectures_kill(void **state)
{
  (void)state;
  for (size_t i = 0; i < ARRAY_LENGTH(programs); i++) {
    struct seccomp_data data = call_of(0);
    data.arch = AUDIT_ARCH_I386;
    assert_int_equal(interpret(&programs[i], &data), SECCOMP_RET_KILL_PROCESS);
    data = call_of(0x40000000);
    assert_int_equal(interpret(&programs[i], &data), SECCOMP_RET_KILL_PROCESS);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_each_number),
      cmocka_unit_test(test_each_test_of_arguments),
      cmocka_unit_test(test_other_architectures_kill),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
