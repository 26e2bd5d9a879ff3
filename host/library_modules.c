#include "config.h"

#include "host/library_modules.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/sha256.h"
#include "host/format.h"
#include "host/library_build.h"
#include "host/library_lock.h"
#include "host/library_sets.h"
#include "host/library_store.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define NAME_PREFIX "m."

bool library_modules_own(const char *name)
{
  return strncmp(name, NAME_PREFIX, strlen(NAME_PREFIX)) == 0;
}

void library_modules_release(struct library_modules *modules)
{
  for (size_t i = 0; i < modules->options.count; i++)
    explicit_bzero(modules->options.items[i],
                   strlen(modules->options.items[i]));
  text_list_release(&modules->names);
  text_list_release(&modules->options);
}

/* A requirement by name, as PEP 508 has it, without a URL. */
static bool is_requirement(const char *text)
{
  static const char more[] = " ._-+!*[],<>=~;()'\"";
  if (!isalnum((unsigned char)text[0]))
    return false;
  for (; *text != '\0'; text++)
    if (!isalnum((unsigned char)*text) && strchr(more, *text) == NULL)
      return false;
  return true;
}

/* Where a requirement ends: a comma that isn't within brackets, and with a name
 * behind it, no further bound of the version. */
static size_t requirement_length(const char *text)
{
  int depth = 0;
  size_t at = 0;
  for (; text[at] != '\0'; at++) {
    depth += (text[at] == '[') - (text[at] == ']');
    if (text[at] != ',' || depth > 0)
      continue;
    const char *next = text + at + 1;
    next += strspn(next, " \t");
    if (*next == '\0' || strchr("<>=!~", *next) == NULL)
      break;
  }
  return at;
}

int library_modules_add_names(struct library_modules *modules,
                              const char *value, struct error **err)
{
  while (*value != '\0') {
    value += strspn(value, ", \t");
    size_t length = requirement_length(value);
    cleanup_free char *name = xstrndup(value, length);
    value += length;
    if (name[0] == '\0')
      continue;
    cleanup_free char *safe = format_safe(name);
    if (!is_requirement(name))
      return error_make(err, EINVAL,
                        "\"%s\" isn't a package's name, with a version or not; "
                        "wheels and zips are for --extra-py-files",
                        safe);
    text_list_add(&modules->names, name);
  }
  return 0;
}

/* Those that a requirements file takes, too: there they go, since everybody
 * sees the arguments of a process. */
static const struct {
  const char *name;
  bool takes_value;
} known_options[] = {
    {"--index-url", true},      {"--extra-index-url", true},
    {"--find-links", true},     {"--trusted-host", true},
    {"--no-index", false},      {"--pre", false},
    {"--prefer-binary", false},
};

static int find_option(const char *word, size_t length)
{
  for (size_t i = 0; i < ARRAY_LENGTH(known_options); i++)
    if (strlen(known_options[i].name) == length &&
        strncmp(known_options[i].name, word, length) == 0)
      return (int)i;
  return -1;
}

/* Takes the option that begins with `word`; `rest` may have its value. */
static int take_option(struct library_modules *modules, const char *word,
                       char **rest, struct error **err)
{
  size_t length = strcspn(word, "=");
  const char *value = word[length] == '=' ? word + length + 1 : NULL;
  int option = find_option(word, length);
  if (option < 0)
    return error_make(err, EINVAL,
                      "\"%.*s\" isn't one that wafer hands to pip: "
                      "--index-url, --extra-index-url, --find-links, "
                      "--trusted-host, --no-index, --pre, --prefer-binary",
                      (int)length, word);
  while (known_options[option].takes_value && *rest != NULL &&
         (value == NULL || *value == '\0'))
    value = strsep(rest, " \t");
  bool has_value = value != NULL && *value != '\0' && *value != '-';
  if (known_options[option].takes_value != has_value)
    return error_make(err, EINVAL, "%s takes %s value",
                      known_options[option].name, has_value ? "no" : "a");
  cleanup_free char *line =
      xasprintf("%s%s%s", known_options[option].name, has_value ? " " : "",
                has_value ? value : "");
  text_list_add(&modules->options, line);
  explicit_bzero(line, strlen(line));
  return 0;
}

int library_modules_add_options(struct library_modules *modules,
                                const char *value, struct error **err)
{
  for (const char *at = value; *at != '\0'; at++)
    if (iscntrl((unsigned char)*at) && *at != '\t')
      return error_make(err, EINVAL, "it has a control character in it");
  cleanup_free char *copy = xstrdup(value);
  char *rest = copy;
  for (char *word = strsep(&rest, " \t"); word != NULL;
       word = strsep(&rest, " \t"))
    if (*word != '\0' && take_option(modules, word, &rest, err) < 0)
      return -1;
  return 0;
}

/* The texts, a line each; the caller frees it. */
static char *join_lines(const struct text_list *list)
{
  size_t length = 0, at = 0;
  for (size_t i = 0; i < list->count; i++)
    length += strlen(list->items[i]) + 1;
  char *text = xcalloc(length + 1, 1);
  for (size_t i = 0; i < list->count; i++)
    at = (size_t)(stpcpy(stpcpy(text + at, list->items[i]), "\n") - text);
  return text;
}

