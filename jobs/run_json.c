/* A run as JSON and back, by one table that serves both ways. */
#include "config.h"

#include "jobs/run.h"
#include "jobs/utf8.h"

#include <errno.h>
#include <string.h>

enum { RECORD_FORMAT = 1 };

enum field_kind {
  FIELD_INT64,
  FIELD_BOOL,
  FIELD_TEXT,  /* char * */
  FIELD_CHARS, /* char [size] */
  FIELD_LIST,  /* struct text_list */
  FIELD_STATE,
  FIELD_REASON_KIND,
  FIELD_TAGS,
  FIELD_SYSCALLS,
  FIELD_CALLS,
  FIELD_OBJECT, /* `fields` in an object of their own */
};

/* Offsets are into struct run, in nested tables too. */
struct field {
  const char *key; /* NULL ends a table */
  enum field_kind kind;
  size_t offset;
  size_t size;
  const struct field *fields;
};

#define FIELD(key, kind, member)                                               \
  {                                                                            \
    key, FIELD_##kind, offsetof(struct run, member),                           \
        sizeof(((struct run *)NULL)->member), NULL                             \
  }
#define OBJECT(key, fields)                                                    \
  {                                                                            \
    key, FIELD_OBJECT, 0, 0, fields                                            \
  }
#define END                                                                    \
  {                                                                            \
    0                                                                          \
  }

static const struct field price_fields[] = {
    FIELD("id", CHARS, price.id),
    FIELD("valid_from", CHARS, price.valid_from),
    FIELD("rate_micro_usd", INT64, price.rate_micro_usd),
    FIELD("minimum_s", INT64, price.minimum_s),
    FIELD("rounding_s", INT64, price.rounding_s),
    FIELD("currency", CHARS, price.currency),
    END,
};

static const struct field usage_fields[] = {
    FIELD("source", CHARS, usage.source),
    FIELD("cpu_ns", INT64, usage.cpu_ns),
    FIELD("memory_peak_bytes", INT64, usage.memory_peak_bytes),
    FIELD("memory_limit_bytes", INT64, usage.memory_limit_bytes),
    FIELD("max_rss_bytes", INT64, usage.max_rss_bytes),
    FIELD("throttled_ns", INT64, usage.throttled_ns),
    FIELD("throttled_periods", INT64, usage.throttled_periods),
    FIELD("oom_kills", INT64, usage.oom_kills),
    FIELD("read_bytes", INT64, usage.read_bytes),
    FIELD("write_bytes", INT64, usage.write_bytes),
    FIELD("pids_refused", INT64, usage.pids_refused),
    FIELD("scratch_bytes", INT64, usage.scratch_bytes),
    END,
};

static const struct field exception_fields[] = {
    FIELD("type", TEXT, reason.exception.type),
    FIELD("message", TEXT, reason.exception.message),
    FIELD("file", TEXT, reason.exception.file),
    FIELD("line", INT64, reason.exception.line),
    END,
};

static const struct field reason_fields[] = {
    FIELD("kind", REASON_KIND, reason.kind),
    FIELD("text", TEXT, reason.text),
    FIELD("python_stack", TEXT, reason.python_stack),
    OBJECT("exception", exception_fields),
    FIELD("refused_syscalls", SYSCALLS, reason),
    END,
};

static const struct field walls_fields[] = {
    FIELD("missing", LIST, walls_missing),
    END,
};

static const struct field output_fields[] = {
    FIELD("stdout_bytes", INT64, stdout_bytes),
    FIELD("stderr_bytes", INT64, stderr_bytes),
    FIELD("log_truncated", BOOL, log_truncated),
    END,
};

static const struct field owner_fields[] = {
    FIELD("pid", INT64, owner.pid),
    FIELD("start_ticks", INT64, owner.start_ticks),
    FIELD("boot_id", CHARS, owner.boot_id),
    END,
};

static const struct field keeper_fields[] = {
    FIELD("pid", INT64, keeper.pid),
    FIELD("start_ticks", INT64, keeper.start_ticks),
    FIELD("boot_id", CHARS, keeper.boot_id),
    END,
};

