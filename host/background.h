/* Work that waits, kept out of an event loop: one piece at a time, in a thread
 * of its own that stands back for whoever is awake (SCHED_BATCH, nice). */
#ifndef WAFER_HOST_BACKGROUND_H
#define WAFER_HOST_BACKGROUND_H

#include "base/error.h"

#include <event2/event.h>
#include <stdbool.h>

struct background;

struct background *background_new(struct event_base *loop, struct error **err);

/* Waits for what it does, which then isn't told; frees it. */
void background_free(struct background *background);

bool background_is_busy(const struct background *background);

/* Calls work (argument) in a thread and, when that has returned, done
 * (argument) in the loop. Not to be called while it is busy. */
int background_start(struct background *background,
                     void (*work)(void *argument), void (*done)(void *argument),
                     void *argument, struct error **err);

#endif
