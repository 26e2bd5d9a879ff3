/* The ledger: its chain, its key, and everything that may be done to them. */
#include "config.h"

#include "jobs/ledger.h"
#include "tests/unit/books.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

/* Three runs in a store, closed. */
static int setup_three(void **state)
{
  if (books_setup(state) < 0)
    return -1;
  struct error *err = NULL;
  struct store *store = books_open(*state, STORE_WRITE);
  static const char *const names[] = {"a", "b", "c"};
  for (int i = 0; i < 3; i++)
    books_good(books_whole_run(store, names[i], 100 + i, &err), err);
  store_close(store);
  return 0;
}

static int verify(const struct books *books, int64_t *rows, struct error **err)
{
  cleanup_store struct store *store = books_open(books, STORE_READ);
  return store_verify_ledger(store, rows, err);
}

static void test_good(void **state)
{
  int64_t rows;
  struct error *err = NULL;
  books_good(verify(*state, &rows, &err), err);
  assert_int_equal(rows, 3);
}

static void test_append_only(void **state)
{
  static const char *const cases[] = {
      "UPDATE ledger SET billed_seconds = 1 WHERE seq = 2",
      "UPDATE ledger SET seq = 9 WHERE seq = 3",
      "DELETE FROM ledger",
      "REPLACE INTO ledger SELECT * FROM ledger WHERE seq = 1",
      ("INSERT OR REPLACE INTO ledger SELECT 9, run_id, attempt, 0, 0, 0, 0, 0,"
       " 0, '', 0, 0, 0, '', prev_mac, mac FROM ledger WHERE seq = 1"),
  };
  for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
    assert_int_equal(books_tamper(*state, cases[i]), SQLITE_CONSTRAINT);
  test_good(state);
}

/* Whoever can write the file can drop the triggers first. */
#define DROP                                                                   \
  "DROP TRIGGER ledger_no_update; DROP TRIGGER ledger_no_delete;"              \
  "DROP TRIGGER ledger_no_replace;"

struct tampering {
  const char *sql;
  const char *says;
};

static void check_tampering(const struct tampering *tampering)
{
  void *state = NULL;
  int64_t rows;
  cleanup_error struct error *err = NULL;
  if (setup_three(&state) < 0) {
    fail();
    return;
  }
  assert_int_equal(books_tamper(state, tampering->sql), SQLITE_OK);
  books_bad(verify(state, &rows, &err), &err, EBADMSG, tampering->says);
  books_teardown(&state);
}

static void test_every_column_is_covered(void **state)
{
  (void)state;
  static const char *const changes[] = {
      "run_id = replace (run_id, substr (run_id, 5, 1), 'z')",
      "attempt = 1",
      "started_ns = started_ns + 1",
      "ended_ns = ended_ns + 1",
      "duration_ns = 1",
      "billed_seconds = 60",
      "micro_dpu = 1",
      "micro_dpu_seconds = 1",
      "price_id = 'x'",
      "price_rate_micro_usd = 1",
      "price_minimum_s = 0",
      "price_rounding_s = 2",
      "price_currency = 'EUR'",
      "price_currency = 'USD' || char (0)",
      "mac = zeroblob (32)",
      "prev_mac = zeroblob (31)",
      "mac = zeroblob (33)",
  };
  for (size_t i = 0; i < ARRAY_LENGTH(changes); i++) {
    cleanup_free char *sql =
        xasprintf(DROP "UPDATE ledger SET %s WHERE seq = 2", changes[i]);
    check_tampering(&(struct tampering){sql, "row 2 of the ledger"});
  }
}

static void test_tampering_with_rows(void **state)
{
  (void)state;
  static const struct tampering cases[] = {
      {DROP "DELETE FROM ledger WHERE seq = 1", "row 1 of the ledger"},
      {DROP "DELETE FROM ledger WHERE seq = 2", "row 2 of the ledger"},
      {DROP "DELETE FROM ledger WHERE seq = 3", "no row for run jr_"},
      {DROP "DELETE FROM ledger", "no row for run jr_"},
      /* Taken out, and the gap closed. */
      {DROP "DELETE FROM ledger WHERE seq = 2;"
            "UPDATE ledger SET seq = 2 WHERE seq = 3",
       "row 2 of the ledger"},
      /* Two change places. */
      {DROP "UPDATE ledger SET seq = 9 WHERE seq = 2;"
            "UPDATE ledger SET seq = 2 WHERE seq = 3;"
            "UPDATE ledger SET seq = 3 WHERE seq = 9",
       "row 2 of the ledger"},
      /* A row that was made elsewhere. */
      {"INSERT INTO ledger SELECT 4, 'jr_x', 0, 0, 0, 0, 0, 0, 0, '', 0, 0, 0,"
       " '', mac, mac FROM ledger WHERE seq = 3",
       "row 4 of the ledger"},
  };
  for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
    check_tampering(&cases[i]);
}

