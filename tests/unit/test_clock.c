/* Clocks, and how a time is shown. */
#include "config.h"

#include "base/clock.h"

#include "tests/unit/check.h"

#include <time.h>

static void format_is(int64_t realtime_ns, const char *expected)
{
  char text[CLOCK_TEXT_SIZE];
  clock_format(realtime_ns, text);
  assert_string_equal(text, expected);
}

static void test_format(void **state)
{
  (void)state;
  format_is(0, "1970-01-01T00:00:00.000Z");
  format_is(INT64_C(1543224605120000000), "2018-11-26T09:30:05.120Z");
  format_is(INT64_C(1709251199999999999), "2024-02-29T23:59:59.999Z");
  format_is(NS_PER_MS - 1, "1970-01-01T00:00:00.000Z");
  format_is(NS_PER_MS, "1970-01-01T00:00:00.001Z");
  format_is(INT64_MAX, "2262-04-11T23:47:16.854Z");
}

static void test_format_is_utc(void **state)
{
  (void)state;
  assert_int_equal(setenv("TZ", "Asia/Kathmandu", 1), 0);
  tzset();
  format_is(INT64_C(1543224605120000000), "2018-11-26T09:30:05.120Z");
  unsetenv("TZ");
  tzset();
}

static void test_reading(void **state)
{
  (void)state;
  int64_t first = clock_monotonic_ns();
  assert_true(first > 0);
  for (int i = 0; i < 1000; i++) {
    int64_t next = clock_monotonic_ns();
    assert_true(next >= first);
    first = next;
  }
  int64_t seconds = clock_realtime_ns() / NS_PER_S;
  assert_true(seconds >= time(NULL) - 1 && seconds <= time(NULL) + 1);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_format),
      cmocka_unit_test(test_format_is_utc),
      cmocka_unit_test(test_reading),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
