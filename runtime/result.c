#include "config.h"

#include "runtime/result.h"

#include "base/fd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int result_write(int fd, const struct result *result, struct error **err)
{
  char line[RESULT_MAX_BYTES];
  int length = snprintf(
      line, sizeof line,
      "wafer-result 1 %s %d %" PRId64 " %" PRId64 " %" PRId64 " %s\n",
      result->killed ? "killed" : "exited", result->value, result->ended_ns,
      result->cpu_us, result->max_rss_kib, result->host_gone ? "host" : "job");
  if (fd_write_all(fd, line, (size_t)length, err) < 0)
    return error_wrap(err, "write the result record");
  if (fdatasync(fd) < 0)
    return error_errno(err, "keep the result record");
  return 0;
}

int result_parse(const char *text, size_t count, struct result *result,
                 struct error **err)
{
  char line[RESULT_MAX_BYTES], how[8], cause[8], end;
  if (count == 0)
    return error_make(err, ENODATA, "the result record is empty");
  if (count >= sizeof line || text[count - 1] != '\n' ||
      memchr(text, '\0', count) != NULL)
    return error_make(err, EINVAL, "the result record is damaged");
  memcpy(line, text, count - 1);
  line[count - 1] = '\0';
  int fields = sscanf(line,
                      "wafer-result 1 %7s %9d %18" SCNd64 " %18" SCNd64
                      " %18" SCNd64 " %7s%c",
                      how, &result->value, &result->ended_ns, &result->cpu_us,
                      &result->max_rss_kib, cause, &end);
  bool killed = fields >= 6 && strcmp(how, "killed") == 0;
  bool host = fields >= 6 && strcmp(cause, "host") == 0;
  if (fields != 6 || (!killed && strcmp(how, "exited") != 0) ||
      (!host && strcmp(cause, "job") != 0) || result->value < 0 ||
      result->value > 255 || result->ended_ns < 0 || result->cpu_us < 0 ||
      result->max_rss_kib < 0)
    return error_make(err, EINVAL, "the result record is damaged");
  result->killed = killed;
  result->host_gone = host;
  return 0;
}
