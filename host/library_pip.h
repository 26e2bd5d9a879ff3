/* The programs that build a library set: Debian's python3.11, its venv, pip and
 * compileall. They read what an index sends, so for real root they run with an
 * id that owns nothing but the folder they build in. They hold the lock of the
 * sets, and end with the process that started them. */
#ifndef WAFER_HOST_LIBRARY_PIP_H
#define WAFER_HOST_LIBRARY_PIP_H

#include "base/error.h"

#include <sys/types.h>

struct library_pip {
  const char *home; /* their folder: working directory, TMPDIR, root's HOME */
  int lock_fd;
  uid_t uid; /* used where the caller is real root */
  gid_t gid;
};

/* The interpreter; the one in a set's folder is a link to it. */
extern const char library_pip_python[];

/* Whether pip and venv are installed (ENOENT, which says what to install). */
int library_pip_check(struct error **err);

/* Runs a program to its end. Where that isn't 0, the error is what it said that
 * matters, on one line, with what to do about it where that is known. */
int library_pip_run(const struct library_pip *pip, const char *const *argv,
                    struct error **err);

/* pip's own code for an interpreter that hasn't got it installed, and that sees
 * none of what is installed beside it (`pip --python`, since pip 22.3). */
#define LIBRARY_PIP_RUNNER                                                     \
  "/usr/lib/python3/dist-packages/pip/__pip-runner__.py"

#endif
