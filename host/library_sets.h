/* Which library sets there are, and which one a run gets. What a set is, and
 * where: runtime/library_set.h; who changes them: host/library_store.h. */
#ifndef WAFER_HOST_LIBRARY_SETS_H
#define WAFER_HOST_LIBRARY_SETS_H

#include "jobs/text_list.h"
#include "runtime/library_set.h"

/* STATE/library-sets, whether it is there or not; the caller frees it. */
int library_sets_dir(char **dir, struct error **err);

/* Finds the set of a name for a run. Where "none" was never built, `set` stays
 * zeroed: the standard library. ENOENT: there is no other of that name. */
int library_sets_choose(const char *name, struct library_set *set,
                        struct error **err);

/* Adds the names that there is a set of, in alphabetical order. */
int library_sets_list(struct text_list *names, struct error **err);

#endif
