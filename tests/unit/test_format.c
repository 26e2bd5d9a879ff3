/* Figures and texts for people: rounding at each edge, and no way for a text
 * to reach the terminal's controls. */
#include "config.h"

#include "host/format.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct figure {
  int64_t value;
  const char *text;
};

static void check_figures(const struct figure *figures, size_t count,
                          const char *(*format)(int64_t value,
                                                char text[FORMAT_SIZE]))
{
  for (size_t i = 0; i < count; i++) {
    char text[FORMAT_SIZE];
    assert_string_equal(format(figures[i].value, text), figures[i].text);
  }
}

static void test_bytes(void **state)
{
  (void)state;
  static const struct figure figures[] = {
      {-1, "-"},
      {0, "0 B"},
      {1023, "1023 B"},
      {1024, "1.0 KiB"},
      {10188, "9.9 KiB"},
      {10189, "10 KiB"},
      {512 << 10, "512 KiB"},
      {48 << 20, "48 MiB"},
      {(1 << 20) - 1, "1.0 MiB"},
      {(1 << 20) - 513, "1023 KiB"},
      {1 << 30, "1.0 GiB"},
      {INT64_C(20) << 30, "20 GiB"},
      {INT64_MAX, "8192 PiB"},
  };
  check_figures(figures, ARRAY_LENGTH(figures), format_bytes);
}

static void test_seconds(void **state)
{
  (void)state;
  static const struct figure figures[] = {
      {-1, "-"},
      {0, "0.000 s"},
      {499999, "0.000 s"},
      {500000, "0.001 s"},
      {4000000, "0.004 s"},
      {999499999, "0.999 s"},
      {999500000, "1.00 s"},
      {1234567890, "1.23 s"},
      {9994999999, "9.99 s"},
      {9995000000, "10.0 s"},
      {61200000000, "61.2 s"},
      {99950000000, "100 s"},
      {INT64_C(3600000000000), "3600 s"},
      {INT64_MAX, "9223372037 s"},
  };
  check_figures(figures, ARRAY_LENGTH(figures), format_seconds);
}

static void test_dpu_seconds(void **state)
{
  (void)state;
  static const struct figure figures[] = {
      {-1, "-"},
      {0, "0.00"},
      {3750000, "3.75"},
      {60000000, "60.00"},
      {3812500, "3.8125"},
      {1, "0.000001"},
      {INT64_MAX, "9223372036854.775807"},
  };
  check_figures(figures, ARRAY_LENGTH(figures), format_dpu_seconds);
}

static void test_time(void **state)
{
  (void)state;
  static const struct figure figures[] = {
      {0, "-"},
      {INT64_C(1543224605120000000), "2018-11-26 09:30:05"},
  };
  check_figures(figures, ARRAY_LENGTH(figures), format_time);
}

struct pair {
  const char *text;
  const char *safe;
};

static void test_safe(void **state)
{
  (void)state;
  static const struct pair pairs[] = {
      {"", ""},
      {"naïve – 漢字 🙂", "naïve – 漢字 🙂"},
      {"a\\b", "a\\b"},
      {"\x1b[31mred\x07", "\\x1b[31mred\\x07"},
      {"two\nlines\r\tand\x7f", "two\\x0alines\\x0d\\x09and\\x7f"},
      /* U+009B is a control sequence introducer of one character. */
      {"\xC2\x9B"
       "2J",
       "\\x9b2J"},
      {"\xE2\x80\xAEtxt.exe", "\\u202etxt.exe"},
      {"\xFF\xC0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
  };
  for (size_t i = 0; i < ARRAY_LENGTH(pairs); i++) {
    cleanup_free char *safe = format_safe(pairs[i].text);
    assert_string_equal(safe, pairs[i].safe);
  }
}

static void test_safe_lines(void **state)
{
  (void)state;
  cleanup_free char *safe = format_safe_lines("one\n\ttwo\x1b\r\n");
  assert_string_equal(safe, "one\n\ttwo\\x1b\\x0d\n");
}

static void test_width(void **state)
{
  (void)state;
  assert_int_equal(format_width(""), 0);
  assert_int_equal(format_width("naïve"), 5);
  assert_int_equal(format_width("✓ ok"), 4);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_bytes),       cmocka_unit_test(test_seconds),
      cmocka_unit_test(test_dpu_seconds), cmocka_unit_test(test_time),
      cmocka_unit_test(test_safe),        cmocka_unit_test(test_safe_lines),
      cmocka_unit_test(test_width),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
