/* wafer show: one run, for people. Much of a record is what a user or a job
 * wrote, so every line goes through print_field, which makes it safe. */
#include "config.h"

#include "host/books.h"
#include "host/format.h"
#include "host/options.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { LABEL_WIDTH = 14 };

struct show_options {
  bool json;
};

static int take_json(void *target, const char *value, struct error **err)
{
  (void)value;
  (void)err;
  ((struct show_options *)target)->json = true;
  return 0;
}

static const struct option_row options[] = {
    {"json", NULL, "the record as one JSON document", take_json},
};

static void PRINTF_LIKE(2, 3)
    print_field(const char *label, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  cleanup_free char *text = xvasprintf(format, args);
  va_end(args);
  cleanup_free char *safe = format_safe(text);
  format_print_padded(label, LABEL_WIDTH);
  puts(safe);
}

/* Only where there is one. */
static void print_text(const char *label, const char *text)
{
  if (text != NULL && text[0] != '\0')
    print_field(label, "%s", text);
}

static void print_time(const char *label, int64_t realtime_ns)
{
  if (realtime_ns <= 0)
    return;
  char text[FORMAT_SIZE];
  print_field(label, "%s UTC", format_time(realtime_ns, text));
}

/* One a line: an item may hold any separator. */
static void print_list(const char *label, const struct text_list *list)
{
  for (size_t i = 0; i < list->count; i++)
    print_field(i == 0 ? label : "", "%s", list->items[i]);
}

static void print_asked(const struct run *run)
{
  print_text("script", run->script);
  print_list("arguments", &run->arguments);
  for (size_t i = 0; i < run->tag_count; i++)
    print_field(i == 0 ? "tags" : "", "%s=%s", run->tags[i].key,
                run->tags[i].value);
  print_field("size", "%s DPU", run->size);
  print_text("network", run->network);
  print_list("allowed", &run->allowed_networks);
  print_text("libraries", run->library_set);
  print_text("their lock", run->library_lock);
  print_list("modules", &run->python_modules);
  print_list("mounts", &run->mounts);
  print_list("environment", &run->env_names);
  print_list("secrets", &run->secret_names);
  if (run->timeout_ms > 0)
    print_field("timeout", "%.6g minutes", (double)run->timeout_ms / 60000);
  if (run->python_version != NULL)
    print_field("Python", "%s", run->python_version);
}

static void print_stack(const char *stack)
{
  cleanup_free char *safe = format_safe_lines(stack);
  puts("Python stack");
  char *rest = safe;
  for (char *line = strsep(&rest, "\n"); line != NULL;
       line = strsep(&rest, "\n"))
    if (line[0] != '\0')
      printf("  %s\n", line);
}

static void print_exception(const struct run_exception *exception)
{
  if (exception->type == NULL)
    return;
  print_field("exception", "%s: %s", exception->type,
              exception->message != NULL ? exception->message : "");
  if (exception->file != NULL)
    print_field("", "%s, line %" PRId64, exception->file, exception->line);
}

static void print_outcome(const struct run *run)
{
  const struct run_reason *reason = &run->reason;
  print_field("state", "%s", state_name(run->state));
  print_text("why", reason->text);
  print_exception(&reason->exception);
  for (size_t i = 0; i < reason->refused_syscall_count; i++)
    print_field(i == 0 ? "refused calls" : "", "%s × %" PRId64,
                reason->refused_syscalls[i].name,
                reason->refused_syscalls[i].count);
  for (size_t i = 0; i < run->seccomp_log.count; i++)
    print_field(
        i == 0 ? "seccomp log" : "", "%s %s %s × %" PRId64,
        run->seccomp_log.items[i].action, run->seccomp_log.items[i].name,
        run->seccomp_log.items[i].arguments, run->seccomp_log.items[i].count);
  if (run->exit_status >= 0)
    print_field("exit status", "%" PRId64, run->exit_status);
  if (run->signal > 0)
    print_field("signal", "%" PRId64 ", %s", run->signal,
                strsignal((int)run->signal));
  print_time("created", run->created_realtime_ns);
  print_time("started", run->started_realtime_ns);
  print_time("completed", run->completed_realtime_ns);
  if (run->walls_missing.count > 0)
    print_list("walls missing", &run->walls_missing);
  else
    print_field("walls missing", "none");
}

