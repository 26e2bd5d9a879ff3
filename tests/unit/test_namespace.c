/* Namespaces: the first process of a sandbox, and whose ids it has. */
#include "config.h"

#include "sandbox/namespace.h"

#include "base/fd.h"

#include "tests/unit/check.h"

#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include <linux/nsfs.h>

static void set_and_end(void *argument)
{
  *(int *)argument = 42;
  _exit(7);
}

static void test_vfork(void **state)
{
  (void)state;
  int seen = 0, pidfd = -1, status;
  pid_t pid = namespace_vfork(0, &pidfd, set_and_end, &seen);
  assert_true(pid > 0);
  /* It ran before this, in this memory. */
  assert_int_equal(seen, 42);
  assert_true(check_is_cloexec(pidfd));
  siginfo_t info = {0};
  assert_int_equal(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOWAIT), 0);
  assert_int_equal(info.si_pid, pid);
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
  close(pidfd);
}

static void do_return(void *argument)
{
  (void)argument;
}

static void test_vfork_of_child_that_returns(void **state)
{
  (void)state;
  int pidfd = -1, status;
  pid_t pid = namespace_vfork(0, &pidfd, do_return, NULL);
  assert_true(pid > 0);
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 125);
  close(pidfd);
}

static void test_vfork_fails(void **state)
{
  (void)state;
  int pidfd = -1;
  int seen = 0;
  errno = 0;
  /* A new mount namespace can't share its root (clone(2)). */
  assert_int_equal(
      namespace_vfork(CLONE_NEWNS | CLONE_FS, &pidfd, set_and_end, &seen), -1);
  assert_int_equal(errno, EINVAL);
  assert_int_equal(seen, 0);
}

static void test_ids_of_pid(void **state)
{
  (void)state;
  enum { PID_MAX = 1 << 22, LAST_UID = 2147352575 };
  struct namespace_ids first = namespace_ids_of_pid(1);
  struct namespace_ids second = namespace_ids_of_pid(2);
  struct namespace_ids last = namespace_ids_of_pid(PID_MAX);
  assert_int_equal(first.root_uid, NAMESPACE_UID_BASE + 2);
  assert_int_equal(first.job_uid, NAMESPACE_UID_BASE + 3);
  assert_int_equal(first.root_gid, first.root_uid);
  assert_int_equal(first.job_gid, first.job_uid);
  assert_false(first.own);
  assert_int_equal(second.root_uid, first.job_uid + 1);
  assert_true(last.job_uid <= LAST_UID);
}

static void test_own_ids(void **state)
{
  (void)state;
  struct error *err = NULL;
  struct namespace_ids ids = {0};
  check_good(namespace_ids_of_user(5, true, &ids, &err), err);
  assert_true(ids.own);
  assert_int_equal(ids.job_uid, getuid());
  assert_int_equal(ids.job_gid, getgid());
  assert_int_equal(ids.root_uid, getuid());
  assert_int_equal(ids.root_gid, getgid());
}

static void test_probe(void **state)
{
  (void)state;
  struct error *err = NULL;
  if (namespace_probe(&err) == 0)
    return;
  assert_non_null(err->text);
  assert_null(strchr(err->text, '\n'));
  error_clear(&err);
}

/* What a child of the tests below ends with. */
enum { AS_EXPECTED, OTHERWISE, NO_NAMESPACE };

/* Enters a user namespace as its uid 1000, by namespace_map_ids, and puts an
 * /etc of its own there; false where the machine won't have it. */
