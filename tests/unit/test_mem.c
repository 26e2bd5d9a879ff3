/* Memory: always a usable pointer, or the end. */
#include "config.h"

#include "tests/unit/check.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* The sanitizer would end the process in a way of its own. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
  return "allocator_may_return_null=1";
}

static void test_nothing_is_something(void **state)
{
  (void)state;
  cleanup_free char *first = xmalloc(0);
  cleanup_free char *second = xcalloc(0, 8);
  cleanup_free char *third = xcalloc(8, 0);
  cleanup_free char *fourth = xreallocarray(NULL, 0, 0);
  assert_non_null(first);
  assert_non_null(second);
  assert_non_null(third);
  assert_non_null(fourth);
  fourth = xreallocarray(fourth, 0, 4);
  assert_non_null(fourth);
}

static void test_contents(void **state)
{
  (void)state;
  cleanup_free char *zeros = xcalloc(3, 5);
  for (size_t i = 0; i < 15; i++)
    assert_int_equal(zeros[i], 0);
  memset(zeros, 'x', 15);
  zeros = xreallocarray(zeros, 1000, 8);
  assert_memory_equal(zeros, "xxxxxxxxxxxxxxx", 15);
}

static void test_texts(void **state)
{
  (void)state;
  const char unended[3] = {'a', 'b', 'c'};
  cleanup_free char *whole = xstrdup("");
  cleanup_free char *part = xstrndup(unended, sizeof unended);
  cleanup_free char *shorter = xstrndup("ab", 9);
  cleanup_free char *made = xasprintf("%s-%d", "x", 1);
  assert_string_equal(whole, "");
  assert_string_equal(part, "abc");
  assert_string_equal(shorter, "ab");
  assert_string_equal(made, "x-1");
}

static void test_stealing(void **state)
{
  (void)state;
  char *kept;
  {
    cleanup_free char *owner = xstrdup("kept");
    kept = steal_pointer(&owner);
    assert_null(owner);
  }
  assert_string_equal(kept, "kept");
  free(kept);
  const int three[3] = {0};
  assert_int_equal(ARRAY_LENGTH(three), 3);
}

/* The sizes are not the compiler's to see: it would warn. */
static volatile size_t too_many = SIZE_MAX / 4;

static void take_malloc(void)
{
  free(xmalloc(too_many));
}

static void take_calloc(void)
{
  free(xcalloc(too_many, 8));
}

static void take_realloc(void)
{
  free(xreallocarray(NULL, too_many, 8));
}

static void ends_with_one_line(void (*take)(void))
{
  int ends[2];
  assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
  pid_t child = fork();
  if (child == 0) {
    const struct rlimit none = {0};
    setrlimit(RLIMIT_CORE, &none);
    signal(SIGABRT, SIG_DFL);
    dup2(ends[1], STDERR_FILENO);
    take();
    _exit(0);
  }
  close(ends[1]);
  char said[4096] = "";
  size_t used = 0;
  ssize_t got;
  while (used < sizeof said - 1 &&
         (got = read(ends[0], said + used, sizeof said - 1 - used)) > 0)
    used += (size_t)got;
  close(ends[0]);
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFSIGNALED(status));
  assert_int_equal(WTERMSIG(status), SIGABRT);
  /* A sanitizer says more before it. */
  assert_non_null(strstr(said, "wafer: out of memory\n"));
}

static void test_exhausted(void **state)
{
  (void)state;
  ends_with_one_line(take_malloc);
  ends_with_one_line(take_calloc);
  ends_with_one_line(take_realloc);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_nothing_is_something),
      cmocka_unit_test(test_contents),
      cmocka_unit_test(test_texts),
      cmocka_unit_test(test_stealing),
      cmocka_unit_test(test_exhausted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
