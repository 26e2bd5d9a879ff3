/* What a job tells of its end: dumps, one exception, and any other text. */
#include "config.h"

#include "host/report.h"

#include "tests/unit/check.h"

static void release(struct run_reason *reason)
{
  free(reason->python_stack);
  free(reason->exception.type);
  free(reason->exception.file);
  free(reason->exception.message);
}

/* Reads from just as many bytes: the sanitizer sees a read beyond. */
static void read_bytes(const char *text, size_t count,
                       struct run_reason *reason)
{
  cleanup_free char *bytes = xmalloc(count);
  memcpy(bytes, text, count);
  report_read(bytes, count, reason);
}

static void stack_is(const char *text, const char *expected)
{
  struct run_reason reason = {0};
  read_bytes(text, strlen(text), &reason);
  if (expected == NULL)
    assert_null(reason.python_stack);
  else
    assert_string_equal(reason.python_stack, expected);
  assert_null(reason.exception.type);
  release(&reason);
}

#define MAIN  "Current thread 0x00007f6d (most recent call first):\n"
#define OTHER "Thread 0x00007f6e (most recent call first):\n"
#define HERE  "  File \"etl.py\", line 3 in here\n"
#define THERE "  File \"etl.py\", line 4 in there"
#define OF_OURS                                                                \
  "  File \"/opt/wafer/python/wafer_bootstrap.py\", line 9 in run\n"

static void test_stack(void **state)
{
  (void)state;
  stack_is("", NULL);
  stack_is("\n\n", NULL);
  stack_is(MAIN HERE THERE, MAIN HERE THERE);
  stack_is(MAIN HERE OF_OURS THERE "\n", MAIN HERE THERE);
  stack_is("noise\n" MAIN THERE "\nmore noise\n", MAIN THERE);
  /* The last dump alone, whether or not something stands between. */
  stack_is(MAIN HERE MAIN THERE "\n", MAIN THERE);
  stack_is(MAIN HERE "noise\n" MAIN THERE "\n", MAIN THERE);
}

/* faulthandler puts a blank line between the threads of one dump, and none
 * between two dumps. */
static void test_stack_of_threads(void **state)
{
  (void)state;
  stack_is(OTHER HERE "\n" MAIN THERE "\n", OTHER HERE MAIN THERE);
  stack_is(OTHER HERE "\n" OTHER HERE "\n" MAIN THERE "\n",
           OTHER HERE OTHER HERE MAIN THERE);
  stack_is(OTHER HERE "\n" MAIN HERE OTHER HERE "\n" MAIN THERE "\n",
           OTHER HERE MAIN THERE);
  stack_is(OTHER HERE "\n\n" MAIN THERE "\n", MAIN THERE);
}

static void test_exception(void **state)
{
  (void)state;
  static const char text[] = MAIN THERE "\nE\x1fKeyError\x1f/tmp/etl.py\x1f"
                                        "12\x1f'day'\x1f it's\x1f\n";
  struct run_reason reason = {0};
  read_bytes(text, strlen(text), &reason);
  assert_string_equal(reason.exception.type, "KeyError");
  assert_string_equal(reason.exception.file, "/tmp/etl.py");
  assert_int_equal(reason.exception.line, 12);
  /* A message may hold what separates. */
  assert_string_equal(reason.exception.message, "'day'\x1f it's\x1f");
  assert_string_equal(reason.python_stack, MAIN THERE);
  release(&reason);
}

static void no_exception(const char *text)
{
  struct run_reason reason = {0};
  read_bytes(text, strlen(text), &reason);
  assert_null(reason.exception.type);
  assert_null(reason.exception.file);
  assert_null(reason.exception.message);
  assert_int_equal(reason.exception.line, 0);
  assert_null(reason.python_stack);
  release(&reason);
}

static void test_no_exception(void **state)
{
  (void)state;
  no_exception("E");
  no_exception("E\x1f");
  no_exception("E\x1fKeyError");
  no_exception("E\x1fKeyError\x1f"
               "etl.py");
  no_exception("E\x1fKeyError\x1f"
               "etl.py\x1f"
               "1");
  no_exception("EE\x1f"
               "a\x1f"
               "b\x1f"
               "1\x1f"
               "c");
  no_exception(" E\x1f"
               "a\x1f"
               "b\x1f"
               "1\x1f"
               "c");
  /* A newline ends it. */
  no_exception("E\x1f"
               "a\x1f"
               "b\n\x1f"
               "1\x1f"
               "c");
}

static void line_is(const char *digits, int64_t expected)
{
  struct run_reason reason = {0};
  cleanup_free char *text = xasprintf("E\x1fT\x1f\x1f%s\x1f", digits);
  read_bytes(text, strlen(text), &reason);
  assert_int_equal(reason.exception.line, expected);
  assert_string_equal(reason.exception.file, "");
  assert_string_equal(reason.exception.message, "");
  release(&reason);
}

static void test_numbers(void **state)
{
  (void)state;
  line_is("", 0);
  line_is("x", 0);
  line_is("7x", 7);
  line_is("99999999999999999999999999999999", INT64_MAX);
}

/* What was known stays where the text has nothing better. */
static void test_leaves_alone(void **state)
{
  (void)state;
  struct run_reason reason = {.kind = REASON_TIMEOUT};
  run_set_text(&reason.python_stack, "old");
  run_set_text(&reason.exception.type, "Old");
  read_bytes("E\x1fNew", 5, &reason);
  assert_string_equal(reason.python_stack, "old");
  assert_string_equal(reason.exception.type, "Old");
  read_bytes("E\x1fNew\x1f\x1f\x1f", 8, &reason);
  assert_string_equal(reason.exception.type, "New");
  assert_int_equal(reason.kind, REASON_TIMEOUT);
  release(&reason);
}

/* Any bytes: cut anywhere, NULs, one endless line, only separators. */
static void test_any_bytes(void **state)
{
  (void)state;
  enum { COUNT = 1 << 16 };
  static const char text[] = OTHER HERE OF_OURS "\n" MAIN THERE "\nE\x1fT\x1f"
                                                "f\x1f"
                                                "1\x1fm\n";
  for (size_t count = 0; count <= sizeof text; count++) {
    struct run_reason reason = {0};
    read_bytes(text, count, &reason);
    release(&reason);
  }
  static const char frame[] = OTHER "  File ";
  static const char fills[] = {'\0', '\n', '\x1f', 'E', 'T', ' ', '\xFF'};
  cleanup_free char *bytes = xmalloc(COUNT);
  for (size_t i = 0; i < sizeof fills; i++) {
    struct run_reason reason = {0};
    memset(bytes, fills[i], COUNT);
    bytes[0] = 'E', bytes[1] = '\x1f';
    read_bytes(bytes, COUNT, &reason);
    memcpy(bytes, frame, sizeof frame - 1);
    read_bytes(bytes, COUNT, &reason);
    assert_true(strlen(reason.python_stack) <= COUNT);
    release(&reason);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_stack),     cmocka_unit_test(test_stack_of_threads),
      cmocka_unit_test(test_exception), cmocka_unit_test(test_no_exception),
      cmocka_unit_test(test_numbers),   cmocka_unit_test(test_leaves_alone),
      cmocka_unit_test(test_any_bytes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
