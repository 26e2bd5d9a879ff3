/* wafer library-set: what packages jobs can import. */
#include "config.h"

#include "base/fd.h"
#include "host/format.h"
#include "host/library_build.h"
#include "host/library_modules.h"
#include "host/library_sets.h"
#include "host/library_store.h"
#include "host/options.h"
#include "host/table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int take_requirements(void *target, const char *value,
                             struct error **err)
{
  (void)err;
  ((struct library_order *)target)->requirements = value;
  return 0;
}

static int take_lock(void *target, const char *value, struct error **err)
{
  (void)err;
  ((struct library_order *)target)->lock = value;
  return 0;
}

static int take_preload(void *target, const char *value, struct error **err)
{
  (void)err;
  ((struct library_order *)target)->preload = value;
  return 0;
}

static const struct option_row options[] = {
    {"requirements", "FILE", "add: pip's requirements; resolved now and locked",
     take_requirements},
    {"lock", "FILE", "add: requirements with a version and hashes each",
     take_lock},
    {"preload", "MODULE,…", "add: modules that a warm start has imported",
     take_preload},
};

static char *join_preload(const struct library_set *set)
{
  char *text = xstrdup("");
  for (size_t i = 0; i < set->preload_count; i++) {
    char *longer =
        xasprintf("%s%s%s", text, i > 0 ? ", " : "", set->preload[i]);
    free(text);
    text = longer;
  }
  return text;
}

static void print_set(const struct library_set *set)
{
  char size[FORMAT_SIZE], made[FORMAT_SIZE];
  cleanup_free char *preload = join_preload(set);
  printf("name     %s\n", set->name);
  printf("lock     sha256:%s\n", set->lock_sha256);
  printf("python   %s\n", set->python_version);
  printf("size     %s\n", format_bytes(set->bytes, size));
  printf("made     %s UTC\n", format_time(set->made_realtime_ns, made));
  printf("preload  %s\n", preload[0] != '\0' ? preload : "-");
}

static int add(const struct library_order *order, struct error **err)
{
  cleanup_library_set struct library_set set = {0};
  if (order->requirements != NULL && order->lock != NULL)
    return error_make(err, EINVAL, "give --requirements or --lock, not both");
  if (library_modules_own(order->name))
    return error_make(err, EINVAL,
                      "names that begin with m. are those of modules of jobs, "
                      "which go when they are long unused; take another");
  if (library_build(order, &set, err) < 0)
    return -1;
  print_set(&set);
  return 0;
}

static const struct table_column columns[] = {
    {"NAME", TABLE_LEFT},  {"LOCK", TABLE_LEFT},       {"PYTHON", TABLE_LEFT},
    {"SIZE", TABLE_RIGHT}, {"MADE (UTC)", TABLE_LEFT}, {"PRELOAD", TABLE_LEFT},
};

static void add_row(struct table *table, const struct library_set *set)
{
  char text[FORMAT_SIZE], hex[LIBRARY_SET_HEX_LENGTH + 1];
  cleanup_free char *preload = join_preload(set);
  snprintf(hex, sizeof hex, "%s", set->lock_sha256);
  table_add(table, set->name);
  table_add(table, hex);
  table_add(table, set->python_version);
  table_add(table, format_bytes(set->bytes, text));
  table_add(table, format_time(set->made_realtime_ns, text));
  table_add(table, preload[0] != '\0' ? preload : "-");
}

/* One that is damaged doesn't hide the others. */
static int list(const struct library_order *order, struct error **err)
{
  (void)order;
  cleanup_free char *dir = NULL;
  __attribute__((cleanup(text_list_release))) struct text_list names = {0};
  cleanup_table struct table table = {.columns = columns,
                                      .column_count = ARRAY_LENGTH(columns)};
  if (library_sets_dir(&dir, err) < 0 || library_sets_list(&names, err) < 0)
    return -1;
  for (size_t i = 0; i < names.count; i++) {
    cleanup_library_set struct library_set set = {0};
    cleanup_error struct error *damage = NULL;
    if (library_set_open(dir, names.items[i], &set, &damage) == 0)
      add_row(&table, &set);
    else
      fprintf(stderr, "wafer: library set %s: %s\n", names.items[i],
              damage->text);
  }
  if (table.cell_count > 0)
    table_print(&table);
  else if (names.count == 0)
    fputs("wafer: there is no library set yet: wafer library-set add none, or "
          "add analytics\n",
          stderr);
  return 0;
}

