/* The record of a run: ids, metering, and JSON there and back. */
#include "config.h"

#include "base/clock.h"
#include "jobs/run.h"
#include "jobs/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static void test_ids(void **state)
{
  (void)state;
  cleanup_run struct run one, other;
  struct error *err = NULL;
  run_init(&one);
  run_init(&other);
  assert_int_equal(run_new_id(&one, &err), 0);
  assert_int_equal(run_new_id(&other, &err), 0);
  assert_true(run_id_is_valid(one.id));
  assert_string_not_equal(one.id, other.id);
  static const char *const bad[] = {
      "",
      "jr_",
      "../../etc",
      "jr_0123",
      "jr_000000000000000000000000000000000000000000000000000000000000000G",
      "jr_000000000000000000000000000000000000000000000000000000000000000A",
      "jx_0000000000000000000000000000000000000000000000000000000000000000",
      "jr_00000000000000000000000000000000000000000000000000000000000000000",
  };
  for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
    assert_false(run_id_is_valid(bad[i]));
}

/* Every member set, each to a value of its own. */
static void fill(struct run *run)
{
  struct error *err = NULL;
  run_init(run);
  assert_int_equal(run_new_id(run, &err), 0);
  run->attempt = 2;
  run_set_text(&run->name, "nightly");
  run_set_text(&run->script, "etl.py");
  text_list_add(&run->arguments, "--day");
  text_list_add(&run->arguments, "2018-11-26");
  run_set_tag(run, "team", "old");
  run_set_tag(run, "team", "data");
  run_set_tag(run, "a=b", "");
  run_set_size(run, size_default());
  run_set_text(&run->network, "none");
  run_set_text(&run->library_set, "none");
  run->timeout_ms = 90000;
  run->state = STATE_FAILED;
  run->created_realtime_ns = 1;
  run->started_realtime_ns = 2;
  run->completed_realtime_ns = INT64_MAX;
  run->duration_ns = INT64_C(61) * NS_PER_S;
  run->price = *price_current();
  assert_int_equal(run_meter(run, &err), 0);
  run->usage =
      (struct run_usage){"cgroup-v1", 3, 4, 5, 6, 7, 8, 9, 10, -1, 11, 12};
  run->exit_status = 137;
  run->signal = 9;
  run->reason.kind = REASON_OUT_OF_MEMORY;
  run_set_text(&run->reason.text, "it ran out of memory");
  run_set_text(&run->reason.python_stack, "File \"etl.py\"\n  line 3\n");
  run->reason.exception.line = 42;
  run_set_text(&run->reason.exception.type, "KeyError");
  run_set_text(&run->reason.exception.message, "'day'");
  run_set_text(&run->reason.exception.file, "etl.py");
  run_add_refused_syscall(run, "ptrace", 1);
  run_add_refused_syscall(run, "mount", 2);
  run_add_refused_syscall(run, "ptrace", 4);
  run_add_call(run, &(struct run_call){
                        .name = xstrdup("socket"),
                        .arguments = xstrdup("a0 = 0x10"),
                        .action = xstrdup("quiet"),
                        .answer = xstrdup("EPERM"),
                        .reason = xstrdup("libc does without"),
                        .count = 7,
                    });
  text_list_add(&run->walls_missing, "landlock");
  text_list_add(&run->env_names, "HOME");
  text_list_add(&run->secret_names, "TOKEN");
  text_list_add(&run->mounts, "/in:/in:ro");
  run_set_text(&run->python_version, "3.11.2");
  run->stdout_bytes = 11;
  run->stderr_bytes = 12;
  run->log_truncated = true;
  run->owner = (struct run_process){13, 14, "boot"};
  run->keeper = (struct run_process){15, 16, "boot"};
}

