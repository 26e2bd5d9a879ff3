/* The rules of command lines: what is an option, a word, and the rest. */
#include "config.h"

#include "host/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What the options were given, as one text: "size=1 quiet size=2 ". */
struct taken {
  char text[256];
};

static void note(struct taken *taken, const char *name, const char *value)
{
  size_t used = strlen(taken->text);
  snprintf(taken->text + used, sizeof taken->text - used, "%s%s%s ", name,
           value != NULL ? "=" : "", value != NULL ? value : "");
}

static int take_size(void *target, const char *value, struct error **err)
{
  if (strcmp(value, "bad") == 0)
    return error_make(err, EINVAL, "\"bad\" is no size");
  note(target, "size", value);
  return 0;
}

static int take_quiet(void *target, const char *value, struct error **err)
{
  (void)err;
  note(target, "quiet", value);
  return 0;
}

static int take_color(void *target, const char *value, struct error **err)
{
  (void)err;
  note(target, "color", value);
  return 0;
}

static const struct option_row rows[] = {
    {"color", "[=WHEN]", "with colors", take_color},
    {"size", "SIZE", "a size", take_size},
    {"quiet", NULL, "say nothing", take_quiet},
};

enum { WORDS_MAX = 8 };

/* Texts end at the first NULL. */
struct example {
  const char *argv[WORDS_MAX];
  const char *taken;
  const char *words[WORDS_MAX];
  const char *rest[WORDS_MAX];
};

static int count_texts(const char *const *texts)
{
  int count = 0;
  while (texts[count] != NULL)
    count++;
  return count;
}

static void assert_texts(char **texts, size_t count,
                         const char *const *expected)
{
  assert_int_equal(count, count_texts(expected));
  for (size_t i = 0; i < count; i++)
    assert_string_equal(texts[i], expected[i]);
}

static void test_lines(void **state)
{
  (void)state;
  static const struct example examples[] = {
      {{NULL}, "", {NULL}, {NULL}},
      {{"a.py"}, "", {"a.py"}, {NULL}},
      /* Both ways to give a value, and options on both sides of a word. */
      {{"--size", "1", "a.py", "--size=2", "--quiet"},
       "size=1 size=2 quiet ",
       {"a.py"},
       {NULL}},
      /* An empty value is one; a value may look like an option or "--". */
      {{"--size=", "--size", "--quiet", "--size", "--"},
       "size= size=--quiet size=-- ",
       {NULL},
       {NULL}},
      {{"--size=a=b"}, "size=a=b ", {NULL}, {NULL}},
      /* Where a value may be left out, the next word isn't it. */
      {{"--color", "a.py", "--color=", "--color=x"},
       "color color= color=x ",
       {"a.py"},
       {NULL}},
      /* "-" is a word; after the first "--" nothing is looked at. */
      {{"-", "--", "--size", "--", "x"}, "", {"-"}, {"--size", "--", "x"}},
      {{"--"}, "", {NULL}, {NULL}},
      {{"", "a"}, "", {"", "a"}, {NULL}},
  };
  for (size_t i = 0; i < ARRAY_LENGTH(examples); i++) {
    const struct example *example = &examples[i];
    cleanup_error struct error *err = NULL;
    cleanup_command_line struct command_line line = {0};
    struct taken taken = {""};
    assert_int_equal(options_parse(rows, ARRAY_LENGTH(rows),
                                   count_texts(example->argv),
                                   (char **)example->argv, &taken, &line, &err),
                     0);
    assert_string_equal(taken.text, example->taken);
    assert_texts(line.words, line.word_count, example->words);
    assert_texts(line.rest, line.rest_count, example->rest);
  }
}

struct refusal {
  const char *argv[WORDS_MAX];
  const char *part; /* of the error's text */
};

static void test_refusals(void **state)
{
  (void)state;
  static const struct refusal refusals[] = {
      {{"--nothing"}, "unknown option --nothing"},
      {{"--siz", "1"}, "unknown option --siz"},
      {{"--sizes=1"}, "unknown option --sizes=1"},
      {{"-q"}, "unknown option -q"},
      /* One dash doesn't make an option of a known name. */
      {{"-xsize", "1"}, "unknown option -xsize"},
      {{"--=1"}, "unknown option --=1"},
      {{"a.py", "--size"}, "--size needs a value: --size SIZE"},
      {{"--quiet=1"}, "--quiet takes no value"},
      {{"--quiet="}, "--quiet takes no value"},
      {{"--size", "bad"}, "--size: \"bad\" is no size"},
  };
  for (size_t i = 0; i < ARRAY_LENGTH(refusals); i++) {
    const struct refusal *refusal = &refusals[i];
    cleanup_error struct error *err = NULL;
    cleanup_command_line struct command_line line = {0};
    struct taken taken = {""};
    assert_int_equal(options_parse(rows, ARRAY_LENGTH(rows),
                                   count_texts(refusal->argv),
                                   (char **)refusal->argv, &taken, &line, &err),
                     -1);
    assert_int_equal(err->code, EINVAL);
    assert_non_null(strstr(err->text, refusal->part));
    assert_null(strchr(err->text, '\n'));
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_lines),
      cmocka_unit_test(test_refusals),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
