#include "config.h"

#include "jobs/ledger.h"

#include "base/hmac.h"
#include "jobs/db.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>

/* RAISE in a BEFORE trigger also meets INSERT OR REPLACE, which deletes without
 * firing the trigger for DELETE (sqlite.org/lang_conflict.html). */
const char LEDGER_SCHEMA_1[] =
    "CREATE TABLE ledger ("
    "  seq INTEGER PRIMARY KEY,"
    "  run_id TEXT NOT NULL,"
    "  attempt INTEGER NOT NULL,"
    "  started_ns INTEGER NOT NULL,"
    "  ended_ns INTEGER NOT NULL,"
    "  duration_ns INTEGER NOT NULL,"
    "  billed_seconds INTEGER NOT NULL,"
    "  micro_dpu INTEGER NOT NULL,"
    "  micro_dpu_seconds INTEGER NOT NULL,"
    "  price_id TEXT NOT NULL,"
    "  price_rate_micro_usd INTEGER NOT NULL,"
    "  price_minimum_s INTEGER NOT NULL,"
    "  price_rounding_s INTEGER NOT NULL,"
    "  price_currency TEXT NOT NULL,"
    "  prev_mac BLOB NOT NULL,"
    "  mac BLOB NOT NULL,"
    "  UNIQUE (run_id, attempt)"
    ") STRICT;"
    "CREATE TRIGGER ledger_no_update BEFORE UPDATE ON ledger BEGIN"
    "  SELECT RAISE (ABORT, 'the ledger is append-only');"
    "END;"
    "CREATE TRIGGER ledger_no_delete BEFORE DELETE ON ledger BEGIN"
    "  SELECT RAISE (ABORT, 'the ledger is append-only');"
    "END;"
    "CREATE TRIGGER ledger_no_replace BEFORE INSERT ON ledger"
    "  WHEN EXISTS (SELECT 1 FROM ledger WHERE seq = NEW.seq"
    "    OR (run_id = NEW.run_id AND attempt = NEW.attempt)) BEGIN"
    "  SELECT RAISE (ABORT, 'the ledger is append-only');"
    "END;";

#define COLUMNS                                                                \
  "seq, run_id, attempt, started_ns, ended_ns, duration_ns, billed_seconds, "  \
  "micro_dpu, micro_dpu_seconds, price_id, price_rate_micro_usd, "             \
  "price_minimum_s, price_rounding_s, price_currency, prev_mac, mac"

void ledger_row_of_run(const struct run *run, struct ledger_row *row)
{
  *row = (struct ledger_row){
      .attempt = run->attempt,
      .started_realtime_ns = run->started_realtime_ns,
      .ended_realtime_ns = run->completed_realtime_ns,
      .duration_ns = run->duration_ns,
      .billed_seconds = run->billed_seconds,
      .micro_dpu = run->micro_dpu,
      .micro_dpu_seconds = run->micro_dpu_seconds,
      .price = run->price,
  };
  memcpy(row->run_id, run->id, sizeof row->run_id);
}

/* Room for the encoding: the longest is about 400 bytes. */
struct encoding {
  unsigned char bytes[640];
  size_t count;
};

static void encode_bytes(struct encoding *encoding, const void *bytes,
                         size_t count)
{
  if (count > sizeof encoding->bytes - encoding->count)
    abort();
  memcpy(encoding->bytes + encoding->count, bytes, count);
  encoding->count += count;
}

static void encode_int64(struct encoding *encoding, int64_t value)
{
  uint64_t number = (uint64_t)value;
  unsigned char bytes[8];
  for (size_t i = 0; i < sizeof bytes; i++)
    bytes[i] = (unsigned char)(number >> (56 - 8 * i));
  encode_bytes(encoding, bytes, sizeof bytes);
}

static void encode_block(struct encoding *encoding, const void *bytes,
                         size_t count)
{
  encode_int64(encoding, (int64_t)count);
  encode_bytes(encoding, bytes, count);
}

static void encode_row(struct encoding *encoding, const struct ledger_row *row)
{
  static const char version[] = "wafer-ledger-1";
  const struct price *price = &row->price;
  encode_bytes(encoding, version, sizeof version - 1);
  encode_int64(encoding, row->seq);
  encode_block(encoding, row->run_id, strlen(row->run_id));
  encode_int64(encoding, row->attempt);
  encode_int64(encoding, row->started_realtime_ns);
  encode_int64(encoding, row->ended_realtime_ns);
  encode_int64(encoding, row->duration_ns);
  encode_int64(encoding, row->billed_seconds);
  encode_int64(encoding, row->micro_dpu);
  encode_int64(encoding, row->micro_dpu_seconds);
  encode_block(encoding, price->id, strlen(price->id));
  encode_int64(encoding, price->rate_micro_usd);
  encode_int64(encoding, price->minimum_s);
  encode_int64(encoding, price->rounding_s);
  encode_block(encoding, price->currency, strlen(price->currency));
  encode_block(encoding, row->prev_mac, sizeof row->prev_mac);
}