static const struct field run_fields[] = {
    FIELD("id", CHARS, id),
    FIELD("attempt", INT64, attempt),
    FIELD("name", TEXT, name),
    FIELD("script", TEXT, script),
    FIELD("arguments", LIST, arguments),
    FIELD("tags", TAGS, tags),
    FIELD("size", CHARS, size),
    FIELD("micro_dpu", INT64, micro_dpu),
    FIELD("network", TEXT, network),
    FIELD("allowed_networks", LIST, allowed_networks),
    FIELD("library_set", TEXT, library_set),
    FIELD("library_lock", TEXT, library_lock),
    FIELD("python_modules", LIST, python_modules),
    FIELD("timeout_ms", INT64, timeout_ms),
    FIELD("state", STATE, state),
    FIELD("created_realtime_ns", INT64, created_realtime_ns),
    FIELD("started_realtime_ns", INT64, started_realtime_ns),
    FIELD("completed_realtime_ns", INT64, completed_realtime_ns),
    FIELD("duration_ns", INT64, duration_ns),
    FIELD("billed_seconds", INT64, billed_seconds),
    FIELD("micro_dpu_seconds", INT64, micro_dpu_seconds),
    OBJECT("price", price_fields),
    FIELD("cost_pico_usd", INT64, cost_pico_usd),
    OBJECT("usage", usage_fields),
    FIELD("start", TEXT, start),
    FIELD("start_ns", INT64, start_ns),
    FIELD("exit_status", INT64, exit_status),
    FIELD("signal", INT64, signal),
    OBJECT("reason", reason_fields),
    FIELD("seccomp_log", CALLS, seccomp_log),
    OBJECT("walls", walls_fields),
    FIELD("env_names", LIST, env_names),
    FIELD("secret_names", LIST, secret_names),
    FIELD("mounts", LIST, mounts),
    FIELD("python_version", TEXT, python_version),
    OBJECT("output", output_fields),
    OBJECT("owner", owner_fields),
    OBJECT("keeper", keeper_fields),
    END,
};

/* Writing. jansson fails only without memory, which ends the process, as in
 * base/mem.h: a record that lacks a member would be worse. */

static json_t *made(json_t *value)
{
  if (value == NULL)
    abort();
  return value;
}

static void put(json_t *object, const char *key, json_t *value)
{
  if (json_object_set_new(object, key, made(value)) < 0)
    abort();
}

static void push(json_t *array, json_t *value)
{
  if (json_array_append_new(array, made(value)) < 0)
    abort();
}

static json_t *text_to_json(const char *text)
{
  if (text == NULL)
    return json_null();
  cleanup_free char *clean = utf8_clean(text, strlen(text));
  return json_string(clean);
}

static json_t *list_to_json(const struct text_list *list)
{
  json_t *array = made(json_array());
  for (size_t i = 0; i < list->count; i++)
    push(array, text_to_json(list->items[i]));
  return array;
}

static json_t *tags_to_json(const struct run *run)
{
  json_t *object = made(json_object());
  for (size_t i = 0; i < run->tag_count; i++) {
    const struct run_tag *tag = &run->tags[i];
    cleanup_free char *key = utf8_clean(tag->key, strlen(tag->key));
    put(object, key, text_to_json(tag->value));
  }
  return object;
}

static json_t *syscalls_to_json(const struct run_reason *reason)
{
  json_t *array = made(json_array());
  for (size_t i = 0; i < reason->refused_syscall_count; i++) {
    const struct run_syscall *refused = &reason->refused_syscalls[i];
    json_t *object = made(json_object());
    put(object, "name", text_to_json(refused->name));
    put(object, "count", json_integer(refused->count));
    push(array, object);
  }
  return array;
}

/* The texts of a struct run_call. */
static const struct {
  const char *key;
  size_t offset;
} call_texts[] = {
    {"call", offsetof(struct run_call, name)},
    {"arguments", offsetof(struct run_call, arguments)},
    {"action", offsetof(struct run_call, action)},
    {"answer", offsetof(struct run_call, answer)},
    {"reason", offsetof(struct run_call, reason)},
    {"instead", offsetof(struct run_call, instead)},
};

