/* What the tests of the store and of the ledger share: a folder of their own
 * with a state and a config folder in it, and runs to put there. */
#ifndef WAFER_TESTS_BOOKS_H
#define WAFER_TESTS_BOOKS_H

#include "base/clock.h"
#include "jobs/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct books {
  char root[64];
  char *state;
  char *config;
};

static inline int books_setup(void **state)
{
  struct books *books = xcalloc(1, sizeof *books);
  snprintf(books->root, sizeof books->root, "/tmp/wafer-books-XXXXXX");
  if (mkdtemp(books->root) == NULL)
    return -1;
  books->state = xasprintf("%s/deep/state", books->root);
  books->config = xasprintf("%s/config", books->root);
  *state = books;
  return setenv("WAFER_CONFIG_DIR", books->config, 1);
}

static inline int books_remove(const char *path, const struct stat *status,
                               int type, struct FTW *where)
{
  (void)status, (void)type, (void)where;
  return remove(path);
}

static inline int books_teardown(void **state)
{
  struct books *books = *state;
  nftw(books->root, books_remove, 16, FTW_DEPTH | FTW_PHYS);
  free(books->state);
  free(books->config);
  free(books);
  return 0;
}

/* Fails the test with an error's text. */
static inline void books_good(int status, struct error *err)
{
  if (status < 0)
    fail_msg("%s", err->text);
}

/* Checks that a call failed, with this code and these words. */
static inline void books_bad(int status, struct error **err, int code,
                             const char *words)
{
  assert_int_equal(status, -1);
  if (strstr((*err)->text, words) == NULL)
    fail_msg("\"%s\" isn't in \"%s\"", words, (*err)->text);
  assert_null(strchr((*err)->text, '\n'));
  assert_int_equal((*err)->code, code);
  error_clear(err);
}

static inline struct store *books_open(const struct books *books,
                                       enum store_mode mode)
{
  struct store *store = NULL;
  struct error *err = NULL;
  books_good(store_open(books->state, mode, &store, &err), err);
  return store;
}

/* A new run of 1/16 DPU that is STARTING. */
static inline void books_new_run(struct run *run, const char *name)
{
  struct error *err = NULL;
  run_init(run);
  books_good(run_new_id(run, &err), err);
  run_set_text(&run->name, name);
  run_set_size(run, size_default());
  run->price = *price_current();
  run->state = STATE_STARTING;
  run->created_realtime_ns = clock_realtime_ns();
}

/* Inserts, releases and ends it as SUCCEEDED after `seconds`. */
static inline int books_whole_run(struct store *store, const char *name,
                                  int64_t seconds, struct error **err)
{
  cleanup_run struct run run;
  books_new_run(&run, name);
  run.started_realtime_ns = run.created_realtime_ns + 1;
  if (store_insert_run(store, &run, err) < 0 ||
      store_update_run(store, &run, EVENT_RELEASED, err) < 0)
    return -1;
  run.duration_ns = seconds * NS_PER_S;
  run.completed_realtime_ns = clock_realtime_ns();
  return store_end_run(store, &run, EVENT_EXITED_OK, err);
}

/* Runs SQL behind the store's back; SQLite's result code. */
static inline int books_tamper(const struct books *books, const char *sql)
{
  cleanup_free char *path = xasprintf("%s/wafer.db", books->state);
  sqlite3 *db = NULL;
  int rc = sqlite3_open(path, &db);
  if (rc == SQLITE_OK)
    rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
  sqlite3_close(db);
  return rc;
}

/* Makes uid 12345 the owner; false where that isn't ours to do: for a plain
 * user (EPERM), or in a user namespace without this id (EINVAL). */
static inline bool books_give_away(const char *path)
{
  if (chown(path, 12345, (gid_t)-1) == 0)
    return true;
  assert_true(errno == EPERM || errno == EINVAL);
  return false;
}

/* The exit status of a child, which must not be killed. */
static inline int books_wait(pid_t pid)
{
  int status;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_true(WIFEXITED(status));
  return WEXITSTATUS(status);
}

#endif
