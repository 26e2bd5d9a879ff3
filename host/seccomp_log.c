#include "config.h"

#include "host/seccomp_log.h"

#include "host/format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool is_same_kind(const struct seccomp_refusal *one,
                         const struct seccomp_refusal *other)
{
  if (one->number != other->number)
    return false;
  unsigned tested = one->name ? seccomp_tested_arguments(one->name) : 0;
  for (size_t i = 0; i < SECCOMP_ARGUMENTS_MAX; i++)
    if ((tested & 1U << i) && one->arguments[i] != other->arguments[i])
      return false;
  return true;
}

void seccomp_log_add(struct seccomp_log *log,
                     const struct seccomp_refusal *refusal)
{
  for (size_t i = 0; i < log->row_count; i++)
    if (is_same_kind(&log->rows[i].refusal, refusal)) {
      log->rows[i].count++;
      return;
    }
  if (log->row_count == SECCOMP_LOG_MAX)
    log->others++;
  else
    log->rows[log->row_count++] =
        (struct seccomp_log_row){.refusal = *refusal, .count = 1};
}

static char *arguments_text(const struct seccomp_refusal *refusal)
{
  char *text = xstrdup("");
  unsigned tested = refusal->name ? seccomp_tested_arguments(refusal->name) : 0;
  for (unsigned i = 0; i < SECCOMP_ARGUMENTS_MAX; i++) {
    if ((tested & 1U << i) == 0)
      continue;
    cleanup_free char *before = text;
    text = xasprintf("%s%sa%u = %#x", before, before[0] != '\0' ? ", " : "", i,
                     refusal->arguments[i]);
  }
  return text;
}

static void add_row(struct run *run, const struct seccomp_log_row *row)
{
  const struct seccomp_refusal *refusal = &row->refusal;
  const struct seccomp_verdict *verdict = &refusal->verdict;
  run_add_call(
      run,
      &(struct run_call){
          .name = refusal->name ? xstrdup(refusal->name)
                                : xasprintf("system call %d", refusal->number),
          .arguments = arguments_text(refusal),
          .action = xstrdup(seccomp_action_name(verdict->action)),
          .answer =
              xstrdup(strerrorname_np(seccomp_action_errno(verdict->action))),
          .reason = xstrdup(verdict->reason),
          .instead = verdict->instead ? xstrdup(verdict->instead) : NULL,
          .count = row->count,
      });
}

void seccomp_log_finish(const struct seccomp_log *log, struct run *run)
{
  static const enum seccomp_action order[] = {SECCOMP_REFUSE, SECCOMP_ABSENT,
                                              SECCOMP_QUIET};
  run->seccomp_log.asked = true;
  for (size_t i = 0; i < ARRAY_LENGTH(order); i++)
    for (size_t j = 0; j < log->row_count; j++)
      if (log->rows[j].refusal.verdict.action == order[i])
        add_row(run, &log->rows[j]);
  if (log->others > 0)
    run_add_call(run, &(struct run_call){
                          .name = xstrdup("others"),
                          .arguments = xstrdup(""),
                          .action = xstrdup(""),
                          .answer = xstrdup(""),
                          .reason = xstrdup("too many kinds to name them all"),
                          .count = log->others,
                      });
}

static void print_call(const struct run_call *call)
{
  bool bare = call->arguments[0] == '\0';
  cleanup_free char *line = xasprintf(
      "%s %s%s%s%s × %" PRId64 ", %s: %s%s%s", call->action, call->name,
      bare ? "" : " (", call->arguments, bare ? "" : ")", call->count,
      call->answer, call->reason, call->instead ? "; instead: " : "",
      call->instead ? call->instead : "");
  cleanup_free char *safe = format_safe(line);
  fprintf(stderr, "wafer:   %s\n", safe);
}

void seccomp_log_print(const struct run *run)
{
  const struct run_call_log *log = &run->seccomp_log;
  if (!log->asked)
    return;
  if (log->count == 0)
    fputs("wafer: seccomp log: every system call was allowed\n", stderr);
  else
    fprintf(stderr,
            "wafer: seccomp log: %zu kind%s of system calls not "
            "allowed\n",
            log->count, log->count == 1 ? "" : "s");
  for (size_t i = 0; i < log->count; i++)
    print_call(&log->items[i]);
}
