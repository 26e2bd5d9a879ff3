/* Library sets: names, manifests, the choice, and what nobody may write to. */
#include "config.h"

#include "runtime/library_set.h"

#include "base/fd.h"

#include "tests/unit/check.h"

#include <sys/file.h>

#define HEX  "0123456789abcdef"
#define LOCK HEX HEX HEX HEX
#define TEXT(name, lock, preload)                                              \
  "{\"format\":1,\"name\":\"" name "\",\"lock_sha256\":\"" lock                \
  "\",\"python_version\":\"3.11.2\",\"preload\":" preload                      \
  ",\"made_realtime_ns\":5,\"bytes\":7}"

static void test_names(void **state)
{
  (void)state;
  static const char *const good[] = {"a", "none", "my-set_1.2", "0",
                                     "a-0123456789abcdef0"};
  static const char *const bad[] = {
      "",
      ".",
      "..",
      "-a",
      "a/b",
      "A",
      "a b",
      "a\n",
      "_a",
      "é",
      "a-0123456789abcdef",
      ".lock",
      "a123456789012345678901234567890123456789012345678901234567890abcd",
  };
  struct error *err = NULL;
  for (size_t i = 0; i < ARRAY_LENGTH(good); i++)
    check_good(library_set_check_name(good[i], &err), err);
  for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
    assert_int_equal(library_set_check_name(bad[i], &err), -1);
    assert_int_equal(err->code, EINVAL);
    error_clear(&err);
  }
}

static void test_modules(void **state)
{
  (void)state;
  static const char *const good[] = {"numpy", "a.b_c.D1", "_x"};
  static const char *const bad[] = {"",    ".",   "a.",  ".a",   "a..b", "1a",
                                    "a.1", "a-b", "a b", "os;x", "é"};
  struct error *err = NULL;
  for (size_t i = 0; i < ARRAY_LENGTH(good); i++)
    check_good(library_set_check_module(good[i], &err), err);
  for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
    check_bad(library_set_check_module(bad[i], &err), &err, EINVAL,
              "isn't a module's name");
}

static void test_round_trip(void **state)
{
  (void)state;
  struct error *err = NULL;
  cleanup_library_set struct library_set set = {0}, again = {0};
  static const char text[] = TEXT("mine", LOCK, "[\"numpy\",\"a.b\"]");
  check_good(library_set_parse(text, strlen(text), &set, &err), err);
  assert_string_equal(set.name, "mine");
  assert_string_equal(set.lock_sha256, LOCK);
  assert_string_equal(set.python_version, "3.11.2");
  assert_int_equal(set.preload_count, 2);
  assert_string_equal(set.preload[1], "a.b");
  assert_int_equal(set.made_realtime_ns, 5);
  assert_int_equal(set.bytes, 7);
  assert_null(set.dir);
  cleanup_free char *written = library_set_to_text(&set);
  check_good(library_set_parse(written, strlen(written), &again, &err), err);
  cleanup_free char *twice = library_set_to_text(&again);
  assert_string_equal(written, twice);
}

static void test_damaged_manifests(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    const char *words;
  } rows[] = {
      {"", "isn't JSON"},
      {"[]", "no manifest"},
      {"{\"format\":2}", "no manifest"},
      {"{\"format\":1}", "\"name\" is damaged"},
      {TEXT("Mine", LOCK, "[]"), "isn't a set's name"},
      {TEXT("mine", HEX, "[]"), "\"lock_sha256\" is damaged"},
      {TEXT("mine", LOCK "0", "[]"), "\"lock_sha256\" is damaged"},
      {TEXT("mine", LOCK, "{}"), "\"preload\" is damaged"},
      {TEXT("mine", LOCK, "[1]"), "\"preload\" is damaged"},
      {TEXT("mine", LOCK, "[\"a b\"]"), "isn't a module's name"},
  };
  struct error *err = NULL;
  for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
    struct library_set set = {0};
    const char *text = rows[i].text;
    check_bad(library_set_parse(text, strlen(text), &set, &err), &err, EINVAL,
              rows[i].words);
    assert_null(set.name);
    assert_null(set.preload);
  }
}

static void test_too_much_to_import(void **state)
{
  (void)state;
  struct error *err = NULL;
  cleanup_library_set struct library_set set = {0};
  for (int i = 0; i < LIBRARY_SET_PRELOAD_MAX; i++)
    check_good(library_set_add_preload(&set, "a", &err), err);
  check_bad(library_set_add_preload(&set, "a", &err), &err, E2BIG, "more than");
}

