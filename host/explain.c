/* Why a run ended, so that its user can act on it. What the kernel and the
 * keeper tell decides; what the job's own report pipe says is used to explain,
 * never to decide. */
#include "config.h"

#include "host/execute.h"

#include "base/clock.h"
#include "host/caps.h"
#include "host/format.h"
#include "host/options.h"
#include "host/report.h"
#include "host/usage.h"
#include "host/walls.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static void set_reason(struct run *run, enum reason_kind kind, char *text)
{
  run->reason.kind = kind;
  free(run->reason.text);
  run->reason.text = text;
}

static void explain_memory(struct run *run, const struct size *size)
{
  char limit[FORMAT_SIZE], peak[FORMAT_SIZE];
  format_bytes(run->usage.memory_limit_bytes, limit);
  format_bytes(run->usage.memory_peak_bytes, peak);
  const char *where = run->reason.python_stack
                          ? "its Python stack at 95 % of the limit is kept"
                          : "its use rose too fast to see where";
  set_reason(run, REASON_OUT_OF_MEMORY,
             xasprintf("out of memory: the limit is %s, the peak was %s; %s. "
                       "Read the input in smaller parts%s",
                       limit, peak, where, caps_larger_size(size)));
}

/* Most of the time it had used up what its size has of the CPU. */
static bool was_held_back(const struct run *run)
{
  enum { PERIOD_MS = 100 };
  return run->usage.throttled_periods * PERIOD_MS >
         run->duration_ns / NS_PER_MS / 2;
}

static void explain_timeout(struct run *run, const struct size *size)
{
  char limit[FORMAT_SIZE];
  cleanup_free char *held = xstrdup("");
  format_seconds(run->timeout_ms * NS_PER_MS, limit);
  if (was_held_back(run)) {
    free(held);
    held = xasprintf(", and wanted more than its %.4g CPU most of that time",
                     (double)size->cpu_milli / 1000);
  }
  set_reason(run, REASON_TIMEOUT,
             xasprintf("timeout: it ran longer than %s%s%s. Give a larger "
                       "--timeout%s, or make it quicker where it stood",
                       limit, held,
                       run->reason.python_stack ? "" : ", and gave no stack",
                       *held != '\0' ? caps_larger_size(size) : ""));
}

/* The disk below the scratch didn't take what it was given: exit status and
 * output may rest on what is lost. */
static void explain_lost_scratch(struct execution *execution)
{
  struct run *run = &execution->run;
  run->exit_status = EXIT_WAFER;
  set_reason(run, REASON_HOST_FAILED,
             xasprintf("part of what it wrote to /tmp is lost: the disk of %s "
                       "is full, or failing. Make room there and run it again",
                       store_dir(execution->store)));
}

static void explain_stop(struct run *run, int signal_number)
{
  set_reason(run, REASON_STOPPED,
             xasprintf("stopped by SIG%s", sigabbrev_np(signal_number)));
}

static void explain_signal(struct run *run, int signal_number)
{
  const char *name = sigabbrev_np(signal_number);
  set_reason(run, REASON_SIGNAL,
             xasprintf("killed by signal %d (SIG%s: %s)", signal_number,
                       name ? name : "?", strsignal(signal_number)));
}

static char *refused_calls(const struct run *run)
{
  char *text = xstrdup("");
  for (size_t i = 0; i < run->reason.refused_syscall_count; i++) {
    char *longer = xasprintf("%s%s%s", text,
                             i ? ", "
                               : "; the sandbox refused the system "
                                 "call ",
                             run->reason.refused_syscalls[i].name);
    free(text);
    text = longer;
  }
  return text;
}

