/* The store: what is written is kept, whatever happens next to it. */
#include "config.h"

#include "jobs/store.h"

#include "base/fd.h"
#include "jobs/reserve.h"
#include "tests/unit/books.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
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
  if (geteuid() != 0)
    return;
  assert_int_equal(chmod(books->state, 0700), 0);
  assert_int_equal(chown(books->state, 12345, (gid_t)-1), 0);
  books_bad(store_open(books->state, STORE_WRITE, &store, &err), &err, EPERM,
            "belongs to uid 12345");
}

/* Several processes, from the making of the store on. */
enum { WRITERS = 4, RUNS_EACH = 10 };

static int write_runs(const char *dir)
{
  cleanup_error struct error *err = NULL;
  for (int i = 0; i < RUNS_EACH; i++) {
    cleanup_store struct store *store = NULL;
    if (store_open(dir, STORE_WRITE, &store, &err) < 0 ||
        books_whole_run(store, "a", i, &err) < 0) {
      fprintf(stderr, "%s\n", err->text);
      return 1;
    }
  }
  return 0;
}

static void test_writers_at_once(void **state)
{
  const struct books *books = *state;
  struct error *err = NULL;
  pid_t pids[WRITERS];
  for (int i = 0; i < WRITERS; i++) {
    pids[i] = fork();
    assert_true(pids[i] >= 0);
    if (pids[i] == 0)
      _exit(write_runs(books->state));
  }
  for (int i = 0; i < WRITERS; i++)
    assert_int_equal(books_wait(pids[i]), 0);
  cleanup_store struct store *store = books_open(books, STORE_READ);
  int64_t rows;
  books_good(store_verify_ledger(store, &rows, &err), err);
  assert_int_equal(rows, WRITERS * RUNS_EACH);
}

/* Writes runs until it is killed, a byte to `fd` after each. */
static int write_until_killed(const char *dir, int fd)
{
  cleanup_error struct error *err = NULL;
  cleanup_store struct store *store = NULL;
  if (store_open(dir, STORE_WRITE, &store, &err) < 0)
    return 1;
  while (books_whole_run(store, "a", 1, &err) == 0)
    if (write(fd, "x", 1) != 1)
      return 1;
  return 1;
}

static int64_t count_bytes(int fd)
{
  char bytes[256];
  int64_t total = 0;
  ssize_t got;
  while ((got = read(fd, bytes, sizeof bytes)) > 0)
    total += got;
  return total;
}

static void test_kill_loses_nothing(void **state)
{
  const struct books *books = *state;
  struct error *err = NULL;
  int64_t told = 0;
  enum { ROUNDS = 8 };
  for (int round = 0; round < ROUNDS; round++) {
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
      _exit(write_until_killed(books->state, ends[1]));
    close(ends[1]);
    /* Not before the first run, then anywhere in the next ones. */
    char byte;
    assert_int_equal(read(ends[0], &byte, 1), 1);
    usleep((useconds_t)(3001 * round));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    told += 1 + count_bytes(ends[0]);
    close(ends[0]);
  }
  cleanup_store struct store *store = books_open(books, STORE_WRITE);
  int64_t rows;
  books_good(store_verify_ledger(store, &rows, &err), err);
  /* Each killed one may have committed an end that it couldn't tell. */
  assert_in_range(rows, told, told + ROUNDS);
  cleanup_run_list struct run_list unfinished = {0};
  books_good(store_list_unfinished(store, &unfinished, &err), err);
  assert_in_range(unfinished.count, 0, ROUNDS);
  for (size_t i = 0; i < unfinished.count; i++)
    books_good(store_end_run(store, &unfinished.items[i], EVENT_LOST, &err),
               err);
}

