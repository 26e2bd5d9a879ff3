/* Modules of a job: what --additional-python-modules asks for beyond its
 * library set, resolved and installed once for all runs that ask for the same.
 *
 * They are a library set of their own (runtime/library_set.h), named "m." and a
 * hash of what was asked for: the words, the installer's options, and the lock
 * of the set that they come on top of. So a rerun gets the same versions,
 * whatever the index has by then. It is first on sys.path: a version that was
 * asked for goes before the library set's.
 *
 * What no run has used for LIBRARY_MODULES_AGE_DAYS is removed when the next is
 * built; and the longest unused, where all take more than
 * LIBRARY_MODULES_MAX_BYTES. */
#ifndef WAFER_HOST_LIBRARY_MODULES_H
#define WAFER_HOST_LIBRARY_MODULES_H

#include "jobs/text_list.h"
#include "runtime/library_set.h"

enum { LIBRARY_MODULES_AGE_DAYS = 30 };
#define LIBRARY_MODULES_MAX_BYTES (INT64_C(10) << 30)

/* Checked texts, a requirement and an option of pip's each. */
struct library_modules {
  struct text_list names;   /* "requests==2.34.2" */
  struct text_list options; /* "--index-url https://…": may hold a password */
};

/* Whether a set of this name is one of those, and no operator's. */
bool library_modules_own(const char *name);

void library_modules_release(struct library_modules *modules);

/* Adds requirements that are separated by commas: "a,b[c,d]>=1,<2". A path, URL
 * or option is none (EINVAL). */
int library_modules_add_names(struct library_modules *modules,
                              const char *value, struct error **err);

/* Adds options of pip's, "--index-url=https://… --pre", of those that say where
 * packages come from (EINVAL). */
int library_modules_add_options(struct library_modules *modules,
                                const char *value, struct error **err);

/* Opens what was asked for; builds it where it isn't there yet, and says on
 * stderr how long that took. `base` is the run's library set; its dir may be
 * NULL. */
int library_modules_open(const struct library_modules *modules,
                         const struct library_set *base,
                         struct library_set *set, struct error **err);

/* Adds what it is made of, a line of its lock file each. */
int library_modules_list(const struct library_set *set, struct text_list *lines,
                         struct error **err);

#endif
