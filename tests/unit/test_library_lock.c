/* Lock files: what pip reports becomes one, or an error. */
#include "config.h"

#include "host/library_lock.h"

#include "base/sha256.h"
#include "tests/unit/check.h"

#define HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ITEM(name, version, hash)                                              \
  "{\"metadata\":{\"name\":\"" name "\",\"version\":\"" version                \
  "\"},\"download_info\":{\"archive_info\":{\"hashes\":{\"sha256\":\"" hash    \
  "\"}}}}"
#define REPORT(items) "{\"install\":[" items "]}"

static void test_report(void **state)
{
  (void)state;
  static const char report[] =
      REPORT(ITEM("six", "1.17.0", HASH) "," ITEM("Py-b_c.d", "2!1+l", HASH));
  struct error *err = NULL;
  cleanup_free char *lock = NULL;
  check_good(library_lock_from_report(report, strlen(report), &lock, &err),
             err);
  assert_string_equal(lock, "Py-b_c.d==2!1+l --hash=sha256:" HASH "\n"
                            "six==1.17.0 --hash=sha256:" HASH "\n");
}

static void test_nothing_to_install(void **state)
{
  (void)state;
  struct error *err = NULL;
  cleanup_free char *lock = NULL;
  check_good(
      library_lock_from_report(REPORT(""), strlen(REPORT("")), &lock, &err),
      err);
  assert_string_equal(lock, "");
}

static void test_bad_reports(void **state)
{
  (void)state;
  static const char *const reports[] = {
      "",
      "[]",
      "{\"install\":{}}",
      REPORT("{}"),
      REPORT(ITEM("", "1", HASH)),
      REPORT(ITEM("-r /etc/passwd", "1", HASH)),
      REPORT(ITEM("a\\n--index-url=http://b", "1", HASH)),
      REPORT(ITEM("a", "1 --hash=sha256:0", HASH)),
      REPORT(ITEM("a", "1", "00")),
      REPORT(ITEM("a", "1", HASH "0")),
      REPORT(ITEM("a", "1", HASH) ",7"),
  };
  struct error *err = NULL;
  char *lock = NULL;
  for (size_t i = 0; i < ARRAY_LENGTH(reports); i++) {
    const char *text = reports[i];
    check_bad(library_lock_from_report(text, strlen(text), &lock, &err), &err,
              EINVAL, "pip");
    assert_null(lock);
  }
}

static void preload_is(const char *lock, size_t count, const char *last)
{
  struct error *err = NULL;
  cleanup_library_set struct library_set set = {0};
  check_good(library_lock_read_preload(lock, &set, &err), err);
  assert_int_equal(set.preload_count, count);
  if (count > 0)
    assert_string_equal(set.preload[count - 1], last);
}

static void test_preload(void **state)
{
  (void)state;
  preload_is("", 0, NULL);
  preload_is("a==1\n", 0, NULL);
  preload_is("x # preload: a\n", 0, NULL);
  preload_is("# preload:\na==1\n", 0, NULL);
  preload_is("# preload: numpy, pandas\r\na==1\n", 2, "pandas");
  preload_is("a==1\n# preload:b.c", 1, "b.c");
  struct error *err = NULL;
  cleanup_library_set struct library_set set = {0};
  check_bad(library_lock_read_preload("# preload: 1\n", &set, &err), &err,
            EINVAL, "isn't a module's name");
}

static void test_sha256(void **state)
{
  (void)state;
  char text[SHA256_TEXT_SIZE];
  sha256_text("", 0, text);
  assert_string_equal(text, HASH);
  sha256_text("abc", 3, text); /* FIPS 180-2, appendix B.1 */
  assert_string_equal(
      text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      CHECK_TEST(test_report),      CHECK_TEST(test_nothing_to_install),
      CHECK_TEST(test_bad_reports), CHECK_TEST(test_preload),
      CHECK_TEST(test_sha256),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
