/* What goes between wafer run and wafer serve: there and back, and damaged. */
#include "config.h"

#include "host/pool_message.h"

#include "base/fd.h"
#include "sandbox/cgroup_backend.h"
#include "tests/unit/check.h"

#include <sys/socket.h>

static void test_welcome(void **state)
{
  (void)state;
  cleanup_error struct error *err = NULL;
  struct pool_welcome ours, theirs;
  struct message message = {.kind = MESSAGE_WELCOME};
  check_good(pool_welcome_make(".", 5, &ours, &err), err);
  pool_put_welcome(&message, &ours);
  check_good(pool_get_welcome(&message, &theirs, &err), err);
  assert_int_equal(theirs.missing, 5);
  assert_true(pool_welcome_fits(&ours, &theirs));
  theirs.missing = 0;
  assert_true(pool_welcome_fits(&ours, &theirs));
  theirs.store.inode++;
  assert_false(pool_welcome_fits(&ours, &theirs));
  theirs.store.inode--;
  theirs.program.changed_ns++;
  assert_false(pool_welcome_fits(&ours, &theirs));
}

/* What is put in a store's folder doesn't make it another one. */
static void test_a_store_that_is_used(void **state)
{
  (void)state;
  cleanup_error struct error *err = NULL;
  struct pool_welcome before, after;
  check_good(pool_welcome_make(".", 0, &before, &err), err);
  check_put("file", "x");
  check_good(pool_welcome_make(".", 0, &after, &err), err);
  assert_true(pool_welcome_fits(&before, &after));
  check_bad(pool_welcome_make("missing", 0, &after, &err), &err, ENOENT,
            "missing");
}

static void test_want(void **state)
{
  (void)state;
  cleanup_error struct error *err = NULL;
  struct pool_want want = {.library_set = "none", .size = "1", .parked = 1};
  struct pool_want got;
  struct message message = {.kind = MESSAGE_TAKE};
  pool_put_want(&message, &want);
  check_good(pool_get_want(&message, &got, &err), err);
  assert_string_equal(got.library_set, "none");
  assert_string_equal(got.size, "1");
  assert_int_equal(got.parked, 1);
  memset(want.size, 'x', sizeof want.size);
  pool_put_want(&message, &want);
  check_bad(pool_get_want(&message, &got, &err), &err, EPROTO, "no end");
  message.text_count--;
  check_bad(pool_get_want(&message, &got, &err), &err, EPROTO, "bytes");
}

/* A cell that has descriptors of its own for all that one has. */
static struct cell make_cell(bool has_scratch)
{
  struct cell cell = CELL_INIT;
  struct sandbox *sandbox = &cell.sandbox;
  int *const fds[] = {
      &sandbox->keeper_pidfd, &sandbox->keeper_fd, &sandbox->job_fd,
      &sandbox->stdout_fd,    &sandbox->stderr_fd, &sandbox->report_fd,
      &cell.lease_fd,         &cell.scratch_fd,
  };
  for (size_t i = 0; i < ARRAY_LENGTH(fds) - !has_scratch; i++)
    *fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
  sandbox->keeper_pid = 77;
  sandbox->job_pid = 78;
  cell.ids = (struct namespace_ids){1, 2, 3, 4, true};
  cell.missing = 6;
  snprintf(cell.lease, sizeof cell.lease, "sb_0123");
  snprintf(cell.python_version, sizeof cell.python_version, "3.11.2");
  cell.cgroup = cgroup_new(&cgroup_v2, "sb_0123");
  cell.cgroup->memory_bytes = 1 << 30;
  cell.cgroup->dirs[CONTROLLER_CPU] = open("/", O_PATH | O_CLOEXEC);
  cell.cgroup->parent_dirs[CONTROLLER_CPU] = open("/", O_PATH | O_CLOEXEC);
  return cell;
}

static void close_cell(struct cell *cell)
{
  cgroup_forget(cell->cgroup);
  cell_close(cell);
}

static void hand_over(const struct cell *cell, struct message *received)
{
  cleanup_error struct error *err = NULL;
  struct message message = {.kind = MESSAGE_TAKEN};
  int ends[2];
  check_good(fd_socket_pair(ends, &err), err);
  pool_put_cell(&message, cell);
  check_good(message_send(ends[0], &message, &err), err);
  check_good(message_receive(ends[1], received, &err), err);
  close(ends[0]);
  close(ends[1]);
}

static void check_cell(bool has_scratch)
{
  cleanup_error struct error *err = NULL;
  struct cell cell = make_cell(has_scratch);
  struct cell taken = CELL_INIT;
  struct message message;
  hand_over(&cell, &message);
  close_cell(&cell);
  check_good(pool_get_cell(&message, &taken, &err), err);
  assert_int_equal(message.fd_count, 0);
  assert_int_equal(taken.sandbox.keeper_pid, 77);
  assert_int_equal(taken.sandbox.job_pid, 78);
  assert_int_equal(taken.ids.job_gid, 4);
  assert_true(taken.ids.own);
  assert_int_equal(taken.missing, 6);
  assert_string_equal(taken.lease, "sb_0123");
  assert_string_equal(taken.python_version, "3.11.2");
  assert_string_equal(cgroup_source(taken.cgroup), "cgroup-v2");
  assert_int_equal(taken.cgroup->memory_bytes, 1 << 30);
  assert_true(taken.cgroup->dirs[CONTROLLER_CPU] >= 0);
  assert_int_equal(taken.cgroup->dirs[CONTROLLER_MEMORY], -1);
  assert_true(check_is_cloexec(taken.sandbox.keeper_fd));
  assert_int_equal(taken.scratch_fd >= 0, has_scratch);
  assert_int_equal(taken.sandbox.listener_fd, -1);
  close_cell(&taken);
}

static void test_cell(void **state)
{
  (void)state;
  check_cell(true);
  check_cell(false);
}

static void test_damaged_cell(void **state)
{
  (void)state;
  cleanup_error struct error *err = NULL;
  struct cell cell = make_cell(true);
  struct cell taken = CELL_INIT;
  struct message message;
  hand_over(&cell, &message);
  size_t count = message.fd_count;
  for (message.fd_count = 0; message.fd_count < count; message.fd_count++)
    check_bad(pool_get_cell(&message, &taken, &err), &err, EPROTO, "damaged");
  message.text_count--;
  check_bad(pool_get_cell(&message, &taken, &err), &err, EPROTO, "bytes");
  assert_int_equal(taken.sandbox.keeper_fd, -1);
  message_close(&message);
  close_cell(&cell);
}

/* "../x" would be somebody else's group. */
static void test_cgroup_of_share(void **state)
{
  (void)state;
  cleanup_error struct error *err = NULL;
  const struct cgroup_share shares[] = {
      {.source = "cgroup-v9", .name = "a"},
      {.source = "none", .name = "../x"},
      {.source = "none", .name = ""},
      {.source = "none", .name = "a", .fds_of = 1},
      {.source = "none", .name = "a", .fds_of = 1U << 31},
  };
  for (size_t i = 0; i < ARRAY_LENGTH(shares); i++) {
    assert_null(cgroup_of_share(&shares[i], NULL, 0, &err));
    check_bad(-1, &err, EPROTO, "damaged");
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      CHECK_TEST(test_welcome),      CHECK_TEST(test_a_store_that_is_used),
      CHECK_TEST(test_want),         CHECK_TEST(test_cell),
      CHECK_TEST(test_damaged_cell), CHECK_TEST(test_cgroup_of_share),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