static void test_another_key(void **state)
{
  const struct books *books = *state;
  struct store *store = NULL;
  cleanup_error struct error *err = NULL;
  cleanup_free char *key = xasprintf("%s/ledger.key", books->config);
  cleanup_free char *kept = xasprintf("%s/kept", books->config);
  cleanup_free char *other = xasprintf("%s/other", books->root);
  assert_int_equal(rename(key, kept), 0);
  /* None is made where rows exist, and another is refused before a run. */
  books_bad(store_open(books->state, STORE_WRITE, &store, &err), &err,
            EKEYREJECTED, "ledger.key isn't the key");
  assert_int_equal(access(key, F_OK), -1);
  struct ledger_key made;
  books_good(ledger_key_load(other, true, &made, &err), err);
  setenv("WAFER_CONFIG_DIR", other, 1);
  books_bad(store_open(books->state, STORE_WRITE, &store, &err), &err,
            EKEYREJECTED, "ledger.key isn't the key");
  int64_t rows;
  books_bad(verify(books, &rows, &err), &err, EBADMSG, "row 1 of the ledger");
  /* Listing needs none. */
  store_close(books_open(books, STORE_READ));
  setenv("WAFER_CONFIG_DIR", books->config, 1);
  assert_int_equal(rename(kept, key), 0);
  test_good(state);
}

static void test_key_file(void **state)
{
  const struct books *books = *state;
  struct ledger_key key, again;
  cleanup_error struct error *err = NULL;
  cleanup_free char *path = xasprintf("%s/ledger.key", books->config);
  books_bad(ledger_key_load(books->config, false, &key, &err), &err, ENOENT,
            "open the folder");
  books_good(ledger_key_load(books->config, true, &key, &err), err);
  struct stat status;
  assert_int_equal(lstat(path, &status), 0);
  assert_int_equal(status.st_mode, S_IFREG | 0600);
  assert_int_equal(status.st_size, 65);
  books_good(ledger_key_load(books->config, true, &again, &err), err);
  assert_memory_equal(&key, &again, sizeof key);
  ledger_key_clear(&again);
  assert_memory_not_equal(&key, &again, sizeof key);
}

static void test_key_file_that_is_refused(void **state)
{
  const struct books *books = *state;
  struct ledger_key key;
  cleanup_error struct error *err = NULL;
  cleanup_free char *path = xasprintf("%s/ledger.key", books->config);
  cleanup_free char *moved = xasprintf("%s/moved", books->config);
  books_good(ledger_key_load(books->config, true, &key, &err), err);
  static const mode_t wide[] = {0640, 0604, 0620, 0601, 0700, 04600};
  for (size_t i = 0; i < ARRAY_LENGTH(wide); i++) {
    assert_int_equal(chmod(path, wide[i]), 0);
    books_bad(ledger_key_load(books->config, true, &key, &err), &err, EPERM,
              "chmod 600");
  }
  assert_int_equal(chmod(path, 0400), 0);
  books_good(ledger_key_load(books->config, true, &key, &err), err);
  assert_int_equal(chmod(books->config, 0770), 0);
  books_bad(ledger_key_load(books->config, true, &key, &err), &err, EPERM,
            "others may write");
  assert_int_equal(chmod(books->config, 0700), 0);
  if (books_give_away(path)) {
    books_bad(ledger_key_load(books->config, true, &key, &err), &err, EPERM,
              "belongs to uid 12345");
    assert_int_equal(chown(path, geteuid(), (gid_t)-1), 0);
  }
  assert_int_equal(rename(path, moved), 0);
  assert_int_equal(symlink("moved", path), 0);
  books_bad(ledger_key_load(books->config, true, &key, &err), &err, ELOOP,
            "ledger.key");
  assert_int_equal(unlink(path), 0);
  assert_int_equal(mkfifo(path, 0600), 0);
  books_bad(ledger_key_load(books->config, true, &key, &err), &err, EPERM,
            "no regular file");
}

