/* What the files of the store share. */
#ifndef WAFER_JOBS_STORE_PRIVATE_H
#define WAFER_JOBS_STORE_PRIVATE_H

#include "jobs/db.h"
#include "jobs/ledger_key.h"
#include "jobs/store.h"

struct store {
  enum store_mode mode;
  char *dir;
  int dir_fd;
  sqlite3 *db;
  struct ledger_key key; /* only of a store for writing */
};

/* Brings the schema up to this version's, or refuses a newer one. Processes
 * that do so at once wait for each other by a lock on dir_fd. */
int store_schema_update(sqlite3 *db, int dir_fd, const char *dir,
                        struct error **err);

#endif
