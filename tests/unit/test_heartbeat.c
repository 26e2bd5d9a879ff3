/* The heartbeat: the last one counts, and a damaged one is none. */
#include "config.h"

#include "host/heartbeat.h"

#include "base/clock.h"
#include "base/fd.h"

#include "tests/unit/check.h"

static int open_file(void)
{
  return open("heartbeat", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

static void test_round_trip(void **state)
{
  (void)state;
  struct error *err = NULL;
  cleanup_fd int fd = open_file();
  int64_t before = clock_monotonic_ns();
  struct heartbeat beat = {0};
  static const int64_t cpu_ns[] = {-1, INT64_MAX, 0};
  for (size_t i = 0; i < ARRAY_LENGTH(cpu_ns); i++) {
    heartbeat_write(fd, before, cpu_ns[i]);
    check_good(heartbeat_read(fd, &beat, &err), err);
    assert_int_equal(beat.released_ns, before);
    assert_true(beat.seen_ns >= before);
    assert_true(beat.seen_ns <= clock_monotonic_ns());
    assert_int_equal(beat.cpu_ns, cpu_ns[i]);
  }
  /* Each is written over the one before. */
  struct stat status;
  assert_int_equal(fstat(fd, &status), 0);
  assert_int_equal(status.st_size, strlen("wafer-heartbeat 1 ") + 60);
}

static void test_write_failures_are_let_go(void **state)
{
  (void)state;
  cleanup_fd int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  heartbeat_write(full, 1, 2);
  heartbeat_write(-1, 1, 2);
}

static void refused(const char *text, size_t count)
{
  struct error *err = NULL;
  struct heartbeat beat = {1, 2, 3};
  check_put_bytes("heartbeat", text, count);
  cleanup_fd int fd = open_file();
  check_bad(heartbeat_read(fd, &beat, &err), &err, EINVAL,
            "the heartbeat is damaged");
  assert_int_equal(beat.released_ns, 1);
  assert_int_equal(beat.seen_ns, 2);
  assert_int_equal(beat.cpu_ns, 3);
}

static void refused_fields(const char *released, const char *seen,
                           const char *cpu, const char *end)
{
  cleanup_free char *text =
      xasprintf("wafer-heartbeat 1 %19s %19s %19s%s", released, seen, cpu, end);
  refused(text, strlen(text));
}

static void test_cut_or_changed(void **state)
{
  (void)state;
  struct error *err = NULL;
  struct heartbeat beat;
  char good[128], changed[128];
  cleanup_fd int fd = open_file();
  check_bad(heartbeat_read(fd, &beat, &err), &err, ENODATA,
            "there was no heartbeat");
  check_bad(heartbeat_read(-1, &beat, &err), &err, EBADF,
            "read the heartbeat: ");
  snprintf(good, sizeof good, "wafer-heartbeat 1 %19d %19d %19d\n", 12, 34, 56);
  size_t length = strlen(good);
  check_put("heartbeat", good);
  check_good(heartbeat_read(fd, &beat, &err), err);
  assert_int_equal(beat.seen_ns, 34);
  for (size_t count = 1; count < length; count++)
    refused(good, count);
  refused(good, length + 1); /* with its NUL */
  for (size_t i = 0; i < length; i++) {
    memcpy(changed, good, length);
    changed[i] = '\0';
    refused(changed, length);
    changed[i] = good[i] == '\n' ? ' ' : '\n';
    refused(changed, length);
  }
}

static void test_hostile(void **state)
{
  (void)state;
  refused_fields("3", "2", "1", "\n"); /* seen before it was released */
  refused_fields("-1", "2", "1", "\n");
  refused_fields("-9223372036854775808", "9223372036854775807", "1", "\n");
  refused_fields("1", "9999999999999999999", "1", "\n");
  refused_fields("1", "2", "9223372036854775808", "\n");
  refused_fields("1", "2", "-2", "\n");
  refused_fields("1", "2", "+3", "\n");
  refused_fields("1", "2", "0x3", "\n");
  refused_fields("1", "2", "", "\n");
  refused_fields("1", "2", "3", "");
  refused_fields("1", "2", "3", "\n\n");
  refused_fields("1", "2", "3", " 4\n");
  refused_fields("1", "2", "3", "\nwafer-heartbeat 1");
  refused_fields("01", "2", "3", "\n");
  refused("wafer-heartbeat 1 1 2 3\n", 24);
  static char longest[1 << 16];
  memset(longest, '7', sizeof longest);
  refused(longest, sizeof longest);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      CHECK_TEST(test_round_trip),
      CHECK_TEST(test_write_failures_are_let_go),
      CHECK_TEST(test_cut_or_changed),
      CHECK_TEST(test_hostile),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
