/* Errors: one line, one owner, prefixes by those above. */
#include "config.h"

#include "tests/unit/check.h"

static void test_make(void **state)
{
  (void)state;
  cleanup_error struct error *err = NULL;
  errno = ENOENT;
  assert_int_equal(error_make(&err, EINVAL, "%s has %d", "x", 3), -1);
  assert_int_equal(err->code, EINVAL);
  assert_string_equal(err->text, "x has 3");
}

static void test_errno(void **state)
{
  (void)state;
  cleanup_error struct error *err = NULL;
  errno = ENOENT;
  assert_int_equal(error_errno(&err, "open %s", "/a"), -1);
  assert_int_equal(err->code, ENOENT);
  assert_string_equal(err->text, "open /a: No such file or directory");
}

static void test_wrap(void **state)
{
  (void)state;
  cleanup_error struct error *err = NULL;
  error_make(&err, EIO, "inner");
  assert_int_equal(error_wrap(&err, "outer %d", 1), -1);
  assert_int_equal(error_wrap(&err, "most"), -1);
  assert_int_equal(err->code, EIO);
  assert_string_equal(err->text, "most: outer 1: inner");
}

/* A text of another's isn't a format, and has no length that is too much. */
static void test_any_text(void **state)
{
  (void)state;
  enum { LONG_BYTES = 100000 };
  cleanup_error struct error *err = NULL;
  cleanup_free char *longest = xcalloc(LONG_BYTES + 1, 1);
  memset(longest, 'x', LONG_BYTES);
  error_make(&err, 0, "%s%s", "%n%s", longest);
  error_wrap(&err, "%s", "%s%n");
  assert_int_equal(strlen(err->text), LONG_BYTES + 10);
  assert_memory_equal(err->text, "%s%n: %n%sxxx", 13);
}

static void test_clear(void **state)
{
  (void)state;
  cleanup_error struct error *err = NULL;
  error_free(NULL);
  error_clear(&err);
  error_make(&err, EIO, "once");
  error_clear(&err);
  assert_null(err);
  error_make(&err, EPERM, "again");
  assert_int_equal(err->code, EPERM);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_make),  cmocka_unit_test(test_errno),
      cmocka_unit_test(test_wrap),  cmocka_unit_test(test_any_text),
      cmocka_unit_test(test_clear),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
