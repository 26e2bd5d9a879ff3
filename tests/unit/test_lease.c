/* Leases: held, moved, and swept once nobody holds them. */
#include "config.h"

#include "host/lease.h"

#include "base/fd.h"
#include "tests/unit/check.h"

static bool is_parked(const char *name)
{
  cleanup_free char *path = xasprintf("parked/%s", name);
  return access(path, F_OK) == 0;
}

static void test_held(void **state)
{
  (void)state;
  cleanup_error struct error *err = NULL;
  char name[LEASE_NAME_SIZE], other[LEASE_NAME_SIZE];
  int fd = lease_make(".", name, &err);
  check_good(fd, err);
  int second = lease_make(".", other, &err);
  check_good(second, err);
  assert_string_not_equal(name, other);
  assert_true(check_is_cloexec(fd));
  lease_sweep(".");
  assert_true(is_parked(name) && is_parked(other));
  close(second);
  lease_sweep(".");
  assert_true(is_parked(name));
  assert_false(is_parked(other));
  lease_remove(".", name);
  assert_false(is_parked(name));
  close(fd);
}

/* As long as any copy of its descriptor is open. */
static void test_handed_on(void **state)
{
  (void)state;
  cleanup_error struct error *err = NULL;
  char name[LEASE_NAME_SIZE];
  int fd = lease_make(".", name, &err);
  check_good(fd, err);
  int copy = dup(fd);
  close(fd);
  lease_sweep(".");
  assert_true(is_parked(name));
  close(copy);
  lease_sweep(".");
  assert_false(is_parked(name));
}

static void test_moved(void **state)
{
  (void)state;
  cleanup_error struct error *err = NULL;
  char name[LEASE_NAME_SIZE], read[LEASE_NAME_SIZE];
  assert_int_equal(mkdir("run", 0700), 0);
  cleanup_fd int run_dir = open("run", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  assert_false(lease_read(run_dir, read));
  cleanup_fd int fd = lease_make(".", name, &err);
  check_good(fd, err);
  check_good(lease_move(".", name, run_dir, &err), err);
  assert_false(is_parked(name));
  assert_true(lease_read(run_dir, read));
  assert_string_equal(read, name);
  check_bad(lease_move(".", name, run_dir, &err), &err, ENOENT, name);
  fd_close(&run_dir);
  fd_close(&fd);
}

/* What isn't a lease's is nobody's name of a cgroup. */
static void test_strange_content(void **state)
{
  (void)state;
  char read[LEASE_NAME_SIZE];
  check_put("cgroup", "../../system.slice");
  int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  assert_false(lease_read(here, read));
  check_put("cgroup", "");
  assert_false(lease_read(here, read));
  close(here);
}

static void test_nothing_to_sweep(void **state)
{
  (void)state;
  lease_sweep(".");
  lease_sweep("missing");
  lease_remove(".", "sb_1");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      CHECK_TEST(test_held),
      CHECK_TEST(test_handed_on),
      CHECK_TEST(test_moved),
      CHECK_TEST(test_strange_content),
      CHECK_TEST(test_nothing_to_sweep),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
