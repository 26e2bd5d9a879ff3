/* A job: what a forked interpreter does until it is a script's own. */
#ifndef WAFER_RUNTIME_JOB_H
#define WAFER_RUNTIME_JOB_H

/* Goes the whole way of protocol.h, from HELLO to the script's end, and exits
 * with its status. `fds` are those of enum fork_fd; every other descriptor of
 * the zygote is closed. A step that fails is sent as FAILED. */
__attribute__((noreturn)) void job_main(const int *fds);

#endif
