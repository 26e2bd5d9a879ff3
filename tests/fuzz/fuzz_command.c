/* What a caller types: command lines, values of options, wafer.conf. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include "base/fd.h"
#include "host/options.h"
#include "host/request.h"
#include "host/settings.h"
#include "host/wall_tables.h"
#include "host/walls.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* How often each kind of option was taken, and with which value last. */
struct seen {
  size_t plain;
  size_t valued;
  size_t maybe;
};

static int take_plain(void *target, const char *value, struct error **err)
{
  (void)err;
  FUZZ_REQUIRE(value == NULL);
  ((struct seen *)target)->plain++;
  return 0;
}

static int take_valued(void *target, const char *value, struct error **err)
{
  (void)err;
  FUZZ_REQUIRE(value != NULL);
  ((struct seen *)target)->valued++;
  return 0;
}

static int take_maybe(void *target, const char *value, struct error **err)
{
  ((struct seen *)target)->maybe++;
  return value != NULL && value[0] == '!' ? error_make(err, 22, "no") : 0;
}

/* A line is a word of the command line. */
void fuzz_options(const uint8_t *bytes, size_t count)
{
  static const struct option_row rows[] = {
      {"plain", NULL, "", take_plain},
      {"valued", "VALUE", "", take_valued},
      {"maybe", "[=VALUE]", "", take_maybe},
  };
  enum { WORDS_MAX = 64 };
  cleanup_free char *text = fuzz_text_of(bytes, count);
  char *argv[WORDS_MAX], *rest = text;
  int argc = 0;
  while (rest != NULL && argc < WORDS_MAX)
    argv[argc++] = strsep(&rest, "\n");
  struct seen seen = {0};
  cleanup_command_line struct command_line line = {0};
  struct error *err = NULL;
  int status =
      options_parse(rows, ARRAY_LENGTH(rows), argc, argv, &seen, &line, &err);
  /* Each word is one thing: an option or a part of one, a word, "--", rest. */
  size_t options = seen.plain + seen.valued + seen.maybe;
  size_t dashes = line.rest != NULL ? 1 : 0;
  size_t things = options + line.word_count + line.rest_count + dashes;
  FUZZ_REQUIRE(things <= (size_t)argc);
  FUZZ_REQUIRE(status < 0 || things + seen.valued >= (size_t)argc);
  for (size_t i = 0; i < line.rest_count; i++)
    FUZZ_REQUIRE(line.rest != NULL &&
                 line.rest[i] == argv[(size_t)argc - line.rest_count + i]);
  fuzz_count(status == 0, &err);
}

static bool lies_in(const char *path, const char *folder)
{
  size_t length = strlen(folder);
  return strncmp(path, folder, length) == 0 &&
         (path[length] == '\0' || path[length] == '/');
}

static void check_mounts(const struct request *request)
{
  static const char *const closed[] = {"/proc", "/usr", "/etc", "/dev", "/run"};
  for (size_t i = 0; i < request->mount_count; i++) {
    const char *target = request->mounts[i].target;
    FUZZ_REQUIRE(target[0] == '/' && target[1] != '\0');
    FUZZ_REQUIRE(strstr(target, "//") == NULL);
    FUZZ_REQUIRE(strstr(target, "/../") == NULL &&
                 strstr(target, "/./") == NULL);
    FUZZ_REQUIRE(strcmp(target, "/tmp") != 0);
    FUZZ_REQUIRE(request->mounts[i].source[0] == '/');
    for (size_t j = 0; j < ARRAY_LENGTH(closed); j++)
      FUZZ_REQUIRE(!lies_in(target, closed[j]) && !lies_in(closed[j], target));
    for (size_t j = 0; j < i; j++)
      FUZZ_REQUIRE(!lies_in(target, request->mounts[j].target));
  }
}

