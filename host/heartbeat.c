#include "config.h"

#include "host/heartbeat.h"

#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 128 };

static int print_line(const struct heartbeat *heartbeat,
                      char line[LINE_MAX_BYTES])
{
  return snprintf(
      line, LINE_MAX_BYTES,
      "wafer-heartbeat 1 %19" PRId64 " %19" PRId64 " %19" PRId64 "\n",
      heartbeat->released_ns, heartbeat->seen_ns, heartbeat->cpu_ns);
}

void heartbeat_write(int fd, int64_t released_ns, int64_t cpu_ns)
{
  char line[LINE_MAX_BYTES];
  struct heartbeat now = {released_ns, clock_monotonic_ns(), cpu_ns};
  int length = print_line(&now, line);
  (void)!pwrite(fd, line, (size_t)length, 0);
}

static bool is_in_range(const struct heartbeat *heartbeat)
{
  return heartbeat->released_ns >= 0 &&
         heartbeat->seen_ns >= heartbeat->released_ns &&
         heartbeat->cpu_ns >= -1;
}

/* sscanf takes more than is ever written, so what it read is written again, and
 * must be the same. */
int heartbeat_read(int fd, struct heartbeat *heartbeat, struct error **err)
{
  char line[LINE_MAX_BYTES], again[LINE_MAX_BYTES];
  struct heartbeat read = {0};
  ssize_t count = pread(fd, line, sizeof line - 1, 0);
  if (count < 0)
    return error_errno(err, "read the heartbeat");
  if (count == 0)
    return error_make(err, ENODATA, "there was no heartbeat");
  line[count] = '\0';
  int fields =
      sscanf(line, "wafer-heartbeat 1 %19" SCNd64 " %19" SCNd64 " %19" SCNd64,
             &read.released_ns, &read.seen_ns, &read.cpu_ns);
  if (fields != 3 || !is_in_range(&read) || print_line(&read, again) != count ||
      memcmp(line, again, (size_t)count) != 0)
    return error_make(err, EINVAL, "the heartbeat is damaged");
  *heartbeat = read;
  return 0;
}
