#include "config.h"

#include "host/wall_tables.h"

#include "host/format.h"
#include "host/table.h"
#include "jobs/size.h"
#include "sandbox/cgroup.h"
#include "sandbox/landlock_table.h"
#include "sandbox/namespace.h"
#include "sandbox/network_rules.h"
#include "sandbox/privileges.h"
#include "sandbox/rlimits.h"
#include "sandbox/rootfs_table.h"
#include "sandbox/seccomp_explain.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { COLUMNS_MAX = 5 };

/* Adds a row; the texts after the last column are NULL. */
static void add(struct table *table, const char *const cells[COLUMNS_MAX])
{
  for (size_t i = 0; i < table->column_count; i++)
    table_add(table, cells[i]);
}

#define ADD(table, ...)                                                        \
  add(table, (const char *const[COLUMNS_MAX]){__VA_ARGS__})

static void list_namespaces(struct table *table)
{
  for (size_t i = 0; i < namespace_rows_count; i++)
    ADD(table, namespace_rows[i].name, namespace_rows[i].reason);
}

/* A link's target and a file system's options are short; a file's text isn't
 * shown. */
static void list_mounts(struct table *table)
{
  for (size_t i = 0; i < rootfs_rows_count; i++) {
    const struct rootfs_row *row = &rootfs_rows[i];
    const char *slash = row->when == ROOTFS_IF_ASKED ? "" : "/";
    cleanup_free char *path = xasprintf("%s%s", slash, row->path);
    bool has_source = row->text != NULL && row->kind != ROOTFS_TEXT;
    cleanup_free char *what =
        xasprintf("%s%s%s", rootfs_kind_name(row->kind), has_source ? " " : "",
                  has_source ? row->text : "");
    ADD(table, path, what, rootfs_options_text(row->kind).text,
        rootfs_when_name(row->when), row->reason);
  }
}

static void list_limits(struct table *table)
{
  const struct size *size;
  for (size_t i = 0; (size = size_at(i)) != NULL; i++) {
    char memory[FORMAT_SIZE], scratch[FORMAT_SIZE];
    cleanup_free char *cpus =
        xasprintf("%" PRId64 ".%02" PRId64, size->cpu_milli / 1000,
                  size->cpu_milli % 1000 / 10);
    cleanup_free char *processes = xasprintf("%" PRId64, size->pids_max);
    format_bytes(size->memory_bytes, memory);
    format_bytes(size->scratch_bytes, scratch);
    ADD(table, size->name, "CPUs", cpus,
        "cgroup: a hard quota in each 100 ms; nothing is saved up");
    ADD(table, size->name, "memory", memory,
        "cgroup: past it the kernel kills this job alone");
    ADD(table, size->name, "swap", "none",
        "cgroup: a job's memory is no load on the machine's disk");
    ADD(table, size->name, "processes", processes,
        "cgroup: threads count; a fork bomb ends here");
    ADD(table, size->name, "/tmp", scratch,
        "scratch: on disk, and no part of the memory");
  }
}

/* Of the smallest size. */
static void list_rlimits(struct table *table)
{
  const struct size *size = size_default();
  const struct rlimits wanted = {
      .open_files_max = RLIMITS_OPEN_FILES_DEFAULT,
      .file_bytes_max = (uint64_t)size->scratch_bytes,
      .processes_max = (uint64_t)size->pids_max,
      .has_cgroup = true,
  };
  for (size_t i = 0; i < rlimits_rows_count; i++) {
    const struct rlimits_row *row = &rlimits_rows[i];
    const uint64_t values[] = {rlimits_soft(row, &wanted),
                               rlimits_hard(row, &wanted)};
    char texts[ARRAY_LENGTH(values)][24];
    for (size_t j = 0; j < ARRAY_LENGTH(values); j++)
      if (values[j] == RLIMITS_KEEP)
        snprintf(texts[j], sizeof texts[j], "inherited");
      else
        snprintf(texts[j], sizeof texts[j], "%" PRIu64, values[j]);
    ADD(table, row->name, texts[0], texts[1], row->reason);
  }
}

