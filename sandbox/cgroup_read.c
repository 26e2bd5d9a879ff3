#include "config.h"

#include "sandbox/cgroup_backend.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* What the kernel's text files say. Their texts end where they are told to, and
 * may be cut short anywhere. */

enum { FILE_MAX_BYTES = 1 << 20 };

const char *const controller_names[CONTROLLER_COUNT] = {
    [CONTROLLER_CPU] = "cpu",       [CONTROLLER_CPUACCT] = "cpuacct",
    [CONTROLLER_MEMORY] = "memory", [CONTROLLER_PIDS] = "pids",
    [CONTROLLER_BLKIO] = "blkio",
};

/* A number that fills its text up to blank space; -1 for anything else. */
static int64_t parse_number(const char *text)
{
  char *end;
  errno = 0;
  long long number = strtoll(text, &end, 10);
  if (end == text || errno != 0 || number < 0 ||
      (*end != '\0' && *end != '\n' && *end != ' '))
    return -1;
  return number;
}

int64_t cgroup_parse_key(const char *text, size_t count, const char *key)
{
  cleanup_free char *copy = xstrndup(text, count);
  size_t length = strlen(key);
  char *rest = copy;
  for (char *line = strsep(&rest, "\n"); line != NULL;
       line = strsep(&rest, "\n"))
    if (strncmp(line, key, length) == 0 && line[length] == ' ')
      return parse_number(line + length + 1);
  return -1;
}

static char *read_file(int dir, const char *file, size_t *count)
{
  cleanup_error struct error *ignored = NULL;
  char *text = NULL;
  if (dir >= 0)
    fd_read_file(dir, file, FILE_MAX_BYTES, &text, count, &ignored);
  return text;
}

int64_t cgroup_read_number(int dir, const char *file)
{
  size_t count;
  cleanup_free char *text = read_file(dir, file, &count);
  return text != NULL ? parse_number(text) : -1;
}

int64_t cgroup_read_key(int dir, const char *file, const char *key)
{
  size_t count;
  cleanup_free char *text = read_file(dir, file, &count);
  return text != NULL ? cgroup_parse_key(text, count, key) : -1;
}

int64_t cgroup_parse_sum(const char *text, size_t count, const char *word)
{
  cleanup_free char *copy = xstrndup(text, count);
  int64_t sum = 0;
  size_t length = strlen(word);
  for (const char *at = strstr(copy, word); at != NULL;
       at = strstr(at + length, word)) {
    int64_t number = parse_number(at + length);
    if (number < 0 || __builtin_add_overflow(sum, number, &sum))
      return -1;
  }
  return sum;
}

int64_t cgroup_read_sum(int dir, const char *file, const char *word)
{
  size_t count;
  cleanup_free char *text = read_file(dir, file, &count);
  return text != NULL ? cgroup_parse_sum(text, count, word) : -1;
}

/* Whether `word` is in a list with commas between. */
static bool list_has(const char *list, const char *word)
{
  size_t length = strlen(word);
  for (;;) {
    size_t item = strcspn(list, ",");
    if (item == length && strncmp(list, word, length) == 0)
      return true;
    if (list[item] == '\0')
      return false;
    list += item + 1;
  }
}

/* A line is "4:memory:/path", or "0::/path" of v2 (cgroups(7)). */
char *cgroup_parse_own(const char *text, size_t count, const char *controller)
{
  cleanup_free char *copy = xstrndup(text, count);
  char *rest = copy;
  for (char *line = strsep(&rest, "\n"); line != NULL;
       line = strsep(&rest, "\n")) {
    const char *number = strsep(&line, ":");
    const char *names = line != NULL ? strsep(&line, ":") : NULL;
    if (names == NULL || line == NULL || line[0] != '/')
      continue;
    bool unified = strcmp(number, "0") == 0 && names[0] == '\0';
    if (controller[0] == '\0' ? unified : list_has(names, controller))
      return xstrdup(line);
  }
  return NULL;
}

/* A line of mountinfo (proc(5)): id, parent, device, root, mount point,
 * options, any number of tags, "-", type, source, super options. */
static bool mount_has(char *line, const char *controller, const char **point)
{
  char *after = strstr(line, " - ");
  if (after == NULL)
    return false;
  *after = '\0';
  after += 3;
  const char *type = strsep(&after, " ");
  strsep(&after, " ");
  const char *options = after != NULL ? after : "";
  const char *fields[5];
  for (int i = 0; i < 5; i++)
    fields[i] = line != NULL ? strsep(&line, " ") : NULL;
  if (fields[4] == NULL || strcmp(fields[3], "/") != 0)
    return false;
  *point = fields[4];
  if (controller[0] == '\0')
    return strcmp(type, "cgroup2") == 0;
  return strcmp(type, "cgroup") == 0 && list_has(options, controller);
}

char *cgroup_parse_mount(const char *text, size_t count, const char *controller)
{
  cleanup_free char *copy = xstrndup(text, count);
  char *rest = copy;
  for (char *line = strsep(&rest, "\n"); line != NULL;
       line = strsep(&rest, "\n")) {
    const char *point;
    if (mount_has(line, controller, &point))
      return xstrdup(point);
  }
  return NULL;
}

int cgroup_read_proc(const struct cgroup_env *env, const char *name,
                     char **text, size_t *count, struct error **err)
{
  cleanup_free char *path = xasprintf("%s/self/%s", env->proc_dir, name);
  return fd_read_file(AT_FDCWD, path, FILE_MAX_BYTES, text, count, err);
}

char *cgroup_mount_dir(const struct cgroup_env *env, const char *controller)
{
  cleanup_free char *mounts = NULL;
  cleanup_error struct error *ignored = NULL;
  size_t count;
  if (cgroup_read_proc(env, "mountinfo", &mounts, &count, &ignored) < 0)
    return NULL;
  return cgroup_parse_mount(mounts, count, controller);
}

char *cgroup_own_dir(const struct cgroup_env *env, const char *controller)
{
  cleanup_free char *mount = cgroup_mount_dir(env, controller);
  cleanup_free char *groups = NULL;
  cleanup_error struct error *ignored = NULL;
  size_t count;
  if (mount == NULL ||
      cgroup_read_proc(env, "cgroup", &groups, &count, &ignored) < 0)
    return NULL;
  cleanup_free char *own = cgroup_parse_own(groups, count, controller);
  if (own == NULL)
    return NULL;
  return xasprintf("%s%s", mount, strcmp(own, "/") == 0 ? "" : own);
}
