/* What a job asks for beyond its library set: names and options. */
#include "config.h"

#include "host/library_modules.h"

#include "tests/unit/check.h"

#define cleanup_modules __attribute__((cleanup(library_modules_release)))

static void list_is(const struct text_list *list, const char *expected)
{
  char text[400] = "";
  for (size_t i = 0; i < list->count; i++) {
    size_t length = strlen(text);
    snprintf(text + length, sizeof text - length, "%s|", list->items[i]);
  }
  assert_string_equal(text, expected);
}

static void names_are(const char *value, const char *expected)
{
  struct error *err = NULL;
  cleanup_modules struct library_modules modules = {0};
  check_good(library_modules_add_names(&modules, value, &err), err);
  list_is(&modules.names, expected);
}

static void test_names(void **state)
{
  (void)state;
  names_are("", "");
  names_are(" , ,", "");
  names_are("a", "a|");
  names_are("a,b==1.2", "a|b==1.2|");
  names_are("a>=1,<2,b", "a>=1,<2|b|");
  names_are("a >= 1, !=1.5, b", "a >= 1, !=1.5|b|");
  names_are("a[x,y]==1,b[z]", "a[x,y]==1|b[z]|");
  names_are("a; python_version<'4'", "a; python_version<'4'|");
}

static void test_what_is_no_name(void **state)
{
  (void)state;
  static const char *const bad[] = {
      "-r x",           "--pre", "/a",  "./a.whl", "a @ b:c", "https:b",
      "a\n--index-url", "a,#b",  "a\\", "é",       "a,-b",
  };
  struct error *err = NULL;
  for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
    cleanup_modules struct library_modules modules = {0};
    check_bad(library_modules_add_names(&modules, bad[i], &err), &err, EINVAL,
              "isn't a package's name");
  }
}

static void options_are(const char *value, const char *expected)
{
  struct error *err = NULL;
  cleanup_modules struct library_modules modules = {0};
  check_good(library_modules_add_options(&modules, value, &err), err);
  list_is(&modules.options, expected);
}

static void test_options(void **state)
{
  (void)state;
  options_are("", "");
  options_are("--pre", "--pre|");
  options_are("--index-url=http://a/?b=c --no-index",
              "--index-url http://a/?b=c|--no-index|");
  options_are(" --find-links  /a  --pre ", "--find-links /a|--pre|");
}

static void test_bad_options(void **state)
{
  (void)state;
  static const struct {
    const char *value;
    const char *words;
  } rows[] = {
      {"--target=/", "hands to pip"},
      {"-r x", "hands to pip"},
      {"a", "hands to pip"},
      {"--index", "hands to pip"},
      {"--index-url", "takes a value"},
      {"--index-url=", "takes a value"},
      {"--index-url --pre", "takes a value"},
      {"--pre=1", "takes no value"},
      {"--index-url=a\n-r", "control character"},
  };
  struct error *err = NULL;
  for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
    cleanup_modules struct library_modules modules = {0};
    check_bad(library_modules_add_options(&modules, rows[i].value, &err), &err,
              EINVAL, rows[i].words);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      CHECK_TEST(test_names),
      CHECK_TEST(test_what_is_no_name),
      CHECK_TEST(test_options),
      CHECK_TEST(test_bad_options),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
