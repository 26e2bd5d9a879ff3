#include "config.h"

#include "jobs/store.h"

#include "base/fd.h"
#include "jobs/home.h"
#include "jobs/ledger.h"
#include "jobs/reserve.h"
#include "jobs/store_private.h"
#include "jobs/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DB_FILE "wafer.db"

/* Pages in the WAL that make a commit copy them to the database. Low, because
 * each process that opens the store first reads the WAL. */
enum { CHECKPOINT_PAGES = 64 };

static int make_db_file(const struct store *store, struct error **err)
{
  /* SQLite would make it readable by all; -wal and -shm follow its mode. */
  cleanup_fd int fd = openat(store->dir_fd, DB_FILE,
                             O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0)
    return error_errno(err, "make %s/" DB_FILE, store->dir);
  return 0;
}

static int open_dir(struct store *store, struct error **err)
{
  if (store->mode == STORE_WRITE) {
    store->dir_fd = home_make_dir(store->dir, err);
    return store->dir_fd < 0 ? -1 : make_db_file(store, err);
  }
  cleanup_free char *path = xasprintf("%s/" DB_FILE, store->dir);
  if (access(path, F_OK) < 0 && errno == ENOENT)
    return error_make(err, ENOENT, "no run is recorded yet in %s", store->dir);
  store->dir_fd = home_open_dir(store->dir, err);
  return store->dir_fd < 0 ? -1 : 0;
}

/* Without a checkpoint at close, a process that comes and goes pays the fsync
 * of its commits alone; commits do it, every CHECKPOINT_PAGES. Not too many:
 * each process that finds no other reads them all first. */
static void configure(sqlite3 *db)
{
  sqlite3_extended_result_codes(db, 1);
  sqlite3_busy_timeout(db, DB_BUSY_S * 1000);
  sqlite3_wal_autocheckpoint(db, CHECKPOINT_PAGES);
  sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
  sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
  sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
}

static int open_db(struct store *store, struct error **err)
{
  cleanup_free char *path = xasprintf("%s/" DB_FILE, store->dir);
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
  int rc = sqlite3_open_v2(path, &store->db, flags, NULL);
  if (rc != SQLITE_OK)
    return error_make(err, EIO, "can't open the store %s: %s", path,
                      sqlite3_errstr(rc));
  configure(store->db);
  if (db_run(store->db, "PRAGMA synchronous = FULL", "open the store", err) < 0)
    return -1;
  return store_schema_update(store->db, store->dir_fd, store->dir, err);
}

static int make_reserve(const struct store *store, struct error **err)
{
  if (reserve_make(store->dir_fd, err) == 0)
    return 0;
  if ((*err)->code != ENOSPC && (*err)->code != EDQUOT && (*err)->code != EFBIG)
    return error_wrap(err, "the store in %s", store->dir);
  error_clear(err);
  return error_make(err, ENOSPC,
                    "no room is left in %s for the record of a run: free some "
                    "space there",
                    store->dir);
}

static int load_key(struct store *store, struct error **err)
{
  cleanup_free char *dir = NULL;
  int64_t rows;
  if (home_config_dir(&dir, err) < 0 ||
      db_read_int64(store->db, "SELECT EXISTS (SELECT 1 FROM ledger)", &rows,
                    err) < 0)
    return -1;
  if (ledger_key_load(dir, rows == 0, &store->key, err) == 0) {
    if (ledger_check_key(store->db, &store->key, err) == 0)
      return 0;
    if ((*err)->code != EKEYREJECTED)
      return -1;
  } else if ((*err)->code != ENOENT)
    return -1;
  error_clear(err);
  return error_make(err, EKEYREJECTED,
                    "%s/" LEDGER_KEY_FILE " isn't the key that the ledger in "
                    "%s was written with: restore it, or set WAFER_STATE_DIR "
                    "to a new folder",
                    dir, store->dir);
}

static int prepare_mode(struct store *store, struct error **err)
{
  if (store->mode == STORE_READ)
    return db_run(store->db, "PRAGMA query_only = 1", "open the store", err);
  if (make_reserve(store, err) < 0)
    return -1;
  return load_key(store, err);
}

