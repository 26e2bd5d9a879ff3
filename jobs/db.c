#include "config.h"

#include "jobs/db.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* The errno of the last failed call on the database (main) or its WAL. SQLite
 * tells ENOSPC alone as SQLITE_FULL, and sqlite3_system_errno () comes too late
 * to be trusted: the roll-back has made system calls of its own by then. */
static int last_errno(sqlite3 *db, int which_file)
{
  sqlite3_file *file = NULL;
  int code = 0;
  sqlite3_file_control(db, "main", which_file, &file);
  if (file != NULL && file->pMethods != NULL)
    file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &code);
  return code;
}

/* EFBIG is how a file size limit (RLIMIT_FSIZE) shows. */
static bool is_room_error(int code)
{
  return code == ENOSPC || code == EDQUOT || code == EFBIG;
}

static bool is_full(sqlite3 *db, int primary)
{
  return primary == SQLITE_FULL ||
         (primary == SQLITE_IOERR &&
          (is_room_error(last_errno(db, SQLITE_FCNTL_FILE_POINTER)) ||
           is_room_error(last_errno(db, SQLITE_FCNTL_JOURNAL_POINTER))));
}

static char *folder_of(sqlite3 *db)
{
  const char *path = sqlite3_db_filename(db, "main");
  if (path == NULL)
    path = "";
  const char *slash = strrchr(path, '/');
  return xstrndup(path, slash != NULL ? (size_t)(slash - path) : 0);
}

int db_error(sqlite3 *db, int rc, const char *what, struct error **err)
{
  cleanup_free char *dir = folder_of(db);
  int primary = rc & 0xFF;
  if (is_full(db, primary))
    return error_make(err, ENOSPC,
                      "can't %s: no room is left in %s: free some space there",
                      what, dir);
  if (primary == SQLITE_BUSY)
    return error_make(err, EBUSY,
                      "can't %s: another process has kept the store in %s "
                      "locked for %d s: try again",
                      what, dir, DB_BUSY_S);
  if (primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB)
    return error_make(err, EBADMSG,
                      "can't %s: the store in %s is damaged (%s): restore it "
                      "from a copy",
                      what, dir, sqlite3_errmsg(db));
  bool exists =
      rc == SQLITE_CONSTRAINT_PRIMARYKEY || rc == SQLITE_CONSTRAINT_UNIQUE;
  return error_make(err, exists ? EEXIST : EIO, "can't %s: the store in %s: %s",
                    what, dir, sqlite3_errmsg(db));
}

int db_run(sqlite3 *db, const char *sql, const char *what, struct error **err)
{
  int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
  return rc == SQLITE_OK ? 0 : db_error(db, rc, what, err);
}

int db_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **statement,
               const char *what, struct error **err)
{
  int rc = sqlite3_prepare_v2(db, sql, -1, statement, NULL);
  return rc == SQLITE_OK ? 0 : db_error(db, rc, what, err);
}

int db_step(sqlite3_stmt *statement, const char *what, struct error **err)
{
  int rc = sqlite3_step(statement);
  if (rc == SQLITE_ROW)
    return 1;
  if (rc == SQLITE_DONE)
    return 0;
  return db_error(sqlite3_db_handle(statement), rc, what, err);
}

int db_read_int64(sqlite3 *db, const char *sql, int64_t *value,
                  struct error **err)
{
  const char *what = "read the store";
  cleanup_stmt sqlite3_stmt *statement = NULL;
  if (db_prepare(db, sql, &statement, what, err) < 0)
    return -1;
  int row = db_step(statement, what, err);
  if (row < 0)
    return -1;
  *value = row ? sqlite3_column_int64(statement, 0) : 0;
  return 0;
}

int db_begin(sqlite3 *db, struct db_transaction *transaction, const char *what,
             struct error **err)
{
  if (db_run(db, "BEGIN IMMEDIATE", what, err) < 0)
    return -1;
  transaction->db = db;
  return 0;
}

int db_begin_read(sqlite3 *db, struct db_transaction *transaction,
                  const char *what, struct error **err)
{
  if (db_run(db, "BEGIN", what, err) < 0)
    return -1;
  transaction->db = db;
  return 0;
}

int db_commit(struct db_transaction *transaction, const char *what,
              struct error **err)
{
  if (db_run(transaction->db, "COMMIT", what, err) < 0)
    return -1;
  transaction->db = NULL;
  return 0;
}

void db_rollback(struct db_transaction *transaction)
{
  /* SQLite has rolled back by itself after some errors, a full disk say. */
  if (transaction->db != NULL && !sqlite3_get_autocommit(transaction->db))
    sqlite3_exec(transaction->db, "ROLLBACK", NULL, NULL, NULL);
  transaction->db = NULL;
}
