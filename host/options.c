#include "config.h"

#include "host/options.h"

#include "host/format.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void command_line_release(struct command_line *line)
{
  free(line->words);
  line->words = NULL;
}

static const struct option_row *find_row(const struct option_row *rows,
                                         size_t row_count, const char *name,
                                         size_t length)
{
  for (size_t i = 0; i < row_count; i++)
    if (strlen(rows[i].name) == length &&
        strncmp(rows[i].name, name, length) == 0)
      return &rows[i];
  return NULL;
}

/* Takes the option at argv[at]; returns how many words it was, or -1. */
static int take_option(const struct option_row *rows, size_t row_count,
                       int argc, char **argv, int at, void *target,
                       struct error **err)
{
  const char *name = argv[at] + 2;
  const char *equals = strchr(name, '=');
  size_t length = equals ? (size_t)(equals - name) : strlen(name);
  const struct option_row *row = find_row(rows, row_count, name, length);
  if (row == NULL || argv[at][1] != '-')
    return error_make(err, EINVAL,
                      "unknown option %s (see --help; what belongs to the "
                      "script comes after --)",
                      argv[at]);
  if (row->value == NULL && equals != NULL)
    return error_make(err, EINVAL, "--%s takes no value", row->name);
  bool separate = row->value != NULL && row->value[0] != '[' && equals == NULL;
  if (separate && at + 1 >= argc)
    return error_make(err, EINVAL, "--%s needs a value: --%s %s", row->name,
                      row->name, row->value);
  const char *value = separate ? argv[at + 1] : equals ? equals + 1 : NULL;
  if (row->take(target, value, err) < 0)
    return error_wrap(err, "--%s", row->name);
  return separate ? 2 : 1;
}

int options_parse(const struct option_row *rows, size_t row_count, int argc,
                  char **argv, void *target, struct command_line *line,
                  struct error **err)
{
  line->words = xcalloc((size_t)argc + 1, sizeof *line->words);
  for (int at = 0; at < argc;) {
    if (strcmp(argv[at], "--") == 0) {
      line->rest = argv + at + 1;
      line->rest_count = (size_t)(argc - at - 1);
      return 0;
    }
    if (argv[at][0] != '-' || argv[at][1] == '\0') {
      line->words[line->word_count++] = argv[at++];
      continue;
    }
    int taken = take_option(rows, row_count, argc, argv, at, target, err);
    if (taken < 0)
      return -1;
    at += taken;
  }
  return 0;
}

void options_print(const struct option_row *rows, size_t row_count)
{
  enum { OPTION_WIDTH = 32 };
  for (size_t i = 0; i < row_count; i++) {
    const char *value = rows[i].value ? rows[i].value : "";
    cleanup_free char *left =
        xasprintf("--%s%s%s", rows[i].name,
                  value[0] == '\0' || value[0] == '[' ? "" : " ", value);
    fputs("  ", stdout);
    format_print_padded(left, OPTION_WIDTH);
    printf(" %s\n", rows[i].help);
  }
}
