/* The store under faults: other writers, SIGKILL, a full disk. */
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
      BOOKS_TEST(test_writers_at_once),
      BOOKS_TEST(test_kill_loses_nothing),
      BOOKS_TEST(test_full_disk),
      BOOKS_TEST(test_small_files),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