static char *name_of(const char *names, const char *options,
                     const struct library_set *base)
{
  enum { KEY_LENGTH = 32 };
  char hash[SHA256_TEXT_SIZE];
  cleanup_free char *asked =
      xasprintf("1\n%s\n%s\n%s\n%s", PYTHON_VERSION,
                base->dir != NULL ? base->lock_sha256 : "", options, names);
  sha256_text(asked, strlen(asked), hash);
  explicit_bzero(asked, strlen(asked));
  return xasprintf(NAME_PREFIX "%.*s", KEY_LENGTH, hash);
}

/* One of the sets that are modules of jobs. */
struct kept {
  char *name;
  int64_t used_s; /* its manifest's time: when a run last opened it */
  int64_t bytes;
};

static int by_use(const void *a, const void *b)
{
  const struct kept *one = a, *other = b;
  return (one->used_s < other->used_s) - (one->used_s > other->used_s);
}

static void look_at(const char *dir, const char *name, struct kept *kept)
{
  cleanup_library_set struct library_set set = {0};
  cleanup_error struct error *ignored = NULL;
  struct stat status;
  kept->name = xstrdup(name);
  if (library_set_open(dir, name, &set, &ignored) < 0 ||
      fstatat(set.dir_fd, LIBRARY_SET_MANIFEST, &status, 0) < 0)
    return; /* damaged: as if it was never used */
  kept->used_s = status.st_mtim.tv_sec;
  kept->bytes = set.bytes;
}

/* Removes what is too old, and what is too much: the latest used stay. */
static void remove_unused(const struct library_store *store, struct kept *all,
                          size_t count)
{
  enum { DAY_S = 24 * 60 * 60 };
  int64_t oldest_s = time(NULL) - (int64_t)LIBRARY_MODULES_AGE_DAYS * DAY_S;
  int64_t sum_bytes = 0;
  qsort(all, count, sizeof *all, by_use);
  for (size_t i = 0; i < count; i++) {
    cleanup_error struct error *ignored = NULL;
    bool in_use;
    sum_bytes += all[i].bytes;
    if (all[i].used_s < oldest_s || sum_bytes > LIBRARY_MODULES_MAX_BYTES)
      library_store_remove(store, all[i].name, &in_use, &ignored);
    free(all[i].name);
  }
}

static void collect(void)
{
  cleanup_error struct error *ignored = NULL;
  cleanup_library_store struct library_store store = LIBRARY_STORE_INIT;
  __attribute__((cleanup(text_list_release))) struct text_list names = {0};
  if (library_store_open(&store, &ignored) < 0 ||
      library_sets_list(&names, &ignored) < 0)
    return;
  cleanup_free struct kept *all = xcalloc(names.count, sizeof *all);
  size_t count = 0;
  for (size_t i = 0; i < names.count; i++)
    if (library_modules_own(names.items[i]))
      look_at(store.dir, names.items[i], &all[count++]);
  remove_unused(&store, all, count);
}

static int build(const char *name, const char *names, const char *options,
                 const struct library_set *base, struct error **err)
{
  cleanup_library_set struct library_set built = {0};
  char took[FORMAT_SIZE];
  int64_t begun_ns = clock_monotonic_ns();
  const struct library_order order = {
      .name = name,
      .text = names,
      .options = options,
      .base = base->dir != NULL ? base : NULL,
  };
  if (library_build(&order, &built, err) < 0)
    return -1;
  fprintf(stderr, "wafer: its modules took %s to install, which isn't billed\n",
          format_seconds(clock_monotonic_ns() - begun_ns, took));
  collect();
  return 0;
}

static int open_used(const char *name, struct library_set *set,
                     struct error **err)
{
  cleanup_free char *dir = NULL;
  if (library_sets_dir(&dir, err) < 0 ||
      library_set_open(dir, name, set, err) < 0)
    return -1;
  /* Root's, used by another, keeps its time. */
  utimensat(set->dir_fd, LIBRARY_SET_MANIFEST, NULL, 0);
  return 0;
}

int library_modules_open(const struct library_modules *modules,
                         const struct library_set *base,
                         struct library_set *set, struct error **err)
{
  cleanup_free char *names = join_lines(&modules->names);
  cleanup_free char *options = join_lines(&modules->options);
  cleanup_free char *name = name_of(names, options, base);
  int result = open_used(name, set, err);
  if (result < 0 && (*err)->code == ENOENT) {
    error_clear(err);
    result = build(name, names, options, base, err);
    if (result == 0)
      result = open_used(name, set, err);
  }
  explicit_bzero(options, strlen(options));
  return result < 0 ? error_wrap(err, "--additional-python-modules") : 0;
}

int library_modules_list(const struct library_set *set, struct text_list *lines,
                         struct error **err)
{
  cleanup_free char *text = NULL;
  size_t count;
  cleanup_fd int fd =
      fd_open_beneath(set->dir_fd, LIBRARY_SET_LOCK, O_RDONLY, 0, err);
  if (fd < 0 || fd_read_all(fd, LIBRARY_LOCK_MAX_BYTES, &text, &count, err) < 0)
    return error_wrap(err, "%s", set->dir);
  char *rest = text;
  for (char *line = strsep(&rest, "\n"); line != NULL;
       line = strsep(&rest, "\n"))
    if (*line != '\0')
      text_list_add(lines, line);
  return 0;
}