static void test_round_trip(void **state)
{
  (void)state;
  cleanup_run struct run run, copy;
  struct error *err = NULL;
  fill(&run);
  run_init(&copy);
  cleanup_free char *text = run_to_text(&run);
  assert_null(strchr(text, '\n'));
  assert_int_equal(run_from_text(text, &copy, &err), 0);
  cleanup_free char *again = run_to_text(&copy);
  assert_string_equal(text, again);
  assert_int_equal(copy.tag_count, 2);
  assert_string_equal(copy.tags[0].value, "data");
  assert_int_equal(copy.reason.refused_syscall_count, 2);
  assert_int_equal(copy.reason.refused_syscalls[0].count, 5);
  assert_int_equal(copy.seccomp_log.count, 1);
  assert_string_equal(copy.seccomp_log.items[0].arguments, "a0 = 0x10");
  assert_null(copy.seccomp_log.items[0].instead);
  assert_int_equal(copy.seccomp_log.items[0].count, 7);
  assert_int_equal(copy.completed_realtime_ns, INT64_MAX);
  assert_int_equal(copy.usage.write_bytes, -1);
  assert_int_equal(copy.keeper.start_ticks, 16);
  assert_true(copy.log_truncated);
}

static void test_empty_round_trip(void **state)
{
  (void)state;
  cleanup_run struct run run, copy;
  struct error *err = NULL;
  run_init(&run);
  run_init(&copy);
  cleanup_free char *text = run_to_text(&run);
  assert_int_equal(run_from_text(text, &copy, &err), 0);
  assert_null(copy.name);
  assert_int_equal(copy.exit_status, -1);
  assert_int_equal(copy.usage.cpu_ns, -1);
}

/* The names are part of the format: a report's reader relies on them. */
static void test_format(void **state)
{
  (void)state;
  cleanup_run struct run run;
  fill(&run);
  json_t *json = run_to_json(&run);
  const char *word, *missing;
  json_int_t peak, billed, count, format;
  assert_int_equal(
      json_unpack(
          json, "{s:I, s:I, s:{s:I}, s:{s:s, s:[{s:I}, {}]}, s:{s:[s]}}",
          "format", &format, "billed_seconds", &billed, "usage",
          "memory_peak_bytes", &peak, "reason", "kind", &word,
          "refused_syscalls", "count", &count, "walls", "missing", &missing),
      0);
  assert_int_equal(format, 1);
  assert_int_equal(billed, 61);
  assert_int_equal(peak, 4);
  assert_string_equal(word, "out_of_memory");
  assert_int_equal(count, 5);
  assert_string_equal(missing, "landlock");
  json_decref(json);
}

static void test_bytes_that_are_no_utf8(void **state)
{
  (void)state;
  cleanup_run struct run run, copy;
  struct error *err = NULL;
  run_init(&run);
  run_init(&copy);
  run_set_text(&run.reason.exception.message, "a\xFF\xC3\xA9\xC3");
  text_list_add(&run.arguments, "\xED\xA0\x80");
  run_set_tag(&run, "k\x80", "v\x80");
  cleanup_free char *text = run_to_text(&run);
  assert_int_equal(run_from_text(text, &copy, &err), 0);
  assert_string_equal(copy.reason.exception.message,
                      "a\xEF\xBF\xBD\xC3\xA9\xEF\xBF\xBD");
  assert_string_equal(copy.tags[0].key, "k\xEF\xBF\xBD");
}

static void utf8_is(const char *bytes, size_t count, const char *expected)
{
  cleanup_free char *clean = utf8_clean(bytes, count);
  assert_string_equal(clean, expected);
}

static void test_utf8(void **state)
{
  (void)state;
#define BAD "\xEF\xBF\xBD"
  utf8_is("", 0, "");
  utf8_is("a\0b", 3, "a" BAD "b");
  utf8_is("\x7F\xC2\x80\xDF\xBF", 5, "\x7F\xC2\x80\xDF\xBF");
  utf8_is("\xE0\xA0\x80\xEF\xBF\xBF", 6, "\xE0\xA0\x80\xEF\xBF\xBF");
  utf8_is("\xF0\x90\x80\x80\xF4\x8F\xBF\xBF", 8,
          "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF");
  utf8_is("\xC0\x80", 2, BAD BAD);         /* overlong NUL */
  utf8_is("\xE0\x9F\xBF", 3, BAD BAD BAD); /* overlong */
  utf8_is("\xF0\x8F\xBF\xBF", 4, BAD BAD BAD BAD);
  utf8_is("\xED\xBF\xBF", 3, BAD BAD BAD); /* a surrogate */
  utf8_is("\xF4\x90\x80\x80", 4, BAD BAD BAD BAD);
  utf8_is("\xF8\x88\x80\x80\x80", 5, BAD BAD BAD BAD BAD);
  utf8_is("\xE2\x82", 2, BAD BAD); /* cut short */
#undef BAD
}

