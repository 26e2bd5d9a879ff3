/* What the caller names: FIFOs that nobody writes, and links that a job may
 * have planted. */
#include "config.h"

#include "host/named.h"

#include "tests/unit/check.h"

enum { OTHER = 12345, THIRD = 12346 };

static void opens(const char *path, const char *expected)
{
  struct error *err = NULL;
  cleanup_free char *bytes = NULL;
  size_t count;
  check_good(named_read(path, 100, &bytes, &count, &err), err);
  assert_string_equal(bytes, expected);
  cleanup_fd int found = named_find(path, &err);
  check_good(found, err);
  assert_true(check_is_cloexec(found));
}

static void refuses(const char *path, int code, const char *words)
{
  struct error *err = NULL;
  check_bad(named_open(path, &err), &err, code, words);
}

static void test_paths(void **state)
{
  const struct check *check = *state;
  cleanup_free char *absolute = xasprintf("%s/a/b/file", check->folder);
  assert_int_equal(mkdir("a", 0755), 0);
  assert_int_equal(mkdir("a/b", 0755), 0);
  check_put("a/b/file", "x");
  opens("a/b/file", "x");
  opens(absolute, "x");
  opens("./a//b/../b/./file", "x");
  refuses("", ENOENT, "No such file");
  refuses("none", ENOENT, "none: No such file");
  refuses("a/none/file", ENOENT, "a/none/file: ");
  refuses("a/b/file/x", ENOTDIR, "a/b/file/x: ");
  refuses("a/b/file/", ENOTDIR, "a/b/file/: ");
  struct error *err = NULL;
  cleanup_fd int folder = named_find("a/b/", &err);
  check_good(folder, err);
  cleanup_free char *bytes = NULL;
  size_t count;
  check_bad(named_read("a", 100, &bytes, &count, &err), &err, EISDIR, "a: ");
  check_put("large", "12345678");
  check_bad(named_read("large", 7, &bytes, &count, &err), &err, EFBIG,
            "large: larger than 7 bytes");
}

static void test_own_links(void **state)
{
  const struct check *check = *state;
  cleanup_free char *absolute = xasprintf("%s/a/file", check->folder);
  assert_int_equal(mkdir("a", 0755), 0);
  check_put("a/file", "x");
  assert_int_equal(symlink("a/file", "relative"), 0);
  assert_int_equal(symlink(absolute, "absolute"), 0);
  assert_int_equal(symlink("a", "folder"), 0);
  assert_int_equal(symlink("../relative", "a/chain"), 0);
  assert_int_equal(symlink("loop", "loop"), 0);
  assert_int_equal(symlink("none", "dangling"), 0);
  opens("relative", "x");
  opens("absolute", "x");
  opens("folder/file", "x");
  opens("folder/../a/chain", "x");
  refuses("loop", ELOOP, "loop: ");
  refuses("dangling", ENOENT, "dangling: ");
}

/* As a shell passes <(…): a pipe without a name, by way of links of /proc. */
static void test_pipes(void **state)
{
  (void)state;
  int ends[2];
  assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
  assert_int_equal(write(ends[1], "x", 1), 1);
  close(ends[1]);
  cleanup_fd int reader = ends[0];
  cleanup_free char *path = xasprintf("/dev/fd/%d", reader);
  opens(path, "x");
  refuses("/dev/fd/999", ENOENT, "/dev/fd/999: ");
}

/* Nobody writes or reads it: this returns. */
static void test_fifos(void **state)
{
  (void)state;
  struct error *err = NULL;
  assert_int_equal(mkfifo("fifo", 0600), 0);
  assert_int_equal(symlink("fifo", "link"), 0);
  refuses("fifo", EINVAL, "fifo is a FIFO");
  refuses("link", EINVAL, "link is a FIFO");
  check_bad(named_create("fifo", &err), &err, EINVAL, "fifo is a FIFO");
}

static void test_create(void **state)
{
  (void)state;
  struct error *err = NULL;
  struct stat status;
  check_put("there", "old");
  cleanup_fd int there = named_create("there", &err);
  check_good(there, err);
  opens("there", "old");
  cleanup_fd int made = named_create("new", &err);
  check_good(made, err);
  assert_true(check_is_cloexec(made));
  assert_int_equal(write(made, "x", 1), 1);
  opens("new", "x");
  assert_int_equal(stat("new", &status), 0);
  assert_int_equal(status.st_mode & 0133, 0);
  assert_int_equal(symlink("target", "dangling"), 0);
  assert_int_equal(symlink("there", "link"), 0);
  assert_int_equal(symlink(".", "folder"), 0);
  check_bad(named_create("dangling", &err), &err, ELOOP,
            "dangling is a link; name the file itself");
  check_bad(named_create("link", &err), &err, ELOOP, "link is a link");
  assert_int_equal(access("target", F_OK), -1);
  cleanup_fd int beyond = named_create("folder/there", &err);
  check_good(beyond, err);
  cleanup_fd int device = named_create("/dev/fd/2", &err);
  check_good(device, err);
  check_bad(named_create("none/x", &err), &err, ENOENT, "none/x: ");
  check_bad(named_create("there/x", &err), &err, ENOTDIR, "there/x: ");
  check_bad(named_create(".", &err), &err, EISDIR, ".: ");
}

static void link_of(uid_t owner, const char *target, const char *name)
{
  assert_int_equal(symlink(target, name), 0);
  assert_int_equal(lchown(name, owner, owner), 0);
}

/* As a job's that had a folder of user 12345 for writing. */
static void test_links_of_others(void **state)
{
  (void)state;
  struct error *err = NULL;
  if (geteuid() != 0) {
    print_message("only root can make links of others\n");
    skip();
  }
  assert_int_equal(mkdir("out", 0755), 0);
  assert_int_equal(chown("out", OTHER, OTHER), 0);
  check_put("ours", "secret");
  check_put("out/his", "his");
  assert_int_equal(chown("out/his", OTHER, OTHER), 0);
  link_of(OTHER, "his", "out/to-his");
  link_of(OTHER, "../ours", "out/to-ours");
  link_of(OTHER, "..", "out/to-folder");
  link_of(OTHER, "../by-us", "out/to-our-link");
  link_of(THIRD, "his", "out/of-third");
  link_of(OTHER, "of-third", "out/to-third");
  assert_int_equal(symlink("ours", "by-us"), 0);
  opens("out/to-his", "his");
  opens("out/to-folder/out/his", "his");
  refuses("out/to-ours", EPERM, "a link of another user (uid 12345)");
  refuses("out/to-folder/ours", EPERM, "a link of another user");
  refuses("out/to-our-link", EPERM, "a link of another user");
  refuses("out/of-third", EPERM, "a link of another user (uid 12346)");
  refuses("out/to-third", EPERM, "links of several users");
  check_bad(named_find("out/to-ours", &err), &err, EPERM, "of another user");
  check_bad(named_create("out/to-folder/ours", &err), &err, EPERM,
            "of another user");
  check_bad(named_create("out/to-folder/new", &err), &err, EPERM,
            "of another user");
  assert_int_equal(access("new", F_OK), -1);
  cleanup_fd int made = named_create("out/to-folder/out/new", &err);
  check_good(made, err);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      CHECK_TEST(test_paths),  CHECK_TEST(test_own_links),
      CHECK_TEST(test_pipes),  CHECK_TEST(test_fifos),
      CHECK_TEST(test_create), CHECK_TEST(test_links_of_others),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
