/* Descriptors: files. */
#include "config.h"

#include "base/fd.h"

#include "tests/unit/check.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>

static void test_closing(void **state)
{
  (void)state;
  int none = -1, fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  int other = open("/dev/null", O_RDONLY | O_CLOEXEC);
  int number = fd;
  errno = ELOOP;
  fd_close(&none);
  fd_close(&fd);
  assert_int_equal(fd, -1);
  assert_int_equal(fcntl(number, F_GETFD), -1);
  number = other;
  fd = 1 << 20; /* is open nowhere: EBADF is kept from errno */
  errno = ELOOP;
  fd_close(&fd);
  assert_int_equal(errno, ELOOP);
  {
    cleanup_fd int owner = steal_fd(&other);
    assert_int_equal(other, -1);
    assert_int_equal(owner, number);
  }
  assert_int_equal(fcntl(number, F_GETFD), -1);
}

static void wake(int signal_number)
{
  (void)signal_number;
}

static void count_slowly(int fd)
{
  char bytes[512];
  size_t total = 0;
  ssize_t got;
  while ((got = read(fd, bytes, sizeof bytes)) > 0)
    total += (size_t)got;
  _exit(total == 1 << 20 ? 0 : 1);
}

/* A timer without SA_RESTART cuts many of the writes short. */
static void test_write_all(void **state)
{
  (void)state;
  struct error *err = NULL;
  int ends[2], status;
  cleanup_free char *bytes = xcalloc(1, 1 << 20);
  assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
  pid_t child = fork();
  if (child == 0) {
    close(ends[1]);
    count_slowly(ends[0]);
  }
  close(ends[0]);
  const struct sigaction waking = {.sa_handler = wake};
  const struct itimerval often = {{0, 200}, {0, 200}};
  const struct itimerval never = {{0, 0}, {0, 0}};
  struct sigaction before;
  sigaction(SIGALRM, &waking, &before);
  setitimer(ITIMER_REAL, &often, NULL);
  int written = fd_write_all(ends[1], bytes, 1 << 20, &err);
  setitimer(ITIMER_REAL, &never, NULL);
  sigaction(SIGALRM, &before, NULL);
  check_good(written, err);
  close(ends[1]);
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
}

static void test_write_errors(void **state)
{
  (void)state;
  struct error *err = NULL;
  cleanup_fd int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  check_bad(fd_write_all(full, "x", 1, &err), &err, ENOSPC, "write: ");
  check_good(fd_write_all(full, "", 0, &err), err);
  check_bad(fd_write_all(-1, "x", 1, &err), &err, EBADF, "write: ");
}

static void read_is(size_t count, size_t max)
{
  struct error *err = NULL;
  cleanup_free char *expected = xcalloc(count + 1, 1);
  for (size_t i = 0; i < count; i++)
    expected[i] = (char)(i % 251); /* NULs too */
  check_put_bytes("file", expected, count);
  cleanup_free char *bytes = NULL;
  size_t got = 0;
  int status = fd_read_file(AT_FDCWD, "file", max, &bytes, &got, &err);
  if (count > max) {
    check_bad(status, &err, EFBIG, "file: larger than ");
    assert_null(bytes);
    return;
  }
  check_good(status, err);
  assert_int_equal(got, count);
  assert_memory_equal(bytes, expected, count + 1);
}

static void test_read_bounds(void **state)
{
  (void)state;
  read_is(0, 0);
  read_is(1, 0);
  read_is(10, 10);
  read_is(11, 10);
  read_is(4096, 4096);
  read_is(4097, 4097);
  read_is(4097, 4096);
  read_is(100000, 100000);
  read_is(100000, 99999);
}

static void test_read_errors(void **state)
{
  (void)state;
  struct error *err = NULL;
  char *bytes = NULL;
  size_t count;
  check_bad(fd_read_file(AT_FDCWD, "none", 9, &bytes, &count, &err), &err,
            ENOENT, "open none: No such file");
  check_bad(fd_read_file(AT_FDCWD, ".", 9, &bytes, &count, &err), &err, EISDIR,
            ".: read: Is a directory");
  check_bad(fd_read_all(-1, 9, &bytes, &count, &err), &err, EBADF, "read: ");
  assert_null(bytes);
  /* What has no end is cut off at its limit. */
  check_bad(fd_read_file(AT_FDCWD, "/dev/zero", 9, &bytes, &count, &err), &err,
            EFBIG, "/dev/zero: larger than 9 bytes");
  assert_null(bytes);
}

static void test_read_from_folder(void **state)
{
  (void)state;
  struct error *err = NULL;
  cleanup_free char *bytes = NULL;
  size_t count;
  assert_int_equal(mkdir("sub", 0755), 0);
  check_put("sub/file", "text");
  cleanup_fd int sub = open("sub", O_PATH | O_DIRECTORY | O_CLOEXEC);
  check_good(fd_read_file(sub, "file", 9, &bytes, &count, &err), err);
  assert_string_equal(bytes, "text");
}

static void test_write_file(void **state)
{
  (void)state;
  struct error *err = NULL;
  check_bad(fd_write_file(AT_FDCWD, "none", "x", &err), &err, ENOENT,
            "open none: ");
  assert_int_equal(access("none", F_OK), -1);
  check_put("file", "1234");
  check_good(fd_write_file(AT_FDCWD, "file", "ab", &err), err);
  cleanup_free char *bytes = NULL;
  size_t count;
  check_good(fd_read_file(AT_FDCWD, "file", 9, &bytes, &count, &err), err);
  assert_string_equal(bytes, "ab34");
  check_bad(fd_write_file(AT_FDCWD, "/dev/full", "x", &err), &err, ENOSPC,
            "write \"x\" to /dev/full: ");
  check_bad(fd_write_file(AT_FDCWD, "/dev/full", "0 1 1\n1 2 1\n", &err), &err,
            ENOSPC, "write \"0 1 1\" to /dev/full: ");
}