static void test_damaged_records(void **state)
{
  (void)state;
  static const char *const cases[] = {
      "",
      "[]",
      "{}",
      "{\"format\":2}",
      "{\"format\":1,\"attempt\":\"1\"}",
      "{\"format\":1,\"attempt\":1.5}",
      "{\"format\":1,\"attempt\":99999999999999999999}",
      "{\"format\":1,\"id\":\"../x\"}",
      "{\"format\":1,\"size\":\"a name that is too long for it\"}",
      "{\"format\":1,\"name\":3}",
      "{\"format\":1,\"arguments\":[\"a\",3]}",
      "{\"format\":1,\"arguments\":{}}",
      "{\"format\":1,\"state\":\"GONE\"}",
      "{\"format\":1,\"state\":null}",
      "{\"format\":1,\"tags\":{\"a\":1}}",
      "{\"format\":1,\"usage\":3}",
      "{\"format\":1,\"reason\":{\"kind\":\"bored\"}}",
      "{\"format\":1,\"reason\":{\"refused_syscalls\":[{\"name\":\"x\"}]}}",
      "{\"format\":1,\"seccomp_log\":{}}",
      "{\"format\":1,\"seccomp_log\":[{\"call\":\"x\",\"count\":1}]}",
      "{\"format\":1,\"output\":{\"log_truncated\":0}}",
  };
  for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
    cleanup_run struct run run;
    cleanup_error struct error *err = NULL;
    run_init(&run);
    assert_int_equal(run_from_text(cases[i], &run, &err), -1);
    assert_int_equal(err->code, EINVAL);
    assert_null(run.name);
  }
}

static void test_unknown_members_are_passed_over(void **state)
{
  (void)state;
  cleanup_run struct run run;
  struct error *err = NULL;
  run_init(&run);
  const char *text = "{\"format\":1,\"later\":[{}],\"name\":\"a\"}";
  assert_int_equal(run_from_text(text, &run, &err), 0);
  assert_string_equal(run.name, "a");
}

static void test_meter(void **state)
{
  (void)state;
  cleanup_run struct run run;
  cleanup_error struct error *err = NULL;
  run_init(&run);
  run_set_size(&run, size_default());
  run.price = *price_current();
  run.duration_ns = INT64_C(1500000000);
  assert_int_equal(run_meter(&run, &err), 0);
  assert_int_equal(run.billed_seconds, 0); /* never released */
  assert_int_equal(run.cost_pico_usd, 0);
  run.started_realtime_ns = 1;
  assert_int_equal(run_meter(&run, &err), 0);
  assert_int_equal(run.billed_seconds, 60);
  assert_int_equal(run.micro_dpu_seconds, 3750000);
  assert_int_equal(run.cost_pico_usd, 458333333);
  run.micro_dpu = INT64_MAX;
  assert_int_equal(run_meter(&run, &err), -1);
  assert_int_equal(err->code, EOVERFLOW);
  assert_int_equal(run.billed_seconds, 60);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_ids),
      cmocka_unit_test(test_round_trip),
      cmocka_unit_test(test_empty_round_trip),
      cmocka_unit_test(test_format),
      cmocka_unit_test(test_bytes_that_are_no_utf8),
      cmocka_unit_test(test_utf8),
      cmocka_unit_test(test_damaged_records),
      cmocka_unit_test(test_unknown_members_are_passed_over),
      cmocka_unit_test(test_meter),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
