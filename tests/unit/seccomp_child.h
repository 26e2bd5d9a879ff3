/* For the tests of the system-call filter: a function that runs in a child
 * under the filter, and what became of it. */
#ifndef WAFER_TESTS_SECCOMP_CHILD_H
#define WAFER_TESTS_SECCOMP_CHILD_H

#include "sandbox/seccomp.h"

#include <stddef.h>

enum {
  CHILD_BROKEN = 250, /* an exit status that no errno has */
  REFUSED_MAX = 16,
};

struct outcome {
  int status;                       /* of waitpid */
  const char *refused[REFUSED_MAX]; /* "unknown" where it has no name */
  size_t refused_count;
};

/* Ends the child by _exit; a return counts as CHILD_BROKEN. */
typedef void child_function(const void *argument);

/* In a child: loads the filter in one of its forms (seccomp.h), and sends its
 * listener over socket_fd if there is one. */
void load_or_exit(enum seccomp_form form, int socket_fd);

/* In the parent: receives what load_or_exit sent. The caller closes it. */
int take_listener(int socket_fd);

/* Runs a function under the filter that answers by itself. */
struct outcome run_alone(child_function *function, const void *argument);

/* The same with this process as the host, which answers and takes names until
 * no process is left under the filter. */
struct outcome run_supervised(child_function *function, const void *argument);

/* The same under the filter that tells of every call that isn't allowed. */
struct outcome run_logged(child_function *function, const void *argument);

#endif