static void check_request(const struct request *request)
{
  enum { WEEK_MS = 7 * 24 * 60 * 60 * 1000 };
  FUZZ_REQUIRE(request->timeout_ms >= 0 && request->timeout_ms <= WEEK_MS);
  FUZZ_REQUIRE(request->name == NULL ||
               strpbrk(request->name, "\n\t\x1b") == NULL);
  for (size_t i = 0; i < request->env_count; i++) {
    FUZZ_REQUIRE(strpbrk(request->env[i].name, "=\n ") == NULL);
    for (size_t j = 0; j < i; j++)
      FUZZ_REQUIRE(strcmp(request->env[i].name, request->env[j].name) != 0);
  }
  for (size_t i = 0; i < request->tags.count; i++)
    FUZZ_REQUIRE(strchr(request->tags.items[i], '=') > request->tags.items[i]);
  check_mounts(request);
}

/* The options that are given a file read this one. */
static int add_env_file(struct request *request, const char *value,
                        struct error **err)
{
  char path[48];
  cleanup_fd int fd = fuzz_file(value, strlen(value));
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  return request_add_env_file(request, path, err);
}

static int add_secret(struct request *request, const char *value,
                      struct error **err)
{
  cleanup_fd int fd = fuzz_file(value, strlen(value));
  cleanup_free char *option = xasprintf("%.*s=/proc/self/fd/%d", 40, value, fd);
  return request_add_secret(request, option, err);
}

/* A set is printed as it is read. */
static int add_walls(struct request *request, const char *value,
                     struct error **err)
{
  unsigned again = 0;
  cleanup_error struct error *ignored = NULL;
  if (walls_parse(value, &request->allowed_missing, err) < 0)
    return -1;
  struct walls_text text = walls_text(request->allowed_missing);
  FUZZ_REQUIRE(walls_parse(text.text, &again, &ignored) == 0);
  FUZZ_REQUIRE(again == request->allowed_missing);
  return 0;
}

static int add_tables(struct request *request, const char *value,
                      struct error **err)
{
  (void)request;
  unsigned set = 0;
  return wall_tables_parse(value, &set, err);
}

/* A line is an option's name, a blank and its value; all are one request's. In
 * a value "\n" is written as a vertical tab. */
void fuzz_values(const uint8_t *bytes, size_t count)
{
  static const struct {
    const char *name;
    int (*take)(struct request *, const char *, struct error **);
  } options[] = {
      {"size", request_set_size}, {"timeout", request_set_timeout},
      {"env", request_add_env},   {"env-file", add_env_file},
      {"secret", add_secret},     {"mount", request_add_mount},
      {"tag", request_add_tag},   {"network", request_set_network},
      {"name", request_set_name}, {"walls", add_walls},
      {"explain", add_tables},    {"allow", request_allow_networks},
  };
  enum { LINES_MAX = 32 };
  cleanup_free char *text = fuzz_text_of(bytes, count);
  struct request request = {0};
  char *rest = text;
  for (int i = 0; rest != NULL && i < LINES_MAX; i++) {
    char *value = strsep(&rest, "\n");
    const char *name = strsep(&value, " ");
    for (char *at = value; at != NULL && *at != '\0'; at++)
      if (*at == '\v')
        *at = '\n';
    for (size_t j = 0; value != NULL && j < ARRAY_LENGTH(options); j++) {
      struct error *err = NULL;
      if (strcmp(options[j].name, name) == 0)
        fuzz_count(options[j].take(&request, value, &err) == 0, &err);
    }
  }
  check_request(&request);
  request_release(&request);
}

/* What was read is the same when it is written and read again. */
void fuzz_settings(const uint8_t *bytes, size_t count)
{
  cleanup_free char *text = fuzz_text_of(bytes, count);
  struct settings settings, again = {0};
  struct error *err = NULL;
  cleanup_error struct error *ignored = NULL;
  int status = settings_parse(text, "wafer.conf", &settings, &err);
  const char *networks = settings.allow_network;
  if (status == 0 && settings.allow_missing != 0) {
    cleanup_free char *lines = xasprintf(
        "allow_missing=%s\n%s%s", walls_text(settings.allow_missing).text,
        networks ? "allow_network=" : "", networks ? networks : "");
    FUZZ_REQUIRE(settings_parse(lines, "again", &again, &ignored) == 0);
    FUZZ_REQUIRE(again.allow_missing == settings.allow_missing);
    FUZZ_REQUIRE(networks == NULL ||
                 strcmp(again.allow_network, networks) == 0);
  }
  settings_release(&again);
  settings_release(&settings);
  fuzz_count(status == 0, &err);
}
