#include "config.h"

#include "runtime/result.h"

#include "base/fd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int print_line(const struct result *result, char line[RESULT_MAX_BYTES])
{
  return snprintf(
      line, RESULT_MAX_BYTES,
      "wafer-result 1 %s %d %" PRId64 " %" PRId64 " %" PRId64 " %s\n",
      result->killed ? "killed" : "exited", result->value, result->ended_ns,
      result->cpu_us, result->max_rss_kib, result->host_gone ? "host" : "job");
}

int result_write(int fd, const struct result *result, struct error **err)
{
  char line[RESULT_MAX_BYTES];
  int length = print_line(result, line);
  if (fd_write_all(fd, line, (size_t)length, err) < 0)
    return error_wrap(err, "write the result record");
  return 0;
}

static bool is_in_range(const struct result *result)
{
  return result->value >= 0 && result->value <= 255 && result->ended_ns >= 0 &&
         result->cpu_us >= 0 && result->max_rss_kib >= 0;
}

/* sscanf takes more than is ever written (any blanks, a sign, leading zeros),
 * so what it read is written again, and must be the same. */
int result_parse(const char *text, size_t count, struct result *result,
                 struct error **err)
{
  char line[RESULT_MAX_BYTES], how[8] = "", cause[8] = "";
  struct result parsed = {0};
  if (count == 0)
    return error_make(err, ENODATA, "the result record is empty");
  if (count >= sizeof line)
    return error_make(err, EINVAL, "the result record is damaged");
  memcpy(line, text, count);
  line[count] = '\0';
  int fields = sscanf(line,
                      "wafer-result 1 %7s %9d %18" SCNd64 " %18" SCNd64
                      " %18" SCNd64 " %7s",
                      how, &parsed.value, &parsed.ended_ns, &parsed.cpu_us,
                      &parsed.max_rss_kib, cause);
  parsed.killed = strcmp(how, "killed") == 0;
  parsed.host_gone = strcmp(cause, "host") == 0;
  if (fields != 6 || !is_in_range(&parsed) ||
      (size_t)print_line(&parsed, line) != count ||
      memcmp(line, text, count) != 0)
    return error_make(err, EINVAL, "the result record is damaged");
  *result = parsed;
  return 0;
}
