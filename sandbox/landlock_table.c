#include "config.h"

#include "sandbox/landlock_table.h"

#include "base/mem.h"

#define READ       LANDLOCK_READ
#define READ_EXEC  LANDLOCK_READ_EXEC
#define DEVICE     LANDLOCK_DEVICE
#define READ_WRITE LANDLOCK_READ_WRITE

const struct landlock_row landlock_rows[] = {
    {{"/", READ, false},
     "all that the root shows is there to be read; what lies outside it, "
     "however reached, isn't"},
    {{"/usr", READ_EXEC, false}, "programs and libraries"},
    {{"/bin", READ_EXEC, true}, "the same, where /usr isn't merged"},
    {{"/lib", READ_EXEC, true}, "the same"},
    {{"/lib64", READ_EXEC, true}, "the same"},
    {{"/dev", DEVICE, false}, "writes to what is there; makes nothing"},
    {{"/dev/shm", READ_WRITE, false}, "shared memory and semaphores"},
    {{"/tmp", READ_WRITE, false}, "the scratch"},
};

const size_t landlock_rows_count = ARRAY_LENGTH(landlock_rows);
_Static_assert(ARRAY_LENGTH(landlock_rows) <= LANDLOCK_ROWS_MAX,
               "who copies the rows has room for LANDLOCK_ROWS_MAX");

const struct landlock_row landlock_mount_ro = {
    {"--mount …:ro", READ_EXEC, false}, "what the user shows"};
const struct landlock_row landlock_mount_rw = {
    {"--mount …:rw", READ_WRITE, false}, "what the user lends"};

size_t landlock_rules_of_all(struct landlock_rule *rules)
{
  for (size_t i = 0; i < landlock_rows_count; i++)
    rules[i] = landlock_rows[i].rule;
  return landlock_rows_count;
}

struct landlock_rule landlock_rule_of_mount(const char *path, bool read_only)
{
  struct landlock_rule rule =
      read_only ? landlock_mount_ro.rule : landlock_mount_rw.rule;
  rule.path = path;
  return rule;
}