static json_t *calls_to_json(const struct run_call_log *log)
{
  if (!log->asked)
    return json_null();
  json_t *array = made(json_array());
  for (size_t i = 0; i < log->count; i++) {
    json_t *object = made(json_object());
    for (size_t j = 0; j < ARRAY_LENGTH(call_texts); j++) {
      const void *text = (const char *)&log->items[i] + call_texts[j].offset;
      put(object, call_texts[j].key, text_to_json(*(char *const *)text));
    }
    put(object, "count", json_integer(log->items[i].count));
    push(array, object);
  }
  return array;
}

static json_t *fields_to_json(const struct field *fields,
                              const struct run *run);

static json_t *field_to_json(const struct field *field, const struct run *run)
{
  const void *member = (const char *)run + field->offset;
  switch (field->kind) {
  case FIELD_INT64:
    return json_integer(*(const int64_t *)member);
  case FIELD_BOOL:
    return json_boolean(*(const bool *)member);
  case FIELD_TEXT:
    return text_to_json(*(char *const *)member);
  case FIELD_CHARS:
    return text_to_json(member);
  case FIELD_LIST:
    return list_to_json(member);
  case FIELD_STATE:
    return json_string(state_name(*(const enum state *)member));
  case FIELD_REASON_KIND:
    return json_string(reason_kind_name(*(const enum reason_kind *)member));
  case FIELD_TAGS:
    return tags_to_json(run);
  case FIELD_SYSCALLS:
    return syscalls_to_json(member);
  case FIELD_CALLS:
    return calls_to_json(member);
  case FIELD_OBJECT:
    return fields_to_json(field->fields, run);
  default:
    abort();
  }
}

static json_t *fields_to_json(const struct field *fields, const struct run *run)
{
  json_t *object = made(json_object());
  for (; fields->key != NULL; fields++)
    put(object, fields->key, field_to_json(fields, run));
  return object;
}

json_t *run_to_json(const struct run *run)
{
  json_t *object = fields_to_json(run_fields, run);
  put(object, "format", json_integer(RECORD_FORMAT));
  return object;
}

char *run_to_text(const struct run *run)
{
  json_t *json = run_to_json(run);
  char *text = json_dumps(json, JSON_COMPACT);
  json_decref(json);
  if (text == NULL)
    abort();
  return text;
}

/* Reading. Each of these returns whether the value was of the right kind. */

static bool text_of_json(const json_t *json, char **text)
{
  if (!json_is_string(json) && !json_is_null(json))
    return false;
  run_set_text(text, json_string_value(json));
  return true;
}

static bool chars_of_json(const json_t *json, char *chars, size_t size)
{
  if (!json_is_string(json) || json_string_length(json) >= size)
    return false;
  memcpy(chars, json_string_value(json), json_string_length(json) + 1);
  return true;
}

static bool list_of_json(const json_t *json, struct text_list *list)
{
  size_t i;
  json_t *item;
  text_list_release(list);
  json_array_foreach(json, i, item)
  {
    if (!json_is_string(item))
      return false;
    text_list_add(list, json_string_value(item));
  }
  return json_is_array(json);
}

static bool state_of_json(const json_t *json, enum state *state)
{
  const char *name = json_string_value(json);
  for (int i = STATE_NONE; name != NULL && i < STATE_COUNT; i++)
    if (strcmp(state_name((enum state)i), name) == 0) {
      *state = (enum state)i;
      return true;
    }
  return false;
}

static bool reason_kind_of_json(const json_t *json, enum reason_kind *kind)
{
  const char *name = json_string_value(json);
  for (int i = 0; name != NULL && i < REASON_KIND_COUNT; i++)
    if (strcmp(reason_kind_name((enum reason_kind)i), name) == 0) {
      *kind = (enum reason_kind)i;
      return true;
    }
  return false;
}

static bool tags_of_json(json_t *json, struct run *run)
{
  const char *key;
  json_t *value;
  json_object_foreach(json, key, value)
  {
    if (!json_is_string(value))
      return false;
    run_set_tag(run, key, json_string_value(value));
  }
  return json_is_object(json);
}

static bool syscalls_of_json(const json_t *json, struct run *run)
{
  size_t i;
  json_t *item;
  json_array_foreach(json, i, item)
  {
    const char *name = json_string_value(json_object_get(item, "name"));
    const json_t *count = json_object_get(item, "count");
    if (name == NULL || !json_is_integer(count))
      return false;
    run_add_refused_syscall(run, name, json_integer_value(count));
  }
  return json_is_array(json);
}