static void explain_exit(struct run *run, int status)
{
  const struct run_exception *exception = &run->reason.exception;
  cleanup_free char *refused = refused_calls(run);
  if (exception->type == NULL) {
    set_reason(
        run, REASON_EXIT_STATUS,
        xasprintf("the script exited with status %d%s", status, refused));
    return;
  }
  const char *message = exception->message != NULL ? exception->message : "";
  bool coding = strcmp(exception->type, "SyntaxError") == 0 &&
                strstr(message, "Non-UTF-8") != NULL;
  cleanup_free char *place =
      exception->line > 0 ? xasprintf(" (%s, line %lld)", exception->file,
                                      (long long)exception->line)
                          : xstrdup("");
  set_reason(run, REASON_EXCEPTION,
             xasprintf("%s%s%s%s%s%s", exception->type,
                       message[0] != '\0' ? ": " : "", message, place, refused,
                       coding ? "; save the script as UTF-8" : ""));
}

/* Adds the cap that it met, if any, to why it failed. */
static void add_cap(struct execution *execution)
{
  struct run *run = &execution->run;
  struct caps_end end = {
      .run = run,
      .size = execution->request->size,
      .scratch = &execution->scratch_usage,
      .has_cgroup = !(execution->cell.missing & 1U << WALL_CGROUP),
      .own_ids = execution->cell.ids.own,
  };
  struct caps_finding cap;
  if (!caps_find(&end, &cap))
    return;
  char *text = xasprintf("%s; %s", run->reason.text, cap.text);
  set_reason(run, cap.kind != REASON_NONE ? cap.kind : run->reason.kind, text);
  free(cap.text);
}

/* The order is the rule: what wafer itself did comes before what it saw. */
static enum run_event explain_end(struct execution *execution,
                                  const struct outcome *outcome)
{
  struct run *run = &execution->run;
  const struct result *result = &outcome->result;
  run->exit_status = result->killed ? 128 + result->value : result->value;
  run->signal = result->killed ? result->value : 0;
  if (outcome->stop_signal != 0) {
    explain_stop(run, outcome->stop_signal);
    run->exit_status = 128 + outcome->stop_signal;
    return EVENT_STOPPED;
  }
  if (outcome->timed_out) {
    explain_timeout(run, execution->request->size);
    run->exit_status = EXIT_TIMEOUT;
    return EVENT_TIMED_OUT;
  }
  if (execution->scratch_usage.faults != 0) {
    explain_lost_scratch(execution);
    return EVENT_HOST_FAILED;
  }
  if (run->exit_status == 0)
    return EVENT_EXITED_OK;
  if (outcome->out_of_memory || (result->killed && run->usage.oom_kills > 0)) {
    explain_memory(run, execution->request->size);
    return EVENT_EXITED_BAD;
  }
  if (result->killed)
    explain_signal(run, result->value);
  else
    explain_exit(run, result->value);
  add_cap(execution);
  return EVENT_EXITED_BAD;
}

static void mask_member(const struct mask *mask, char **member)
{
  if (*member == NULL)
    return;
  char *masked = mask_text(mask, *member);
  free(*member);
  *member = masked;
}

/* What a script says of its own end may quote a secret. */
static void mask_reason(const struct mask *mask, struct run_reason *reason)
{
  mask_member(mask, &reason->text);
  mask_member(mask, &reason->python_stack);
  mask_member(mask, &reason->exception.type);
  mask_member(mask, &reason->exception.message);
  mask_member(mask, &reason->exception.file);
}

enum run_event explain(struct execution *execution,
                       const struct outcome *outcome)
{
  struct run *run = &execution->run;
  enum run_event event = EVENT_HOST_FAILED;
  run->duration_ns = outcome->ended_ns - execution->released_ns;
  report_read(outcome->report, outcome->report_count, &run->reason);
  if (outcome->have_result) {
    run->duration_ns = outcome->result.ended_ns - execution->released_ns;
    usage_add_result(&run->usage, &outcome->result);
    event = explain_end(execution, outcome);
  } else {
    run->exit_status = EXIT_WAFER;
    set_reason(run, REASON_HOST_FAILED,
               xstrdup("the sandbox's keeper was killed from outside, so how "
                       "the script would have ended is not known"));
  }
  mask_reason(execution->mask, &run->reason);
  return event;
}
