/* The store: every run ever started, and its ledger, in one SQLite database.
 *
 *   DIR/wafer.db (-wal, -shm)   runs and ledger; WAL, synchronous=FULL
 *   DIR/reserve                 1 MiB set aside for a full disk, see below
 *   DIR/runs/ID/                a run's files, which the host keeps: stdout,
 *                               stderr, result, heartbeat
 *
 * Durability: each function that writes is one transaction, and has it on disk
 * when it returns 0. -1 means that nothing of it was stored. Any number of
 * processes may have it open; a writer waits up to 5 s for another.
 *
 * Cost, measured on ext4: 0.5 ms to open, 0.3 to 0.5 ms for each transaction
 * (one fdatasync, and two more in every thirtieth), 0.05 ms to close. The first
 * open in a process also waits 1 ms for SQLite and libcrypto to set up.
 *
 * A full disk: whatever needs room fails with one line that names DIR, and
 * what was recorded stays. Only store_end_run has more to lose, so it gives the
 * reserve back to the file system and tries once more. The reserve is made at
 * each store_open for writing that finds it missing, and no such store is
 * opened without it.
 *
 * A store is used by the process that opened it alone: SQLite forbids to carry
 * one over fork(2). The database and the key of its ledger (jobs/ledger_key.h)
 * are opened close-on-exec. */
#ifndef WAFER_JOBS_STORE_H
#define WAFER_JOBS_STORE_H

#include "jobs/run.h"

#include <stdint.h>

struct store;

enum store_mode {
  STORE_READ,  /* for listing; ENOENT where there is no store yet */
  STORE_WRITE, /* makes it, its folder (0700) and its key where missing */
};

/* Opens the store in `dir`, or in home_state_dir where NULL; brings one of an
 * older version up to date. A store of a newer version is refused (ENOTSUP),
 * for writing also one whose ledger our key didn't write (EKEYREJECTED). */
int store_open(const char *dir, enum store_mode mode, struct store **store,
               struct error **err);

/* Closes and frees it; NULL is fine. */
void store_close(struct store *store);

static inline void cleanup_storep(struct store **store)
{
  store_close(*store);
}

#define cleanup_store __attribute__((cleanup(cleanup_storep)))

/* Its folder, as text for messages; the store's own. */
const char *store_dir(const struct store *store);

/* Records a new run, in the state that it has: STARTING or WAITING. EEXIST
 * where (id, attempt) is there already. */
int store_insert_run(struct store *store, const struct run *run,
                     struct error **err);

/* Takes the stored run through `event` to a state that isn't final, and stores
 * the whole record with it. The state that counts is the stored one; run->state
 * becomes the new one, and keeps its value on failure. EPROTO: the table of
 * jobs/state.h has no such transition. What `event` implies and wasn't recorded
 * is made up for in the same transaction: the release of a run that has a
 * started_realtime_ns, so that a short one costs no transaction for its start,
 * and a stop or timeout that a full disk kept out. */
int store_update_run(struct store *store, struct run *run, enum run_event event,
                     struct error **err);

/* The same to a final state, with its ledger row in the same transaction. The
 * caller has set duration_ns and completed_realtime_ns; this meters the run
 * (run_meter). */
int store_end_run(struct store *store, struct run *run, enum run_event event,
                  struct error **err);

/* Reads one run into `run`, which was run_init-ed. `which` is looked for as
 *   1. a whole id, or the beginning of just one: "jr_4f1c…";
 *   2. a name: its latest run;
 *   3. the same beginning without "jr_": 4 digits or more.
 * The latest attempt is taken. ENOENT: there is none; ENOTUNIQ: several. */
int store_get_run(struct store *store, const char *which, struct run *run,
                  struct error **err);

/* What to list; zeroed: everything. */
struct store_filter {
  const char *name;
  enum state state; /* STATE_NONE: any */
  int64_t limit;    /* 0: no limit */
};

/* Newest first. `list` must be empty, and is the caller's to release. */
int store_list_runs(struct store *store, const struct store_filter *filter,
                    struct run_list *list, struct error **err);

/* All whose state isn't final, oldest first. */
int store_list_unfinished(struct store *store, struct run_list *list,
                          struct error **err);

/* Checks the ledger (ledger_verify); *rows counts what is good. */
int store_verify_ledger(struct store *store, int64_t *rows, struct error **err);

/* Opens the folder for a run's files; makes it (0700) in a store that is open
 * for writing. Attempt 0 has runs/ID, a retry runs/ID_attempt_N. Returns its
 * descriptor or -1. */
int store_run_dir(struct store *store, const char *id, int64_t attempt,
                  struct error **err);

#endif
