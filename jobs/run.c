#include "config.h"

#include "jobs/run.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define ID_PREFIX "jr_"
enum { ID_BYTES = 32, ID_PREFIX_LENGTH = 3 };

void run_init(struct run *run)
{
  *run = (struct run){
      .start_ns = -1,
      .exit_status = -1,
      .usage =
          {
              .cpu_ns = -1,
              .memory_peak_bytes = -1,
              .memory_limit_bytes = -1,
              .max_rss_bytes = -1,
              .throttled_ns = -1,
              .throttled_periods = -1,
              .oom_kills = -1,
              .read_bytes = -1,
              .write_bytes = -1,
              .pids_refused = -1,
              .scratch_bytes = -1,
          },
  };
}

static void release_reason(struct run_reason *reason)
{
  free(reason->text);
  free(reason->python_stack);
  free(reason->exception.type);
  free(reason->exception.message);
  free(reason->exception.file);
  for (size_t i = 0; i < reason->refused_syscall_count; i++)
    free(reason->refused_syscalls[i].name);
  free(reason->refused_syscalls);
}

static void release_calls(struct run_call_log *log)
{
  for (size_t i = 0; i < log->count; i++) {
    free(log->items[i].name);
    free(log->items[i].arguments);
    free(log->items[i].action);
    free(log->items[i].answer);
    free(log->items[i].reason);
    free(log->items[i].instead);
  }
  free(log->items);
}

void run_release(struct run *run)
{
  free(run->name);
  free(run->script);
  text_list_release(&run->arguments);
  for (size_t i = 0; i < run->tag_count; i++) {
    free(run->tags[i].key);
    free(run->tags[i].value);
  }
  free(run->tags);
  free(run->network);
  free(run->library_set);
  free(run->library_lock);
  text_list_release(&run->python_modules);
  release_reason(&run->reason);
  release_calls(&run->seccomp_log);
  text_list_release(&run->walls_missing);
  text_list_release(&run->env_names);
  text_list_release(&run->secret_names);
  text_list_release(&run->allowed_networks);
  text_list_release(&run->mounts);
  free(run->python_version);
  free(run->start);
  run_init(run);
}

int run_new_id(struct run *run, struct error **err)
{
  unsigned char bytes[ID_BYTES];
  /* Up to 256 bytes come whole and aren't interrupted (getrandom (2)). */
  if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
    return error_errno(err, "getrandom");
  memcpy(run->id, ID_PREFIX, ID_PREFIX_LENGTH);
  for (size_t i = 0; i < sizeof bytes; i++)
    snprintf(run->id + ID_PREFIX_LENGTH + 2 * i, 3, "%02x", bytes[i]);
  return 0;
}

bool run_id_is_valid(const char *id)
{
  return strnlen(id, RUN_ID_SIZE) == RUN_ID_SIZE - 1 &&
         strncmp(id, ID_PREFIX, ID_PREFIX_LENGTH) == 0 &&
         strspn(id + ID_PREFIX_LENGTH, "0123456789abcdef") == 2 * ID_BYTES;
}

void run_set_size(struct run *run, const struct size *size)
{
  snprintf(run->size, sizeof run->size, "%s", size->name);
  run->micro_dpu = size->micro_dpu;
}

void run_set_text(char **member, const char *text)
{
  char *copy = text != NULL ? xstrdup(text) : NULL;
  free(*member);
  *member = copy;
}

void run_set_tag(struct run *run, const char *key, const char *value)
{
  for (size_t i = 0; i < run->tag_count; i++)
    if (strcmp(run->tags[i].key, key) == 0) {
      run_set_text(&run->tags[i].value, value);
      return;
    }
  run->tags = xreallocarray(run->tags, run->tag_count + 1, sizeof *run->tags);
  run->tags[run->tag_count++] =
      (struct run_tag){.key = xstrdup(key), .value = xstrdup(value)};
}

void run_add_refused_syscall(struct run *run, const char *name, int64_t count)
{
  struct run_reason *reason = &run->reason;
  for (size_t i = 0; i < reason->refused_syscall_count; i++) {
    struct run_syscall *known = &reason->refused_syscalls[i];
    if (strcmp(known->name, name) == 0) {
      if (__builtin_add_overflow(known->count, count, &known->count))
        known->count = INT64_MAX;
      return;
    }
  }
  reason->refused_syscalls =
      xreallocarray(reason->refused_syscalls, reason->refused_syscall_count + 1,
                    sizeof *reason->refused_syscalls);
  reason->refused_syscalls[reason->refused_syscall_count++] =
      (struct run_syscall){.name = xstrdup(name), .count = count};
}

void run_add_call(struct run *run, const struct run_call *call)
{
  struct run_call_log *log = &run->seccomp_log;
  log->asked = true;
  log->items = xreallocarray(log->items, log->count + 1, sizeof *log->items);
  log->items[log->count++] = *call;
}

int run_meter(struct run *run, struct error **err)
{
  int64_t billed_s = 0, micro_dpu_s, pico_usd;
  if (run->started_realtime_ns != 0 &&
      price_billed_seconds(&run->price, run->duration_ns, &billed_s, err) < 0)
    return -1;
  if (price_micro_dpu_seconds(billed_s, run->micro_dpu, &micro_dpu_s, err) < 0)
    return -1;
  if (price_cost_pico_usd(&run->price, micro_dpu_s, &pico_usd, err) < 0)
    return -1;
  run->billed_seconds = billed_s;
  run->micro_dpu_seconds = micro_dpu_s;
  run->cost_pico_usd = pico_usd;
  return 0;
}

const char *reason_kind_name(enum reason_kind kind)
{
  static const char *const names[REASON_KIND_COUNT] = {
      [REASON_NONE] = "",
      [REASON_OUT_OF_MEMORY] = "out_of_memory",
      [REASON_TIMEOUT] = "timeout",
      [REASON_STOPPED] = "stopped",
      [REASON_SIGNAL] = "signal",
      [REASON_EXCEPTION] = "exception",
      [REASON_EXIT_STATUS] = "exit_status",
      [REASON_HOST_LOST] = "host_lost",
      [REASON_HOST_FAILED] = "host_failed",
      [REASON_SETUP] = "setup",
  };
  return names[kind];
}

void run_list_release(struct run_list *list)
{
  for (size_t i = 0; i < list->count; i++)
    run_release(&list->items[i]);
  free(list->items);
  *list = (struct run_list){0};
}
