/* The store: what is written is kept, whatever happens next to it. */
#include "config.h"

#include "jobs/store.h"

#include "tests/unit/books.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

static void check_mode(const char *dir, const char *file, mode_t mode)
{
  struct stat status;
  cleanup_free char *path = xasprintf("%s/%s", dir, file);
  assert_int_equal(stat(path, &status), 0);
  assert_int_equal(status.st_mode & 07777, mode);
}

static void test_files(void **state)
{
  const struct books *books = *state;
  mode_t mask = umask(0);
  cleanup_store struct store *store = books_open(books, STORE_WRITE);
  umask(mask);
  assert_string_equal(store_dir(store), books->state);
  check_mode(books->root, "deep", 0700);
  check_mode(books->state, "", 0700);
  check_mode(books->state, "wafer.db", 0600);
  check_mode(books->state, "wafer.db-wal", 0600);
  check_mode(books->state, "reserve", 0600);
  check_mode(books->config, "ledger.key", 0600);
}

static void test_life_of_a_run(void **state)
{
  struct error *err = NULL;
  cleanup_store struct store *store = books_open(*state, STORE_WRITE);
  cleanup_run struct run run, stored;
  cleanup_run_list struct run_list unfinished = {0};
  books_new_run(&run, "etl");
  run_init(&stored);
  books_good(store_insert_run(store, &run, &err), err);
  run.started_realtime_ns = 7;
  books_good(store_update_run(store, &run, EVENT_RELEASED, &err), err);
  assert_int_equal(run.state, STATE_RUNNING);
  books_good(store_list_unfinished(store, &unfinished, &err), err);
  assert_int_equal(unfinished.count, 1);
  assert_string_equal(unfinished.items[0].id, run.id);
  assert_int_equal(unfinished.items[0].started_realtime_ns, 7);
  run_list_release(&unfinished);

  run.duration_ns = 1;
  run.reason.kind = REASON_EXIT_STATUS;
  books_good(store_end_run(store, &run, EVENT_EXITED_BAD, &err), err);
  assert_int_equal(run.state, STATE_FAILED);
  assert_int_equal(run.billed_seconds, 60);
  books_good(store_get_run(store, run.id, &stored, &err), err);
  assert_int_equal(stored.state, STATE_FAILED);
  assert_int_equal(stored.reason.kind, REASON_EXIT_STATUS);
  assert_int_equal(stored.cost_pico_usd, 458333333);
  books_good(store_list_unfinished(store, &unfinished, &err), err);
  assert_int_equal(unfinished.count, 0);
  int64_t rows;
  books_good(store_verify_ledger(store, &rows, &err), err);
  assert_int_equal(rows, 1);
}

static void test_illegal_steps(void **state)
{
  cleanup_error struct error *err = NULL;
  cleanup_store struct store *store = books_open(*state, STORE_WRITE);
  cleanup_run struct run run;
  books_new_run(&run, "etl");
  books_bad(store_update_run(store, &run, EVENT_RELEASED, &err), &err, ENOENT,
            "there is no run");
  books_good(store_insert_run(store, &run, &err), err);
  books_bad(store_insert_run(store, &run, &err), &err, EEXIST, "record a run");
  books_bad(store_end_run(store, &run, EVENT_EXITED_OK, &err), &err, EPROTO,
            "STARTING can't be exited_ok");
  books_bad(store_end_run(store, &run, EVENT_RELEASED, &err), &err, EINVAL,
            "doesn't end");
  books_bad(store_update_run(store, &run, EVENT_LOST, &err), &err, EINVAL,
            "ends");
  assert_int_equal(run.state, STATE_STARTING);
  /* The stored state counts, not what the caller believes. */
  run.state = STATE_STOPPING;
  books_bad(store_end_run(store, &run, EVENT_STOPPED, &err), &err, EPROTO,
            "STARTING");
  assert_int_equal(run.state, STATE_STOPPING);
  books_good(store_end_run(store, &run, EVENT_HOST_FAILED, &err), err);
  books_bad(store_end_run(store, &run, EVENT_LOST, &err), &err, EPROTO,
            "ERROR can't be lost");
  int64_t rows;
  books_good(store_verify_ledger(store, &rows, &err), err);
  assert_int_equal(rows, 1);
  run.state = STATE_RUNNING;
  books_bad(store_insert_run(store, &run, &err), &err, EINVAL, "STARTING");
}

static void get(struct store *store, const char *which, const char *id)
{
  struct error *err = NULL;
  cleanup_run struct run run;
  run_init(&run);
  books_good(store_get_run(store, which, &run, &err), err);
  assert_string_equal(run.id, id);
}

static void get_none(struct store *store, const char *which, int code)
{
  cleanup_error struct error *err = NULL;
  cleanup_run struct run run;
  run_init(&run);
  books_bad(store_get_run(store, which, &run, &err), &err, code, which);
}

