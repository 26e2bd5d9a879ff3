/* Looking runs up. */
#include "config.h"

#include "jobs/store_private.h"
#include "jobs/utf8.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char WHAT[] = "read the runs";
static const char ID_PREFIX[] = "jr_";
enum { BARE_DIGITS_MIN = 4 };

static void bind_copy(sqlite3_stmt *statement, int index, const char *text)
{
  sqlite3_bind_text(statement, index, utf8_clean(text, strlen(text)), -1, free);
}

/* Column 0 is the record. */
static int read_record(sqlite3_stmt *statement, struct run *run,
                       struct error **err)
{
  const char *record = (const char *)sqlite3_column_text(statement, 0);
  if (record == NULL)
    return error_make(err, EBADMSG, "a run's record is missing");
  return run_from_text(record, run, err);
}

/* 1: found and read; 0: there is none. */
static int read_one(struct store *store, const char *sql, const char *value,
                    struct run *run, struct error **err)
{
  cleanup_stmt sqlite3_stmt *statement = NULL;
  if (db_prepare(store->db, sql, &statement, WHAT, err) < 0)
    return -1;
  bind_copy(statement, 1, value);
  int found = db_step(statement, WHAT, err);
  if (found > 0 && read_record(statement, run, err) < 0)
    return -1;
  return found;
}

/* The one id that begins with `prefix`, which is "jr_" and hexadecimal digits;
 * 'g' comes after all of those. 1: found; 0: there is none. */
static int find_id(struct store *store, const char *prefix,
                   char id[RUN_ID_SIZE], struct error **err)
{
  cleanup_stmt sqlite3_stmt *statement = NULL;
  if (db_prepare(store->db,
                 "SELECT DISTINCT id FROM runs WHERE id >= ?1"
                 " AND id < ?1 || 'g' LIMIT 2",
                 &statement, WHAT, err) < 0)
    return -1;
  bind_copy(statement, 1, prefix);
  int found = db_step(statement, WHAT, err);
  if (found <= 0)
    return found;
  const char *text = (const char *)sqlite3_column_text(statement, 0);
  snprintf(id, RUN_ID_SIZE, "%s", text != NULL ? text : "");
  int more = db_step(statement, WHAT, err);
  if (more > 0)
    return error_make(err, ENOTUNIQ,
                      "several runs begin with \"%s\": give more of its digits",
                      prefix);
  return more < 0 ? -1 : 1;
}

static int read_by_prefix(struct store *store, const char *prefix,
                          struct run *run, struct error **err)
{
  char id[RUN_ID_SIZE];
  int found = find_id(store, prefix, id, err);
  if (found <= 0)
    return found;
  return read_one(store,
                  "SELECT record FROM runs WHERE id = ?"
                  " ORDER BY attempt DESC LIMIT 1",
                  id, run, err);
}

static bool is_hex(const char *text)
{
  return text[strspn(text, "0123456789abcdef")] == '\0';
}

static int find_run(struct store *store, const char *which, struct run *run,
                    struct error **err)
{
  size_t prefix_length = sizeof ID_PREFIX - 1;
  bool is_id = strncmp(which, ID_PREFIX, prefix_length) == 0 &&
               is_hex(which + prefix_length);
  int found = is_id ? read_by_prefix(store, which, run, err) : 0;
  if (found == 0)
    found = read_one(store,
                     "SELECT record FROM runs WHERE name = ?"
                     " ORDER BY created_ns DESC, attempt DESC LIMIT 1",
                     which, run, err);
  if (found != 0 || !is_hex(which) || strlen(which) < BARE_DIGITS_MIN)
    return found;
  cleanup_free char *prefix = xasprintf("%s%s", ID_PREFIX, which);
  return read_by_prefix(store, prefix, run, err);
}

int store_get_run(struct store *store, const char *which, struct run *run,
                  struct error **err)
{
  int found = which[0] != '\0' ? find_run(store, which, run, err) : 0;
  if (found == 0)
    return error_make(err, ENOENT,
                      "no run with the id or name \"%s\" is recorded in %s: "
                      "\"wafer runs\" lists them",
                      which, store->dir);
  return found < 0 ? -1 : 0;
}

static int read_all(sqlite3_stmt *statement, struct run_list *list,
                    struct error **err)
{
  cleanup_run_list struct run_list made = {0};
  int found;
  while ((found = db_step(statement, WHAT, err)) > 0) {
    made.items = xreallocarray(made.items, made.count + 1, sizeof *made.items);
    struct run *run = &made.items[made.count++];
    run_init(run);
    if (read_record(statement, run, err) < 0)
      return -1;
  }
  if (found < 0)
    return -1;
  *list = made;
  made = (struct run_list){0};
  return 0;
}

int store_list_runs(struct store *store, const struct store_filter *filter,
                    struct run_list *list, struct error **err)
{
  cleanup_stmt sqlite3_stmt *statement = NULL;
  /* With a name its index serves, else the one by time, in order. */
  const char *sql =
      filter->name != NULL
          ? "SELECT record FROM runs WHERE (?2 IS NULL OR state = ?2)"
            " AND name = ?1 ORDER BY created_ns DESC, attempt DESC LIMIT ?3"
          : "SELECT record FROM runs WHERE (?2 IS NULL OR state = ?2)"
            " ORDER BY created_ns DESC, attempt DESC LIMIT ?3";
  if (db_prepare(store->db, sql, &statement, WHAT, err) < 0)
    return -1;
  if (filter->name != NULL)
    bind_copy(statement, 1, filter->name);
  if (filter->state != STATE_NONE)
    sqlite3_bind_text(statement, 2, state_name(filter->state), -1,
                      SQLITE_STATIC);
  /* SQLite takes a negative one as none. */
  sqlite3_bind_int64(statement, 3, filter->limit > 0 ? filter->limit : -1);
  return read_all(statement, list, err);
}

int store_list_unfinished(struct store *store, struct run_list *list,
                          struct error **err)
{
  cleanup_stmt sqlite3_stmt *statement = NULL;
  if (db_prepare(store->db,
                 "SELECT record FROM runs WHERE NOT is_final"
                 " ORDER BY created_ns",
                 &statement, WHAT, err) < 0)
    return -1;
  return read_all(statement, list, err);
}
