/* What `wafer run` may be asked: the values of its options. */
#include "config.h"

#include "host/request.h"

#include "tests/unit/check.h"

#define cleanup_request __attribute__((cleanup(request_release)))

static void test_empty(void **state)
{
  (void)state;
  struct request request = {0};
  request_release(&request);
  request_release(&request);
  /* Descriptor 0, which a zeroed one names, isn't its own. */
  assert_true(fcntl(STDIN_FILENO, F_GETFD) >= 0);
}

static void test_size(void **state)
{
  (void)state;
  struct error *err = NULL;
  cleanup_request struct request request = {0};
  check_good(request_set_size(&request, "0.0625", &err), err);
  assert_int_equal(request.size->micro_dpu, 62500);
  check_good(request_set_size(&request, "1", &err), err);
  assert_int_equal(request.size->micro_dpu, 1000000);
  check_bad(request_set_size(&request, "2", &err), &err, EINVAL, "0.0625");
  assert_int_equal(request.size->micro_dpu, 1000000);
}

static void test_timeout(void **state)
{
  (void)state;
  static const struct {
    const char *value;
    int64_t ms; /* 0: refused */
  } rows[] = {
      {"1", 60000},
      {"0.5", 30000},
      {".5", 30000},
      {"2.", 120000},
      {"1e2", 6000000},
      {"0.00001", 1}, /* never down to none */
      {"1e-300", 1},
      {"10079.999", 604799940},
      {"2880", REQUEST_TIMEOUT_DEFAULT_MS},
      {"0", 0},
      {"-0", 0},
      {"-1", 0},
      {"1e-400", 0},
      {"10080", 0},
      {"1e308", 0},
      {"1e999", 0},
      {"inf", 0},
      {"-inf", 0},
      {"nan", 0},
      {"nan(1)", 0},
      {"", 0},
      {" ", 0},
      {"1m", 0},
      {"1 ", 0},
      {"1,5", 0},
      {"1:30", 0},
      {"--quiet", 0},
      {"one", 0},
  };
  struct error *err = NULL;
  for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
    struct request request = {.timeout_ms = 7};
    int status = request_set_timeout(&request, rows[i].value, &err);
    if (rows[i].ms != 0)
      check_good(status, err);
    else
      check_bad(status, &err, EINVAL,
                "isn't a number of minutes above 0 and below 10080");
    assert_int_equal(request.timeout_ms, rows[i].ms ? rows[i].ms : 7);
  }
}

static void env_is(const struct request *request, size_t index,
                   const char *name, const char *value)
{
  assert_true(index < request->env_count);
  assert_string_equal(request->env[index].name, name);
  assert_string_equal(request->env[index].value, value);
}

static void test_env(void **state)
{
  (void)state;
  struct error *err = NULL;
  cleanup_request struct request request = {0};
  check_good(request_add_env(&request, "A=1", &err), err);
  check_good(request_add_env(&request, "_b9=x=y \xFF\n", &err), err);
  check_good(request_add_env(&request, "EMPTY=", &err), err);
  check_good(request_add_env(&request, "A=2", &err), err);
  assert_int_equal(setenv("WAFER_TEST_HERE", "mine", 1), 0);
  check_good(request_add_env(&request, "WAFER_TEST_HERE", &err), err);
  assert_int_equal(request.env_count, 4);
  env_is(&request, 0, "A", "2");
  env_is(&request, 1, "_b9", "x=y \xFF\n");
  env_is(&request, 2, "EMPTY", "");
  env_is(&request, 3, "WAFER_TEST_HERE", "mine");
  unsetenv("WAFER_TEST_HERE");
  check_bad(request_add_env(&request, "WAFER_TEST_HERE", &err), &err, ENOENT,
            "WAFER_TEST_HERE isn't set here; give WAFER_TEST_HERE=VALUE");
  static const char *const bad[] = {"",      "=",         "=x",   "1A=x",
                                    "A B=x", "A-B=",      " A=x", "A.B",
                                    "A\t=",  "\xC3\xA9=", "9",    "-A=1"};
  for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
    check_bad(request_add_env(&request, bad[i], &err), &err, EINVAL,
              "isn't a name (letters, digits and _, no digit first)");
  assert_int_equal(request.env_count, 4);
}

