#include "config.h"

#include "host/execute.h"

#include "base/fd.h"
#include "host/format.h"
#include "host/seccomp_log.h"
#include "host/stream.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void print_reason(const struct run *run)
{
  if (run->reason.kind == REASON_NONE || run->reason.text == NULL)
    return;
  cleanup_free char *text = format_safe(run->reason.text);
  fprintf(stderr, "wafer: %s\n", text);
  if (run->reason.python_stack == NULL)
    return;
  cleanup_free char *stack = format_safe_lines(run->reason.python_stack);
  fprintf(stderr, "%s\n", stack);
}

static void print_missing(const struct run *run)
{
  if (run->walls_missing.count == 0)
    return;
  fputs("wafer: it ran without", stderr);
  for (size_t i = 0; i < run->walls_missing.count; i++)
    fprintf(stderr, "%s %s",
            i ? "," : " these walls:", run->walls_missing.items[i]);
  fputc('\n', stderr);
}

/* Not why it ended, but what its user would else not know. */
static void print_log_end(const struct run *run)
{
  if (!run->log_truncated)
    return;
  int64_t longer = run->stdout_bytes > run->stderr_bytes ? run->stdout_bytes
                                                         : run->stderr_bytes;
  char cap[FORMAT_SIZE];
  if (longer > STREAM_LOG_MAX_BYTES)
    fprintf(stderr,
            "wafer: what is kept of its output ends at %s; \"wafer logs\" "
            "hasn't the rest\n",
            format_bytes(STREAM_LOG_MAX_BYTES, cap));
  else
    fputs("wafer: what is kept of its output is cut short: the store's disk "
          "was full\n",
          stderr);
}

/* The kernel's figure counts page cache, which gives way before anything is
 * killed: a job that read large files shows its whole limit. */
static bool is_mostly_cache(const struct run_usage *usage)
{
  return usage->oom_kills == 0 && usage->memory_limit_bytes > 0 &&
         usage->memory_peak_bytes > usage->memory_limit_bytes / 100 * 95;
}

void summary_print(const struct run *run, bool mid_line)
{
  if (mid_line)
    fputc('\n', stderr);
  char wall[FORMAT_SIZE], dpu[FORMAT_SIZE], cpu[FORMAT_SIZE];
  char peak[FORMAT_SIZE], limit[FORMAT_SIZE], cost[PRICE_TEXT_SIZE];
  price_format(&run->price, run->micro_dpu_seconds, PRICE_DECIMALS, cost);
  seccomp_log_print(run);
  print_missing(run);
  print_reason(run);
  print_log_end(run);
  fprintf(stderr,
          "wafer: %s · %s wall · %lld s billed · %s DPU-s · %s CPU · "
          "%s of %s peak%s · %s\n",
          state_name(run->state), format_seconds(run->duration_ns, wall),
          (long long)run->billed_seconds,
          format_dpu_seconds(run->micro_dpu_seconds, dpu),
          format_seconds(run->usage.cpu_ns, cpu),
          format_bytes(run->usage.memory_peak_bytes, peak),
          format_bytes(run->usage.memory_limit_bytes, limit),
          is_mostly_cache(&run->usage) ? " with page cache" : "", cost);
}

int summary_report(const struct run *run, int fd, struct error **err)
{
  cleanup_free char *text = run_to_text(run);
  /* A file's old contents stay until there is something in their place. */
  if (ftruncate(fd, 0) < 0 && errno != EINVAL)
    return error_errno(err, "--report");
  if (fd_write_all(fd, text, strlen(text), err) < 0 ||
      fd_write_all(fd, "\n", 1, err) < 0)
    return error_wrap(err, "--report");
  return 0;
}