static void beneath_is(int dir_fd, const char *path, int code)
{
  struct error *err = NULL;
  cleanup_fd int fd =
      fd_open_beneath(dir_fd, path, O_RDONLY | O_NONBLOCK, 0, &err);
  if (code != 0) {
    check_bad(fd, &err, code, "open ");
    return;
  }
  check_good(fd, err);
  assert_true(check_is_cloexec(fd));
}

static void test_beneath(void **state)
{
  (void)state;
  assert_int_equal(mkdir("dir", 0755), 0);
  assert_int_equal(mkdir("dir/sub", 0755), 0);
  check_put("outside", "");
  check_put("dir/file", "");
  check_put("dir/sub/file", "");
  assert_int_equal(symlink("file", "dir/to-file"), 0);
  assert_int_equal(symlink("sub", "dir/to-sub"), 0);
  assert_int_equal(symlink("../outside", "dir/to-outside"), 0);
  assert_int_equal(symlink("nowhere", "dir/dangling"), 0);
  assert_int_equal(mkfifo("dir/fifo", 0644), 0);
  cleanup_fd int dir = open("dir", O_PATH | O_DIRECTORY | O_CLOEXEC);
  static const struct {
    const char *path;
    int code;
  } rows[] = {
      {"file", 0},
      {"sub/file", 0},
      {"sub/../file", 0}, /* it stays beneath */
      {"fifo", 0},
      {"none", ENOENT},
      {"file/x", ENOTDIR},
      {"..", EXDEV},
      {"../outside", EXDEV},
      {"sub/../../outside", EXDEV},
      {"/etc/passwd", EXDEV},
      {"/", EXDEV},
      {"to-file", ELOOP},
      {"to-sub/file", ELOOP},
      {"to-outside", ELOOP},
      {"dangling", ELOOP},
  };
  for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
    beneath_is(dir, rows[i].path, rows[i].code);
}

static void test_beneath_magic_links(void **state)
{
  (void)state;
  cleanup_fd int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
  beneath_is(self, "status", 0);
  beneath_is(self, "exe", ELOOP);
  beneath_is(self, "root/etc/passwd", ELOOP);
  beneath_is(self, "cwd/.", ELOOP);
  beneath_is(self, "fd/0", ELOOP);
}

static void test_beneath_creates(void **state)
{
  (void)state;
  struct error *err = NULL;
  struct stat status;
  mode_t mask = umask(0);
  cleanup_fd int dir = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  cleanup_fd int fd =
      fd_open_beneath(dir, "new", O_WRONLY | O_CREAT | O_EXCL, 0640, &err);
  umask(mask);
  check_good(fd, err);
  assert_int_equal(fstat(fd, &status), 0);
  assert_int_equal(status.st_mode, S_IFREG | 0640);
  check_bad(
      fd_open_beneath(dir, "new", O_WRONLY | O_CREAT | O_EXCL, 0640, &err),
      &err, EEXIST, "open new: ");
  /* A link isn't written through, dangling or not. */
  assert_int_equal(symlink("made-by-link", "link"), 0);
  check_bad(fd_open_beneath(dir, "link", O_WRONLY | O_CREAT, 0640, &err), &err,
            ELOOP, "open link: ");
  assert_int_equal(access("made-by-link", F_OK), -1);
}

/* Not even by a new description of the same file. */
static void cannot_change(int fd)
{
  assert_int_equal(pwrite(fd, "X", 1, 0), -1);
  assert_int_equal(errno, EPERM);
  assert_int_equal(ftruncate(fd, 1), -1);
  assert_int_equal(ftruncate(fd, 100), -1);
  assert_int_equal(fallocate(fd, 0, 0, 100), -1);
  assert_ptr_equal(mmap(NULL, 4, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0),
                   MAP_FAILED);
  assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
}

static void test_sealed_memory(void **state)
{
  (void)state;
  struct error *err = NULL;
  cleanup_fd int fd = fd_sealed_memory("test", "a\0b", 3, &err);
  check_good(fd, err);
  assert_true(check_is_cloexec(fd));
  assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
  cannot_change(fd);
  cleanup_free char *path = xasprintf("/proc/self/fd/%d", fd);
  cleanup_fd int again = open(path, O_RDWR | O_CLOEXEC);
  if (again >= 0)
    cannot_change(again);
  cleanup_free char *bytes = NULL;
  size_t count;
  check_good(fd_read_all(fd, 9, &bytes, &count, &err), err);
  assert_int_equal(count, 3);
  assert_memory_equal(bytes, "a\0b", 4);
  cleanup_fd int empty = fd_sealed_memory("empty", "", 0, &err);
  check_good(empty, err);
  assert_int_equal(lseek(empty, 0, SEEK_END), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      CHECK_TEST(test_closing),
      CHECK_TEST(test_write_all),
      CHECK_TEST(test_write_errors),
      CHECK_TEST(test_read_bounds),
      CHECK_TEST(test_read_errors),
      CHECK_TEST(test_read_from_folder),
      CHECK_TEST(test_write_file),
      CHECK_TEST(test_beneath),
      CHECK_TEST(test_beneath_magic_links),
      CHECK_TEST(test_beneath_creates),
      CHECK_TEST(test_sealed_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