static void test_env_file(void **state)
{
  (void)state;
  struct error *err = NULL;
  cleanup_request struct request request = {0};
  check_put("env", "# first\n"
                   "A=1\n"
                   "\n"
                   "B=\"x y\" # kept\r\n"
                   "C=a\rb\n"
                   "A=3\n"
                   "\r\n"
                   "D=");
  check_good(request_add_env_file(&request, "env", &err), err);
  assert_int_equal(request.env_count, 4);
  env_is(&request, 0, "A", "3");
  env_is(&request, 1, "B", "\"x y\" # kept");
  env_is(&request, 2, "C", "a\rb");
  env_is(&request, 3, "D", "");
  check_put("empty", "");
  check_good(request_add_env_file(&request, "empty", &err), err);
  assert_int_equal(request.env_count, 4);
}

static void env_file_is_bad(const void *bytes, size_t count, int code,
                            const char *words)
{
  struct error *err = NULL;
  cleanup_request struct request request = {0};
  check_put_bytes("env", bytes, count);
  check_bad(request_add_env_file(&request, "env", &err), &err, code, words);
}

static void test_bad_env_files(void **state)
{
  (void)state;
  struct error *err = NULL;
  cleanup_request struct request request = {0};
  env_file_is_bad("A=1\n\nPATH\n", 10, EINVAL, "env:3: a line is K=V");
  env_file_is_bad("#\n=1\n", 5, EINVAL, "env:2: \"\" isn't a name");
  env_file_is_bad(" A=1", 4, EINVAL, "env:1: \" A\" isn't a name");
  env_file_is_bad("A=1\0B=2", 7, EINVAL, "env holds a NUL byte");
  cleanup_free char *large = xmalloc((1 << 20) + 1);
  memset(large, '#', (1 << 20) + 1);
  env_file_is_bad(large, (1 << 20) + 1, EFBIG, "env: larger than 1048576");
  check_bad(request_add_env_file(&request, "none", &err), &err, ENOENT,
            "none: ");
  check_bad(request_add_env_file(&request, ".", &err), &err, EISDIR,
            ".: read: ");
}

static void test_secrets(void **state)
{
  (void)state;
  struct error *err = NULL;
  cleanup_request struct request request = {0};
  check_put_bytes("key", "a\0b\n", 4);
  check_put("empty", "");
  check_good(request_add_secret(&request, "KEY=key", &err), err);
  check_good(request_add_secret(&request, "NONE=empty", &err), err);
  check_put("odd=name", "x");
  check_good(request_add_secret(&request, "ODD=odd=name", &err), err);
  assert_int_equal(request.secret_count, 3);
  assert_string_equal(request.secrets[0].name, "KEY");
  assert_int_equal(request.secrets[0].count, 4);
  assert_memory_equal(request.secrets[0].bytes, "a\0b\n", 5);
  assert_int_equal(request.secrets[1].count, 0);
  assert_string_equal(request.secrets[2].bytes, "x");
  check_bad(request_add_secret(&request, "KEY=empty", &err), &err, EEXIST,
            "KEY is given twice");
  assert_int_equal(request.secret_count, 3);
  assert_int_equal(request.secrets[0].count, 4);
}

