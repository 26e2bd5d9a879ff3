/* A run: the whole record of one attempt to run a script.
 *
 * Life: run_init; the host fills in what was asked and run_new_id; the store
 * inserts it (jobs/store.h), moves it from state to state and ends it; then
 * run_release. One process writes a run, its owner; others only read it.
 *
 * Ownership: every char * and every array below is the run's own, on the heap,
 * and freed by run_release; NULL is "none" or "not known". Set a text by
 * run_set_text, a list by text_list_add. Texts are bytes: what comes from a
 * job may be no UTF-8, and becomes it only in the JSON.
 *
 * It never holds a secret: of the environment and of secrets only the names.
 *
 * Units are in the names. Times called _realtime_ns are since the epoch, 0
 * where it hasn't happened. A count that isn't known is -1. */
#ifndef WAFER_JOBS_RUN_H
#define WAFER_JOBS_RUN_H

#include "jobs/price.h"
#include "jobs/size.h"
#include "jobs/state.h"
#include "jobs/text_list.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* "jr_" and 64 hexadecimal digits, as AWS Glue's ids look, and a NUL. */
enum { RUN_ID_SIZE = 68, BOOT_ID_SIZE = 40 };

/* Why a run ended as it did. The words are part of the record's format. */
enum reason_kind {
  REASON_NONE,          /* "": it succeeded, or hasn't ended */
  REASON_OUT_OF_MEMORY, /* "out_of_memory" */
  REASON_TIMEOUT,       /* "timeout" */
  REASON_STOPPED,       /* "stopped" */
  REASON_SIGNAL,        /* "signal" */
  REASON_EXCEPTION,     /* "exception": a Python one reached the top */
  REASON_EXIT_STATUS,   /* "exit_status": the script chose it */
  REASON_HOST_LOST,     /* "host_lost": the wafer process was killed */
  REASON_HOST_FAILED,   /* "host_failed": wafer's own failure while it ran */
  REASON_SETUP,         /* "setup": the sandbox couldn't be made */
  REASON_KIND_COUNT,
};

struct run_exception {
  char *type; /* "KeyError"; NULL: there was none */
  char *message;
  char *file; /* the innermost frame in the script's own files */
  int64_t line;
};

struct run_syscall {
  char *name;
  int64_t count;
};

/* A kind of system calls that the policy didn't allow, as --seccomp-log has it.
 * The words are those of `wafer doctor --explain=seccomp`. */
struct run_call {
  char *name;      /* "socket", or "system call 467" */
  char *arguments; /* "a0 = 0x10, a1 = 0x3": what the policy looks at; or "" */
  char *action;    /* "refuse", "quiet", "absent" */
  char *answer;    /* "EPERM", "ENOSYS" */
  char *reason;
  char *instead; /* what a script can do; NULL: nothing is known */
  int64_t count;
};

struct run_call_log {
  bool asked; /* else there is nothing in it */
  struct run_call *items;
  size_t count;
};

struct run_reason {
  enum reason_kind kind;
  char *text;         /* one line that a user can act on */
  char *python_stack; /* several lines */
  struct run_exception exception;
  struct run_syscall *refused_syscalls;
  size_t refused_syscall_count;
};

/* Seen from outside the job; -1 where not known. */
struct run_usage {
  char source[16]; /* "cgroup-v1", "cgroup-v2", "rusage" or "" */
  int64_t cpu_ns;
  int64_t memory_peak_bytes;
  int64_t memory_limit_bytes;
  int64_t max_rss_bytes; /* of its largest process */
  int64_t throttled_ns;
  int64_t throttled_periods;
  int64_t oom_kills;
  int64_t read_bytes;
  int64_t write_bytes;
  int64_t pids_refused;  /* forks and threads beyond the size's */
  int64_t scratch_bytes; /* in its /tmp at the end */
};

/* A process, named so that a reused pid isn't taken for it. */
struct run_process {
  int64_t pid;                /* 0: none */
  int64_t start_ticks;        /* /proc/PID/stat, field 22 */
  char boot_id[BOOT_ID_SIZE]; /* /proc/sys/kernel/random/boot_id */
};

struct run_tag {
  char *key;
  char *value;
};