static void put_set(const char *folder)
{
  cleanup_free char *path = xasprintf("%s/" LIBRARY_SET_MANIFEST, folder);
  mkdir(folder, 0755);
  check_put(path, TEXT("mine", LOCK, "[]"));
}

static int open_mine(struct library_set *set, struct error **err)
{
  return library_set_open(".", "mine", set, err);
}

static void test_choice(void **state)
{
  (void)state;
  struct error *err = NULL;
  cleanup_library_set struct library_set set = {0};
  chmod(".", 0755);
  check_bad(open_mine(&set, &err), &err, ENOENT, "has no set mine");
  put_set("mine-" HEX);
  check_bad(open_mine(&set, &err), &err, ENOENT, "has no set mine");
  assert_int_equal(symlink("mine-" HEX, "mine"), 0);
  check_good(open_mine(&set, &err), err);
  cleanup_free char *packages = library_set_packages(&set);
  assert_int_equal(packages[0], '/');
  assert_non_null(strstr(packages, "/mine-" HEX "/lib/python"));
  assert_true(check_is_cloexec(set.dir_fd));
  /* Who would remove it has to wait. */
  cleanup_fd int other = open("mine-" HEX, O_RDONLY | O_CLOEXEC);
  assert_int_equal(flock(other, LOCK_EX | LOCK_NB), -1);
  library_set_release(&set);
  assert_int_equal(flock(other, LOCK_EX | LOCK_NB), 0);
  check_bad(open_mine(&set, &err), &err, ENOENT, "is being removed");
}

/* A link that leads elsewhere is no choice, whatever is there. */
static void test_wrong_links(void **state)
{
  (void)state;
  static const char *const targets[] = {"../mine-" HEX, "other-" HEX, "mine",
                                        "/tmp/mine-" HEX, "mine-" HEX "/x"};
  struct error *err = NULL;
  struct library_set set = {0};
  chmod(".", 0755);
  put_set("mine-" HEX);
  put_set("other-" HEX);
  for (size_t i = 0; i < ARRAY_LENGTH(targets); i++) {
    assert_int_equal(symlink(targets[i], "mine"), 0);
    check_bad(open_mine(&set, &err), &err, ENOENT, "has no set mine");
    unlink("mine");
  }
}

static void test_others_may_not_write(void **state)
{
  (void)state;
  struct error *err = NULL;
  struct library_set set = {0};
  put_set("mine-" HEX);
  assert_int_equal(symlink("mine-" HEX, "mine"), 0);
  chmod(".", 0775);
  check_bad(open_mine(&set, &err), &err, EPERM, "nobody else may write");
  chmod(".", 0755);
  chmod("mine-" HEX, 0757);
  check_bad(open_mine(&set, &err), &err, EPERM, "nobody else may write");
}

static void test_python(void **state)
{
  (void)state;
  struct error *err = NULL;
  struct library_set set = {.name = (char *)"a"};
  set.python_version = (char *)"3.11.99";
  check_good(library_set_check_python(&set, &err), err);
  static const char *const bad[] = {"3.1.1", "3.110.1", "3.11", "3.10.2", ""};
  for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
    set.python_version = (char *)bad[i];
    check_bad(library_set_check_python(&set, &err), &err, EINVAL,
              "is for Python");
  }
}

static void path_inside_is(const char *dir, const char *expected)
{
  struct library_set set = {.dir = (char *)dir};
  cleanup_free char *path = library_set_path_inside(&set);
  assert_string_equal(path, expected);
}

static void test_path_inside(void **state)
{
  (void)state;
  path_inside_is("/var/lib/a", "/var/lib/a/lib/python3.11/site-packages");
  path_inside_is("/var/tmp/a", "/tmp/a/lib/python3.11/site-packages");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      CHECK_TEST(test_names),
      CHECK_TEST(test_modules),
      CHECK_TEST(test_round_trip),
      CHECK_TEST(test_damaged_manifests),
      CHECK_TEST(test_too_much_to_import),
      CHECK_TEST(test_choice),
      CHECK_TEST(test_wrong_links),
      CHECK_TEST(test_others_may_not_write),
      CHECK_TEST(test_python),
      CHECK_TEST(test_path_inside),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