/* Only `instead` may be null. */
static bool call_of_json(const json_t *json, struct run_call *call)
{
  const json_t *count = json_object_get(json, "count");
  call->count = json_integer_value(count);
  for (size_t i = 0; i < ARRAY_LENGTH(call_texts); i++) {
    void *text = (char *)call + call_texts[i].offset;
    if (!text_of_json(json_object_get(json, call_texts[i].key), text))
      return false;
  }
  return json_is_integer(count) && call->name != NULL &&
         call->arguments != NULL && call->action != NULL &&
         call->answer != NULL && call->reason != NULL;
}

/* Each is added before it is read, so that the run frees it. */
static bool calls_of_json(const json_t *json, struct run *run)
{
  size_t i;
  json_t *item;
  struct run_call_log *log = &run->seccomp_log;
  json_array_foreach(json, i, item)
  {
    run_add_call(run, &(struct run_call){0});
    if (!call_of_json(item, &log->items[log->count - 1]))
      return false;
  }
  log->asked = json_is_array(json);
  return log->asked || json_is_null(json);
}

static bool scalar_of_json(const struct field *field, const json_t *json,
                           void *member)
{
  switch (field->kind) {
  case FIELD_INT64:
    *(int64_t *)member = json_integer_value(json);
    return json_is_integer(json);
  case FIELD_BOOL:
    *(bool *)member = json_is_true(json);
    return json_is_boolean(json);
  case FIELD_STATE:
    return state_of_json(json, member);
  case FIELD_REASON_KIND:
    return reason_kind_of_json(json, member);
  case FIELD_TEXT:
    return text_of_json(json, member);
  case FIELD_CHARS:
    return chars_of_json(json, member, field->size);
  case FIELD_LIST:
  case FIELD_TAGS:
  case FIELD_SYSCALLS:
  case FIELD_CALLS:
  case FIELD_OBJECT:
  default:
    abort();
  }
}

static int fields_of_json(const struct field *fields, json_t *json,
                          struct run *run, struct error **err);

static int field_of_json(const struct field *field, json_t *json,
                         struct run *run, struct error **err)
{
  void *member = (char *)run + field->offset;
  bool good;
  if (field->kind == FIELD_OBJECT && json_is_object(json))
    return fields_of_json(field->fields, json, run, err);
  if (field->kind == FIELD_OBJECT)
    good = false;
  else if (field->kind == FIELD_LIST)
    good = list_of_json(json, member);
  else if (field->kind == FIELD_TAGS)
    good = tags_of_json(json, run);
  else if (field->kind == FIELD_SYSCALLS)
    good = syscalls_of_json(json, run);
  else if (field->kind == FIELD_CALLS)
    good = calls_of_json(json, run);
  else
    good = scalar_of_json(field, json, member);
  if (!good)
    return error_make(err, EINVAL, "its \"%s\" is damaged", field->key);
  return 0;
}

static int fields_of_json(const struct field *fields, json_t *json,
                          struct run *run, struct error **err)
{
  for (; fields->key != NULL; fields++) {
    json_t *value = json_object_get(json, fields->key);
    if (value != NULL && field_of_json(fields, value, run, err) < 0)
      return -1;
  }
  return 0;
}

static int read_record(json_t *json, struct run *run, struct error **err)
{
  const json_t *format = json_object_get(json, "format");
  if (format == NULL || json_integer_value(format) != RECORD_FORMAT)
    return error_make(err, EINVAL, "it is no record of format %d",
                      RECORD_FORMAT);
  if (fields_of_json(run_fields, json, run, err) < 0)
    return -1;
  if (run->id[0] != '\0' && !run_id_is_valid(run->id))
    return error_make(err, EINVAL, "its \"id\" is damaged");
  return 0;
}

int run_from_json(json_t *json, struct run *run, struct error **err)
{
  if (read_record(json, run, err) == 0)
    return 0;
  run_release(run);
  return error_wrap(err, "a run's record can't be read");
}

int run_from_text(const char *text, struct run *run, struct error **err)
{
  json_error_t why;
  json_t *json = json_loads(text, 0, &why);
  if (json == NULL)
    return error_make(err, EINVAL, "a run's record can't be read: %s",
                      why.text);
  int status = run_from_json(json, run, err);
  json_decref(json);
  return status;
}
