/* A warm zygote of a library set, and those who wait for a fork of it.
 *
 * Forks are made one after the other, in the order of asking. The zygote is
 * replaced by a fresh one (rule 0 of its trust domain: what it forks shares its
 * address layout and hash seed) after FORKER_FORKS_MAX forks or
 * FORKER_AGE_MAX_MS, when it has died, when its set was built anew, and when it
 * says that it can't fork (it has a second thread). All that is lazy:
 * forker_wants_zygote is asked when there is something to do, and the old one
 * serves until the new one is warm. */
#ifndef WAFER_HOST_FORKER_H
#define WAFER_HOST_FORKER_H

#include "host/background.h"
#include "runtime/launch.h"

enum {
  FORKER_FORKS_MAX = 1000,
  FORKER_AGE_MAX_MS = 60 * 60 * 1000,
  FORKER_QUEUE_MAX = 64,
  /* For a fork to be made: else the zygote is taken for lost. Less than what
   * a client waits for its answer. */
  FORKER_PATIENCE_MS = 3000,
  /* After one that didn't start, or died at once. */
  FORKER_RETRY_MS = 10000,
};

struct forker;

/* `changed` is called where there may be something to do: a zygote is warm or
 * lost, or an answer has come. */
struct forker *forker_new(struct event_base *loop, const char *library_set,
                          void (*changed)(void *argument), void *argument);

/* Ends the zygote; whoever waits is told. Not while forker_warm's work runs:
 * forker_interrupt ends that. */
void forker_free(struct forker *forker);
void forker_interrupt(struct forker *forker);

/* Whether forker_warm should be called. */
bool forker_wants_zygote(const struct forker *forker);

/* Starts a zygote and warms it in the background, which must not be busy. What
 * fails is said on stderr. */
void forker_warm(struct forker *forker, struct background *background);

/* The pid of the warm zygote; 0: there is none. */
pid_t forker_pid(const struct forker *forker);

/* The set that the warm zygote has imported from; zeroed where that is the
 * standard library alone, or there is no zygote. */
const struct library_set *forker_set(const struct forker *forker);

/* Whether that is the set with this lock; "": the standard library. A set that
 * was built anew since gets a new zygote. */
bool forker_has_lock(struct forker *forker, const char *lock_sha256);

/* Whether somebody waits for a fork. */
bool forker_is_busy(const struct forker *forker);

/* Asks for a fork with copies of these descriptors (enum fork_fd). `answered`
 * gets the zygote's answer, FORKED or FAILED, whose descriptors it may take; or
 * NULL where the zygote was lost. */
typedef void forker_answered(void *argument, struct message *answer);
int forker_fork(struct forker *forker, const int *fds,
                forker_answered *answered, void *argument, struct error **err);

/* Tells `argument` nothing any more. */
void forker_cancel(struct forker *forker, const void *argument);

#endif