static void make_mac(const struct ledger_key *key, const struct ledger_row *row,
                     unsigned char mac[LEDGER_MAC_BYTES])
{
  struct encoding encoding = {.count = 0};
  encode_row(&encoding, row);
  hmac_sha256(key->bytes, sizeof key->bytes, encoding.bytes, encoding.count,
              mac);
}

static void bind_text(sqlite3_stmt *statement, int index, const char *text)
{
  sqlite3_bind_text(statement, index, text, -1, SQLITE_STATIC);
}

/* A binding that failed leaves NULL, which the table refuses. */
static void bind_row(sqlite3_stmt *statement, const struct ledger_row *row)
{
  const struct price *price = &row->price;
  sqlite3_bind_int64(statement, 1, row->seq);
  bind_text(statement, 2, row->run_id);
  sqlite3_bind_int64(statement, 3, row->attempt);
  sqlite3_bind_int64(statement, 4, row->started_realtime_ns);
  sqlite3_bind_int64(statement, 5, row->ended_realtime_ns);
  sqlite3_bind_int64(statement, 6, row->duration_ns);
  sqlite3_bind_int64(statement, 7, row->billed_seconds);
  sqlite3_bind_int64(statement, 8, row->micro_dpu);
  sqlite3_bind_int64(statement, 9, row->micro_dpu_seconds);
  bind_text(statement, 10, price->id);
  sqlite3_bind_int64(statement, 11, price->rate_micro_usd);
  sqlite3_bind_int64(statement, 12, price->minimum_s);
  sqlite3_bind_int64(statement, 13, price->rounding_s);
  bind_text(statement, 14, price->currency);
  sqlite3_bind_blob(statement, 15, row->prev_mac, sizeof row->prev_mac,
                    SQLITE_STATIC);
  sqlite3_bind_blob(statement, 16, row->mac, sizeof row->mac, SQLITE_STATIC);
}

/* The columns' values, in order, each of the type and length that we write:
 * what is stored but not read as it stands would escape the MAC. */
struct row_reader {
  sqlite3_stmt *statement;
  int column;
  bool bad;
};

static int64_t read_int64(struct row_reader *reader)
{
  int column = reader->column++;
  if (sqlite3_column_type(reader->statement, column) != SQLITE_INTEGER)
    reader->bad = true;
  return sqlite3_column_int64(reader->statement, column);
}

static void read_text(struct row_reader *reader, char *text, size_t size)
{
  int column = reader->column++;
  bool is_text = sqlite3_column_type(reader->statement, column) == SQLITE_TEXT;
  const void *bytes = sqlite3_column_text(reader->statement, column);
  size_t count = (size_t)sqlite3_column_bytes(reader->statement, column);
  text[0] = '\0';
  if (!is_text || bytes == NULL || count >= size ||
      memchr(bytes, '\0', count) != NULL) {
    reader->bad = true;
    return;
  }
  memcpy(text, bytes, count);
  text[count] = '\0';
}

static void read_mac(struct row_reader *reader,
                     unsigned char mac[LEDGER_MAC_BYTES])
{
  int column = reader->column++;
  bool is_blob = sqlite3_column_type(reader->statement, column) == SQLITE_BLOB;
  const void *bytes = sqlite3_column_blob(reader->statement, column);
  int count = sqlite3_column_bytes(reader->statement, column);
  if (!is_blob || bytes == NULL || count != LEDGER_MAC_BYTES)
    reader->bad = true;
  else
    memcpy(mac, bytes, LEDGER_MAC_BYTES);
}

static bool read_row(sqlite3_stmt *statement, struct ledger_row *row)
{
  struct row_reader reader = {.statement = statement};
  struct price *price = &row->price;
  *row = (struct ledger_row){0};
  row->seq = read_int64(&reader);
  read_text(&reader, row->run_id, sizeof row->run_id);
  row->attempt = read_int64(&reader);
  row->started_realtime_ns = read_int64(&reader);
  row->ended_realtime_ns = read_int64(&reader);
  row->duration_ns = read_int64(&reader);
  row->billed_seconds = read_int64(&reader);
  row->micro_dpu = read_int64(&reader);
  row->micro_dpu_seconds = read_int64(&reader);
  read_text(&reader, price->id, sizeof price->id);
  price->rate_micro_usd = read_int64(&reader);
  price->minimum_s = read_int64(&reader);
  price->rounding_s = read_int64(&reader);
  read_text(&reader, price->currency, sizeof price->currency);
  read_mac(&reader, row->prev_mac);
  read_mac(&reader, row->mac);
  return !reader.bad;
}

