/* The configuration file: its lines, and whose it must be. */
#include "config.h"

#include "host/settings.h"

#include "base/fd.h"
#include "host/walls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const unsigned cgroup = 1U << WALL_CGROUP;
static const unsigned scratch = 1U << WALL_SCRATCH;

struct example {
  const char *text;
  unsigned allow_missing;
};

static void test_good(void **state)
{
  (void)state;
  const struct example examples[] = {
      {"", 0},
      {"\n\n", 0},
      {"# allow_missing = nothing\n  \t# more\n", 0},
      {"allow_missing=cgroup", cgroup},
      {"\t allow_missing  =  cgroup , scratch \r\n", cgroup | scratch},
      {"# first\nallow_missing = scratch\n\n# last", scratch},
  };
  for (size_t i = 0; i < ARRAY_LENGTH(examples); i++) {
    cleanup_error struct error *err = NULL;
    struct settings settings;
    assert_int_equal(
        settings_parse(examples[i].text, "wafer.conf", &settings, &err), 0);
    assert_int_equal(settings.allow_missing, examples[i].allow_missing);
    assert_null(settings.allow_network);
  }
}

static void test_pool(void **state)
{
  (void)state;
  cleanup_error struct error *err = NULL;
  struct settings settings;
  assert_int_equal(settings_parse("", "f", &settings, &err), 0);
  assert_int_equal(settings.pool_size, SETTINGS_POOL_SIZE_DEFAULT);
  assert_int_equal(settings.pool_memory_bytes,
                   SETTINGS_POOL_MEMORY_DEFAULT_BYTES);
  assert_int_equal(settings_parse("pool_size = 0\npool_memory = 3 GiB", "f",
                                  &settings, &err),
                   0);
  assert_int_equal(settings.pool_size, 0);
  assert_int_equal(settings.pool_memory_bytes, 3LL << 30);
  assert_int_equal(
      settings_parse("pool_memory=512KiB\npool_size=64", "f", &settings, &err),
      0);
  assert_int_equal(settings.pool_size, 64);
  assert_int_equal(settings.pool_memory_bytes, 512 << 10);
}

static void test_networks(void **state)
{
  (void)state;
  cleanup_error struct error *err = NULL;
  cleanup_settings struct settings settings = SETTINGS_INIT;
  assert_int_equal(settings_parse("allow_network = 10.0.0.0/8, 192.168.7.1\n",
                                  "wafer.conf", &settings, &err),
                   0);
  assert_string_equal(settings.allow_network, "10.0.0.0/8, 192.168.7.1");
}

struct refusal {
  const char *text;
  const char *start; /* of the error's text */
};

static void test_bad(void **state)
{
  (void)state;
  static const struct refusal refusals[] = {
      {"nonsense", "f:1: \"nonsense\" has no equals sign"},
      {"\n# x\nallow_mising = uid",
       "f:3: there is no setting \"allow_mising\""},
      {"= uid", "f:1: there is no setting \"\""},
      {"ALLOW_MISSING = uid", "f:1: there is no setting \"ALLOW_MISSING\""},
      {"allow_missing =", "f:1: allow_missing: there is no wall \"\""},
      {"allow_missing = uid,", "f:1: allow_missing: there is no wall \"\""},
      {"allow_missing = moat # uid", "f:1: allow_missing: there is no wall"},
      {"allow_missing = seccomp", "f:1: allow_missing: no run can do without"},
      {"allow_network =", "f:1: allow_network: \"\" is no IPv4 network"},
      {"\nallow_network = 0.0.0.0/0", "f:2: allow_network: 0.0.0.0/0 is in no"},
      {"pool_size = 65", "f:1: pool_size: \"65\" isn't a number from 0 to 64"},
      {"pool_size = -1", "f:1: pool_size: \"-1\" isn't a number"},
      {"pool_size = 4x", "f:1: pool_size: \"4x\" isn't a number"},
      {"pool_size =", "f:1: pool_size: \"\" isn't a number"},
      {"pool_memory = 64", "f:1: pool_memory: \"64\" isn't a size such as"},
      {"pool_memory = MiB", "f:1: pool_memory: \"MiB\" isn't a size"},
      {"pool_memory = 1.5 GiB", "f:1: pool_memory: \"1.5 GiB\" isn't a size"},
      {"pool_memory = 99999999999999999999 KiB", "f:1: pool_memory: "},
      {"allow_missing = uid\nallow_missing = uid",
       "f:2: allow_missing is given twice"},
  };
  for (size_t i = 0; i < ARRAY_LENGTH(refusals); i++) {
    cleanup_error struct error *err = NULL;
    struct settings settings;
    assert_int_equal(settings_parse(refusals[i].text, "f", &settings, &err),
                     -1);
    assert_int_equal(
        strncmp(err->text, refusals[i].start, strlen(refusals[i].start)), 0);
  }
}

/* A folder of its own for each test, in $WAFER_CONFIG_DIR. */
static int make_dir(void **state)
{
  char *dir = xstrdup("/tmp/wafer-test-settings-XXXXXX");
  *state = dir;
  return mkdtemp(dir) == NULL || setenv("WAFER_CONFIG_DIR", dir, 1) < 0;
}

static int remove_dir(void **state)
{
  cleanup_free char *dir = *state;
  cleanup_free char *file = xasprintf("%s/wafer.conf", dir);
  unlink(file);
  return rmdir(dir);
}

static void write_file(const char *dir, const void *bytes, size_t count,
                       mode_t mode)
{
  cleanup_error struct error *err = NULL;
  cleanup_free char *path = xasprintf("%s/wafer.conf", dir);
  cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, mode);
  assert_true(fd >= 0);
  assert_int_equal(fchmod(fd, mode), 0);
  assert_int_equal(fd_write_all(fd, bytes, count, &err), 0);
}

static void test_load(void **state)
{
  cleanup_error struct error *err = NULL;
  struct settings settings = {.allow_missing = ~0U};
  assert_int_equal(settings_load(&settings, &err), 0);
  assert_int_equal(settings.allow_missing, 0);
  static const char text[] = "allow_missing = cgroup\n";
  write_file(*state, text, strlen(text), 0644);
  assert_int_equal(settings_load(&settings, &err), 0);
  assert_int_equal(settings.allow_missing, cgroup);
}

static void check_refused(const char *part)
{
  cleanup_error struct error *err = NULL;
  struct settings settings;
  assert_int_equal(settings_load(&settings, &err), -1);
  assert_non_null(strstr(err->text, "/wafer.conf"));
  assert_non_null(strstr(err->text, part));
}

static void test_writable_by_others(void **state)
{
  write_file(*state, "", 0, 0664);
  check_refused("chmod go-w");
}

static void test_zero_byte(void **state)
{
  write_file(*state, "#\0\n", 3, 0600);
  check_refused("zero byte");
}

static void test_fifo(void **state)
{
  cleanup_free char *path = xasprintf("%s/wafer.conf", (char *)*state);
  assert_int_equal(mkfifo(path, 0600), 0);
  check_refused("no regular file");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_good),
      cmocka_unit_test(test_networks),
      cmocka_unit_test(test_pool),
      cmocka_unit_test(test_bad),
      cmocka_unit_test_setup_teardown(test_load, make_dir, remove_dir),
      cmocka_unit_test_setup_teardown(test_writable_by_others, make_dir,
                                      remove_dir),
      cmocka_unit_test_setup_teardown(test_zero_byte, make_dir, remove_dir),
      cmocka_unit_test_setup_teardown(test_fifo, make_dir, remove_dir),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
