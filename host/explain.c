/* Why a run ended, so that its user can act on it. What the kernel and the
 * keeper tell decides; what the job's own report pipe says is used to explain,
 * never to decide. */
#include "config.h"

#include "host/execute.h"

#include "host/format.h"
#include "host/options.h"
#include "host/report.h"
#include "host/usage.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static void set_reason(struct run *run, enum reason_kind kind, char *text)
{
  run->reason.kind = kind;
  free(run->reason.text);
  run->reason.text = text;
}

static void explain_memory(struct run *run)
{
  char limit[FORMAT_SIZE], peak[FORMAT_SIZE];
  format_bytes(run->usage.memory_limit_bytes, limit);
  format_bytes(run->usage.memory_peak_bytes, peak);
  const char *where = run->reason.python_stack
                          ? "its Python stack at 95 % of the limit is kept"
                          : "its use rose too fast to see where";
  set_reason(run, REASON_OUT_OF_MEMORY,
             xasprintf("out of memory: the limit is %s, the peak was %s; %s. "
                       "Read the input in smaller parts, or take "
                       "--max-capacity 1",
                       limit, peak, where));
}

static void explain_timeout(struct run *run)
{
  char limit[FORMAT_SIZE];
  format_seconds(run->timeout_ms * 1000000, limit);
  set_reason(run, REASON_TIMEOUT,
             xasprintf("timeout: it ran longer than %s%s. Give a larger "
                       "--timeout, or make it quicker where it stood",
                       limit,
                       run->reason.python_stack ? "" : ", and gave no stack"));
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
  bool coding = strcmp(exception->type, "SyntaxError") == 0 &&
                exception->message != NULL &&
                strstr(exception->message, "Non-UTF-8") != NULL;
  cleanup_free char *place =
      exception->line > 0 ? xasprintf(" (%s, line %lld)", exception->file,
                                      (long long)exception->line)
                          : xstrdup("");
  set_reason(run, REASON_EXCEPTION,
             xasprintf("%s: %s%s%s%s", exception->type, exception->message,
                       place, refused,
                       coding ? "; save the script as UTF-8" : ""));
}

/* The order is the rule: what wafer itself did comes before what it saw. */
static enum run_event explain_end(struct run *run,
                                  const struct outcome *outcome)
{
  const struct result *result = &outcome->result;
  run->exit_status = result->killed ? 128 + result->value : result->value;
  run->signal = result->killed ? result->value : 0;
  if (outcome->stop_signal != 0) {
    explain_stop(run, outcome->stop_signal);
    run->exit_status = 128 + outcome->stop_signal;
    return EVENT_STOPPED;
  }
  if (outcome->timed_out) {
    explain_timeout(run);
    run->exit_status = EXIT_TIMEOUT;
    return EVENT_TIMED_OUT;
  }
  if (run->exit_status == 0)
    return EVENT_EXITED_OK;
  if (outcome->out_of_memory || (result->killed && run->usage.oom_kills > 0))
    explain_memory(run);
  else if (result->killed)
    explain_signal(run, result->value);
  else
    explain_exit(run, result->value);
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
    event = explain_end(run, outcome);
  } else {
    run->exit_status = EXIT_WAFER;
    set_reason(run, REASON_HOST_FAILED,
               xstrdup("the sandbox's keeper was killed from outside, so how "
                       "the script would have ended is not known"));
  }
  mask_reason(execution->mask, &run->reason);
  return event;
}
