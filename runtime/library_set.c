#include "config.h"

#include "runtime/library_set.h"

#include "base/fd.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MANIFEST_FORMAT = 1 };

void library_set_release(struct library_set *set)
{
  free(set->name);
  free(set->lock_sha256);
  free(set->python_version);
  if (set->dir != NULL)
    fd_close(&set->dir_fd);
  free(set->dir);
  for (size_t i = 0; i < set->preload_count; i++)
    free(set->preload[i]);
  free(set->preload);
  *set = (struct library_set){0};
}

static bool is_hex(const char *text, size_t length)
{
  return strnlen(text, length + 1) == length &&
         strspn(text, "0123456789abcdef") == length;
}

/* Whether a text ends as the name of a set's folder does. */
static bool ends_in_hash(const char *text)
{
  const char *dash = strrchr(text, '-');
  return dash != NULL && is_hex(dash + 1, LIBRARY_SET_HEX_LENGTH);
}

int library_set_check_name(const char *name, struct error **err)
{
  static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_.-";
  size_t length = strnlen(name, LIBRARY_SET_NAME_MAX + 1);
  bool good = length > 0 && length <= LIBRARY_SET_NAME_MAX &&
              strspn(name, allowed) == length &&
              isalnum((unsigned char)name[0]) && !ends_in_hash(name);
  if (!good)
    return error_make(err, EINVAL,
                      "\"%.*s\" isn't a set's name: 1 to %d of a-z, 0-9, _, . "
                      "and -, a letter or digit first",
                      LIBRARY_SET_NAME_MAX, name, LIBRARY_SET_NAME_MAX);
  return 0;
}

/* ASCII alone: what is longer or stranger can't be meant. */
int library_set_check_module(const char *name, struct error **err)
{
  enum { MODULE_NAME_MAX = 200 };
  bool good = strnlen(name, MODULE_NAME_MAX + 1) <= MODULE_NAME_MAX;
  bool first = true; /* of a part between dots */
  for (const char *at = name; good && *at != '\0'; at++) {
    unsigned char letter = (unsigned char)*at;
    good = *at == '.'
               ? !first
               : *at == '_' || isalpha(letter) || (isdigit(letter) && !first);
    first = *at == '.';
  }
  if (!good || first)
    return error_make(err, EINVAL, "\"%.*s\" isn't a module's name",
                      MODULE_NAME_MAX, name);
  return 0;
}

int library_set_add_preload(struct library_set *set, const char *module,
                            struct error **err)
{
  if (library_set_check_module(module, err) < 0)
    return -1;
  if (set->preload_count == LIBRARY_SET_PRELOAD_MAX)
    return error_make(err, E2BIG, "more than %d modules to import ahead",
                      LIBRARY_SET_PRELOAD_MAX);
  set->preload =
      xreallocarray(set->preload, set->preload_count + 1, sizeof *set->preload);
  set->preload[set->preload_count++] = xstrdup(module);
  return 0;
}

static int damaged(const char *key, struct error **err)
{
  return error_make(err, EINVAL, "its \"%s\" is damaged", key);
}

static int read_text(const json_t *json, const char *key, char **text,
                     struct error **err)
{
  const char *value = json_string_value(json_object_get(json, key));
  if (value == NULL || strlen(value) > LIBRARY_SET_HASH_LENGTH)
    return damaged(key, err);
  *text = xstrdup(value);
  return 0;
}

static int read_count(const json_t *json, const char *key, int64_t *count,
                      struct error **err)
{
  const json_t *value = json_object_get(json, key);
  *count = json_integer_value(value);
  if (!json_is_integer(value) || *count < 0)
    return damaged(key, err);
  return 0;
}

static int read_preload(const json_t *list, struct library_set *set,
                        struct error **err)
{
  size_t i;
  json_t *item;
  if (!json_is_array(list))
    return damaged("preload", err);
  json_array_foreach(list, i, item)
  {
    if (!json_is_string(item))
      return damaged("preload", err);
    if (library_set_add_preload(set, json_string_value(item), err) < 0)
      return -1;
  }
  return 0;
}

static int read_manifest(const json_t *json, struct library_set *set,
                         struct error **err)
{
  const json_t *format = json_object_get(json, "format");
  if (!json_is_integer(format) || json_integer_value(format) != MANIFEST_FORMAT)
    return error_make(err, EINVAL, "it is no manifest of format %d",
                      MANIFEST_FORMAT);
  if (read_text(json, "name", &set->name, err) < 0 ||
      read_text(json, "lock_sha256", &set->lock_sha256, err) < 0 ||
      read_text(json, "python_version", &set->python_version, err) < 0 ||
      read_count(json, "made_realtime_ns", &set->made_realtime_ns, err) < 0 ||
      read_count(json, "bytes", &set->bytes, err) < 0 ||
      read_preload(json_object_get(json, "preload"), set, err) < 0)
    return -1;
  if (!is_hex(set->lock_sha256, LIBRARY_SET_HASH_LENGTH))
    return damaged("lock_sha256", err);
  return library_set_check_name(set->name, err);
}

int library_set_parse(const char *text, size_t count, struct library_set *set,
                      struct error **err)
{
  json_error_t why;
  json_t *json = json_loadb(text, count, JSON_REJECT_DUPLICATES, &why);
  if (json == NULL)
    return error_make(err, EINVAL, "it isn't JSON: %s", why.text);
  int result = read_manifest(json, set, err);
  json_decref(json);
  if (result < 0)
    library_set_release(set);
  return result;
}

