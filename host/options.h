/* Command lines, from data: a table of options reads them and prints the help.
 *
 * An option is "--name VALUE" or "--name=VALUE", or "--name" alone where it
 * takes none; where it may do without its value, "--name" or "--name=VALUE".
 * Options and words may be mixed. The first "--" ends both: what follows is the
 * rest, as given. "-" is a word. */
#ifndef WAFER_HOST_OPTIONS_H
#define WAFER_HOST_OPTIONS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct option_row {
  const char *name; /* without the dashes */
  /* What its value is called in the help; NULL: none. One that it may do
   * without is in brackets: "[=TABLE]". */
  const char *value;
  const char *help;
  /* Takes the value (NULL where there is none) into the command's own
   * struct. Called once each time that the option is given. */
  int (*take)(void *target, const char *value, struct error **err);
};

struct command_line {
  char **words; /* the array is the line's, the texts are argv's */
  size_t word_count;
  char **rest; /* within argv */
  size_t rest_count;
};

void command_line_release(struct command_line *line);
#define cleanup_command_line __attribute__((cleanup(command_line_release)))

/* Reads argv[0 .. argc-1] (without the program's and command's names). An
 * error is one line that names what is wrong with which word (EINVAL). */
int options_parse(const struct option_row *rows, size_t row_count, int argc,
                  char **argv, void *target, struct command_line *line,
                  struct error **err);

/* Prints the options, one a line, to stdout. */
void options_print(const struct option_row *rows, size_t row_count);

/* A command of wafer: one file each, host/cmd_NAME.c. */
struct command {
  const char *name;
  const char *usage;   /* what follows "wafer NAME" in the help */
  const char *summary; /* one line */
  const struct option_row *options;
  size_t option_count;
  size_t words_min;
  size_t words_max;
  bool takes_rest;
  size_t target_bytes; /* of the struct that `take` fills in, zeroed */
  /* Runs it; returns the exit status, or -1 with an error, which main prints
   * and turns into 125. */
  int (*run)(void *target, const struct command_line *line, struct error **err);
  /* Frees what `take` and `run` left in the target; NULL: nothing. */
  void (*release)(void *target);
};

/* Exit statuses that are wafer's own, as of coreutils' timeout and env. */
enum {
  EXIT_TIMEOUT = 124,
  EXIT_WAFER = 125,      /* wafer's own failure, bad usage included */
  EXIT_UNREADABLE = 126, /* the script can't be read */
  EXIT_MISSING = 127,    /* there is no such script */
};

extern const struct command command_run;
extern const struct command command_doctor;
extern const struct command command_library_set;
extern const struct command command_runs;
extern const struct command command_show;
extern const struct command command_logs;

#endif
