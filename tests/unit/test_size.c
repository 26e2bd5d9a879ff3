/* The table of sizes and the spellings of a MaxCapacity. */
#include "config.h"

#include "jobs/size.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

static void test_table(void **state)
{
  (void)state;
  const struct size *small = size_at(0), *large = size_at(1);
  assert_ptr_equal(size_default(), small);
  assert_string_equal(small->name, "0.0625");
  assert_int_equal(small->micro_dpu, 62500);
  assert_int_equal(small->cpu_milli, 250);
  assert_int_equal(small->memory_bytes, 1073741824);
  assert_int_equal(small->pids_max, 128);
  assert_int_equal(small->scratch_bytes, 21474836480);
  assert_string_equal(large->name, "1");
  assert_int_equal(large->micro_dpu, 1000000);
  assert_int_equal(large->cpu_milli, 4000);
  assert_int_equal(large->memory_bytes, 17179869184);
  assert_int_equal(large->pids_max, 1024);
  assert_null(size_at(2));
  assert_null(size_at(SIZE_MAX));
}

static void test_equal_spellings(void **state)
{
  (void)state;
  static const struct {
    const char *text, *name;
  } cases[] = {
      {"1", "1"},
      {"1.0", "1"},
      {"1.00000000000000000000000000", "1"},
      {"0.0625", "0.0625"},
      {"0.06250", "0.0625"},
      {"0.06250000000", "0.0625"},
  };
  for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
    const struct size *size = NULL;
    struct error *err = NULL;
    assert_int_equal(size_find(cases[i].text, &size, &err), 0);
    assert_string_equal(size->name, cases[i].name);
  }
}

static void test_all_else_is_refused(void **state)
{
  (void)state;
  static const char *const cases[] = {
      "",
      "0",
      "2",
      "0.5",
      "0.062500000001",
      "0.06251",
      "1.",
      ".0625",
      "01",
      "00.0625",
      "+1",
      "-1",
      " 1",
      "1 ",
      "1e0",
      "6.25e-2",
      "0,0625",
      "1/16",
      "nan",
      "inf",
      "0x1",
      "1.0.0",
      "1\n",
      "18446744073709551617",
      "1000000.0",
  };
  for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
    const struct size *size = NULL;
    cleanup_error struct error *err = NULL;
    assert_int_equal(size_find(cases[i], &size, &err), -1);
    assert_int_equal(err->code, EINVAL);
    assert_non_null(strstr(err->text, "0.0625, 1 DPU"));
    assert_null(size);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_table),
      cmocka_unit_test(test_equal_spellings),
      cmocka_unit_test(test_all_else_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