static void write_file(const char *path, const char *text)
{
  FILE *file = fopen(path, "we");
  assert_non_null(file);
  assert_int_equal(fchmod(fileno(file), 0600), 0);
  assert_true(fputs(text, file) >= 0);
  assert_int_equal(fclose(file), 0);
}

static void test_key_file_that_is_none(void **state)
{
  const struct books *books = *state;
  struct ledger_key key;
  cleanup_error struct error *err = NULL;
  cleanup_free char *path = xasprintf("%s/ledger.key", books->config);
  cleanup_free char *left = xasprintf("%s/ledger.key.new", books->config);
  books_good(ledger_key_load(books->config, true, &key, &err), err);
  static const char hex[] =
      "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
  cleanup_free char *upper = xasprintf("%.63sF\n", hex);
  cleanup_free char *longer = xasprintf("%s\n\n", hex);
  const char *const cases[] = {"", "\n", hex, upper, longer};
  for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
    write_file(path, cases[i]);
    books_bad(ledger_key_load(books->config, true, &key, &err), &err, EINVAL,
              "is no key");
  }
  cleanup_free char *good = xasprintf("%s\n", hex);
  write_file(path, good);
  books_good(ledger_key_load(books->config, true, &key, &err), err);
  for (int i = 0; i < LEDGER_KEY_BYTES; i++)
    assert_int_equal(key.bytes[i], i);
  /* What a crash left half made is no obstacle. */
  assert_int_equal(unlink(path), 0);
  write_file(left, "00");
  books_good(ledger_key_load(books->config, true, &key, &err), err);
  assert_int_equal(access(left, F_OK), -1);
}

/* A fixed row under a fixed key: the encoding must never change. The MAC was
 * computed by Python's hmac module from the description in jobs/ledger.h. */
static void test_encoding_is_as_described(void **state)
{
  const struct books *books = *state;
  struct error *err = NULL;
  store_close(books_open(books, STORE_WRITE));
  cleanup_free char *path = xasprintf("%s/wafer.db", books->state);
  struct ledger_key key;
  for (int i = 0; i < LEDGER_KEY_BYTES; i++)
    key.bytes[i] = (unsigned char)i;
  struct ledger_row row = {
      .run_id = "jr_1",
      .attempt = 2,
      .started_realtime_ns = 3,
      .ended_realtime_ns = 4,
      .duration_ns = 5,
      .billed_seconds = 60,
      .micro_dpu = 62500,
      .micro_dpu_seconds = 3750000,
      .price = {"p", "2018-01-01", 440000, 60, 1, "USD"},
  };
  static const unsigned char expected[LEDGER_MAC_BYTES] = {
      0x35, 0xca, 0xcb, 0x7e, 0x1c, 0xa7, 0x48, 0x77, 0xe2, 0x4d, 0xe0,
      0x9d, 0x67, 0x47, 0x1c, 0x24, 0xec, 0xb9, 0x9f, 0xbc, 0x5e, 0xbe,
      0xee, 0xa4, 0xa9, 0x48, 0xb6, 0x46, 0x89, 0xa1, 0x28, 0x99};
  sqlite3 *db = NULL;
  assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
  books_good(ledger_append(db, &key, &row, &err), err);
  sqlite3_close(db);
  assert_int_equal(row.seq, 1);
  assert_memory_equal(row.mac, expected, sizeof expected);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_good, setup_three, books_teardown),
      cmocka_unit_test_setup_teardown(test_append_only, setup_three,
                                      books_teardown),
      cmocka_unit_test(test_every_column_is_covered),
      cmocka_unit_test(test_tampering_with_rows),
      cmocka_unit_test_setup_teardown(test_another_key, setup_three,
                                      books_teardown),
      cmocka_unit_test_setup_teardown(test_key_file, books_setup,
                                      books_teardown),
      cmocka_unit_test_setup_teardown(test_key_file_that_is_refused,
                                      books_setup, books_teardown),
      cmocka_unit_test_setup_teardown(test_key_file_that_is_none, books_setup,
                                      books_teardown),
      cmocka_unit_test_setup_teardown(test_encoding_is_as_described,
                                      books_setup, books_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
