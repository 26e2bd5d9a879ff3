/* wafer runs: past runs, the latest first. */
#include "config.h"

#include "host/books.h"
#include "host/format.h"
#include "host/options.h"
#include "host/table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct runs_options {
  struct store_filter filter;
  bool json;
};

static int take_limit(void *target, const char *value, struct error **err)
{
  struct runs_options *asked = target;
  char *end;
  errno = 0;
  long long limit = strtoll(value, &end, 10);
  if (value[0] < '0' || value[0] > '9' || *end != '\0' || errno != 0 ||
      limit < 1)
    return error_make(err, EINVAL, "\"%s\" is no count: give 1 or more", value);
  asked->filter.limit = limit;
  return 0;
}

static int take_state(void *target, const char *value, struct error **err)
{
  return state_parse(value, &((struct runs_options *)target)->filter.state,
                     err);
}

static int take_name(void *target, const char *value, struct error **err)
{
  (void)err;
  ((struct runs_options *)target)->filter.name = value;
  return 0;
}

static int take_json(void *target, const char *value, struct error **err)
{
  (void)value;
  (void)err;
  ((struct runs_options *)target)->json = true;
  return 0;
}

static const struct option_row options[] = {
    {"limit", "N", "at most N", take_limit},
    {"state", "STATE", "only those in this state: RUNNING, FAILED …",
     take_state},
    {"name", "NAME", "only those of this name", take_name},
    {"json", NULL, "whole records, as a JSON array", take_json},
};

static const struct table_column columns[] = {
    {"RUN", TABLE_LEFT},    {"NAME", TABLE_LEFT},
    {"STATE", TABLE_LEFT},  {"STARTED (UTC)", TABLE_LEFT},
    {"WALL", TABLE_RIGHT},  {"BILLED", TABLE_RIGHT},
    {"DPU-S", TABLE_RIGHT}, {"COST", TABLE_RIGHT},
    {"EXIT", TABLE_RIGHT},
};

static void add_bill(struct table *table, const struct run *run)
{
  if (!state_is_final(run->state)) {
    for (int i = 0; i < 5; i++)
      table_add(table, "-");
    return;
  }
  char text[FORMAT_SIZE], billed[FORMAT_SIZE], status[FORMAT_SIZE];
  char cost[PRICE_TEXT_SIZE];
  snprintf(billed, sizeof billed, "%" PRId64 " s", run->billed_seconds);
  snprintf(status, sizeof status, "%" PRId64, run->exit_status);
  price_format(&run->price, run->micro_dpu_seconds, PRICE_DECIMALS, cost);
  table_add(table, format_seconds(run->duration_ns, text));
  table_add(table, billed);
  table_add(table, format_dpu_seconds(run->micro_dpu_seconds, text));
  table_add(table, cost);
  table_add(table, run->exit_status < 0 ? "-" : status);
}

static void add_run(struct table *table, const struct run *run)
{
  enum { ID_SHOWN = 15 }; /* "jr_" and 12 digits: enough to be the only one */
  char id[ID_SHOWN + 1], started[FORMAT_SIZE];
  snprintf(id, sizeof id, "%.*s", ID_SHOWN, run->id);
  table_add(table, id);
  table_add(table, run->name != NULL ? run->name : "-");
  table_add(table, state_name(run->state));
  table_add(table, format_time(run->started_realtime_ns, started));
  add_bill(table, run);
}

static void print_table(const struct run_list *list)
{
  cleanup_table struct table table = {.columns = columns,
                                      .column_count = ARRAY_LENGTH(columns)};
  for (size_t i = 0; i < list->count; i++)
    add_run(&table, &list->items[i]);
  table_print(&table);
}

/* A record a line. */
static void print_json(const struct run_list *list)
{
  putchar('[');
  for (size_t i = 0; i < list->count; i++) {
    cleanup_free char *text = run_to_text(&list->items[i]);
    printf("%s\n%s", i > 0 ? "," : "", text);
  }
  puts(list->count > 0 ? "\n]" : "]");
}

/* 1: there is a store; 0: not yet. */
static int list_runs(const struct store_filter *filter, struct run_list *list,
                     struct error **err)
{
  cleanup_store struct store *store = NULL;
  if (books_open(&store, err) == 0)
    return store_list_runs(store, filter, list, err) < 0 ? -1 : 1;
  if ((*err)->code != ENOENT)
    return -1;
  fprintf(stderr, "wafer: %s\n", (*err)->text);
  error_clear(err);
  return 0;
}

static int run_runs(void *target, const struct command_line *line,
                    struct error **err)
{
  (void)line;
  const struct runs_options *asked = target;
  cleanup_run_list struct run_list list = {0};
  int found = list_runs(&asked->filter, &list, err);
  if (found < 0)
    return -1;
  if (asked->json)
    print_json(&list);
  else if (list.count > 0)
    print_table(&list);
  else if (found > 0)
    fputs("wafer: no run fits\n", stderr);
  return format_flush(err);
}

const struct command command_runs = {
    .name = "runs",
    .usage = "[--limit N] [--state STATE] [--name NAME] [--json]",
    .summary = "List past runs, the latest first",
    .options = options,
    .option_count = ARRAY_LENGTH(options),
    .target_bytes = sizeof(struct runs_options),
    .run = run_runs,
};