static void insert(struct store *store, const char *id, const char *name,
                   int64_t created_ns)
{
  struct error *err = NULL;
  cleanup_run struct run run;
  books_new_run(&run, name);
  snprintf(run.id, sizeof run.id, "jr_%064d", 0);
  memcpy(run.id + 3, id, strlen(id));
  run.created_realtime_ns = created_ns;
  books_good(store_insert_run(store, &run, &err), err);
}

static void test_get(void **state)
{
  cleanup_store struct store *store = books_open(*state, STORE_WRITE);
  insert(store, "abcd1", "etl", 1);
  insert(store, "abcd2", "etl", 3);
  insert(store, "ffff", "beef", 2);
  insert(store, "beef", "x' OR '1'='1", 4);
  insert(store, "12345", "jr_odd", 5);
  char first[RUN_ID_SIZE], second[RUN_ID_SIZE], third[RUN_ID_SIZE],
      fourth[RUN_ID_SIZE], fifth[RUN_ID_SIZE];
  snprintf(first, sizeof first, "jr_abcd1%059d", 0);
  snprintf(second, sizeof second, "jr_abcd2%059d", 0);
  snprintf(third, sizeof third, "jr_ffff%060d", 0);
  snprintf(fourth, sizeof fourth, "jr_beef%060d", 0);
  snprintf(fifth, sizeof fifth, "jr_12345%059d", 0);
  get(store, first, first);
  get(store, "jr_abcd2", second);
  get(store, "jr_f", third);
  get(store, "abcd1", first);
  get(store, first + 3, first);
  get(store, "etl", second); /* its latest */
  get(store, "beef", third); /* a name before a bare beginning */
  get(store, "jr_beef", fourth);
  get(store, "jr_odd", fifth);
  get(store, "x' OR '1'='1", fourth);
  get_none(store, "abcd", ENOTUNIQ);
  get_none(store, "jr_", ENOTUNIQ);
  get_none(store, "abc", ENOENT); /* too short */
  get_none(store, "jr_00", ENOENT);
  get_none(store, "", ENOENT);
  get_none(store, "%", ENOENT);
  get_none(store, "' OR 1 --", ENOENT);
  get_none(store, "jr_abcd1000g", ENOENT);
}

static void test_attempts(void **state)
{
  struct error *err = NULL;
  cleanup_store struct store *store = books_open(*state, STORE_WRITE);
  cleanup_run struct run run, stored;
  books_new_run(&run, "etl");
  run_init(&stored);
  books_good(store_insert_run(store, &run, &err), err);
  run.attempt = 1;
  books_good(store_insert_run(store, &run, &err), err);
  books_good(store_get_run(store, run.id, &stored, &err), err);
  assert_int_equal(stored.attempt, 1);
  int first = store_run_dir(store, run.id, 0, &err);
  int second = store_run_dir(store, run.id, 1, &err);
  struct stat one, other;
  assert_int_equal(fstat(first, &one), 0);
  assert_int_equal(fstat(second, &other), 0);
  assert_int_equal(one.st_mode, S_IFDIR | 0700);
  assert_int_not_equal(one.st_ino, other.st_ino);
  close(first);
  close(second);
}

static void list_is(struct store *store, struct store_filter filter,
                    const char *names)
{
  struct error *err = NULL;
  cleanup_run_list struct run_list list = {0};
  books_good(store_list_runs(store, &filter, &list, &err), err);
  char found[64] = "";
  for (size_t i = 0; i < list.count; i++)
    strncat(found, list.items[i].name, sizeof found - strlen(found) - 1);
  assert_string_equal(found, names);
}

static void test_list(void **state)
{
  cleanup_store struct store *store = books_open(*state, STORE_WRITE);
  struct error *err = NULL;
  list_is(store, (struct store_filter){0}, "");
  insert(store, "a1", "a", 1);
  insert(store, "c3", "c", 3);
  insert(store, "a2", "a", 2);
  insert(store, "d4", "d\xFF", 4);
  list_is(store, (struct store_filter){0},
          "d\xEF\xBF\xBD"
          "caa");
  list_is(store, (struct store_filter){.limit = 2},
          "d\xEF\xBF\xBD"
          "c");
  list_is(store, (struct store_filter){.name = "a"}, "aa");
  list_is(store, (struct store_filter){.name = "a", .limit = 1}, "a");
  list_is(store, (struct store_filter){.name = "b"}, "");
  list_is(store, (struct store_filter){.name = "d\xFF"}, "d\xEF\xBF\xBD");
  cleanup_run struct run run;
  run_init(&run);
  books_good(store_get_run(store, "c", &run, &err), err);
  books_good(store_update_run(store, &run, EVENT_RELEASED, &err), err);
  list_is(store, (struct store_filter){.state = STATE_RUNNING}, "c");
  list_is(store, (struct store_filter){.state = STATE_FAILED}, "");
  list_is(store, (struct store_filter){.name = "a", .state = STATE_STARTING},
          "aa");
}

