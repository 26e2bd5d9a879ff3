/* The configuration file: wafer.conf in home_config_dir (jobs/home.h).
 *
 * A line is "key = value"; blanks around either don't count, a line whose first
 * character is # is a comment, and an empty one is nothing. A key is given
 * once. There are:
 *
 *   allow_missing = cgroup, scratch
 *       the walls that every run may do without (host/walls.h)
 *
 *   allow_network = 10.1.0.0/16, 192.168.7.1
 *       private networks that every run with --network egress may reach
 *
 *   pool_library_sets = none, analytics
 *       library sets that wafer serve keeps warm; without it, all there are
 *
 *   pool_size = 4
 *       sandboxes of each set and size that wafer serve keeps parked, 0 to 64
 *
 *   pool_memory = 64 MiB
 *       what all of them may take, in KiB, MiB or GiB (host/pool.h) */
#ifndef WAFER_HOST_SETTINGS_H
#define WAFER_HOST_SETTINGS_H

#include "base/error.h"
#include "jobs/text_list.h"

#include <stdint.h>

enum {
  SETTINGS_POOL_SIZE_DEFAULT = 4,
  SETTINGS_POOL_SIZE_MAX = 64,
  SETTINGS_POOL_MEMORY_DEFAULT_BYTES = 64 << 20,
};

struct settings {
  unsigned allow_missing; /* a set of walls */
  char *allow_network;    /* as given, and known to be good; NULL: none */
  struct text_list pool_library_sets; /* names; none: not given */
  int pool_size;
  int64_t pool_memory_bytes;
};

/* What counts where the file says nothing. */
#define SETTINGS_INIT                                                          \
  {                                                                            \
    .pool_size = SETTINGS_POOL_SIZE_DEFAULT,                                   \
    .pool_memory_bytes = SETTINGS_POOL_MEMORY_DEFAULT_BYTES                    \
  }

void settings_release(struct settings *settings);
#define cleanup_settings __attribute__((cleanup(settings_release)))

/* The file's path, which the caller frees. ENOENT: no home is known. */
int settings_path(char **path, struct error **err);

/* Reads the file; one that isn't there, or no home to have one in, is as good
 * as an empty one. It must be ours or root's, and nobody else's to write
 * (EPERM). An error names file and line, what is wrong and what would be right.
 */
int settings_load(struct settings *settings, struct error **err);

/* Reads a text; `file` is what errors call it. */
int settings_parse(const char *text, const char *file,
                   struct settings *settings, struct error **err);

#endif