char *library_set_to_text(const struct library_set *set)
{
  json_t *preload = json_array();
  for (size_t i = 0; i < set->preload_count; i++)
    json_array_append_new(preload, json_string(set->preload[i]));
  json_t *json = json_pack(
      "{s:i,s:s,s:s,s:s,s:o,s:I,s:I}", "format", MANIFEST_FORMAT, "name",
      set->name, "lock_sha256", set->lock_sha256, "python_version",
      set->python_version, "preload", preload, "made_realtime_ns",
      (json_int_t)set->made_realtime_ns, "bytes", (json_int_t)set->bytes);
  char *text = json_dumps(json, JSON_INDENT(2));
  json_decref(json);
  if (text == NULL)
    abort();
  return text;
}

/* Who could replace a set would have his code run in zygotes and jobs. */
static int check_owner(int fd, const char *path, struct error **err)
{
  struct stat status;
  if (fstat(fd, &status) < 0)
    return error_errno(err, "%s", path);
  bool ours = status.st_uid == geteuid() || status.st_uid == 0;
  if (!ours || status.st_mode & (S_IWGRP | S_IWOTH))
    return error_make(err, EPERM,
                      "%s must belong to uid %u or to root, and nobody else "
                      "may write there",
                      path, geteuid());
  return 0;
}

bool library_set_is_folder(const char *folder, size_t *name_length)
{
  const char *dash = strrchr(folder, '-');
  *name_length = dash != NULL ? (size_t)(dash - folder) : 0;
  return *name_length > 0 && ends_in_hash(folder);
}

char *library_set_chosen(int sets_fd, const char *name)
{
  char target[LIBRARY_SET_NAME_MAX + LIBRARY_SET_HEX_LENGTH + 3];
  size_t name_length;
  ssize_t length = readlinkat(sets_fd, name, target, sizeof target - 1);
  if (length < 0)
    return NULL;
  target[length] = '\0';
  bool good = library_set_is_folder(target, &name_length) &&
              strlen(name) == name_length &&
              strncmp(target, name, name_length) == 0;
  return good ? xstrdup(target) : NULL;
}

static int read_dir(const char *path, struct library_set *set,
                    struct error **err)
{
  cleanup_free char *text = NULL;
  size_t count;
  cleanup_fd int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dir < 0)
    return error_errno(err, "open %s", path);
  if (check_owner(dir, path, err) < 0)
    return -1;
  /* Who holds it exclusively removes the set. */
  if (flock(dir, LOCK_SH | LOCK_NB) < 0)
    return error_make(err, ENOENT, "%s is being removed", path);
  cleanup_fd int file =
      fd_open_beneath(dir, LIBRARY_SET_MANIFEST, O_RDONLY, 0, err);
  if (file < 0 ||
      fd_read_all(file, LIBRARY_SET_MANIFEST_MAX_BYTES, &text, &count, err) < 0)
    return error_wrap(err, "%s", path);
  if (library_set_parse(text, count, set, err) < 0)
    return error_wrap(err, "%s/" LIBRARY_SET_MANIFEST, path);
  set->dir = xstrdup(path);
  set->dir_fd = steal_fd(&dir);
  return 0;
}

static int open_chosen(const char *sets_dir, const char *name,
                       struct library_set *set, struct error **err)
{
  cleanup_fd int sets = open(sets_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (sets < 0)
    return error_errno(err, "open %s", sets_dir);
  if (check_owner(sets, sets_dir, err) < 0)
    return -1;
  cleanup_free char *folder = library_set_chosen(sets, name);
  if (folder == NULL)
    return error_make(err, ENOENT, "%s has no set %s", sets_dir, name);
  cleanup_free char *path = xasprintf("%s/%s", sets_dir, folder);
  return read_dir(path, set, err);
}

int library_set_open(const char *sets_dir, const char *name,
                     struct library_set *set, struct error **err)
{
  enum { TRIES = 5 };
  cleanup_free char *real = realpath(sets_dir, NULL);
  if (real == NULL)
    return error_errno(err, "open %s", sets_dir);
  /* It may be replaced and removed between the two steps of finding it. */
  for (int tries = 1;; tries++) {
    if (open_chosen(real, name, set, err) == 0)
      return 0;
    if ((*err)->code != ENOENT || tries == TRIES)
      return -1;
    error_clear(err);
  }
}

/* The minor version is what packages are built for. */
int library_set_check_python(const struct library_set *set, struct error **err)
{
  const char *version = set->python_version;
  size_t length = strlen(PYTHON_VERSION);
  if (strncmp(version, PYTHON_VERSION, length) == 0 && version[length] == '.')
    return 0;
  return error_make(err, EINVAL,
                    "the library set %s is for Python %s, and this wafer has "
                    "%s: remove it and add it again",
                    set->name, version, PYTHON_VERSION);
}

char *library_set_packages(const struct library_set *set)
{
  return xasprintf("%s/lib/python" PYTHON_VERSION "/site-packages", set->dir);
}

char *library_set_path_inside(const struct library_set *set)
{
  static const char link[] = "/var/tmp/", end[] = "/tmp/";
  cleanup_free char *packages = library_set_packages(set);
  size_t length = strlen(link);
  if (strncmp(packages, link, length) != 0)
    return steal_pointer(&packages);
  return xasprintf("%s%s", end, packages + length);
}