static bool enter_own_etc(void)
{
  struct namespace_ids ids;
  struct error *err = NULL;
  if (namespace_ids_of_user(1, true, &ids, &err) < 0 ||
      unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
    return false;
  if (namespace_map_ids(getpid(), &ids, &err) < 0 ||
      getuid() != NAMESPACE_JOB_ID || getgid() != NAMESPACE_JOB_ID)
    _exit(OTHERWISE);
  return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
         mount("tmpfs", "/etc", "tmpfs", 0, NULL) == 0 && chdir("/etc") == 0;
}

static void put_etc(const char *name, const char *text)
{
  if (text != NULL)
    check_put(name, text);
}

struct subids {
  const char *passwd, *subuid, *subgid; /* NULL: there is no such file */
  const char *error;                    /* NULL: there are ids, namely */
  unsigned uids[3], gids[3];            /* the root's of pids 1, 2 and 3 */
};

static bool are_ids(const struct namespace_ids *ids, unsigned uid, unsigned gid)
{
  return ids->root_uid == uid && ids->job_uid == uid + 1 &&
         ids->root_gid == gid && ids->job_gid == gid + 1 && !ids->own;
}

static bool is_as_expected(const struct subids *row)
{
  for (int i = 0; i < 3; i++) {
    cleanup_error struct error *err = NULL;
    struct namespace_ids ids;
    int status = namespace_ids_of_user(i + 1, false, &ids, &err);
    const char *said = status == 0 ? NULL : err->text;
    if (row->error != NULL && said != NULL && strstr(said, row->error) != NULL)
      continue;
    if (row->error == NULL && said == NULL &&
        are_ids(&ids, row->uids[i], row->gids[i]))
      continue;
    fprintf(stderr, "pid %d: %s, %u, %u\n", i + 1, said ? said : "ids",
            said ? 0 : ids.root_uid, said ? 0 : ids.root_gid);
    return false;
  }
  const char *why = "";
  bool there = namespace_has_subordinate_ids(&why);
  return there == namespace_has_subordinate_ids(NULL) &&
         there == (why == NULL) && (row->error == NULL || !there);
}

#define PASSWD "root:x:0:0::/:/bin/sh\nme:x:1000:1000::/:/bin/sh\n"
#define GOOD   "me:300000:6\n"

static const struct subids rows[] = {
    {PASSWD,
     GOOD,
     "me:400000:65536\n",
     NULL,
     {300002, 300004, 300000},
     {400002, 400004, 400006}},
    /* By number, after others, and without a newline at the end. */
    {PASSWD,
     "you:1:65536\nmenot:1:9\n\n#me\n1000:300000:2",
     GOOD,
     NULL,
     {300000, 300000, 300000},
     {300002, 300004, 300000}},
    /* The first range that has room; what can't be read is passed over. */
    {PASSWD,
     "me\nme:\nme:x:9\nme:9\nme:100:1\nme:200:0\nme:300:3\n" GOOD,
     GOOD,
     NULL,
     {300, 300, 300},
     {300002, 300004, 300000}},
    {PASSWD, "", GOOD, "/etc/subuid gives user me no ids", {0}, {0}},
    {PASSWD,
     GOOD,
     "you:1:65536\n",
     "/etc/subgid gives user me no ids",
     {0},
     {0}},
    {PASSWD,
     "me:300000:1\n",
     GOOD,
     "/etc/subuid gives user me no ids",
     {0},
     {0}},
    {PASSWD,
     "10000:300000:9\n 1000:1:9\nm:1:9\nme :1:9\n",
     GOOD,
     "/etc/subuid gives user me no ids",
     {0},
     {0}},
    {PASSWD, NULL, GOOD, "open /etc/subuid: No such file", {0}, {0}},
    {PASSWD, GOOD, NULL, "open /etc/subgid: No such file", {0}, {0}},
    {"", GOOD, GOOD, "uid 1000 has no name", {0}, {0}},
};

static int try_row(const struct subids *row)
{
  if (!enter_own_etc())
    return NO_NAMESPACE;
  put_etc("passwd", row->passwd);
  put_etc("subuid", row->subuid);
  put_etc("subgid", row->subgid);
  return is_as_expected(row) ? AS_EXPECTED : OTHERWISE;
}

static void test_subordinate_ids(void **state)
{
  (void)state;
  for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
    int status;
    pid_t child = fork();
    if (child == 0)
      _exit(try_row(&rows[i]));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == NO_NAMESPACE) {
      print_message("no user namespace with an /etc of its own here\n");
      skip();
    }
    if (WEXITSTATUS(status) != AS_EXPECTED)
      fail_msg("row %zu", i);
  }
}

/* Whether this process may map and mount anything: root of the machine's. */
static void needs_root(void)
{
  int own = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
  int parent = own < 0 ? -1 : ioctl(own, NS_GET_PARENT);
  bool real = geteuid() == 0 && parent < 0;
  fd_close(&own);
  fd_close(&parent);
  if (real)
    return;
  print_message("only real root can\n");
  skip();
}

static bool map_is(pid_t pid, const char *file, const char *expected)
{
  struct error *err = NULL;
  cleanup_free char *path = xasprintf("/proc/%d/%s", pid, file);
  cleanup_free char *text = NULL;
  size_t count;
  check_good(fd_read_file(AT_FDCWD, path, 4096, &text, &count, &err), err);
  char squeezed[256];
  size_t used = 0;
  for (size_t i = 0; i < count && used < sizeof squeezed - 1; i++)
    if (text[i] != ' ' || (used > 0 && squeezed[used - 1] != ' '))
      squeezed[used++] = text[i];
  squeezed[used] = '\0';
  return strcmp(squeezed, expected) == 0;
}

static void test_map_as_root(void **state)
{
  (void)state;
  needs_root();
  struct error *err = NULL;
  int ends[2];
  char byte;
  assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
  pid_t child = fork();
  if (child == 0) {
    if (unshare(CLONE_NEWUSER) < 0 || write(ends[1], "x", 1) != 1)
      _exit(1);
    for (;;)
      pause();
  }
  close(ends[1]);
  assert_int_equal(read(ends[0], &byte, 1), 1);
  close(ends[0]);
  struct namespace_ids ids = {700001, 700002, 700003, 700004, false};
  int status = namespace_map_ids(child, &ids, &err);
  bool mapped = map_is(child, "uid_map", "0 700001 1\n 1000 700003 1\n") &&
                map_is(child, "gid_map", "0 700002 1\n 1000 700004 1\n");
  struct error *again = NULL;
  int second = namespace_map_ids(child, &ids, &again);
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  check_good(status, err);
  assert_true(mapped);
  check_bad(second, &again, EPERM, "uid_map: ");
}

static void test_for_idmap(void **state)
{
  (void)state;
  needs_root();
  struct error *err = NULL;
  cleanup_fd int fd = namespace_for_idmap(1, 2, 700003, 700004, &err);
  check_good(fd, err);
  assert_true(check_is_cloexec(fd));
  assert_int_equal(ioctl(fd, NS_GET_NSTYPE), CLONE_NEWUSER);
  /* Its holder is gone and reaped. */
  assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
  assert_int_equal(errno, ECHILD);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      CHECK_TEST(test_vfork),
      CHECK_TEST(test_vfork_of_child_that_returns),
      CHECK_TEST(test_vfork_fails),
      CHECK_TEST(test_ids_of_pid),
      CHECK_TEST(test_own_ids),
      CHECK_TEST(test_probe),
      CHECK_TEST(test_subordinate_ids),
      CHECK_TEST(test_map_as_root),
      CHECK_TEST(test_for_idmap),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
