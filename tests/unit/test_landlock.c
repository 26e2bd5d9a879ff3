/* Landlock, from inside: each case runs in a child that restricts itself. */
#include "config.h"

#include "sandbox/landlock.h"

#include "base/fd.h"
#include "sandbox/privileges.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
  CHILD_BROKEN = 250, /* an exit status that no errno has */
  ABI_REFER = 2,
  ABI_TRUNCATE = 3,
  ABI_IOCTL = 5,
  ABI_SCOPES = 6,
};

/* A folder with a sub-folder a kind of access:
 *   read/file  exec/true (a copy of a program)  write/file  hidden/file */
static char scene[] = "/tmp/wafer-landlock-XXXXXX";
static int abi;

static void copy_file(const char *from, const char *to, mode_t mode)
{
  struct error *err = NULL;
  cleanup_free char *bytes = NULL;
  size_t count;
  assert_int_equal(fd_read_file(AT_FDCWD, from, 64 << 20, &bytes, &count, &err),
                   0);
  cleanup_fd int fd = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, mode);
  assert_true(fd >= 0);
  assert_int_equal(fd_write_all(fd, bytes, count, &err), 0);
}

static int make_scene(void **state)
{
  (void)state;
  assert_non_null(mkdtemp(scene));
  assert_int_equal(chdir(scene), 0);
  static const char *const folders[] = {"read", "exec", "write", "hidden"};
  for (size_t i = 0; i < ARRAY_LENGTH(folders); i++) {
    assert_int_equal(mkdir(folders[i], 0777), 0);
    cleanup_free char *file = xasprintf("%s/file", folders[i]);
    copy_file("/etc/hostname", file, 0666);
    cleanup_free char *program = xasprintf("%s/true", folders[i]);
    copy_file("/usr/bin/true", program, 0777);
  }
  return 0;
}

static int remove_scene(void **state)
{
  (void)state;
  static const char *const names[] = {
      "read/file",  "read/true",  "exec/file",   "exec/true",
      "write/file", "write/true", "hidden/file", "hidden/true",
      "read",       "exec",       "write",       "hidden"};
  for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
    remove(names[i]);
  assert_int_equal(chdir("/"), 0);
  assert_int_equal(rmdir(scene), 0);
  return 0;
}

static void restrict_or_exit(void)
{
  static const struct landlock_rule rules[] = {
      {"/usr", LANDLOCK_READ_EXEC, false},
      {"/lib64", LANDLOCK_READ_EXEC, true},
      {"/dev", LANDLOCK_DEVICE, false},
      {"/nonexistent/wafer", LANDLOCK_READ, true},
      {"read", LANDLOCK_READ, false},
      {"exec", LANDLOCK_READ_EXEC, false},
      {"write", LANDLOCK_READ_WRITE, false},
      {"/etc/hostname", LANDLOCK_READ_WRITE, false},
  };
  struct error *err = NULL;
  if (privileges_no_new(&err) < 0 ||
      landlock_apply(rules, ARRAY_LENGTH(rules), &err) < 0)
    _exit(CHILD_BROKEN);
}

/* Runs an attempt in a restricted child: 0, or its errno. */
static int attempt(int (*function)(const char *), const char *argument)
{
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    restrict_or_exit();
    _exit(function(argument) < 0 ? errno : 0);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  return WEXITSTATUS(status);
}

static int try_read(const char *path)
{
  return open(path, O_RDONLY | O_CLOEXEC);
}

