#include "config.h"

#include "host/heartbeat.h"

#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 128 };

void heartbeat_write(int fd, int64_t released_ns, int64_t cpu_ns)
{
  char line[LINE_MAX_BYTES];
  int length =
      snprintf(line, sizeof line,
               "wafer-heartbeat 1 %19" PRId64 " %19" PRId64 " %19" PRId64 "\n",
               released_ns, clock_monotonic_ns(), cpu_ns);
  (void)!pwrite(fd, line, (size_t)length, 0);
}

int heartbeat_read(int fd, struct heartbeat *heartbeat, struct error **err)
{
  char line[LINE_MAX_BYTES], end;
  ssize_t count = pread(fd, line, sizeof line - 1, 0);
  if (count < 0)
    return error_errno(err, "read the heartbeat");
  if (count == 0)
    return error_make(err, ENODATA, "there was no heartbeat");
  line[count] = '\0';
  int fields = sscanf(
      line, "wafer-heartbeat 1 %19" SCNd64 " %19" SCNd64 " %19" SCNd64 "%c",
      &heartbeat->released_ns, &heartbeat->seen_ns, &heartbeat->cpu_ns, &end);
  if (fields != 4 || end != '\n' || heartbeat->seen_ns < heartbeat->released_ns)
    return error_make(err, EINVAL, "the heartbeat is damaged");
  return 0;
}
