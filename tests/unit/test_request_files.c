/* What `wafer run` may be asked: the script and its libraries. */
#include "config.h"

#include "host/request.h"

#include "tests/unit/check.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#define cleanup_request __attribute__((cleanup(request_release)))

static void holds(int fd, const char *expected)
{
  struct error *err = NULL;
  cleanup_free char *bytes = NULL;
  size_t count;
  assert_true(check_is_cloexec(fd));
  check_good(fd_read_all(fd, 1 << 20, &bytes, &count, &err), err);
  assert_string_equal(bytes, expected);
}

static void test_script(void **state)
{
  (void)state;
  struct error *err = NULL;
  cleanup_request struct request request = {0};
  assert_int_equal(mkdir("jobs", 0755), 0);
  check_put("jobs/etl.py", "print(1)");
  check_good(request_open_script(&request, "jobs/etl.py", &err), err);
  assert_string_equal(request.script_path, "jobs/etl.py");
  assert_string_equal(request.script.name, "etl.py");
  holds(request.script.fd, "print(1)");
}

static void script_is_bad(const char *path, int code, const char *words)
{
  struct error *err = NULL;
  cleanup_request struct request request = {0};
  check_bad(request_open_script(&request, path, &err), &err, code, words);
}

static void test_bad_scripts(void **state)
{
  (void)state;
  struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
  cleanup_fd int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal(
      bind(listener, (const struct sockaddr *)&address, sizeof address), 0);
  assert_int_equal(mkdir("jobs", 0755), 0);
  check_put("file", "");
  assert_int_equal(symlink("loop", "loop"), 0);
  assert_int_equal(symlink("nowhere", "dangling"), 0);
  script_is_bad("none.py", ENOENT, "none.py: No such file");
  script_is_bad("", ENOENT, "No such file");
  script_is_bad("dangling", ENOENT, "dangling: ");
  script_is_bad("file/x.py", ENOTDIR, "file/x.py: ");
  script_is_bad("jobs", EISDIR,
                "jobs is a folder; make it one file: python3 -m zipapp jobs");
  script_is_bad("loop", ELOOP, "loop: ");
  script_is_bad("socket", ENXIO, "socket: ");
  script_is_bad("/dev/zero", EFBIG, "/dev/zero: larger than 67108864 bytes");
}

/* Root may read anything: so another asks. */
static void test_unreadable_script(void **state)
{
  (void)state;
  check_put("secret.py", "");
  assert_int_equal(chmod(".", 0755), 0);
  assert_int_equal(chmod("secret.py", 0), 0);
  pid_t child = fork();
  if (child == 0) {
    if (geteuid() == 0 && setuid(12345) < 0)
      _exit(77);
    struct error *err = NULL;
    struct request request = {0};
    bool refused = request_open_script(&request, "secret.py", &err) < 0 &&
                   err->code == EACCES &&
                   strcmp(err->text, "secret.py: Permission denied") == 0;
    error_free(err);
    request_release(&request);
    _exit(refused ? 0 : 1);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) {
    print_message("in a user namespace without a second id\n");
    skip();
  }
  assert_int_equal(WEXITSTATUS(status), 0);
}

/* What can't be read twice is read once, whole. */
static void test_script_from_pipe(void **state)
{
  (void)state;
  struct error *err = NULL;
  cleanup_request struct request request = {0};
  int ends[2];
  assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
  assert_int_equal(write(ends[1], "print(2)", 8), 8);
  close(ends[1]);
  cleanup_fd int reader = ends[0];
  cleanup_free char *path = xasprintf("/dev/fd/%d", reader);
  check_good(request_open_script(&request, path, &err), err);
  assert_string_equal(request.script.name, strrchr(path, '/') + 1);
  holds(request.script.fd, "print(2)");
  assert_int_equal(write(request.script.fd, "x", 1), -1);
}

static void use_as_stdin(int *fd)
{
  assert_true(dup2(*fd, STDIN_FILENO) >= 0);
  fd_close(fd);
}

static void test_script_from_stdin(void **state)
{
  (void)state;
  struct error *err = NULL;
  cleanup_request struct request request = {0}, second = {0}, third = {0};
  int kept = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3), ends[2];
  assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
  assert_int_equal(write(ends[1], "print(3)", 8), 8);
  close(ends[1]);
  use_as_stdin(&ends[0]);
  check_good(request_open_script(&request, "-", &err), err);
  int folder = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  use_as_stdin(&folder);
  int of_folder = request_open_script(&second, "-", &err);
  struct error *of_closed = NULL;
  close(STDIN_FILENO);
  int closed = request_open_script(&third, "-", &of_closed);
  use_as_stdin(&kept);
  check_bad(of_folder, &err, EISDIR, "standard input: read: ");
  check_bad(closed, &of_closed, EBADF, "standard input: ");
  assert_string_equal(request.script_path, "-");
  assert_string_equal(request.script.name, "stdin.py");
  holds(request.script.fd, "print(3)");
}

static void test_libs(void **state)
{
  (void)state;
  struct error *err = NULL;
  cleanup_request struct request request = {0};
  static const char *const names[] = {"a.py", "b.zip", "c-1.0-py3-none-any.whl",
                                      "d.egg"};
  assert_int_equal(mkdir("libs", 0755), 0);
  for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
    cleanup_free char *path = xasprintf("libs/%s", names[i]);
    check_put(path, names[i]);
  }
  check_good(request_add_libs(&request, "libs/a.py,,libs/b.zip,", &err), err);
  check_good(request_add_libs(&request, "", &err), err);
  check_good(request_add_libs(&request,
                              "libs/c-1.0-py3-none-any.whl,libs/d.egg", &err),
             err);
  assert_int_equal(request.lib_count, ARRAY_LENGTH(names));
  for (size_t i = 0; i < request.lib_count; i++) {
    assert_string_equal(request.libs[i].name, names[i]);
    holds(request.libs[i].fd, names[i]);
  }
}

static void test_bad_libs(void **state)
{
  (void)state;
  struct error *err = NULL;
  cleanup_request struct request request = {0};
  static const char *const endings[] = {"a",      "a.PY",   "a.pyc", "a.tar.gz",
                                        "a.zip/", "x.py/a", "a.py ", "zip",
                                        "a.",     "."};
  for (size_t i = 0; i < ARRAY_LENGTH(endings); i++)
    check_bad(request_add_libs(&request, endings[i], &err), &err, EINVAL,
              " isn't a .py, .zip, .whl or .egg");
  assert_int_equal(request.lib_count, 0);
  assert_int_equal(mkdir("folder.egg", 0755), 0);
  check_put("a.py", "");
  check_bad(request_add_libs(&request, "none.whl", &err), &err, ENOENT,
            "none.whl: ");
  check_bad(request_add_libs(&request, "folder.egg", &err), &err, EISDIR,
            "folder.egg is a folder");
  check_bad(request_add_libs(&request, "a.py,none.zip", &err), &err, ENOENT,
            "none.zip: ");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      CHECK_TEST(test_script),
      CHECK_TEST(test_bad_scripts),
      CHECK_TEST(test_unreadable_script),
      CHECK_TEST(test_script_from_pipe),
      CHECK_TEST(test_script_from_stdin),
      CHECK_TEST(test_libs),
      CHECK_TEST(test_bad_libs),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
