/* The pool of wafer serve: sandboxes that are made ahead.
 *
 * It keeps, for each library set, a warm zygote (host/forker.h) and of each
 * size a list of parked sandboxes: forked from it, in their namespaces, mounts
 * and cgroup, with a scratch and without a network, each blocked on a read. A
 * client takes one, or a fork of the zygote where there is none. What was taken
 * is the client's alone; the pool knows nothing of runs.
 *
 * Refilling stays out of the clients' way: it begins POOL_REFILL_DELAY_MS after
 * one has taken something and when nobody waits for a fork, makes one at a
 * time, in a thread of low priority, as long as all that is parked takes less
 * than the memory that the operator gave. A full pool does nothing at all: no
 * timer runs, and nobody polls. */
#ifndef WAFER_HOST_POOL_H
#define WAFER_HOST_POOL_H

#include "host/cell.h"
#include "host/forker.h"
#include "host/pool_message.h"

enum { POOL_REFILL_DELAY_MS = 10 };

struct pool;

struct pool_options {
  const char *state_dir;                /* of the store: host/lease.h */
  unsigned missing;                     /* walls that the machine can't give */
  const struct text_list *library_sets; /* by name */
  int size;                             /* of each list */
  int64_t memory_bytes;                 /* for all that is parked */
};

/* Begins to fill it, in the loop. The texts stay the caller's, and have to
 * live as long. */
struct pool *pool_new(struct event_base *loop,
                      const struct pool_options *options, struct error **err);

/* Ends all that is parked, and the zygote, and waits for that. */
void pool_free(struct pool *pool);

/* Takes what was parked the longest ago; *cell, which the caller closes, is it.
 * Returns whether there was one. */
bool pool_pop(struct pool *pool, const struct pool_want *want,
              struct cell *cell);

/* Puts back what was popped and couldn't be handed over. */
void pool_push(struct pool *pool, const struct pool_want *want,
               const struct cell *cell);

/* The zygote of the set that is wanted; NULL where it isn't the pool's. */
struct forker *pool_forker(struct pool *pool, const struct pool_want *want);

#endif