#define CHECK(condition)                                                       \
  do {                                                                         \
    if (!(condition)) {                                                        \
      fprintf(stderr, "line %d: %s\n", __LINE__, #condition);                  \
      return 1;                                                                \
    }                                                                          \
  } while (0)

/* A lack of room is told as one line that names the folder. */
static int full(int status, struct error **err, const char *dir)
{
  CHECK(status < 0);
  if ((*err)->code != ENOSPC || strstr((*err)->text, dir) == NULL ||
      strstr((*err)->text, "no room is left") == NULL) {
    fprintf(stderr, "%s\n", (*err)->text);
    return 1;
  }
  error_clear(err);
  return 0;
}

static int fill_disk(const char *dir)
{
  cleanup_free char *path = xasprintf("%s/filler", dir);
  char bytes[4096] = {0};
  cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  CHECK(fd >= 0);
  while (write(fd, bytes, sizeof bytes) > 0)
    ;
  CHECK(errno == ENOSPC);
  return 0;
}

static off_t reserve_blocks(const char *dir)
{
  struct stat status;
  cleanup_free char *path = xasprintf("%s/" RESERVE_FILE, dir);
  return stat(path, &status) < 0 ? -1 : status.st_blocks;
}

static int with_full_disk(struct store *store, const char *dir)
{
  cleanup_error struct error *err = NULL;
  cleanup_run struct run run, more;
  cleanup_store struct store *second = NULL;
  books_new_run(&run, "a");
  books_new_run(&more, "b");
  run.started_realtime_ns = 1;
  CHECK(store_insert_run(store, &run, &err) == 0);
  CHECK(store_update_run(store, &run, EVENT_RELEASED, &err) == 0);
  CHECK(reserve_blocks(dir) >= RESERVE_BYTES / 512);
  CHECK(fill_disk(dir) == 0);
  CHECK(full(store_insert_run(store, &more, &err), &err, dir) == 0);
  /* What runs is ended all the same, from the reserve. */
  CHECK(store_end_run(store, &run, EVENT_EXITED_OK, &err) == 0);
  CHECK(reserve_blocks(dir) == 0);
  /* Without a reserve no run begins. */
  CHECK(fill_disk(dir) == 0);
  CHECK(full(store_open(dir, STORE_WRITE, &second, &err), &err, dir) == 0);
  CHECK(reserve_blocks(dir) == 0);
  return 0;
}

static int after_full_disk(const char *dir)
{
  cleanup_error struct error *err = NULL;
  cleanup_run struct run run;
  int64_t rows;
  {
    /* Reading goes on while it is full. */
    cleanup_store struct store *store = NULL;
    run_init(&run);
    CHECK(store_open(dir, STORE_READ, &store, &err) == 0);
    CHECK(store_get_run(store, "a", &run, &err) == 0);
    CHECK(run.state == STATE_SUCCEEDED);
    CHECK(store_verify_ledger(store, &rows, &err) == 0);
    CHECK(rows == 1);
  }
  cleanup_free char *filler = xasprintf("%s/filler", dir);
  CHECK(unlink(filler) == 0);
  cleanup_store struct store *store = NULL;
  CHECK(store_open(dir, STORE_WRITE, &store, &err) == 0);
  CHECK(reserve_blocks(dir) >= RESERVE_BYTES / 512);
  CHECK(books_whole_run(store, "c", 1, &err) == 0);
  CHECK(store_verify_ledger(store, &rows, &err) == 0);
  CHECK(rows == 2);
  return 0;
}

static int on_full_disk(const char *dir)
{
  cleanup_error struct error *err = NULL;
  CHECK(unshare(CLONE_NEWNS) == 0);
  CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
  CHECK(mkdir(dir, 0700) == 0);
  CHECK(mount("tmpfs", dir, "tmpfs", 0, "size=2m,mode=0700") == 0);
  struct store *store = NULL;
  CHECK(store_open(dir, STORE_WRITE, &store, &err) == 0);
  int status = with_full_disk(store, dir);
  store_close(store);
  return status != 0 ? status : after_full_disk(dir);
}

static void test_full_disk(void **state)
{
  const struct books *books = *state;
  if (geteuid() != 0) {
    print_message("only root can mount a small file system\n");
    skip();
  }
  cleanup_free char *dir = xasprintf("%s/small", books->root);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0)
    _exit(on_full_disk(dir));
  assert_int_equal(books_wait(pid), 0);
}

/* The same fault where nothing can be mounted; a reserve is no help here. */
static int with_small_files(const char *dir)
{
  cleanup_error struct error *err = NULL;
  cleanup_store struct store *store = NULL;
  cleanup_run struct run run;
  int64_t rows;
  books_new_run(&run, "late");
  signal(SIGXFSZ, SIG_IGN);
  CHECK(store_open(dir, STORE_WRITE, &store, &err) == 0);
  CHECK(books_whole_run(store, "early", 1, &err) == 0);
  CHECK(store_insert_run(store, &run, &err) == 0);
  struct rlimit limit = {4096, RLIM_INFINITY};
  CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
  CHECK(full(store_update_run(store, &run, EVENT_RELEASED, &err), &err, dir) ==
        0);
  CHECK(run.state == STATE_STARTING);
  CHECK(full(store_end_run(store, &run, EVENT_LOST, &err), &err, dir) == 0);
  limit.rlim_cur = RLIM_INFINITY;
  CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
  CHECK(store_end_run(store, &run, EVENT_LOST, &err) == 0);
  CHECK(store_verify_ledger(store, &rows, &err) == 0);
  CHECK(rows == 2);
  return 0;
}

static void test_small_files(void **state)
{
  const struct books *books = *state;
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0)
    _exit(with_small_files(books->state));
  assert_int_equal(books_wait(pid), 0);
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
      BOOKS_TEST(test_writers_at_once),
      BOOKS_TEST(test_kill_loses_nothing),
      BOOKS_TEST(test_full_disk),
      BOOKS_TEST(test_small_files),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
