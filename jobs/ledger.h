/* The ledger: what each run is charged for, in rows that are only ever added.
 *
 * One row for each (run, attempt), written in the transaction that ends the
 * run. Triggers refuse UPDATE, DELETE and REPLACE, and a correction is a new
 * row of a later issue. That stops accidents; against whoever can write the
 * file, each row carries a MAC over itself and the MAC of the row before:
 *
 *   mac = HMAC-SHA-256 (key, encoding of the row and prev_mac)
 *
 * so that a row changed, inserted, moved or taken out of the middle shows. Rows
 * cut off the end show as ended runs without a row; if those runs are removed
 * as well, only a copy of the last mac kept elsewhere (it is the ledger's whole
 * state; an invoice prints it) can tell.
 *
 * The encoding, version 1: the bytes "wafer-ledger-1", then the members of
 * struct ledger_row in their order up to prev_mac, an integer as 8 bytes,
 * big-endian, a text or MAC as its length in such 8 bytes and then its bytes.
 * prev_mac of the first row is 32 zero bytes. */
#ifndef WAFER_JOBS_LEDGER_H
#define WAFER_JOBS_LEDGER_H

#include "jobs/ledger_key.h"
#include "jobs/run.h"

#include <stdint.h>

struct sqlite3;

enum { LEDGER_MAC_BYTES = 32 };

/* Self-contained: owns nothing. */
struct ledger_row {
  int64_t seq; /* 1, 2, 3 …, without a gap */
  char run_id[RUN_ID_SIZE];
  int64_t attempt;
  int64_t started_realtime_ns; /* 0: it never ran */
  int64_t ended_realtime_ns;
  int64_t duration_ns;
  int64_t billed_seconds;
  int64_t micro_dpu;
  int64_t micro_dpu_seconds;
  struct price price; /* id, rate, minimum, rounding, currency; not its date */
  unsigned char prev_mac[LEDGER_MAC_BYTES];
  unsigned char mac[LEDGER_MAC_BYTES];
};

/* The SQL that makes the table and its triggers: part of the store's schema. */
extern const char LEDGER_SCHEMA_1[];

/* Fills in what a metered, ended run is charged (run_meter); seq and the MACs
 * are left to ledger_append. */
void ledger_row_of_run(const struct run *run, struct ledger_row *row);

/* Adds a row at the end, inside the caller's transaction, which must hold the
 * write lock (db_begin); sets its seq, prev_mac and mac. */
int ledger_append(struct sqlite3 *db, const struct ledger_key *key,
                  struct ledger_row *row, struct error **err);

/* Whether our key wrote the last row, or there is none yet: asked before a run
 * starts, so that its end can be booked. EKEYREJECTED where not. */
int ledger_check_key(struct sqlite3 *db, const struct ledger_key *key,
                     struct error **err);

/* Walks the whole chain in one snapshot, and checks that each ended run has
 * its row. 0, *rows set; or -1 with EBADMSG and a
 * line that names the first bad row. */
int ledger_verify(struct sqlite3 *db, const struct ledger_key *key,
                  int64_t *rows, struct error **err);

#endif
