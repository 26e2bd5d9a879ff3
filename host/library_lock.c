#include "config.h"

#include "host/library_lock.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

/* A name or version as PEP 508 and 440 have them: nothing in it can become
 * another requirement or an option. */
static bool is_plain(const char *text)
{
  static const char more[] = "._-+!";
  if (text == NULL || !isalnum((unsigned char)text[0]))
    return false;
  for (; *text != '\0'; text++)
    if (!isalnum((unsigned char)*text) && strchr(more, *text) == NULL)
      return false;
  return true;
}

static bool is_hash(const char *text)
{
  return text != NULL &&
         strspn(text, "0123456789abcdef") == LIBRARY_SET_HASH_LENGTH &&
         text[LIBRARY_SET_HASH_LENGTH] == '\0';
}

/* One package of the report as a line; NULL where something is missing. */
static char *line_of(const json_t *item)
{
  const json_t *metadata = json_object_get(item, "metadata");
  const json_t *download = json_object_get(item, "download_info");
  const json_t *hashes =
      json_object_get(json_object_get(download, "archive_info"), "hashes");
  const char *name = json_string_value(json_object_get(metadata, "name"));
  const char *version = json_string_value(json_object_get(metadata, "version"));
  const char *hash = json_string_value(json_object_get(hashes, "sha256"));
  if (!is_plain(name) || !is_plain(version) || !is_hash(hash))
    return NULL;
  return xasprintf("%s==%s --hash=sha256:%s\n", name, version, hash);
}

static int compare(const void *a, const void *b)
{
  return strcasecmp(*(char *const *)a, *(char *const *)b);
}

static char *join_sorted(char **lines, size_t count)
{
  size_t length = 0, at = 0;
  qsort(lines, count, sizeof *lines, compare);
  for (size_t i = 0; i < count; i++)
    length += strlen(lines[i]);
  char *text = xcalloc(length + 1, 1);
  for (size_t i = 0; i < count; i++)
    at = (size_t)(stpcpy(text + at, lines[i]) - text);
  return text;
}

static int make_lock(const json_t *install, char **lock, struct error **err)
{
  size_t count = json_array_size(install), i;
  json_t *item;
  cleanup_free char **lines = xcalloc(count, sizeof *lines);
  bool good = json_is_array(install);
  json_array_foreach(install, i, item)
  {
    lines[i] = line_of(item);
    good = good && lines[i] != NULL;
  }
  if (good)
    *lock = join_sorted(lines, count);
  for (i = 0; i < count; i++)
    free(lines[i]);
  if (!good)
    return error_make(err, EINVAL,
                      "pip names a package without a version or a SHA-256 (an "
                      "index has to give it)");
  return 0;
}

int library_lock_from_report(const char *report, size_t count, char **lock,
                             struct error **err)
{
  json_error_t why;
  json_t *json = json_loadb(report, count, 0, &why);
  if (json == NULL)
    return error_make(err, EINVAL, "pip's report isn't JSON: %s", why.text);
  int result = make_lock(json_object_get(json, "install"), lock, err);
  json_decref(json);
  return result;
}

int library_lock_add_preload(const char *names, struct library_set *set,
                             struct error **err)
{
  cleanup_free char *copy = xstrdup(names);
  char *rest = copy;
  for (char *name = strsep(&rest, ", \t\r"); name != NULL;
       name = strsep(&rest, ", \t\r"))
    if (*name != '\0' && library_set_add_preload(set, name, err) < 0)
      return -1;
  return 0;
}

int library_lock_read_preload(const char *lock, struct library_set *set,
                              struct error **err)
{
  static const char key[] = "# preload:";
  const char *line = strstr(lock, key);
  if (line == NULL || (line != lock && line[-1] != '\n'))
    return 0;
  line += strlen(key);
  cleanup_free char *names = xstrndup(line, strcspn(line, "\n"));
  return library_lock_add_preload(names, set, err);
}

char *library_lock_builtin(const char *name)
{
  cleanup_free char *path = xasprintf(PKGDATADIR "/library-sets/%s.lock", name);
  return access(path, F_OK) == 0 ? steal_pointer(&path) : NULL;
}
