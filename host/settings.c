#include "config.h"

#include "host/settings.h"

#include "base/fd.h"
#include "host/request.h"
#include "host/walls.h"
#include "jobs/home.h"
#include "runtime/library_set.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SETTINGS_MAX_BYTES = 1 << 16 };

static const char BLANKS[] = " \t\r";

/* A key, and what takes its value. */
struct setting {
  const char *key;
  int (*take)(struct settings *settings, const char *value, struct error **err);
};

static int take_allow_missing(struct settings *settings, const char *value,
                              struct error **err)
{
  return walls_parse(value, &settings->allow_missing, err);
}

/* Tried here, so that what is wrong with it is told with its line. */
static int take_allow_network(struct settings *settings, const char *value,
                              struct error **err)
{
  __attribute__((cleanup(request_release))) struct request trial = {0};
  if (request_allow_networks(&trial, value, err) < 0)
    return -1;
  settings->allow_network = xstrdup(value);
  return 0;
}

/* A whole number, with nothing around it. */
static bool read_number(const char *text, size_t length, int64_t max,
                        int64_t *number)
{
  enum { DIGITS_MAX = 12 };
  if (length == 0 || length > DIGITS_MAX || strspn(text, "0123456789") < length)
    return false;
  *number = strtoll(text, NULL, 10);
  return *number <= max;
}

static int take_pool_size(struct settings *settings, const char *value,
                          struct error **err)
{
  int64_t number;
  if (!read_number(value, strlen(value), SETTINGS_POOL_SIZE_MAX, &number))
    return error_make(err, EINVAL, "\"%s\" isn't a number from 0 to %d", value,
                      SETTINGS_POOL_SIZE_MAX);
  settings->pool_size = (int)number;
  return 0;
}

/* Cuts blanks off both ends, in place. */
static char *trim(char *text)
{
  text += strspn(text, BLANKS);
  size_t length = strlen(text);
  while (length > 0 && strchr(BLANKS, text[length - 1]) != NULL)
    text[--length] = '\0';
  return text;
}

static int take_pool_library_sets(struct settings *settings, const char *value,
                                  struct error **err)
{
  cleanup_free char *copy = xstrdup(value);
  char *rest = copy;
  for (char *name = strsep(&rest, ","); name != NULL;
       name = strsep(&rest, ",")) {
    name = trim(name);
    if (library_set_check_name(name, err) < 0)
      return -1;
    text_list_add(&settings->pool_library_sets, name);
  }
  return 0;
}

/* "64 MiB". */
static int take_pool_memory(struct settings *settings, const char *value,
                            struct error **err)
{
  enum { UNITS_MAX = 1 << 20 };
  static const struct {
    const char *name;
    int shift;
  } units[] = {{"KiB", 10}, {"MiB", 20}, {"GiB", 30}};
  size_t length = strspn(value, "0123456789");
  const char *unit = value + length + strspn(value + length, BLANKS);
  int64_t number;
  for (size_t i = 0; i < ARRAY_LENGTH(units); i++)
    if (strcmp(unit, units[i].name) == 0 &&
        read_number(value, length, UNITS_MAX, &number)) {
      settings->pool_memory_bytes = number << units[i].shift;
      return 0;
    }
  return error_make(err, EINVAL,
                    "\"%s\" isn't a size such as 64 MiB (KiB, MiB or GiB, and "
                    "at most %d of them)",
                    value, UNITS_MAX);
}

static const struct setting known[] = {
    {"allow_missing", take_allow_missing},
    {"allow_network", take_allow_network},
    {"pool_library_sets", take_pool_library_sets},
    {"pool_memory", take_pool_memory},
    {"pool_size", take_pool_size},
};

static int take_line(char *line, bool *given, struct settings *settings,
                     struct error **err)
{
  line = trim(line);
  if (line[0] == '\0' || line[0] == '#')
    return 0;
  char *equals = strchr(line, '=');
  if (equals == NULL)
    return error_make(err, EINVAL,
                      "\"%s\" has no equals sign: write \"key = value\", or # "
                      "before a comment",
                      line);
  *equals = '\0';
  const char *key = trim(line);
  const char *value = trim(equals + 1);
  for (size_t i = 0; i < ARRAY_LENGTH(known); i++) {
    if (strcmp(known[i].key, key) != 0)
      continue;
    if (given[i])
      return error_make(err, EINVAL,
                        "%s is given twice: put all of it on one line", key);
    given[i] = true;
    if (known[i].take(settings, value, err) < 0)
      return error_wrap(err, "%s", key);
    return 0;
  }
  return error_make(err, EINVAL,
                    "there is no setting \"%s\"; those that there are: "
                    "allow_missing, allow_network, pool_library_sets, "
                    "pool_memory, pool_size",
                    key);
}

void settings_release(struct settings *settings)
{
  free(settings->allow_network);
  text_list_release(&settings->pool_library_sets);
  *settings = (struct settings){0};
}

int settings_parse(const char *text, const char *file,
                   struct settings *settings, struct error **err)
{
  *settings = (struct settings)SETTINGS_INIT;
  bool given[ARRAY_LENGTH(known)] = {false};
  cleanup_free char *copy = xstrdup(text);
  char *rest = copy;
  int number = 0;
  for (char *line = strsep(&rest, "\n"); line != NULL;
       line = strsep(&rest, "\n")) {
    number++;
    if (take_line(line, given, settings, err) < 0)
      return error_wrap(err, "%s:%d", file, number);
  }
  return 0;
}

int settings_path(char **path, struct error **err)
{
  cleanup_free char *dir = NULL;
  if (home_config_dir(&dir, err) < 0)
    return -1;
  *path = xasprintf("%s/wafer.conf", dir);
  return 0;
}

/* Who may write to it decides which walls stand. */
static int check_owner(int fd, const char *path, struct error **err)
{
  struct stat status;
  if (fstat(fd, &status) < 0)
    return error_errno(err, "%s", path);
  if (!S_ISREG(status.st_mode))
    return error_make(err, EINVAL, "%s is no regular file", path);
  if (status.st_uid != geteuid() && status.st_uid != 0)
    return error_make(err, EPERM,
                      "%s belongs to uid %u, not to uid %u, who runs this",
                      path, status.st_uid, geteuid());
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return error_make(err, EPERM, "others may write to %s: chmod go-w it",
                      path);
  return 0;
}

int settings_load(struct settings *settings, struct error **err)
{
  *settings = (struct settings)SETTINGS_INIT;
  cleanup_error struct error *homeless = NULL;
  cleanup_free char *path = NULL;
  if (settings_path(&path, &homeless) < 0)
    return 0;
  /* O_NONBLOCK: a FIFO must not hold us up before it is refused. */
  cleanup_fd int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
    return 0;
  if (fd < 0)
    return error_errno(err, "open %s", path);
  if (check_owner(fd, path, err) < 0)
    return -1;
  cleanup_free char *text = NULL;
  size_t count;
  if (fd_read_all(fd, SETTINGS_MAX_BYTES, &text, &count, err) < 0)
    return error_wrap(err, "%s", path);
  if (strlen(text) != count)
    return error_make(err, EINVAL, "%s holds a zero byte, so it is no text",
                      path);
  return settings_parse(text, path, settings, err);
}
