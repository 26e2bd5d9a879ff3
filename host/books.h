/* The store as the commands that list it need it: open, and without records of
 * runs whose wafer was killed. */
#ifndef WAFER_HOST_BOOKS_H
#define WAFER_HOST_BOOKS_H

#include "jobs/store.h"

/* Opens the user's store for reading, after books_settle. ENOENT: no run was
 * ever recorded, and no store is made. */
int books_open(struct store **store, struct error **err);

/* Books the runs whose wafer was killed (host/recover.h). Where there are none
 * it only reads. Where it may not write, a line on stderr says so, and their
 * records stay as they are. */
int books_settle(struct store *store, struct error **err);

#endif
