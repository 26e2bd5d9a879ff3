/* Processes, named so that a reused pid isn't taken for the old one. */
#ifndef WAFER_HOST_PROCESS_H
#define WAFER_HOST_PROCESS_H

#include "jobs/run.h"

#include <stdbool.h>
#include <sys/types.h>

/* Fills in pid, start time and boot id; all zero where it is gone. */
void process_identify(pid_t pid, struct run_process *process);

/* Reads the text of /proc/PID/stat (proc(5)): field 3, the state, and 22, the
 * start time. The name before them may hold anything. */
bool process_parse_stat(const char *text, char *state, int64_t *start_ticks);

/* Whether that very process lives; a zombie doesn't. */
bool process_lives(const struct run_process *process);

/* Waits until it is dead, at most timeout_ms; then kills it. */
void process_await_end(const struct run_process *process, int timeout_ms);

/* The memory that is this process's alone (smaps_rollup of proc(5)); -1 where
 * it can't be read. */
int64_t process_private_bytes(pid_t pid);

#endif
