/* Where the library sets of whoever runs wafer are, and which one a run gets.
 * What a set is: runtime/library_set.h. */
#ifndef WAFER_HOST_LIBRARY_SETS_H
#define WAFER_HOST_LIBRARY_SETS_H

#include "runtime/library_set.h"

/* STATE/library-sets, whether it is there or not; the caller frees it. */
int library_sets_dir(char **dir, struct error **err);

/* Finds the set of a name for a run. Where "none" was never built, `set` stays
 * zeroed: the standard library. ENOENT: there is no other of that name. */
int library_sets_choose(const char *name, struct library_set *set,
                        struct error **err);

#endif
