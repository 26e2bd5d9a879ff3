/* Running one request to its end. A server may give it its sandbox
 * (host/serve.h); all else is the same with one and without.
 *
 *   execute.c      the steps: sandbox, store, release, books
 *   start.c        how it gets its sandbox
 *   supervise.c    the event loop while the job runs
 *   seccomp_log.c  what --seccomp-log gathers meanwhile
 *   explain.c      why it ended
 *   summary.c      what is printed and reported at the end
 *   recover.c      the runs of a wafer that was killed
 *
 * Without one the zygote starts first, and everything that needs no sandbox
 * happens while its interpreter does. The run is durable in the store before
 * anything is made that a killed wafer could leave behind. */
#ifndef WAFER_HOST_EXECUTE_H
#define WAFER_HOST_EXECUTE_H

#include "base/mask.h"
#include "host/cell.h"
#include "host/egress.h"
#include "host/pool_client.h"
#include "host/request.h"
#include "host/scratch_maker.h"
#include "jobs/store.h"
#include "runtime/result.h"
#include "sandbox/scratch.h"

/* Where a run's sandbox comes from. The record has the names. */
enum start_way {
  START_ALONE, /* "alone": of a zygote of its own */
  START_POOL, /* "pool": the server's warm zygote forks it; all else as alone */
  START_PARKED, /* "parked": the server made it ahead, whole */
};

const char *start_way_name(enum start_way way);

/* Everything that a run in progress holds. */
struct execution {
  const struct request *request;
  struct run run; /* its record */
  struct store *store;
  struct mask *mask; /* of the request's secrets */
  enum start_way way;
  struct pool_client server;
  struct zygote zygote; /* alone: its own; pool: the server's connection */
  struct cell cell;
  struct egress egress;
  struct scratch_maker scratch; /* not started where that wall is missing */
  struct scratch_usage scratch_usage; /* as it was when last looked at */
  int run_dir;
  int result_fd;
  int heartbeat_fd;
  int64_t asked_ns;    /* for its sandbox: CLOCK_MONOTONIC */
  int64_t released_ns; /* likewise; 0: never */
};

#define EXECUTION_INIT                                                         \
  {                                                                            \
    .zygote = ZYGOTE_INIT, .cell = CELL_INIT, .server = POOL_CLIENT_INIT,      \
    .egress = EGRESS_INIT, .run_dir = -1, .result_fd = -1, .heartbeat_fd = -1  \
  }

/* What the event loop saw. */
struct outcome {
  int64_t ended_ns; /* when the host saw that the sandbox was dead */
  bool have_result;
  struct result result;
  int stop_signal; /* SIGINT, SIGTERM or SIGHUP that asked it to stop; or 0 */
  bool timed_out;
  bool out_of_memory;
  bool mid_line; /* the caller's stderr is in the middle of one */
  char *report;  /* of the report pipe: untrusted text; owned */
  size_t report_count;
};

/* Runs it; returns the exit status. Whatever goes wrong once the run is in the
 * store is in its record, too. */
int execute(const struct request *request, struct error **err);

/* Begins to get a sandbox: settles the way, and where the sandbox isn't parked
 * asks for it, checks the walls and begins with its scratch. Nothing of it
 * outlives a killed wafer. */
int start_begin(struct execution *execution, struct error **err);

/* Once the run is recorded: waits until its sandbox is parked. What a server
 * fails to give is made alone. */
int start_finish(struct execution *execution, struct error **err);

/* Reads how the scratch stands. Returns whether all that the job wrote there is
 * on disk or may still come there: else it is lost, and the run with it. */
bool execute_look_at_scratch(struct execution *execution);

/* The event loop: returns when the sandbox is dead and its output handed on. */
int supervise(struct execution *execution, struct outcome *outcome,
              struct error **err);

/* Fills in the record's exit_status, signal, reason, duration and usage from
 * what was seen, and returns the event that ends the run. */
enum run_event explain(struct execution *execution,
                       const struct outcome *outcome);

/* Prints the explanation and the last line on stderr; a newline first, where
 * the script's last line had none. */
void summary_print(const struct run *run, bool mid_line);

/* Writes the whole record as one JSON document. */
int summary_report(const struct run *run, int fd, struct error **err);

#endif
