/* wafer: the command line. A table of commands, one file each. */
#include "config.h"

#include "host/options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct command *const commands[] = {
    &command_run,  &command_serve, &command_doctor, &command_library_set,
    &command_runs, &command_show,  &command_logs,
};

static int print_usage(void)
{
  puts("usage: wafer COMMAND …\n");
  for (size_t i = 0; i < ARRAY_LENGTH(commands); i++)
    printf("  %-12s %s\n", commands[i]->name, commands[i]->summary);
  puts("\nwafer COMMAND --help shows what a command takes; wafer --version.");
  return 0;
}

static int print_help(const struct command *command)
{
  printf("usage: wafer %s %s\n\n%s.\n", command->name, command->usage,
         command->summary);
  if (command->option_count > 0) {
    puts("");
    options_print(command->options, command->option_count);
  }
  return 0;
}

static bool asks_for_help(int argc, char **argv)
{
  for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
    if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
      return true;
  return false;
}

static int check_words(const struct command *command,
                       const struct command_line *line, struct error **err)
{
  if (line->word_count < command->words_min)
    return error_make(err, EINVAL, "too few words; usage: wafer %s %s",
                      command->name, command->usage);
  if (line->word_count > command->words_max)
    return error_make(
        err, EINVAL, "\"%s\" is one word too many%s",
        line->words[command->words_max],
        command->takes_rest ? "; the script's arguments come after --" : "");
  if (line->rest_count > 0 && !command->takes_rest)
    return error_make(err, EINVAL, "wafer %s takes nothing after --",
                      command->name);
  return 0;
}

static int run_command(const struct command *command, int argc, char **argv,
                       struct error **err)
{
  cleanup_free void *target = xcalloc(1, command->target_bytes);
  cleanup_command_line struct command_line line = {0};
  int status = -1;
  if (options_parse(command->options, command->option_count, argc, argv, target,
                    &line, err) == 0 &&
      check_words(command, &line, err) == 0)
    status = command->run(target, &line, err);
  if (command->release != NULL)
    command->release(target);
  return status;
}

static const struct command *find_command(const char *name)
{
  for (size_t i = 0; i < ARRAY_LENGTH(commands); i++)
    if (strcmp(commands[i]->name, name) == 0)
      return commands[i];
  return NULL;
}

/* A caller may have closed what every program takes to be open; else what is
 * opened next would get its number, and a script's output with it. */
static int open_standard_streams(void)
{
  int fd = open("/dev/null", O_RDWR);
  while (fd >= 0 && fd <= STDERR_FILENO)
    fd = dup(fd);
  return fd < 0 ? -1 : close(fd);
}

int main(int argc, char **argv)
{
  if (open_standard_streams() < 0)
    return EXIT_WAFER;
  if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
    return print_usage() + (argc < 2 ? EXIT_WAFER : 0);
  if (strcmp(argv[1], "--version") == 0)
    return puts(PACKAGE_STRING) < 0 ? EXIT_WAFER : 0;
  const struct command *command = find_command(argv[1]);
  if (command == NULL) {
    fprintf(stderr, "wafer: there is no command %s; see wafer --help\n",
            argv[1]);
    return EXIT_WAFER;
  }
  if (asks_for_help(argc - 2, argv + 2))
    return print_help(command);
  cleanup_error struct error *err = NULL;
  int status = run_command(command, argc - 2, argv + 2, &err);
  if (status >= 0)
    return status;
  fprintf(stderr, "wafer: %s\n", err->text);
  return EXIT_WAFER;
}