static void test_bad_secrets(void **state)
{
  (void)state;
  struct error *err = NULL;
  cleanup_request struct request request = {0};
  static const char *const without_file[] = {"", "KEY", "KEY=", "="};
  for (size_t i = 0; i < ARRAY_LENGTH(without_file); i++)
    check_bad(request_add_secret(&request, without_file[i], &err), &err, EINVAL,
              "give NAME=FILE: a secret's value is read from a file");
  /* A name becomes a file's: nothing that leads elsewhere. */
  static const char *const names[] = {"=f", "../x=f", "a/b=f", ".=f", "1=f"};
  for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
    check_bad(request_add_secret(&request, names[i], &err), &err, EINVAL,
              "isn't a name");
  check_bad(request_add_secret(&request, "KEY=none", &err), &err, ENOENT,
            "none: ");
  check_bad(request_add_secret(&request, "KEY=.", &err), &err, EISDIR, ".: ");
  assert_int_equal(request.secret_count, 0);
  cleanup_free char *large = xcalloc(REQUEST_SECRET_MAX_BYTES + 1, 1);
  check_put_bytes("large", large, REQUEST_SECRET_MAX_BYTES + 1);
  check_bad(request_add_secret(&request, "KEY=large", &err), &err, EFBIG,
            "large: larger than 1048576 bytes");
  check_put_bytes("most", large, REQUEST_SECRET_MAX_BYTES);
  check_good(request_add_secret(&request, "KEY=most", &err), err);
}

static void test_tags(void **state)
{
  (void)state;
  struct error *err = NULL;
  cleanup_request struct request request = {0};
  check_good(request_add_tag(&request, "team=data=lake", &err), err);
  check_good(request_add_tag(&request, "empty=", &err), err);
  assert_int_equal(request.tags.count, 2);
  assert_string_equal(request.tags.items[0], "team=data=lake");
  check_bad(request_add_tag(&request, "team", &err), &err, EINVAL,
            "\"team\" isn't K=V");
  check_bad(request_add_tag(&request, "=data", &err), &err, EINVAL,
            "isn't K=V");
  check_bad(request_add_tag(&request, "", &err), &err, EINVAL, "isn't K=V");
  assert_int_equal(request.tags.count, 2);
}

static void test_network(void **state)
{
  (void)state;
  struct error *err = NULL;
  struct request request = {0};
  check_good(request_set_network(&request, "host", &err), err);
  assert_int_equal(request.network, NETWORK_HOST);
  check_good(request_set_network(&request, "none", &err), err);
  assert_int_equal(request.network, NETWORK_NONE);
  check_good(request_set_network(&request, "egress", &err), err);
  assert_int_equal(request.network, NETWORK_EGRESS);
  check_good(request_set_network(&request, "none", &err), err);
  static const char *const bad[] = {"", "Host", "hosts", "bridge"};
  for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
    check_bad(request_set_network(&request, bad[i], &err), &err, EINVAL,
              "isn't none, egress or host");
    assert_int_equal(request.network, NETWORK_NONE);
  }
}

static void test_allowed_networks(void **state)
{
  (void)state;
  struct error *err = NULL;
  struct request request = {0};
  check_good(request_allow_networks(&request, "10.0.0.0/8, 192.168.7.1", &err),
             err);
  check_good(request_allow_networks(&request, "172.16.0.0/12", &err), err);
  assert_int_equal(request.allowed_network_count, 3);
  assert_int_equal(request.allowed_networks[1].address, 0xc0a80701);
  assert_int_equal(request.allowed_networks[1].length, 32);
  static const char *const bad[] = {"", "10.0.0.0/8,", ",10.0.0.0/8", "8.8.8.8",
                                    "10.0.0.0/8 x"};
  for (size_t i = 0; i < ARRAY_LENGTH(bad) - 1; i++)
    check_bad(request_allow_networks(&request, bad[i], &err), &err, EINVAL,
              " is ");
  for (size_t i = request.allowed_network_count; i < NETWORK_ALLOWED_MAX; i++)
    check_good(request_allow_networks(&request, "10.0.0.1", &err), err);
  check_bad(request_allow_networks(&request, "10.0.0.1", &err), &err, E2BIG,
            "more than 64");
  request_release(&request);
}

