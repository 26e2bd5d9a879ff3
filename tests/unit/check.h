/* What unit tests share: a folder to work in, and words for what is expected.
 *
 * Each test of CHECK_TEST runs in an empty folder of its own, its working
 * directory, and fails if it leaves a descriptor open. */
#ifndef WAFER_TESTS_CHECK_H
#define WAFER_TESTS_CHECK_H

#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct check {
  char folder[64];
  size_t fds;
};

/* Counts this process's open descriptors. */
static inline size_t check_count_fds(void)
{
  size_t count = 0;
  DIR *folder = opendir("/proc/self/fd");
  while (readdir(folder) != NULL)
    count++;
  closedir(folder);
  return count;
}

static inline int check_setup(void **state)
{
  struct check *check = xcalloc(1, sizeof *check);
  *state = check;
  snprintf(check->folder, sizeof check->folder, "/tmp/wafer-check-XXXXXX");
  check->fds = check_count_fds();
  return mkdtemp(check->folder) == NULL ? -1 : chdir(check->folder);
}

static inline int check_remove(const char *path, const struct stat *status,
                               int type, struct FTW *where)
{
  (void)status, (void)type, (void)where;
  return remove(path);
}

static inline int check_teardown(void **state)
{
  struct check *check = *state;
  size_t fds = check->fds;
  int status = chdir("/");
  nftw(check->folder, check_remove, 16, FTW_DEPTH | FTW_PHYS);
  free(check);
  assert_int_equal(check_count_fds(), fds);
  return status;
}

#define CHECK_TEST(test)                                                       \
  cmocka_unit_test_setup_teardown(test, check_setup, check_teardown)

/* Fails the test with an error's text. */
static inline void check_good(int status, struct error *err)
{
  if (status < 0)
    fail_msg("%s", err->text);
  assert_null(err);
}

/* Checks that a call failed, with this code and these words in one line. */
static inline void check_bad(int status, struct error **err, int code,
                             const char *words)
{
  assert_int_equal(status, -1);
  assert_non_null(*err);
  if (strstr((*err)->text, words) == NULL)
    fail_msg("\"%s\" isn't in \"%s\"", words, (*err)->text);
  assert_null(strchr((*err)->text, '\n'));
  assert_int_equal((*err)->code, code);
  error_clear(err);
}

/* Makes a file of `count` bytes. */
static inline void check_put_bytes(const char *path, const void *bytes,
                                   size_t count)
{
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, bytes, count), count);
  close(fd);
}

static inline void check_put(const char *path, const char *text)
{
  check_put_bytes(path, text, strlen(text));
}

static inline bool check_is_cloexec(int fd)
{
  return fcntl(fd, F_GETFD) == FD_CLOEXEC;
}

#endif