static int try_list(const char *path)
{
  return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int try_write(const char *path)
{
  return open(path, O_WRONLY | O_CLOEXEC);
}

static int try_truncate(const char *path)
{
  return truncate(path, 4);
}

static int try_exec(const char *path)
{
  execl(path, path, (char *)NULL);
  return -1;
}

static int try_make_all(const char *folder)
{
  if (chdir(folder) < 0 || mkdir("d", 0777) < 0 || rmdir("d") < 0 ||
      mkfifo("f", 0666) < 0 || unlink("f") < 0 || symlink("x", "s") < 0 ||
      rename("s", "t") < 0 || unlink("t") < 0 || link("file", "l") < 0 ||
      unlink("l") < 0)
    return -1;
  return open("n", O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666) < 0
             ? -1
             : unlink("n");
}

static int try_make(const char *path)
{
  return open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
}

static int try_remove(const char *path)
{
  return unlink(path);
}

static int try_move_in(const char *path)
{
  return rename(path, "write/moved");
}

static int try_move_below(const char *path)
{
  if (mkdir("write/sub", 0777) < 0 || rename(path, "write/sub/file") < 0 ||
      rename("write/sub/file", path) < 0)
    return -1;
  return rmdir("write/sub");
}

static int try_make_device(const char *path)
{
  return mknod(path, S_IFCHR | 0600, 0x103);
}

static void test_reading(void **state)
{
  (void)state;
  assert_int_equal(attempt(try_read, "read/file"), 0);
  assert_int_equal(attempt(try_list, "read"), 0);
  assert_int_equal(attempt(try_read, "exec/file"), 0);
  assert_int_equal(attempt(try_read, "write/file"), 0);
  assert_int_equal(attempt(try_read, "/etc/hostname"), 0);
  assert_int_equal(attempt(try_read, "hidden/file"), EACCES);
  assert_int_equal(attempt(try_list, "hidden"), EACCES);
  assert_int_equal(attempt(try_list, "."), EACCES);
  assert_int_equal(attempt(try_read, "/etc/passwd"), EACCES);
  assert_int_equal(attempt(try_list, "/"), EACCES);
}

static void test_writing(void **state)
{
  (void)state;
  assert_int_equal(attempt(try_write, "write/file"), 0);
  assert_int_equal(attempt(try_make_all, "write"), 0);
  assert_int_equal(attempt(try_write, "/dev/null"), 0);
  assert_int_equal(attempt(try_write, "read/file"), EACCES);
  assert_int_equal(attempt(try_make, "read/new"), EACCES);
  assert_int_equal(attempt(try_make, "exec/new"), EACCES);
  assert_int_equal(attempt(try_make, "/dev/wafer-new"), EACCES);
  assert_int_equal(attempt(try_remove, "read/file"), EACCES);
  assert_int_equal(attempt(try_remove, "hidden/file"), EACCES);
}

static void test_executing(void **state)
{
  (void)state;
  assert_int_equal(attempt(try_exec, "exec/true"), 0);
  assert_int_equal(attempt(try_exec, "write/true"), 0);
  assert_int_equal(attempt(try_exec, "read/true"), EACCES);
  assert_int_equal(attempt(try_exec, "hidden/true"), EACCES);
}

static void test_moving(void **state)
{
  (void)state;
  /* From where nothing may be removed: EACCES, or EXDEV before ABI 2. */
  assert_int_not_equal(attempt(try_move_in, "read/file"), 0);
  assert_int_not_equal(attempt(try_move_in, "hidden/file"), 0);
  if (abi >= ABI_REFER)
    assert_int_equal(attempt(try_move_below, "write/file"), 0);
}

static void test_truncating(void **state)
{
  (void)state;
  if (abi < ABI_TRUNCATE) {
    print_message("this Landlock has no truncate: Linux 6.2\n");
    skip();
  }
  assert_int_equal(attempt(try_truncate, "write/file"), 0);
  assert_int_equal(attempt(try_truncate, "read/file"), EACCES);
  assert_int_equal(attempt(try_truncate, "hidden/file"), EACCES);
}

static void test_device_nodes(void **state)
{
  (void)state;
  if (geteuid() != 0) {
    print_message("only root can make a device node\n");
    skip();
  }
  assert_int_equal(attempt(try_make_device, "write/null"), EACCES);
}

static int try_ioctl(const char *path)
{
  int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0)
    return -1;
  int size;
  return ioctl(fd, TIOCOUTQ, &size);
}

static void test_device_ioctl(void **state)
{
  (void)state;
  if (abi < ABI_IOCTL) {
    print_message("this Landlock has no ioctl: Linux 6.10\n");
    skip();
  }
  assert_int_equal(attempt(try_ioctl, "/dev/null"), EACCES);
}

static int try_signal_parent(const char *unused)
{
  (void)unused;
  return kill(getppid(), 0);
}

static int try_signal_own(const char *unused)
{
  (void)unused;
  pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  if (child < 0 || kill(child, SIGKILL) < 0 || kill(getpid(), 0) < 0)
    return -1;
  return waitpid(child, NULL, 0) == child ? 0 : -1;
}

static void test_signals(void **state)
{
  (void)state;
  assert_int_equal(attempt(try_signal_own, ""), 0);
  if (abi >= ABI_SCOPES)
    assert_int_equal(attempt(try_signal_parent, ""), EPERM);
}

static socklen_t abstract_address(const char *name, struct sockaddr_un *address)
{
  *address = (struct sockaddr_un){.sun_family = AF_UNIX};
  size_t length = strlen(name);
  assert_true(length + 1 < sizeof address->sun_path);
  memcpy(address->sun_path + 1, name, length);
  return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
}

static int try_connect(const char *name)
{
  struct sockaddr_un address;
  socklen_t length = abstract_address(name, &address);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  return fd < 0 ? -1 : connect(fd, (struct sockaddr *)&address, length);
}

static void test_abstract_sockets(void **state)
{
  (void)state;
  if (abi < ABI_SCOPES) {
    print_message("this Landlock has no scopes: Linux 6.12\n");
    skip();
  }
  struct sockaddr_un address;
  socklen_t length = abstract_address(scene, &address);
  cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
  assert_int_equal(listen(fd, 1), 0);
  assert_int_equal(attempt(try_connect, scene), EPERM);
}

static void test_a_missing_path_is_an_error(void **state)
{
  (void)state;
  static const struct landlock_rule rule = {"/nonexistent/wafer", LANDLOCK_READ,
                                            false};
  cleanup_error struct error *err = NULL;
  assert_int_equal(landlock_apply(&rule, 1, &err), -1);
  assert_int_equal(err->code, ENOENT);
  assert_non_null(strstr(err->text, "/nonexistent/wafer"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_reading),
      cmocka_unit_test(test_writing),
      cmocka_unit_test(test_executing),
      cmocka_unit_test(test_moving),
      cmocka_unit_test(test_truncating),
      cmocka_unit_test(test_device_nodes),
      cmocka_unit_test(test_device_ioctl),
      cmocka_unit_test(test_signals),
      cmocka_unit_test(test_abstract_sockets),
      cmocka_unit_test(test_a_missing_path_is_an_error),
  };
  cleanup_error struct error *err = NULL;
  abi = landlock_abi(&err);
  if (abi < 0) {
    fprintf(stderr, "skipped: %s\n", err->text);
    return 77; /* automake's "skipped" */
  }
  return cmocka_run_group_tests(tests, make_scene, remove_scene);
}
