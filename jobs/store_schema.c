#include "config.h"

#include "jobs/ledger.h"
#include "jobs/store_private.h"

#include <errno.h>
#include <string.h>
#include <sys/file.h>

/* `record` is the whole run (jobs/run.h) as JSON; the other columns repeat
 * what is looked for. */
static const char runs_1[] =
    "CREATE TABLE runs ("
    "  id TEXT NOT NULL,"
    "  attempt INTEGER NOT NULL,"
    "  name TEXT NOT NULL,"
    "  state TEXT NOT NULL,"
    "  is_final INTEGER NOT NULL,"
    "  created_ns INTEGER NOT NULL,"
    "  record TEXT NOT NULL,"
    "  PRIMARY KEY (id, attempt)"
    ") STRICT;"
    "CREATE INDEX runs_by_time ON runs (created_ns);"
    "CREATE INDEX runs_by_name ON runs (name, created_ns);"
    "CREATE INDEX runs_unfinished ON runs (created_ns) WHERE NOT is_final;";

/* Row N takes a store from version N (PRAGMA user_version) to N + 1. A row that
 * was released is never changed. */
static const char *const migrations[][2] = {
    {runs_1, LEDGER_SCHEMA_1},
};
enum { SCHEMA_VERSION = ARRAY_LENGTH(migrations) };

static int read_version(sqlite3 *db, const char *dir, int64_t *version,
                        struct error **err)
{
  if (db_read_int64(db, "PRAGMA user_version", version, err) < 0)
    return -1;
  if (*version < 0 || *version > SCHEMA_VERSION)
    return error_make(err, ENOTSUP,
                      "the store in %s was made by a newer wafer (its version "
                      "is %lld, this one knows up to %d): run that wafer, or "
                      "set WAFER_STATE_DIR to another folder",
                      dir, (long long)*version, SCHEMA_VERSION);
  return 0;
}

static int migrate(sqlite3 *db, const char *dir, struct error **err)
{
  const char *what = "set the store up";
  cleanup_transaction struct db_transaction transaction = {0};
  int64_t version;
  if (db_begin(db, &transaction, what, err) < 0 ||
      read_version(db, dir, &version, err) < 0)
    return -1;
  for (; version < SCHEMA_VERSION; version++)
    for (size_t i = 0; i < ARRAY_LENGTH(migrations[version]); i++)
      if (db_run(db, migrations[version][i], what, err) < 0)
        return -1;
  cleanup_free char *stamp =
      xasprintf("PRAGMA user_version = %d", SCHEMA_VERSION);
  if (db_run(db, stamp, what, err) < 0)
    return -1;
  return db_commit(&transaction, what, err);
}

/* A lasting property of the file, which can't change in a transaction. */
static int use_wal(sqlite3 *db, const char *dir, struct error **err)
{
  const char *what = "set the store up";
  cleanup_stmt sqlite3_stmt *statement = NULL;
  if (db_prepare(db, "PRAGMA journal_mode = WAL", &statement, what, err) < 0 ||
      db_step(statement, what, err) < 0)
    return -1;
  const char *mode = (const char *)sqlite3_column_text(statement, 0);
  if (mode == NULL || strcmp(mode, "wal") != 0)
    return error_make(err, ENOTSUP,
                      "the file system of %s can't hold a store (no WAL, as on "
                      "a network share): set WAFER_STATE_DIR to a local one",
                      dir);
  return 0;
}

int store_schema_update(sqlite3 *db, int dir_fd, const char *dir,
                        struct error **err)
{
  int64_t version;
  if (read_version(db, dir, &version, err) < 0)
    return -1;
  if (version == SCHEMA_VERSION)
    return 0;
  if (flock(dir_fd, LOCK_EX) < 0)
    return error_errno(err, "lock %s", dir);
  int status = use_wal(db, dir, err);
  if (status == 0)
    status = migrate(db, dir, err);
  flock(dir_fd, LOCK_UN);
  return status;
}
