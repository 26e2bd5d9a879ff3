/* SQLite: statements that clean up after themselves, transactions that roll
 * back unless they were committed, and errors in one line.
 *
 * An error's code is ENOSPC where there was no room, EBUSY where another
 * process held the lock too long, EEXIST for a key that is there already,
 * EBADMSG for a damaged file, else EIO. Its text names the database's folder.
 */
#ifndef WAFER_JOBS_DB_H
#define WAFER_JOBS_DB_H

#include "base/error.h"

#include <sqlite3.h>
#include <stdint.h>

static inline void cleanup_stmtp(sqlite3_stmt **statement)
{
  sqlite3_finalize(*statement);
}

#define cleanup_stmt __attribute__((cleanup(cleanup_stmtp)))

/* How long a writer waits for another one. */
enum { DB_BUSY_S = 5 };

/* Makes an error of the last failure, whose result code was rc. `what` says
 * what was tried: "record a run". Returns -1. */
int db_error(sqlite3 *db, int rc, const char *what, struct error **err);

/* Runs SQL, of one or more statements, whose rows don't matter. */
int db_run(sqlite3 *db, const char *sql, const char *what, struct error **err);

int db_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **statement,
               const char *what, struct error **err);

/* Steps: 1 is a row, 0 the end. */
int db_step(sqlite3_stmt *statement, const char *what, struct error **err);

/* Reads the one integer that `sql` gives; 0 where it gives no row. */
int db_read_int64(sqlite3 *db, const char *sql, int64_t *value,
                  struct error **err);

/* A transaction; with db_begin it holds the write lock from its start, with
 * db_begin_read it sees one snapshot. Declared with cleanup_transaction it is
 * rolled back at the end of its scope unless db_commit came first. */
struct db_transaction {
  sqlite3 *db; /* NULL: none is open */
};

int db_begin(sqlite3 *db, struct db_transaction *transaction, const char *what,
             struct error **err);
int db_begin_read(sqlite3 *db, struct db_transaction *transaction,
                  const char *what, struct error **err);
int db_commit(struct db_transaction *transaction, const char *what,
              struct error **err);
void db_rollback(struct db_transaction *transaction);

#define cleanup_transaction __attribute__((cleanup(db_rollback)))

#endif
