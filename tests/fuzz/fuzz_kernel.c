/* What the kernel and the system's own files say: cgroups, mounts, processes,
 * subordinate ids. A job chooses its processes' names, and a container's owner
 * the rest. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include "base/fd.h"
#include "host/process.h"
#include "sandbox/cgroup_backend.h"
#include "sandbox/subids.h"

#include <inttypes.h>
#include <string.h>

/* Of a mount that shows the tree's root, a group's folder is the group's path
 * below it; one that the kernel shows as beyond our root has none. */
static void check_below(const char *group)
{
  static const char line[] = "9 8 0:1 / /mnt rw - cgroup2 none rw\n";
  cleanup_free char *path =
      cgroup_parse_mount(line, sizeof line - 1, "", group);
  cleanup_free char *wanted = xasprintf("/mnt%s", group);
  bool beyond = strcmp(group, "/..") == 0 || strncmp(group, "/../", 4) == 0;
  bool has_one = (group[0] == '/' || group[0] == '\0') && !beyond;
  FUZZ_REQUIRE((path != NULL) == has_one);
  FUZZ_REQUIRE(path == NULL ||
               strcmp(path, strcmp(group, "/") == 0 ? "/mnt" : wanted) == 0);
}

static void check_lookups(const char *text, size_t count, const char *word,
                          const char *group)
{
  int64_t number = cgroup_parse_key(text, count, word);
  FUZZ_REQUIRE(number >= -1);
  fuzz_count(number >= 0, NULL);
  if (word[0] != '\0')
    FUZZ_REQUIRE(cgroup_parse_sum(text, count, word) >= -1);
  cleanup_free char *own = cgroup_parse_own(text, count, word);
  FUZZ_REQUIRE(own == NULL || (own[0] == '/' && strchr(own, '\n') == NULL));
  cleanup_free char *mount = cgroup_parse_mount(text, count, word, group);
  check_below(group);
  fuzz_count(own != NULL || mount != NULL, NULL);
}

/* The first line is a key or controller, the second a group's path; the rest is
 * the file. */
void fuzz_cgroup(const uint8_t *bytes, size_t count)
{
  cleanup_free char *text = fuzz_text_of(bytes, count);
  char *rest = text;
  const char *word = strsep(&rest, "\n");
  const char *group = strsep(&rest, "\n");
  if (rest == NULL)
    return;
  /* From the input itself, where no NUL follows the file. */
  size_t start = (size_t)(rest - text);
  const char *file = (const char *)bytes + start;
  check_lookups(file, count - start, word, group);
  cgroup_has_word(rest, word);
}

/* Whatever a process calls itself, the field after its name is found. */
static void check_stat_of(const char *name)
{
  int64_t ticks = -1;
  char state = 0;
  cleanup_free char *stat = xasprintf(
      "7 (%s) S 1 7 7 0 -1 4194560 9 8 7 6 5 4 3 2 20 0 1 0 1234567 0 0", name);
  FUZZ_REQUIRE(process_parse_stat(stat, &state, &ticks));
  FUZZ_REQUIRE(state == 'S' && ticks == 1234567);
}

static void check_subids(const char *line)
{
  struct subids subids, again;
  bool good = subids_parse(line, &subids);
  if (good) {
    FUZZ_REQUIRE(strncmp(line, subids.owner, subids.owner_length) == 0);
    FUZZ_REQUIRE(subids.count > 0);
    FUZZ_REQUIRE((uint64_t)subids.first + subids.count <= UINT32_MAX);
    cleanup_free char *text =
        xasprintf("%.*s:%" PRIu32 ":%" PRIu32, (int)subids.owner_length,
                  subids.owner, subids.first, subids.count);
    FUZZ_REQUIRE(subids_parse(text, &again));
    FUZZ_REQUIRE(again.first == subids.first && again.count == subids.count);
  }
  fuzz_count(good, NULL);
}

void fuzz_proc(const uint8_t *bytes, size_t count)
{
  cleanup_free char *text = fuzz_text_of(bytes, count);
  int64_t ticks;
  char state;
  fuzz_count(process_parse_stat(text, &state, &ticks), NULL);
  check_stat_of(text);
  check_subids(text);
}