/* 1: *row is the last, *good tells whether it could be read; 0: no row. */
static int read_last(sqlite3 *db, struct ledger_row *row, bool *good,
                     struct error **err)
{
  const char *what = "read the ledger";
  cleanup_stmt sqlite3_stmt *statement = NULL;
  if (db_prepare(db, "SELECT " COLUMNS " FROM ledger ORDER BY seq DESC LIMIT 1",
                 &statement, what, err) < 0)
    return -1;
  int found = db_step(statement, what, err);
  if (found == 1)
    *good = read_row(statement, row);
  return found;
}

int ledger_append(sqlite3 *db, const struct ledger_key *key,
                  struct ledger_row *row, struct error **err)
{
  const char *what = "add to the ledger";
  struct ledger_row last = {0};
  bool good = true;
  if (read_last(db, &last, &good, err) < 0)
    return -1;
  if (!good)
    return error_make(err, EBADMSG, "row %lld of the ledger is damaged",
                      (long long)last.seq);
  row->seq = last.seq + 1;
  memcpy(row->prev_mac, last.mac, sizeof row->prev_mac);
  make_mac(key, row, row->mac);
  cleanup_stmt sqlite3_stmt *statement = NULL;
  if (db_prepare(db,
                 "INSERT INTO ledger (" COLUMNS ") VALUES "
                 "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                 &statement, what, err) < 0)
    return -1;
  bind_row(statement, row);
  return db_step(statement, what, err);
}

static bool mac_is_good(const struct ledger_key *key,
                        const struct ledger_row *row)
{
  unsigned char mac[LEDGER_MAC_BYTES];
  make_mac(key, row, mac);
  return CRYPTO_memcmp(mac, row->mac, sizeof mac) == 0;
}

int ledger_check_key(sqlite3 *db, const struct ledger_key *key,
                     struct error **err)
{
  struct ledger_row last = {0};
  bool good = true;
  int found = read_last(db, &last, &good, err);
  if (found <= 0)
    return found;
  if (!good || !mac_is_good(key, &last))
    return error_make(err, EKEYREJECTED,
                      "the last row of the ledger, %lld, wasn't written with "
                      "this key",
                      (long long)last.seq);
  return 0;
}

static int bad_row(int64_t seq, const char *why, struct error **err)
{
  return error_make(err, EBADMSG, "row %lld of the ledger %s", (long long)seq,
                    why);
}

/* `last` is the row before, or zeros; it becomes this one. */
static int verify_row(sqlite3_stmt *statement, const struct ledger_key *key,
                      struct ledger_row *last, struct error **err)
{
  struct ledger_row row;
  bool good = read_row(statement, &row);
  int64_t expected = last->seq + 1;
  if (!good)
    return bad_row(expected, "is damaged", err);
  if (row.seq != expected)
    return bad_row(expected, "is missing", err);
  if (memcmp(row.prev_mac, last->mac, sizeof row.prev_mac) != 0)
    return bad_row(expected, "doesn't follow from the row before it", err);
  if (!mac_is_good(key, &row))
    return bad_row(expected, "was changed, or written with another key", err);
  *last = row;
  return 0;
}

static int verify_runs(sqlite3 *db, struct error **err)
{
  const char *what = "verify the ledger";
  cleanup_stmt sqlite3_stmt *statement = NULL;
  if (db_prepare(db,
                 "SELECT id, attempt FROM runs WHERE is_final AND NOT EXISTS "
                 "(SELECT 1 FROM ledger WHERE run_id = runs.id"
                 " AND attempt = runs.attempt) ORDER BY created_ns LIMIT 1",
                 &statement, what, err) < 0)
    return -1;
  int found = db_step(statement, what, err);
  if (found <= 0)
    return found;
  return error_make(err, EBADMSG,
                    "the ledger has no row for run %s, attempt %lld",
                    (const char *)sqlite3_column_text(statement, 0),
                    (long long)sqlite3_column_int64(statement, 1));
}

int ledger_verify(sqlite3 *db, const struct ledger_key *key, int64_t *rows,
                  struct error **err)
{
  const char *what = "verify the ledger";
  cleanup_transaction struct db_transaction snapshot = {0};
  cleanup_stmt sqlite3_stmt *statement = NULL;
  struct ledger_row last = {0};
  int found;
  *rows = 0;
  if (db_begin_read(db, &snapshot, what, err) < 0 ||
      db_prepare(db, "SELECT " COLUMNS " FROM ledger ORDER BY seq", &statement,
                 what, err) < 0)
    return -1;
  while ((found = db_step(statement, what, err)) > 0) {
    if (verify_row(statement, key, &last, err) < 0)
      return -1;
    *rows = last.seq;
  }
  return found < 0 ? -1 : verify_runs(db, err);
}