static void test_name(void **state)
{
  (void)state;
  struct error *err = NULL;
  cleanup_request struct request request = {0};
  cleanup_free char *name = xcalloc(257, 1);
  memset(name, 'n', 255);
  check_good(request_set_name(&request, name, &err), err);
  check_good(request_set_name(&request, "nightly \xC3\xA9tl", &err), err);
  assert_string_equal(request.name, "nightly \xC3\xA9tl");
  name[255] = 'n';
  static const char *const bad[] = {"",         "a\nb",  "a\tb",
                                    "\x1b[31m", "a\x7F", "a\r"};
  check_bad(request_set_name(&request, name, &err), &err, EINVAL,
            "a name is one line of 1 to 255 bytes");
  for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
    check_bad(request_set_name(&request, bad[i], &err), &err, EINVAL,
              "a name is one line of 1 to 255 bytes");
  assert_string_equal(request.name, "nightly \xC3\xA9tl");
}

static void test_report_to_descriptor(void **state)
{
  (void)state;
  struct error *err = NULL;
  struct request request = {0};
  cleanup_fd int fd = open("report", O_WRONLY | O_CREAT, 0600);
  cleanup_free char *number = xasprintf("%d", fd);
  check_good(request_set_report(&request, number, &err), err);
  assert_true(request.has_report);
  assert_int_equal(request.report_fd, fd);
  /* No job inherits it, and it stays the caller's. */
  assert_true(check_is_cloexec(fd));
  check_bad(request_set_report(&request, number, &err), &err, EINVAL,
            "it is given twice");
  request_release(&request);
  assert_true(fcntl(fd, F_GETFD) >= 0);
  static const char *const closed[] = {"987654", "1234567", "4294967297",
                                       "99999999999999999999999"};
  for (size_t i = 0; i < ARRAY_LENGTH(closed); i++) {
    check_bad(request_set_report(&request, closed[i], &err), &err, EBADF,
              "descriptor ");
    assert_false(request.has_report);
  }
  request_release(&request);
}

static void test_report_to_file(void **state)
{
  (void)state;
  struct error *err = NULL;
  struct request request = {0};
  check_put("report.json", "{}");
  check_good(request_set_report(&request, "report.json", &err), err);
  assert_true(request.has_report);
  assert_true(check_is_cloexec(request.report_fd));
  struct stat opened, file;
  assert_int_equal(fstat(request.report_fd, &opened), 0);
  assert_int_equal(stat("report.json", &file), 0);
  assert_int_equal(opened.st_ino, file.st_ino);
  check_good(fd_write_all(request.report_fd, "{}", 2, &err), err);
  request_release(&request);
  check_bad(request_set_report(&request, "", &err), &err, ENOENT, "No such");
  check_bad(request_set_report(&request, "none/x", &err), &err, ENOENT,
            "none/x: ");
  check_bad(request_set_report(&request, ".", &err), &err, EISDIR, ".: ");
  check_bad(request_set_report(&request, "report.json/x", &err), &err, ENOTDIR,
            "report.json/x: ");
  assert_false(request.has_report);
  /* What isn't digits alone is a path. */
  check_good(request_set_report(&request, "-1", &err), err);
  assert_int_equal(access("-1", F_OK), 0);
  request_release(&request);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      CHECK_TEST(test_empty),
      CHECK_TEST(test_size),
      CHECK_TEST(test_timeout),
      CHECK_TEST(test_env),
      CHECK_TEST(test_env_file),
      CHECK_TEST(test_bad_env_files),
      CHECK_TEST(test_secrets),
      CHECK_TEST(test_bad_secrets),
      CHECK_TEST(test_tags),
      CHECK_TEST(test_network),
      CHECK_TEST(test_allowed_networks),
      CHECK_TEST(test_name),
      CHECK_TEST(test_report_to_descriptor),
      CHECK_TEST(test_report_to_file),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
