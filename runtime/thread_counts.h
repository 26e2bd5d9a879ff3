/* How many threads numerical libraries take.
 *
 * They read it from the environment when they are loaded. A warm zygote has
 * them loaded with one thread, since it forks; a job that comes of it says anew
 * how many, by their own functions. One that loads them itself has no need of
 * it. */
#ifndef WAFER_RUNTIME_THREAD_COUNTS_H
#define WAFER_RUNTIME_THREAD_COUNTS_H

#include <jansson.h>

/* Tells those that are loaded, from the job's environment. */
void thread_counts_apply(const json_t *env);

#endif
