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

int64_t cgroup_read_keys(int dir, const char *file, const char *const keys[])
{
  size_t count;
  cleanup_free char *text = read_file(dir, file, &count);
  if (text == NULL)
    return -1;
  int64_t sum = 0;
  for (size_t i = 0; keys[i] != NULL; i++) {
    int64_t number = cgroup_parse_key(text, count, keys[i]);
    if (number > 0 && __builtin_add_overflow(sum, number, &sum))
      return -1;
  }
  return sum;
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

static bool list_has(const char *list, const char *word, const char *between)
{
  size_t length = strlen(word);
  for (;;) {
    size_t item = strcspn(list, between);
    if (item == length && strncmp(list, word, length) == 0)
      return true;
    if (list[item] == '\0')
      return false;
    list += item + 1;
  }
}

bool cgroup_has_word(const char *line, const char *word)
{
  return list_has(line, word, " \n");
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
    if (controller[0] == '\0' ? unified : list_has(names, controller, ","))
      return xstrdup(line);
  }
  return NULL;
}

/* What space, tab, newline and backslash are written as in mountinfo: an octal
 * number of three digits after a backslash. */
static void unescape(char *text)
{
  char *to = text;
  for (const char *from = text; *from != '\0'; to++) {
    if (from[0] == '\\' && strspn(from + 1, "01234567") >= 3) {
      *to = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + from[3] - '0');
      from += 4;
    } else {
      *to = *from++;
    }
  }
  *to = '\0';
}

struct mount {
  const char *root;
  const char *point;
};

/* A line of mountinfo (proc(5)): id, parent, device, root, mount point,
 * options, any number of tags, "-", type, source, super options. */
static bool is_mount_of(char *line, const char *controller, struct mount *mount)
{
  char *after = strstr(line, " - ");
  if (after == NULL)
    return false;
  *after = '\0';
  after += 3;
  const char *type = strsep(&after, " ");
  strsep(&after, " ");
  const char *options = after != NULL ? after : "";
  char *fields[5];
  for (int i = 0; i < 5; i++)
    fields[i] = line != NULL ? strsep(&line, " ") : NULL;
  if (fields[4] == NULL)
    return false;
  unescape(fields[3]);
  unescape(fields[4]);
  *mount = (struct mount){.root = fields[3], .point = fields[4]};
  if (controller[0] == '\0')
    return strcmp(type, "cgroup2") == 0;
  return strcmp(type, "cgroup") == 0 && list_has(options, controller, ",");
}

/* What of the path `group` is below `root`: "" for root itself, NULL where
 * nothing is. A group beyond the root of our cgroup namespace begins with
 * "/..", and is not to be reached by that. */
static const char *below(const char *group, const char *root)
{
  size_t length = strcmp(root, "/") == 0 ? 0 : strlen(root);
  if (strncmp(group, root, length) != 0)
    return NULL;
  group += length;
  if (strcmp(group, "/") == 0)
    return "";
  if (strcmp(group, "/..") == 0 || strncmp(group, "/../", 4) == 0)
    return NULL;
  return group[0] == '/' || group[0] == '\0' ? group : NULL;
}

char *cgroup_parse_mount(const char *text, size_t count, const char *controller,
                         const char *group)
{
  cleanup_free char *copy = xstrndup(text, count);
  char *rest = copy;
  for (char *line = strsep(&rest, "\n"); line != NULL;
       line = strsep(&rest, "\n")) {
    struct mount mount;
    const char *path =
        is_mount_of(line, controller, &mount) ? below(group, mount.root) : NULL;
    if (path != NULL)
      return xasprintf("%s%s", mount.point, path);
  }
  return NULL;
}

char *cgroup_read_proc(const char *proc_dir, const char *name)
{
  size_t count;
  cleanup_free char *path = xasprintf("%s/self/%s", proc_dir, name);
  return read_file(AT_FDCWD, path, &count);
}

char *cgroup_root_dir(const struct cgroup_env *env, const char *controller)
{
  if (env->mounts == NULL)
    return NULL;
  return cgroup_parse_mount(env->mounts, strlen(env->mounts), controller, "/");
}

char *cgroup_own_dir(const struct cgroup_env *env, const char *controller)
{
  if (env->groups == NULL || env->mounts == NULL)
    return NULL;
  cleanup_free char *own =
      cgroup_parse_own(env->groups, strlen(env->groups), controller);
  if (own == NULL)
    return NULL;
  return cgroup_parse_mount(env->mounts, strlen(env->mounts), controller, own);
}

bool cgroup_in_first_userns(const char *proc_dir)
{
  cleanup_free char *map = cgroup_read_proc(proc_dir, "uid_map");
  unsigned inside, outside, ids;
  return map != NULL && sscanf(map, "%u %u %u", &inside, &outside, &ids) == 3 &&
         inside == 0 && outside == 0 && ids == UINT32_MAX;
}