int store_open(const char *dir, enum store_mode mode, struct store **store,
               struct error **err)
{
  cleanup_store struct store *made = xcalloc(1, sizeof *made);
  made->mode = mode;
  made->dir_fd = -1;
  if (dir != NULL)
    made->dir = xstrdup(dir);
  else if (home_state_dir(&made->dir, err) < 0)
    return -1;
  if (open_dir(made, err) < 0 || open_db(made, err) < 0 ||
      prepare_mode(made, err) < 0)
    return -1;
  *store = steal_pointer(&made);
  return 0;
}

void store_close(struct store *store)
{
  if (store == NULL)
    return;
  sqlite3_close(store->db);
  fd_close(&store->dir_fd);
  ledger_key_clear(&store->key);
  free(store->dir);
  free(store);
}

const char *store_dir(const struct store *store)
{
  return store->dir;
}

/* Binds what both statements below have, as ?1 to ?7. */
static void bind_run(sqlite3_stmt *statement, const struct run *run)
{
  const char *name = run->name != NULL ? run->name : "";
  const char *state = state_name(run->state);
  sqlite3_bind_text(statement, 1, run->id, -1, SQLITE_STATIC);
  sqlite3_bind_int64(statement, 2, run->attempt);
  sqlite3_bind_text(statement, 3, utf8_clean(name, strlen(name)), -1, free);
  sqlite3_bind_text(statement, 4, state, -1, SQLITE_STATIC);
  sqlite3_bind_int(statement, 5, state_is_final(run->state));
  sqlite3_bind_int64(statement, 6, run->created_realtime_ns);
  sqlite3_bind_text(statement, 7, run_to_text(run), -1, free);
}

static int write_run(sqlite3 *db, const struct run *run, const char *sql,
                     const char *what, struct error **err)
{
  cleanup_stmt sqlite3_stmt *statement = NULL;
  if (db_prepare(db, sql, &statement, what, err) < 0)
    return -1;
  bind_run(statement, run);
  return db_step(statement, what, err);
}

