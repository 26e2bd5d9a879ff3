/* A library set: packages that jobs import beside the standard library.
 *
 * A set is a virtual environment of Debian's python3.11, built from a lock file
 * with hashes (host/library_build.h), and read-only from then on:
 *
 *   SETS/NAME-HEX/manifest.json   written last: without one it is half-built
 *   SETS/NAME-HEX/lock.txt        the lock file that it was built from
 *   SETS/NAME-HEX/lib/python3.11/site-packages
 *   SETS/NAME -> NAME-HEX         the choice: what a run of this name gets
 *
 * SETS is library-sets in the state folder (jobs/home.h); HEX, the first 16
 * digits of the lock file's SHA-256. A job sees site-packages at the path that
 * it has on the machine (but see library_set_path_inside), read-only, as the
 * last entries of sys.path. So what a warm zygote imported from there stays
 * valid in the sandbox. No .pth file in it is read.
 *
 * Whoever has a set open holds a shared lock of its folder (flock(2)): it is
 * not removed before. Its manifest goes first then, so one that can be read
 * under the lock is whole.
 *
 * Who may write to SETS decides what code runs in zygotes: it must be the
 * caller's own or root's, and nobody else's to write. */
#ifndef WAFER_RUNTIME_LIBRARY_SET_H
#define WAFER_RUNTIME_LIBRARY_SET_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

#define LIBRARY_SET_NONE     "none"
#define LIBRARY_SET_MANIFEST "manifest.json"
#define LIBRARY_SET_LOCK     "lock.txt"

enum {
  LIBRARY_SET_HASH_LENGTH = 64, /* SHA-256 in hexadecimal digits */
  LIBRARY_SET_HEX_LENGTH = 16,  /* so much of it is in the folder's name */
  LIBRARY_SET_NAME_MAX = 64,
  LIBRARY_SET_PRELOAD_MAX = 64,
  LIBRARY_SET_MANIFEST_MAX_BYTES = 64 << 10,
};

/* Owns its texts; zeroed memory is no set: the standard library alone. */
struct library_set {
  char *name;
  char *lock_sha256;    /* LIBRARY_SET_HASH_LENGTH digits */
  char *python_version; /* of the interpreter that built it: "3.11.2" */
  char *dir;            /* its folder, absolute and without links; NULL: none,
                           and the next is no descriptor */
  int dir_fd;           /* holds the lock */
  char **preload;       /* modules that a warm zygote imports, in this order */
  size_t preload_count;
  int64_t made_realtime_ns;
  int64_t bytes; /* that it takes on disk */
};

void library_set_release(struct library_set *set);
#define cleanup_library_set __attribute__((cleanup(library_set_release)))

/* A name is 1 to 64 of a-z, 0-9, "_", "." and "-", a letter or a digit first,
 * and doesn't end as a set's folder does: "-" and 16 hexadecimal digits. */
int library_set_check_name(const char *name, struct error **err);

/* A module's name as `import` takes it: "pyarrow.parquet". */
int library_set_check_module(const char *name, struct error **err);

/* Adds a copy to `preload`, once checked (EINVAL, E2BIG). */
int library_set_add_preload(struct library_set *set, const char *module,
                            struct error **err);

/* Reads a manifest into a zeroed set; `dir` stays NULL. A member that is
 * missing or of a wrong kind is an error (EINVAL) that names it. */
int library_set_parse(const char *text, size_t count, struct library_set *set,
                      struct error **err);

/* A manifest's text, which the caller frees. */
char *library_set_to_text(const struct library_set *set);

/* Opens the set that SETS/NAME chooses. ENOENT: there is none. */
int library_set_open(const char *sets_dir, const char *name,
                     struct library_set *set, struct error **err);

/* Whether `folder` is the name of a set's folder; *name_length becomes that of
 * the set's name in it. */
bool library_set_is_folder(const char *folder, size_t *name_length);

/* The folder's name that SETS/NAME chooses; NULL: none. The caller frees it. */
char *library_set_chosen(int sets_fd, const char *name);

/* Whether the interpreter of this build can use it: EINVAL, else. */
int library_set_check_python(const struct library_set *set, struct error **err);

/* Its folder for sys.path, on the machine; the caller frees it. */
char *library_set_packages(const struct library_set *set);

/* Where a job sees that: the same path, but for one in /var/tmp, which inside
 * is a link to /tmp, and the mount has to be at the link's end. The caller
 * frees it. */
char *library_set_path_inside(const struct library_set *set);

#endif