static void list_privileges(struct table *table)
{
  cleanup_free char *id = xasprintf("%d", NAMESPACE_JOB_ID);
  ADD(table, "uid, gid", id, "ids that nothing else on the machine has");
  ADD(table, "groups", "none", "a group gives access");
  ADD(table, "capabilities", "none",
      "effective, permitted, inheritable, bounding, ambient: read back");
  for (size_t i = 0; i < privileges_bits_count; i++)
    ADD(table, privileges_bits[i].name, "locked", privileges_bits[i].reason);
  ADD(table, "descriptors", "closed",
      "but 0 to 2, the report pipe, the script and its libraries");
  ADD(table, "no_new_privs", "set",
      "no setuid bit and no file capability gives one back");
}

static void add_landlock(struct table *table, const struct landlock_row *row)
{
  ADD(table, row->rule.path, landlock_access_text(row->rule.access).text,
      row->rule.optional ? "if it is there" : "always", row->reason);
}

static void list_landlock(struct table *table)
{
  for (size_t i = 0; i < landlock_rows_count; i++)
    add_landlock(table, &landlock_rows[i]);
  add_landlock(table, &landlock_mount_ro);
  add_landlock(table, &landlock_mount_rw);
  ADD(table, "all else", "nothing", "always",
      "what the kernel's ABI knows and no row grants is denied");
}

/* The rows of a call are neighbours. */
static bool is_last_of_call(size_t at)
{
  return at + 1 == seccomp_arguments_count ||
         strcmp(seccomp_arguments[at].call, seccomp_arguments[at + 1].call) !=
             0;
}

static void list_seccomp(struct table *table)
{
  static const uint32_t none[SECCOMP_ARGUMENTS_MAX];
  for (size_t i = 0; i < seccomp_calls_count; i++)
    ADD(table, seccomp_calls[i].call, "any",
        seccomp_action_name(seccomp_calls[i].action), seccomp_calls[i].reason);
  for (size_t i = 0; i < seccomp_arguments_count; i++) {
    const struct seccomp_argument *row = &seccomp_arguments[i];
    cleanup_free char *tests = seccomp_tests_text(row);
    ADD(table, row->call, tests, seccomp_action_name(row->action), row->reason);
    if (is_last_of_call(i))
      ADD(table, row->call, "others", seccomp_action_name(SECCOMP_REFUSE),
          "what no row allows");
  }
  struct seccomp_verdict other = seccomp_judge(NULL, none);
  ADD(table, "other numbers", "any", seccomp_action_name(other.action),
      other.reason);
  ADD(table, "335, 336", "any", "kernel",
      "its own probes' return, which no filter is asked about; SIGILL, ENXIO");
  ADD(table, "i386, x32", "any", "kill",
      "numbers mean other calls there; ends the process");
}

static void list_egress(struct table *table)
{
  struct network_rule rules[NETWORK_RULES_MAX];
  size_t count = network_rules(NULL, 0, rules);
  for (size_t i = 0; i < count; i++) {
    char prefix[NETWORK_PREFIX_TEXT_SIZE];
    bool machine = rules[i].kind == NETWORK_RULE_MACHINE;
    bool is_private = rules[i].kind == NETWORK_RULE_PRIVATE;
    network_prefix_text(&rules[i].prefix, prefix);
    ADD(table, machine ? "the machine's own" : prefix,
        is_private ? "--allow-network" : "never", rules[i].reason);
  }
  ADD(table, "all else", "always", "the internet, by IPv4");
  ADD(table, "IPv6", "never", "a sandbox has none");
}

struct wall_table {
  const char *name;
  const char *title;
  void (*list)(struct table *table);
  struct table_column columns[COLUMNS_MAX]; /* to the first with no title */
};