static int show(const struct library_order *order, struct error **err)
{
  enum { LOCK_MAX_BYTES = 4 << 20 };
  cleanup_library_set struct library_set set = {0};
  cleanup_free char *lock = NULL;
  size_t count;
  if (library_sets_choose(order->name, &set, err) < 0)
    return -1;
  if (set.dir == NULL)
    return puts("name     none\nit is the standard library alone: wafer "
                "library-set add none adds boto3") < 0
               ? -1
               : 0;
  cleanup_fd int fd =
      fd_open_beneath(set.dir_fd, LIBRARY_SET_LOCK, O_RDONLY, 0, err);
  if (fd < 0 || fd_read_all(fd, LOCK_MAX_BYTES, &lock, &count, err) < 0)
    return error_wrap(err, "%s", set.dir);
  print_set(&set);
  printf("folder   %s\n\n", set.dir);
  cleanup_free char *safe = format_safe_lines(lock);
  fputs(safe, stdout);
  return 0;
}

static int remove_one(const struct library_order *order, struct error **err)
{
  cleanup_library_store struct library_store store = LIBRARY_STORE_INIT;
  bool in_use = false;
  if (library_set_check_name(order->name, err) < 0 ||
      library_store_open(&store, err) < 0 ||
      library_store_remove(&store, order->name, &in_use, err) < 0)
    return -1;
  if (in_use)
    fputs("wafer: a run still uses its folder, which goes with the next "
          "wafer library-set add or remove\n",
          stderr);
  return 0;
}

static const struct verb {
  const char *name;
  bool takes_name;
  bool takes_options;
  int (*run)(const struct library_order *order, struct error **err);
} verbs[] = {
    {"add", true, true, add},
    {"list", false, false, list},
    {"show", true, false, show},
    {"remove", true, false, remove_one},
};

static const struct verb *find_verb(const char *name)
{
  for (size_t i = 0; i < ARRAY_LENGTH(verbs); i++)
    if (strcmp(verbs[i].name, name) == 0)
      return &verbs[i];
  return NULL;
}

static int check_line(const struct verb *verb,
                      const struct library_order *order,
                      const struct command_line *line, struct error **err)
{
  bool has_options = order->requirements != NULL || order->lock != NULL ||
                     order->preload != NULL;
  if (verb == NULL)
    return error_make(err, EINVAL,
                      "\"%s\" is nothing to do with library sets: add, list, "
                      "show or remove",
                      line->words[0]);
  if (verb->takes_name != (line->word_count == 2))
    return error_make(err, EINVAL, "usage: wafer library-set %s%s", verb->name,
                      verb->takes_name ? " NAME" : "");
  if (has_options && !verb->takes_options)
    return error_make(err, EINVAL, "wafer library-set %s takes no options",
                      verb->name);
  return 0;
}

static int run_library_set(void *target, const struct command_line *line,
                           struct error **err)
{
  struct library_order *order = target;
  const struct verb *verb = find_verb(line->words[0]);
  if (check_line(verb, order, line, err) < 0)
    return -1;
  order->name = verb->takes_name ? line->words[1] : NULL;
  if (verb->run(order, err) < 0)
    return -1;
  return format_flush(err);
}

const struct command command_library_set = {
    .name = "library-set",
    .usage = "add NAME [--requirements FILE | --lock FILE] [--preload "
             "MODULE,…] | list | show NAME | remove NAME",
    .summary = "Build, list and remove sets of packages for --library-set",
    .options = options,
    .option_count = ARRAY_LENGTH(options),
    .words_min = 1,
    .words_max = 2,
    .target_bytes = sizeof(struct library_order),
    .run = run_library_set,
};
