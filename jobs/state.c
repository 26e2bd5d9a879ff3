#include "config.h"

#include "jobs/state.h"

#include <errno.h>
#include <string.h>

static const char *const state_names[STATE_COUNT] = {
    [STATE_NONE] = "NONE",           [STATE_WAITING] = "WAITING",
    [STATE_STARTING] = "STARTING",   [STATE_RUNNING] = "RUNNING",
    [STATE_STOPPING] = "STOPPING",   [STATE_STOPPED] = "STOPPED",
    [STATE_SUCCEEDED] = "SUCCEEDED", [STATE_FAILED] = "FAILED",
    [STATE_TIMEOUT] = "TIMEOUT",     [STATE_ERROR] = "ERROR",
    [STATE_EXPIRED] = "EXPIRED",
};

static const char *const event_names[EVENT_COUNT] = {
    [EVENT_ADMITTED] = "admitted",
    [EVENT_EXPIRED] = "expired",
    [EVENT_RELEASED] = "released",
    [EVENT_STOP_ASKED] = "stop_asked",
    [EVENT_TIME_UP] = "time_up",
    [EVENT_EXITED_OK] = "exited_ok",
    [EVENT_EXITED_BAD] = "exited_bad",
    [EVENT_STOPPED] = "stopped",
    [EVENT_TIMED_OUT] = "timed_out",
    [EVENT_HOST_FAILED] = "host_failed",
    [EVENT_LOST] = "lost",
};

/* A final state has an empty row; STATE_NONE, zero, is "no such transition". */
static const enum state transitions[STATE_COUNT][EVENT_COUNT] = {
    [STATE_WAITING] =
        {
            [EVENT_ADMITTED] = STATE_STARTING,
            [EVENT_EXPIRED] = STATE_EXPIRED,
            [EVENT_STOP_ASKED] = STATE_STOPPED,
            [EVENT_HOST_FAILED] = STATE_ERROR,
            [EVENT_LOST] = STATE_ERROR,
        },
    [STATE_STARTING] =
        {
            [EVENT_RELEASED] = STATE_RUNNING,
            [EVENT_STOP_ASKED] = STATE_STOPPING,
            [EVENT_HOST_FAILED] = STATE_ERROR,
            [EVENT_LOST] = STATE_ERROR,
        },
    [STATE_RUNNING] =
        {
            [EVENT_STOP_ASKED] = STATE_STOPPING,
            [EVENT_TIME_UP] = STATE_STOPPING,
            [EVENT_EXITED_OK] = STATE_SUCCEEDED,
            [EVENT_EXITED_BAD] = STATE_FAILED,
            [EVENT_HOST_FAILED] = STATE_ERROR,
            [EVENT_LOST] = STATE_ERROR,
        },
    [STATE_STOPPING] =
        {
            [EVENT_STOP_ASKED] = STATE_STOPPING,
            [EVENT_TIME_UP] = STATE_STOPPING,
            [EVENT_STOPPED] = STATE_STOPPED,
            [EVENT_TIMED_OUT] = STATE_TIMEOUT,
            [EVENT_HOST_FAILED] = STATE_ERROR,
            [EVENT_LOST] = STATE_ERROR,
        },
};

const char *state_name(enum state state)
{
  return state_names[state];
}

static char *list_names(void)
{
  char *list = xstrdup(state_names[STATE_WAITING]);
  for (int i = STATE_WAITING + 1; i < STATE_COUNT; i++) {
    char *longer = xasprintf("%s, %s", list, state_names[i]);
    free(list);
    list = longer;
  }
  return list;
}

int state_parse(const char *name, enum state *state, struct error **err)
{
  for (int i = STATE_WAITING; i < STATE_COUNT; i++)
    if (strcmp(state_names[i], name) == 0) {
      *state = (enum state)i;
      return 0;
    }
  cleanup_free char *names = list_names();
  return error_make(err, EINVAL, "no state \"%s\": use one of %s", name, names);
}

const char *event_name(enum run_event event)
{
  return event_names[event];
}

bool state_is_final(enum state state)
{
  return state >= STATE_STOPPED;
}

int state_next(enum state state, enum run_event event, enum state *next,
               struct error **err)
{
  enum state found = transitions[state][event];
  if (found == STATE_NONE)
    return error_make(err, EPROTO, "a run that is %s can't be %s",
                      state_names[state], event_names[event]);
  *next = found;
  return 0;
}
