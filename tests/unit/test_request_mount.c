/* What `wafer run` may be asked: --mount. */
#include "config.h"

#include "host/request.h"

#include "tests/unit/check.h"

#define cleanup_request __attribute__((cleanup(request_release)))

static void put_sources(void)
{
  assert_int_equal(mkdir("in", 0755), 0);
  assert_int_equal(mkdir("a:b", 0755), 0);
  assert_int_equal(mkdir("c:", 0755), 0);
  check_put("file", "");
  assert_int_equal(symlink("in", "link"), 0);
  assert_int_equal(mkfifo("fifo", 0644), 0);
}

static void test_forms(void **state)
{
  const struct check *check = *state;
  static const struct {
    const char *value;
    const char *source;
    const char *target;
    bool read_only;
    bool is_file;
  } rows[] = {
      {"in:/data", "in", "/data", true, false},
      {"in:/data:ro", "in", "/data", true, false},
      {"in:/data:rw", "in", "/data", false, false},
      {"./in/../in:/data", "in", "/data", true, false},
      {"link:/data", "in", "/data", true, false}, /* what it leads to */
      {"file:/data/x.csv:rw", "file", "/data/x.csv", false, true},
      {"a:b:/data", "a:b", "/data", true, false},
      {"a:b:/data:rw", "a:b", "/data", false, false},
      {"c::/data", "c:", "/data", true, false},
      {"in://srv///deep/", "in", "/srv/deep", true, false},
      {"in:/data/..x/.y", "in", "/data/..x/.y", true, false},
      {"in:/usr2", "in", "/usr2", true, false},
      {"in:/opt/waferx", "in", "/opt/waferx", true, false},
      {"in:/tmp/in", "in", "/tmp/in", true, false},
      {"in:/home/me", "in", "/home/me", true, false},
      {"in:/d\xC3\xA9p\xC3\xB4t", "in", "/d\xC3\xA9p\xC3\xB4t", true, false},
  };
  put_sources();
  struct error *err = NULL;
  for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
    cleanup_request struct request request = {0};
    cleanup_free char *source =
        xasprintf("%s/%s", check->folder, rows[i].source);
    cleanup_free char *text = xasprintf("%s:%s:%s", source, rows[i].target,
                                        rows[i].read_only ? "ro" : "rw");
    check_good(request_add_mount(&request, rows[i].value, &err), err);
    assert_int_equal(request.mount_count, 1);
    const struct request_mount *mount = &request.mounts[0];
    assert_string_equal(mount->source, source);
    assert_string_equal(mount->target, rows[i].target);
    assert_string_equal(mount->text, text);
    assert_int_equal(mount->read_only, rows[i].read_only);
    assert_int_equal(mount->is_file, rows[i].is_file);
    assert_int_equal(mount->uid, geteuid());
  }
}

static void refused(const char *value, int code, const char *words)
{
  struct error *err = NULL;
  cleanup_request struct request request = {0};
  check_bad(request_add_mount(&request, value, &err), &err, code, words);
  assert_int_equal(request.mount_count, 0);
}

static void test_bad_forms(void **state)
{
  (void)state;
  static const char *const forms[] = {
      "",
      "in",
      ":",
      "in:",
      ":/data",
      ":/data:rw",
      "in:data",
      "in:./data",
      "in:/data:rx",
      "in:/data:RO",
      "in:/data:",
      "in:/data:ro:rw",
      "in:ro",
      ":rw",
      "in:/da:ta",
  };
  put_sources();
  for (size_t i = 0; i < ARRAY_LENGTH(forms); i++)
    refused(forms[i], EINVAL, "isn't SRC:DST[:ro|rw] with an absolute DST");
  refused("in:/data/../x", EINVAL, ". and .. have no place in it");
  refused("in:/./data", EINVAL, ". and .. have no place in it");
  refused("in:/..", EINVAL, ". and .. have no place in it");
  refused("in:/d\xE9", EILSEQ, "isn't UTF-8");
}

static void test_folders_of_the_sandbox(void **state)
{
  (void)state;
  static const char *const folders[] = {
      "/bin",         "/dev",       "/dev/shm",
      "/etc",         "/etc/ssl",   "/lib",
      "/lib64",       "/proc",      "/run",
      "/run/secrets", "/sbin",      "/sys",
      "/usr",         "/var",       "/usr/lib/python3",
      "//usr/",       "/opt/wafer", "/opt/wafer/python",
      "/opt", /* it would hide /opt/wafer */
  };
  put_sources();
  for (size_t i = 0; i < ARRAY_LENGTH(folders); i++) {
    cleanup_free char *value = xasprintf("in:%s:rw", folders[i]);
    refused(value, EINVAL, "the sandbox's own /");
  }
  refused("in:/", EINVAL, "root and /tmp can't be mounted over");
  refused("in:///", EINVAL, "root and /tmp can't be mounted over");
  refused("in:/tmp/", EINVAL, "root and /tmp can't be mounted over");
}

static void test_sources(void **state)
{
  (void)state;
  put_sources();
  assert_int_equal(symlink("loop", "loop"), 0);
  refused("none:/data", ENOENT, "none: No such file");
  refused("file/x:/data", ENOTDIR, "file/x: ");
  refused("loop:/data", ELOOP, "loop: ");
  refused("fifo:/data", EINVAL, "fifo is neither a folder nor a file");
  refused("/dev/null:/data", EINVAL,
          "/dev/null is neither a folder nor a file");
}

static void test_nesting(void **state)
{
  (void)state;
  struct error *err = NULL;
  cleanup_request struct request request = {0};
  put_sources();
  check_good(request_add_mount(&request, "in:/a/b", &err), err);
  static const char *const others[] = {"/a", "/a/b", "/a//b/", "/a/b/c"};
  for (size_t i = 0; i < ARRAY_LENGTH(others); i++) {
    cleanup_free char *value = xasprintf("in:%s", others[i]);
    check_bad(request_add_mount(&request, value, &err), &err, EINVAL,
              " and /a/b lie in one another");
  }
  check_good(request_add_mount(&request, "in:/a/bc", &err), err);
  check_good(request_add_mount(&request, "in:/a/c:rw", &err), err);
  assert_int_equal(request.mount_count, 3);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      CHECK_TEST(test_forms),
      CHECK_TEST(test_bad_forms),
      CHECK_TEST(test_folders_of_the_sandbox),
      CHECK_TEST(test_sources),
      CHECK_TEST(test_nesting),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