struct run {
  char id[RUN_ID_SIZE];
  int64_t attempt; /* 0, then 1 for its first retry */
  char *name;
  char *script; /* as given: a path, or "-" */
  struct text_list arguments;
  struct run_tag *tags; /* no two have one key */
  size_t tag_count;
  char size[16]; /* struct size's name */
  int64_t micro_dpu;
  char *network;                     /* "none", "egress", "host" */
  struct text_list allowed_networks; /* with egress: "10.1.0.0/16" */
  char *library_set;                 /* "none", "analytics" */
  char *library_lock; /* SHA-256 of its lock file; NULL: the standard library */
  struct text_list python_modules; /* beyond it: lines of a lock file */
  int64_t timeout_ms;              /* 0: no limit */

  enum state state;
  int64_t created_realtime_ns;
  int64_t started_realtime_ns; /* when it was released: billing begins */
  int64_t completed_realtime_ns;

  int64_t duration_ns; /* CLOCK_MONOTONIC, release to last process's death */
  struct price price;  /* that it runs under */
  int64_t billed_seconds;
  int64_t micro_dpu_seconds;
  int64_t cost_pico_usd;
  struct run_usage usage;

  char *start;      /* where its sandbox came from: "alone", "pool", "parked" */
  int64_t start_ns; /* from asking for it until the release; -1: not known */

  int64_t exit_status; /* what `wafer run` exits with; -1: not known */
  int64_t signal;      /* that killed the script; 0: none */
  struct run_reason reason;
  struct run_call_log seccomp_log;
  struct text_list walls_missing; /* names; empty: every wall stood */

  struct text_list env_names;
  struct text_list secret_names;
  struct text_list mounts; /* "SRC:DST:rw" */
  char *python_version;    /* "3.11.2" */

  int64_t stdout_bytes; /* that the script wrote */
  int64_t stderr_bytes;
  bool log_truncated; /* the kept copy is shorter */

  struct run_process owner;  /* the wafer process that started it */
  struct run_process keeper; /* pid 1 of its sandbox, as the host sees it */
};

/* Makes an empty record: nothing known, state STATE_NONE. */
void run_init(struct run *run);

/* Frees what the run owns, not the struct, and leaves it as run_init does. */
void run_release(struct run *run);

#define cleanup_run __attribute__((cleanup(run_release)))

/* Gives the run an id of 256 random bits (getrandom(2)). */
int run_new_id(struct run *run, struct error **err);

/* Whether `id` is "jr_" and 64 of 0-9a-f. */
bool run_id_is_valid(const char *id);

/* Takes the size's name and micro_dpu. */
void run_set_size(struct run *run, const struct size *size);

/* Replaces an owned text by a copy; NULL clears it. */
void run_set_text(char **member, const char *text);

/* Adds a tag, or replaces the one with this key. */
void run_set_tag(struct run *run, const char *key, const char *value);

/* Adds to the count of a refused system call. */
void run_add_refused_syscall(struct run *run, const char *name, int64_t count);

/* Adds a call, whose texts become the run's, to seccomp_log. */
void run_add_call(struct run *run, const struct run_call *call);

/* Computes billed_seconds, micro_dpu_seconds and cost_pico_usd from
 * duration_ns, price and micro_dpu. A run that was never released
 * (started_realtime_ns is 0) is billed nothing, not even the minimum. */
int run_meter(struct run *run, struct error **err);

/* "out_of_memory". Static. */
const char *reason_kind_name(enum reason_kind kind);

/* The record as one JSON object, which the caller releases (json_decref).
 * Bytes that are no UTF-8 become U+FFFD; it always succeeds. */
json_t *run_to_json(const struct run *run);

/* The same as one line of text, which the caller frees. */
char *run_to_text(const struct run *run);

/* Reads a record into a run that was run_init-ed. A member that is missing
 * keeps its first value and an unknown one is passed over (another version
 * wrote it); one of a wrong type or range is an error (EINVAL) that names it,
 * and the run is then empty. */
int run_from_json(json_t *json, struct run *run, struct error **err);
int run_from_text(const char *text, struct run *run, struct error **err);

/* An array of runs, owned. Zeroed memory is an empty one. */
struct run_list {
  struct run *items;
  size_t count;
};

void run_list_release(struct run_list *list);

#define cleanup_run_list __attribute__((cleanup(run_list_release)))

#endif