static void test_run_dir_stays_beneath(void **state)
{
  const struct books *books = *state;
  cleanup_error struct error *err = NULL;
  cleanup_store struct store *store = books_open(books, STORE_WRITE);
  books_bad(store_run_dir(store, "../../x", 0, &err), &err, EINVAL,
            "is no run's id");
  struct run run;
  books_new_run(&run, "etl");
  books_bad(store_run_dir(store, run.id, -1, &err), &err, EINVAL,
            "no run's id");
  cleanup_free char *runs = xasprintf("%s/runs", books->state);
  assert_int_equal(symlink("/tmp", runs), 0);
  assert_int_equal(store_run_dir(store, run.id, 0, &err), -1);
  assert_int_equal(err->code, ELOOP);
  error_clear(&err);
  cleanup_free char *made = xasprintf("/tmp/%s", run.id);
  assert_int_equal(access(made, F_OK), -1);
  run_release(&run);
}

static void test_reading(void **state)
{
  const struct books *books = *state;
  cleanup_error struct error *err = NULL;
  struct store *store = NULL;
  books_bad(store_open(books->state, STORE_READ, &store, &err), &err, ENOENT,
            "no run is recorded yet");
  assert_int_equal(access(books->state, F_OK), -1);
  cleanup_store struct store *writer = books_open(books, STORE_WRITE);
  cleanup_store struct store *reader = books_open(books, STORE_READ);
  /* A reader sees what another process writes meanwhile, and writes nothing. */
  books_good(books_whole_run(writer, "a", 1, &err), err);
  list_is(reader, (struct store_filter){0}, "a");
  assert_int_equal(books_whole_run(reader, "b", 1, &err), -1);
  error_clear(&err);
  list_is(writer, (struct store_filter){0}, "a");
}

static void test_newer_version_is_refused(void **state)
{
  const struct books *books = *state;
  cleanup_error struct error *err = NULL;
  struct store *store = books_open(books, STORE_WRITE);
  books_good(books_whole_run(store, "a", 1, &err), err);
  store_close(store);
  assert_int_equal(books_tamper(books, "PRAGMA user_version = 99"), SQLITE_OK);
  store = NULL;
  for (int mode = STORE_READ; mode <= STORE_WRITE; mode++)
    books_bad(store_open(books->state, (enum store_mode)mode, &store, &err),
              &err, ENOTSUP, "made by a newer wafer (its version is 99");
  assert_int_equal(books_tamper(books, "PRAGMA user_version = 1"), SQLITE_OK);
  store = books_open(books, STORE_READ);
  list_is(store, (struct store_filter){0}, "a");
  store_close(store);
}

static void test_damage(void **state)
{
  const struct books *books = *state;
  cleanup_error struct error *err = NULL;
  struct store *store = books_open(books, STORE_WRITE);
  insert(store, "a1", "a", 1);
  store_close(store);
  assert_int_equal(books_tamper(books, "UPDATE runs SET record = '{'"),
                   SQLITE_OK);
  store = books_open(books, STORE_READ);
  cleanup_run_list struct run_list list = {0};
  books_bad(store_list_runs(store, &(struct store_filter){0}, &list, &err),
            &err, EINVAL, "record can't be read");
  store_close(store);
  cleanup_free char *wal = xasprintf("%s/wafer.db-wal", books->state);
  cleanup_free char *path = xasprintf("%s/wafer.db", books->state);
  unlink(wal);
  int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
  char noise[8192];
  memset(noise, 'x', sizeof noise);
  assert_int_equal(write(fd, noise, sizeof noise), sizeof noise);
  close(fd);
  store = NULL;
  books_bad(store_open(books->state, STORE_WRITE, &store, &err), &err, EBADMSG,
            "is damaged");
}

static void test_folder_of_others(void **state)
{
  const struct books *books = *state;
  cleanup_error struct error *err = NULL;
  struct store *store = books_open(books, STORE_WRITE);
  store_close(store);
  store = NULL;
  assert_int_equal(chmod(books->state, 0777), 0);
  books_bad(store_open(books->state, STORE_WRITE, &store, &err), &err, EPERM,
            "others may write");
  assert_int_equal(chmod(books->state, 0700), 0);
  if (!books_give_away(books->state))
    return;
  books_bad(store_open(books->state, STORE_WRITE, &store, &err), &err, EPERM,
            "belongs to uid 12345");
}

int main(void)
{
#define BOOKS_TEST(test)                                                       \
  cmocka_unit_test_setup_teardown(test, books_setup, books_teardown)
  const struct CMUnitTest tests[] = {
      BOOKS_TEST(test_files),
      BOOKS_TEST(test_life_of_a_run),
      BOOKS_TEST(test_illegal_steps),
      BOOKS_TEST(test_get),
      BOOKS_TEST(test_attempts),
      BOOKS_TEST(test_list),
      BOOKS_TEST(test_run_dir_stays_beneath),
      BOOKS_TEST(test_reading),
      BOOKS_TEST(test_newer_version_is_refused),
      BOOKS_TEST(test_damage),
      BOOKS_TEST(test_folder_of_others),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
