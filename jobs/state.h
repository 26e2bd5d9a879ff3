/* States of a run, which are AWS Glue's, and the events that change them.
 *
 *             admitted            released              exited_ok
 *   WAITING ───────────▶ STARTING ────────▶ RUNNING ────────────▶ SUCCEEDED
 *    │   │                  │                │  │     exited_bad
 *    │   │ expired          │ stop_asked     │  └───────────────▶ FAILED
 *    │   └───▶ EXPIRED      │                │ stop_asked
 *    │ stop_asked           ▼                │ time_up
 *    │                   STOPPING ◀──────────┘
 *    │                    │    │         timed_out
 *    │            stopped │    └────────────────────────────────▶ TIMEOUT
 *    ▼                    ▼
 *   STOPPED ◀─────────────┘
 *
 *   Any state that isn't final: host_failed, lost ───────────────▶ ERROR
 *
 * STOPPING is the time between the first signal to a run and its last
 * process's death, whoever asked: a user (stop_asked) or its clock (time_up).
 * The record's reason says which, and so whether it ends by `stopped` or by
 * `timed_out`; how the script itself exited meanwhile doesn't matter. Asking
 * again (stop_asked or time_up in STOPPING) changes nothing.
 *
 * Only jobs/store.h changes the state of a stored run, one transaction for
 * each transition; a final state has no way out. */
#ifndef WAFER_JOBS_STATE_H
#define WAFER_JOBS_STATE_H

#include "base/error.h"

#include <stdbool.h>

enum state {
  STATE_NONE,     /* no state: not of any run */
  STATE_WAITING,  /* for room on this machine; not billed */
  STATE_STARTING, /* its sandbox is being made; not billed */
  STATE_RUNNING,  /* its processes are running: billed */
  STATE_STOPPING, /* they are being ended: billed */
  /* Final: */
  STATE_STOPPED,
  STATE_SUCCEEDED, /* exit status 0 */
  STATE_FAILED,    /* any other, or a signal */
  STATE_TIMEOUT,
  STATE_ERROR,   /* wafer's own failure, or an outcome that nobody knows */
  STATE_EXPIRED, /* waited too long */
  STATE_COUNT,
};

enum run_event {
  EVENT_ADMITTED,    /* there is room for it */
  EVENT_EXPIRED,     /* it waited too long */
  EVENT_RELEASED,    /* the job may go: billing begins */
  EVENT_STOP_ASKED,  /* by a user: SIGINT, SIGTERM, an API call */
  EVENT_TIME_UP,     /* its timeout has passed */
  EVENT_EXITED_OK,   /* its last process is dead; exit status 0 */
  EVENT_EXITED_BAD,  /* the same; another exit status, or a signal */
  EVENT_STOPPED,     /* its last process is dead, after stop_asked */
  EVENT_TIMED_OUT,   /* the same, after time_up */
  EVENT_HOST_FAILED, /* wafer couldn't make or watch it */
  EVENT_LOST,        /* found dead with no record of how it ended */
  EVENT_COUNT,
};

/* "RUNNING". Static. */
const char *state_name(enum state state);

/* The reverse, exact in case: EINVAL lists the names. */
int state_parse(const char *name, enum state *state, struct error **err);

/* "stop_asked". Static. */
const char *event_name(enum run_event event);

bool state_is_final(enum state state);

/* Sets *next to the state after `event`; EPROTO where the table has none. */
int state_next(enum state state, enum run_event event, enum state *next,
               struct error **err);

#endif
