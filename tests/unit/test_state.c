/* The state machine of a run: every cell of its table. */
#include "config.h"

#include "jobs/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

struct step {
  enum state from;
  enum run_event event;
  enum state to;
};

/* As in the diagram of jobs/state.h; there is no other step. */
static const struct step steps[] = {
    {STATE_WAITING, EVENT_ADMITTED, STATE_STARTING},
    {STATE_WAITING, EVENT_EXPIRED, STATE_EXPIRED},
    {STATE_WAITING, EVENT_STOP_ASKED, STATE_STOPPED},
    {STATE_WAITING, EVENT_HOST_FAILED, STATE_ERROR},
    {STATE_WAITING, EVENT_LOST, STATE_ERROR},
    {STATE_STARTING, EVENT_RELEASED, STATE_RUNNING},
    {STATE_STARTING, EVENT_STOP_ASKED, STATE_STOPPING},
    {STATE_STARTING, EVENT_HOST_FAILED, STATE_ERROR},
    {STATE_STARTING, EVENT_LOST, STATE_ERROR},
    {STATE_RUNNING, EVENT_STOP_ASKED, STATE_STOPPING},
    {STATE_RUNNING, EVENT_TIME_UP, STATE_STOPPING},
    {STATE_RUNNING, EVENT_EXITED_OK, STATE_SUCCEEDED},
    {STATE_RUNNING, EVENT_EXITED_BAD, STATE_FAILED},
    {STATE_RUNNING, EVENT_HOST_FAILED, STATE_ERROR},
    {STATE_RUNNING, EVENT_LOST, STATE_ERROR},
    {STATE_STOPPING, EVENT_STOP_ASKED, STATE_STOPPING},
    {STATE_STOPPING, EVENT_TIME_UP, STATE_STOPPING},
    {STATE_STOPPING, EVENT_STOPPED, STATE_STOPPED},
    {STATE_STOPPING, EVENT_TIMED_OUT, STATE_TIMEOUT},
    {STATE_STOPPING, EVENT_HOST_FAILED, STATE_ERROR},
    {STATE_STOPPING, EVENT_LOST, STATE_ERROR},
};

static enum state expected(enum state from, enum run_event event)
{
  for (size_t i = 0; i < ARRAY_LENGTH(steps); i++)
    if (steps[i].from == from && steps[i].event == event)
      return steps[i].to;
  return STATE_NONE;
}

static void check_cell(enum state from, enum run_event event)
{
  enum state to = STATE_NONE;
  cleanup_error struct error *err = NULL;
  int status = state_next(from, event, &to, &err);
  assert_int_equal(to, expected(from, event));
  assert_int_equal(status, to == STATE_NONE ? -1 : 0);
  if (status < 0) {
    assert_int_equal(err->code, EPROTO);
    assert_non_null(strstr(err->text, state_name(from)));
    assert_non_null(strstr(err->text, event_name(event)));
  }
}

static void test_every_cell(void **state)
{
  (void)state;
  for (int from = 0; from < STATE_COUNT; from++)
    for (int event = 0; event < EVENT_COUNT; event++)
      check_cell((enum state)from, (enum run_event)event);
}

static void test_final_states(void **state)
{
  (void)state;
  for (int i = STATE_WAITING; i < STATE_COUNT; i++) {
    bool has_way_out = false;
    for (int event = 0; event < EVENT_COUNT; event++)
      if (expected((enum state)i, (enum run_event)event) != STATE_NONE)
        has_way_out = true;
    assert_int_equal(state_is_final((enum state)i), !has_way_out);
  }
}

static void test_names(void **state)
{
  (void)state;
  for (int i = STATE_WAITING; i < STATE_COUNT; i++) {
    enum state parsed = STATE_NONE;
    struct error *err = NULL;
    assert_int_equal(state_parse(state_name((enum state)i), &parsed, &err), 0);
    assert_int_equal(parsed, i);
  }
  for (int i = 0; i < EVENT_COUNT; i++)
    assert_non_null(event_name((enum run_event)i));
  static const char *const bad[] = {"", "running", "RUNNING ", "NONE"};
  for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
    enum state parsed = STATE_NONE;
    cleanup_error struct error *err = NULL;
    assert_int_equal(state_parse(bad[i], &parsed, &err), -1);
    assert_int_equal(err->code, EINVAL);
    assert_non_null(strstr(err->text, "SUCCEEDED"));
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_cell),
      cmocka_unit_test(test_final_states),
      cmocka_unit_test(test_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