static const struct wall_table tables[] = {
    {"namespaces",
     "what a job has of its own",
     list_namespaces,
     {{"NAMESPACE", TABLE_LEFT}, {"REASON", TABLE_WHOLE}}},
    {"mounts",
     "all files that a job sees; nosuid everywhere",
     list_mounts,
     {{"PATH", TABLE_LEFT},
      {"WHAT", TABLE_LEFT},
      {"OPTIONS", TABLE_LEFT},
      {"WHEN", TABLE_LEFT},
      {"REASON", TABLE_WHOLE}}},
    {"limits",
     "of the whole job, by its size",
     list_limits,
     {{"DPU", TABLE_LEFT},
      {"LIMIT", TABLE_LEFT},
      {"VALUE", TABLE_LEFT},
      {"REASON", TABLE_WHOLE}}},
    {"rlimits",
     "of each process, at 0.0625 DPU with a cgroup; never raised",
     list_rlimits,
     {{"LIMIT", TABLE_LEFT},
      {"SOFT", TABLE_RIGHT},
      {"HARD", TABLE_RIGHT},
      {"REASON", TABLE_WHOLE}}},
    {"privileges",
     "what is given up before the job runs",
     list_privileges,
     {{"WHAT", TABLE_LEFT}, {"STATE", TABLE_LEFT}, {"REASON", TABLE_WHOLE}}},
    {"landlock",
     "files by path, beside the mounts",
     list_landlock,
     {{"PATH", TABLE_LEFT},
      {"ACCESS", TABLE_WHOLE},
      {"WHEN", TABLE_LEFT},
      {"REASON", TABLE_WHOLE}}},
    {"seccomp",
     "system calls; refuse: EPERM, and the run names it; quiet: EPERM; "
     "absent: ENOSYS",
     list_seccomp,
     {{"CALL", TABLE_LEFT},
      {"ARGUMENTS", TABLE_WHOLE},
      {"ACTION", TABLE_LEFT},
      {"REASON", TABLE_WHOLE}}},
    {"egress",
     "where --network egress sends; the first that holds an address decides",
     list_egress,
     {{"DESTINATION", TABLE_LEFT},
      {"SENT", TABLE_LEFT},
      {"REASON", TABLE_WHOLE}}},
};

int wall_tables_parse(const char *list, unsigned *set, struct error **err)
{
  cleanup_free char *copy = xstrdup(list != NULL ? list : "");
  char *rest = copy;
  if (list == NULL)
    *set = (1U << ARRAY_LENGTH(tables)) - 1;
  for (char *name = strsep(&rest, ","); list != NULL && name != NULL;
       name = strsep(&rest, ",")) {
    size_t at = 0;
    while (at < ARRAY_LENGTH(tables) && strcmp(tables[at].name, name) != 0)
      at++;
    if (at == ARRAY_LENGTH(tables))
      return error_make(err, EINVAL,
                        "there is no table \"%s\"; there are namespaces, "
                        "mounts, limits, rlimits, privileges, landlock, "
                        "seccomp and egress",
                        name);
    *set |= 1U << at;
  }
  return 0;
}

static struct table fill(const struct wall_table *wall)
{
  struct table table = {.columns = wall->columns};
  while (table.column_count < COLUMNS_MAX &&
         wall->columns[table.column_count].title != NULL)
    table.column_count++;
  wall->list(&table);
  return table;
}

void wall_tables_print(unsigned set)
{
  bool first = true;
  for (size_t i = 0; i < ARRAY_LENGTH(tables); i++) {
    if ((set & 1U << i) == 0)
      continue;
    cleanup_table struct table table = fill(&tables[i]);
    printf("%s%s: %s\n", first ? "" : "\n", tables[i].name, tables[i].title);
    table_print(&table);
    first = false;
  }
}

json_t *wall_tables_to_json(unsigned set)
{
  json_t *all = json_object();
  for (size_t i = 0; i < ARRAY_LENGTH(tables); i++) {
    if ((set & 1U << i) == 0)
      continue;
    cleanup_table struct table table = fill(&tables[i]);
    json_object_set_new(all, tables[i].name, table_to_json(&table));
  }
  return all;
}
