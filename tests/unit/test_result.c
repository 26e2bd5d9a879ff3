/* The result record: what is written is read, and nothing else is. */
#include "config.h"

#include "runtime/result.h"

#include "base/fd.h"

#include "tests/unit/check.h"

static void test_round_trip(void **state)
{
  (void)state;
  static const struct result results[] = {
      {.killed = false},
      {.value = 255, .ended_ns = 1, .cpu_us = 2, .max_rss_kib = 3},
      {true, true, 9, INT64_C(999999999999999999), 5, 6},
      {true, false, 64, 7, INT64_C(999999999999999999),
       INT64_C(999999999999999999)},
  };
  struct error *err = NULL;
  for (size_t i = 0; i < ARRAY_LENGTH(results); i++) {
    const struct result *result = &results[i];
    cleanup_fd int fd =
        open("result", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    check_good(result_write(fd, result, &err), err);
    char line[RESULT_MAX_BYTES];
    ssize_t count = pread(fd, line, sizeof line, 0);
    assert_true(count > 0);
    struct result read = {0};
    check_good(result_parse(line, (size_t)count, &read, &err), err);
    assert_int_equal(read.killed, result->killed);
    assert_int_equal(read.value, result->value);
    assert_int_equal(read.ended_ns, result->ended_ns);
    assert_int_equal(read.cpu_us, result->cpu_us);
    assert_int_equal(read.max_rss_kib, result->max_rss_kib);
    assert_int_equal(read.host_gone, result->host_gone);
  }
}

static void test_write_errors(void **state)
{
  (void)state;
  struct error *err = NULL;
  const struct result result = {0};
  cleanup_fd int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  check_bad(result_write(full, &result, &err), &err, ENOSPC,
            "write the result record: ");
}

static void refused(const char *text, size_t count)
{
  struct error *err = NULL;
  struct result result = {.value = 77, .ended_ns = 88};
  /* Just as long as it is: the sanitizer sees a read beyond. */
  cleanup_free char *bytes = xmalloc(count);
  memcpy(bytes, text, count);
  check_bad(result_parse(bytes, count, &result, &err), &err, EINVAL,
            "the result record is damaged");
  assert_int_equal(result.value, 77);
  assert_int_equal(result.ended_ns, 88);
}

#define GOOD "wafer-result 1 exited 12 34 56 78 job\n"

static void test_cut_or_changed(void **state)
{
  (void)state;
  static const char good[] = GOOD;
  struct error *err = NULL;
  struct result result;
  check_good(result_parse(good, strlen(good), &result, &err), err);
  check_bad(result_parse("", 0, &result, &err), &err, ENODATA,
            "the result record is empty");
  for (size_t count = 1; count < strlen(good); count++)
    refused(good, count);
  refused(good, sizeof good); /* with its NUL */
  for (size_t i = 0; i < strlen(good); i++) {
    static const char others[] = {'\0', '\n', '\t', '-', '+', 'x', '\xFF'};
    for (size_t j = 0; j < sizeof others; j++) {
      char changed[] = GOOD;
      if (changed[i] == others[j])
        continue;
      changed[i] = others[j];
      refused(changed, strlen(good));
    }
  }
}

static void test_hostile(void **state)
{
  (void)state;
  static const char *const texts[] = {
      "\n",
      "wafer-result 2 exited 0 1 2 3 job\n",
      "wafer-result 1 Exited 0 1 2 3 job\n",
      "wafer-result 1 exitedx 0 1 2 3 job\n",
      "wafer-result 1 exited 0 1 2 3 jobs\n",
      "wafer-result 1 exited 0 1 2 3 hosthost\n",
      "wafer-result 1 exited 0 1 2 job\n",
      "wafer-result 1 exited 0 1 2 3 4 job\n",
      "wafer-result 1 exited 0 1 2 3 job \n",
      "wafer-result 1 exited 0 1 2 3 job\n\n",
      "wafer-result 1 exited 0 1 2 3 job\nwafer-result 1 exited 0 1 2 3 job\n",
      " wafer-result 1 exited 0 1 2 3 job\n",
      "wafer-result 1exited 0 1 2 3 job\n",
      "wafer-result  1 exited 0 1 2 3 job\n",
      "wafer-result 1 exited 00 1 2 3 job\n",
      "wafer-result 1 exited +0 1 2 3 job\n",
      "wafer-result 1 exited -0 1 2 3 job\n",
      "wafer-result 1 exited -1 1 2 3 job\n",
      "wafer-result 1 exited 256 1 2 3 job\n",
      "wafer-result 1 exited 4294967296 1 2 3 job\n",
      "wafer-result 1 exited 0 -1 2 3 job\n",
      "wafer-result 1 exited 0 1 -2 3 job\n",
      "wafer-result 1 exited 0 1 2 -3 job\n",
      "wafer-result 1 exited 0 0x1 2 3 job\n",
      "wafer-result 1 exited 0 1e1 2 3 job\n",
      /* A number that is too long isn't two. */
      "wafer-result 1 exited 0 1234567890123456789 2 job\n",
      "wafer-result 1 exited 1234567890 1 2 job\n",
      "wafer-result 1 exited 0 99999999999999999999999999 2 3 job\n",
  };
  for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
    refused(texts[i], strlen(texts[i]));
  static const char good[] = GOOD;
  static char longest[10000];
  memset(longest, '1', sizeof longest - 1);
  memcpy(longest, good, sizeof good - 2);
  longest[sizeof longest - 1] = '\n';
  refused(longest, sizeof longest);
  longest[RESULT_MAX_BYTES - 1] = '\n';
  refused(longest, RESULT_MAX_BYTES);
  longest[RESULT_MAX_BYTES - 2] = '\n';
  refused(longest, RESULT_MAX_BYTES - 1);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      CHECK_TEST(test_round_trip),
      CHECK_TEST(test_write_errors),
      CHECK_TEST(test_cut_or_changed),
      CHECK_TEST(test_hostile),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
