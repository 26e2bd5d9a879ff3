/* Building a library set, and choosing it. See host/library_store.h for what is
 * left where that is broken off. */
#ifndef WAFER_HOST_LIBRARY_BUILD_H
#define WAFER_HOST_LIBRARY_BUILD_H

#include "runtime/library_set.h"

/* What is asked for. One of requirements, text and lock may be given; else the
 * set is one that comes with wafer. */
struct library_order {
  const char *name;
  const char *requirements; /* a file of pip's; resolved now, and locked */
  const char *text;         /* the same, as text */
  const char *lock;         /* a file */
  const char *preload;      /* "numpy,pandas"; NULL: what the lock file says */
  const char *options;      /* lines of a requirements file, of which nothing is
                               kept: where packages come from; NULL: none */
  const struct library_set *base; /* an open set that it adds to, as far as its
                                     packages don't do; NULL: none */
};

/* Builds it, imports what is to be imported ahead, and makes it the one that
 * its name chooses. Where it is built already, only the modules to import may
 * change. `set`, zeroed, becomes what is in its manifest; it isn't open. */
int library_build(const struct library_order *order, struct library_set *set,
                  struct error **err);

#endif
