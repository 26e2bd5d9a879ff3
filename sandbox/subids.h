/* Subordinate ids: the lines of /etc/subuid and /etc/subgid (subuid(5)). */
#ifndef WAFER_SANDBOX_SUBIDS_H
#define WAFER_SANDBOX_SUBIDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct subids {
  const char *owner; /* within the line: a name, or a uid in digits */
  size_t owner_length;
  uint32_t first;
  uint32_t count;
};

/* Reads "owner:first:count". False where a line isn't that, and where its range
 * is empty or passes the last id, which is 2^32 - 2 (the one after it means
 * "none", setresuid(2)). */
bool subids_parse(const char *line, struct subids *subids);

#endif
