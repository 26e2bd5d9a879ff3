/* The embedded interpreter, by CPython's public C API alone.
 *
 *   python_load.c  these functions, which load wafer-python.so at python_start
 *   python.c       the same in that module, which is linked to libpython
 *
 * It is loaded rather than linked, so that a cold zygote forks before it has
 * libpython's 300 relocated pages, of which the job would copy most. */
#ifndef WAFER_RUNTIME_PYTHON_H
#define WAFER_RUNTIME_PYTHON_H

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>

/* Loads the module, from ZYGOTE_PYTHON_FD, which it closes; and starts the
 * interpreter: isolated (PyConfig_InitIsolatedConfig), the machine's
 * Python in /usr, no environment, no site, no .pyc written. Then imports the
 * bootstrap. */
int python_start(struct error **err);

bool python_is_started(void);

/* Imports a module of a library set, whose folder of packages is put at the end
 * of sys.path if it isn't there yet. Whatever the module raises is the error;
 * what it prints goes to descriptors 1 and 2. */
int python_preload(const char *packages, const char *module,
                   struct error **err);

/* Once all are imported: what is there now is no garbage for the collector. */
int python_freeze(struct error **err);

/* "3.11.2". */
const char *python_version(void);

/* Around a fork of a live interpreter; where none is started they do nothing.
 */
void python_before_fork(void);
void python_after_fork_parent(void);
void python_after_fork_child(void);

/* Has a forked interpreter copy, ahead of a run, the pages that each run writes
 * to: 1 MiB, and half of the time from the release to a script's first line.
 * `report_fd` as below. */
int python_rehearse(int report_fd, struct error **err);

/* In the child, too: makes what is random or remembered its own, as the table
 * RENEWED of the bootstrap has it. */
int python_renew(struct error **err);

/* Runs a script to its end: `job` is the spec's "python" object, `fds` the
 * descriptors its indices mean, which the script doesn't inherit, `report_fd`
 * the pipe on which its end is explained. Finalizes the interpreter. Returns
 * the exit status that python3 itself would have, or where modules were
 * imported ahead exits with it; where an uncaught KeyboardInterrupt ends it,
 * the process dies of SIGINT, as python3's. */
int python_run(const json_t *job, const int *fds, int report_fd);

#endif