static void print_output(const struct run *run)
{
  char output[FORMAT_SIZE], errors[FORMAT_SIZE];
  print_field("wrote", "%s to stdout, %s to stderr%s",
              format_bytes(run->stdout_bytes, output),
              format_bytes(run->stderr_bytes, errors),
              run->log_truncated ? "; the kept logs are shorter" : "");
}

static void print_usage(const struct run_usage *usage)
{
  char first[FORMAT_SIZE], second[FORMAT_SIZE];
  if (usage->source[0] == '\0')
    return;
  print_field("measured by", "%s", usage->source);
  print_field("CPU time", "%s", format_seconds(usage->cpu_ns, first));
  /* wait4's figure is that of one process, the cgroup's of all. */
  print_field("memory peak", "%s of %s%s",
              format_bytes(usage->memory_peak_bytes, first),
              format_bytes(usage->memory_limit_bytes, second),
              usage->oom_kills >= 0 ? ", page cache included" : "");
  if (usage->max_rss_bytes >= 0)
    print_field("", "%s in its largest process",
                format_bytes(usage->max_rss_bytes, first));
  if (usage->oom_kills > 0)
    print_field("", "%" PRId64 " processes killed for memory",
                usage->oom_kills);
  if (usage->pids_refused > 0)
    print_field("processes", "refused %" PRId64 " times: too many at once",
                usage->pids_refused);
  if (usage->throttled_periods > 0)
    print_field("throttled", "%s in %" PRId64 " periods",
                format_seconds(usage->throttled_ns, first),
                usage->throttled_periods);
  if (usage->read_bytes >= 0 || usage->write_bytes >= 0)
    print_field("disk", "%s read, %s written",
                format_bytes(usage->read_bytes, first),
                format_bytes(usage->write_bytes, second));
  if (usage->scratch_bytes >= 0)
    print_field("/tmp", "%s at the end",
                format_bytes(usage->scratch_bytes, first));
}

/* The arithmetic, so that it can be checked by hand. */
static void print_bill(const struct run *run)
{
  enum { SECONDS_PER_HOUR = 3600 };
  if (!state_is_final(run->state))
    return;
  const struct price *price = &run->price;
  char wall[FORMAT_SIZE], dpu[FORMAT_SIZE], used[FORMAT_SIZE];
  char rate[PRICE_TEXT_SIZE], cost[PRICE_TEXT_SIZE];
  unsigned decimals = price->rate_micro_usd % 10000 == 0 ? 2 : PRICE_DECIMALS;
  price_format(price, SECONDS_PER_HOUR * INT64_C(1000000), decimals, rate);
  price_format(price, run->micro_dpu_seconds, PRICE_DECIMALS, cost);
  print_field("wall time", "%s", format_seconds(run->duration_ns, wall));
  print_field("price",
              "%s a DPU-hour (%s, in force since %s): in whole %" PRId64
              " s, %" PRId64 " s at least",
              rate, price->id, price->valid_from, price->rounding_s,
              price->minimum_s);
  print_field("bill", "%" PRId64 " s × %s DPU = %s DPU-s; × %s / %d s = %s",
              run->billed_seconds, format_dpu_seconds(run->micro_dpu, dpu),
              format_dpu_seconds(run->micro_dpu_seconds, used), rate,
              SECONDS_PER_HOUR, cost);
}

static void print_run(const struct run *run)
{
  print_field("run", "%s", run->id);
  if (run->attempt > 0)
    print_field("attempt", "%" PRId64, run->attempt);
  print_text("name", run->name);
  print_outcome(run);
  puts("");
  print_asked(run);
  puts("");
  print_output(run);
  print_usage(&run->usage);
  print_bill(run);
  if (run->reason.python_stack != NULL) {
    puts("");
    print_stack(run->reason.python_stack);
  }
}

static int run_show(void *target, const struct command_line *line,
                    struct error **err)
{
  const struct show_options *asked = target;
  cleanup_store struct store *store = NULL;
  cleanup_run struct run run;
  run_init(&run);
  if (books_open(&store, err) < 0 ||
      store_get_run(store, line->words[0], &run, err) < 0)
    return -1;
  if (asked->json) {
    cleanup_free char *text = run_to_text(&run);
    puts(text);
  } else {
    print_run(&run);
  }
  return format_flush(err);
}

const struct command command_show = {
    .name = "show",
    .usage = "RUN [--json]",
    .summary = "Show one run: how it ended and why, what it used and cost",
    .options = options,
    .option_count = ARRAY_LENGTH(options),
    .words_min = 1,
    .words_max = 1,
    .target_bytes = sizeof(struct show_options),
    .run = run_show,
};