int store_insert_run(struct store *store, const struct run *run,
                     struct error **err)
{
  const char *what = "record a run";
  if (!run_id_is_valid(run->id) ||
      (run->state != STATE_STARTING && run->state != STATE_WAITING))
    return error_make(err, EINVAL,
                      "a new run has an id, and is STARTING or "
                      "WAITING");
  cleanup_transaction struct db_transaction transaction = {0};
  if (db_begin(store->db, &transaction, what, err) < 0 ||
      write_run(store->db, run,
                "INSERT INTO runs (id, attempt, name, state, is_final,"
                " created_ns, record) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                what, err) < 0)
    return -1;
  return db_commit(&transaction, what, err);
}

static int read_state(sqlite3 *db, const struct run *run, enum state *state,
                      struct error **err)
{
  const char *what = "read a run";
  cleanup_stmt sqlite3_stmt *statement = NULL;
  if (db_prepare(db, "SELECT state FROM runs WHERE id = ? AND attempt = ?",
                 &statement, what, err) < 0)
    return -1;
  sqlite3_bind_text(statement, 1, run->id, -1, SQLITE_STATIC);
  sqlite3_bind_int64(statement, 2, run->attempt);
  int found = db_step(statement, what, err);
  if (found < 0)
    return -1;
  const char *name =
      found ? (const char *)sqlite3_column_text(statement, 0) : NULL;
  if (name == NULL)
    return error_make(err, ENOENT, "there is no run %s, attempt %" PRId64,
                      run->id, run->attempt);
  return state_parse(name, state, err);
}

static int add_charge(const struct store *store, const struct run *run,
                      struct error **err)
{
  struct ledger_row row;
  ledger_row_of_run(run, &row);
  return ledger_append(store->db, &store->key, &row, err);
}

/* Takes the run through the events that `event` implies and that were not
 * recorded: a short run's release, or a stop while the disk was full. */
static int catch_up(struct run *run, enum run_event event, struct error **err)
{
  if (run->state == STATE_STARTING && run->started_realtime_ns != 0 &&
      event != EVENT_RELEASED &&
      state_next(run->state, EVENT_RELEASED, &run->state, err) < 0)
    return -1;
  if (run->state != STATE_RUNNING)
    return 0;
  if (event == EVENT_STOPPED)
    return state_next(run->state, EVENT_STOP_ASKED, &run->state, err);
  if (event == EVENT_TIMED_OUT)
    return state_next(run->state, EVENT_TIME_UP, &run->state, err);
  return 0;
}

/* One transaction. run->state is the new one even where it fails. */
static int move_run(struct store *store, struct run *run, enum run_event event,
                    bool end, struct error **err)
{
  const char *what = end ? "record the end of a run" : "record a run's state";
  cleanup_transaction struct db_transaction transaction = {0};
  if (db_begin(store->db, &transaction, what, err) < 0 ||
      read_state(store->db, run, &run->state, err) < 0)
    return -1;
  if (catch_up(run, event, err) < 0 ||
      state_next(run->state, event, &run->state, err) < 0)
    return -1;
  if (state_is_final(run->state) != end)
    return error_make(err, EINVAL, "event %s %s a run", event_name(event),
                      end ? "doesn't end" : "ends");
  /* Its name and time never change, and naming them would write their indexes
   * again. */
  if (write_run(store->db, run,
                "UPDATE runs SET state = ?4, is_final = ?5, record = ?7"
                " WHERE id = ?1 AND attempt = ?2",
                what, err) < 0)
    return -1;
  if (end && add_charge(store, run, err) < 0)
    return -1;
  return db_commit(&transaction, what, err);
}

int store_update_run(struct store *store, struct run *run, enum run_event event,
                     struct error **err)
{
  enum state before = run->state;
  if (move_run(store, run, event, false, err) == 0)
    return 0;
  run->state = before;
  return -1;
}

int store_end_run(struct store *store, struct run *run, enum run_event event,
                  struct error **err)
{
  enum state before = run->state;
  if (run_meter(run, err) < 0)
    return -1;
  int status = move_run(store, run, event, true, err);
  cleanup_error struct error *why = NULL;
  if (status < 0 && (*err)->code == ENOSPC &&
      reserve_release(store->dir_fd, &why) == 0) {
    error_clear(err);
    status = move_run(store, run, event, true, err);
  }
  if (status < 0)
    run->state = before;
  return status;
}

int store_verify_ledger(struct store *store, int64_t *rows, struct error **err)
{
  cleanup_free char *dir = NULL;
  struct ledger_key key;
  if (home_config_dir(&dir, err) < 0 ||
      ledger_key_load(dir, false, &key, err) < 0)
    return -1;
  int status = ledger_verify(store->db, &key, rows, err);
  ledger_key_clear(&key);
  return status;
}

/* Opens the folder `name` in another, which it never leaves. */
static int open_dir_at(const struct store *store, int dir_fd, const char *name,
                       struct error **err)
{
  if (store->mode == STORE_WRITE && mkdirat(dir_fd, name, 0700) < 0 &&
      errno != EEXIST)
    return error_errno(err, "make the folder %s", name);
  return fd_open_beneath(dir_fd, name, O_RDONLY | O_DIRECTORY, 0, err);
}

int store_run_dir(struct store *store, const char *id, int64_t attempt,
                  struct error **err)
{
  if (!run_id_is_valid(id) || attempt < 0)
    return error_make(err, EINVAL, "\"%s\" is no run's id", id);
  cleanup_free char *name = attempt == 0
                                ? xstrdup(id)
                                : xasprintf("%s_attempt_%" PRId64, id, attempt);
  cleanup_fd int runs_fd = open_dir_at(store, store->dir_fd, "runs", err);
  int fd = runs_fd < 0 ? -1 : open_dir_at(store, runs_fd, name, err);
  return fd < 0 ? error_wrap(err, "%s", store->dir) : fd;
}
