/* Building a library set, and choosing it. See host/library_store.h for what is
 * left where that is broken off. */
#ifndef WAFER_HOST_LIBRARY_BUILD_H
#define WAFER_HOST_LIBRARY_BUILD_H

#include "runtime/library_set.h"

/* What is asked for. One of requirements and lock may be given, a path; else
 * the set is one that comes with wafer. */
struct library_order {
  const char *name;
  const char *requirements; /* pip's; resolved now, and locked */
  const char *lock;
  const char *preload; /* "numpy,pandas"; NULL: what the lock file says */
};

/* Builds it, imports what is to be imported ahead, and makes it the one that
 * its name chooses. Where it is built already, only the modules to import may
 * change. `set`, zeroed, becomes what is in its manifest; it isn't open. */
int library_build(const struct library_order *order, struct library_set *set,
                  struct error **err);

#endif
