/* The spec of a run: every byte of a request reaches the job. */
#include "config.h"

#include "host/spec.h"

#include "runtime/launch.h"

#include "tests/unit/check.h"

#define cleanup_request __attribute__((cleanup(request_release)))
#define cleanup_bundle  __attribute__((cleanup(spec_bundle_release)))

static const struct namespace_ids own_ids = {.own = true};

/* Ends a test as the user that began it, whom be_plain may have changed. */
static int teardown(void **state)
{
  return seteuid(getuid()) < 0 ? -1 : check_teardown(state);
}

#define SPEC_TEST(test)                                                        \
  cmocka_unit_test_setup_teardown(test, check_setup, teardown)

/* Only real root clones mounts here: a plain user's sandbox does it itself. */
static void be_plain(void)
{
  if (geteuid() != 0 || seteuid(12345) == 0)
    return;
  print_message("in a user namespace without a second id\n");
  skip();
}

static void ask(struct request *request)
{
  struct error *err = NULL;
  check_put("etl.py", "print(1)");
  request->size = size_default();
  request->timeout_ms = 60000;
  check_good(request_open_script(request, "etl.py", &err), err);
}

static void json_is(const json_t *json, const char *expected)
{
  cleanup_free char *text =
      json_dumps(json, JSON_SORT_KEYS | JSON_COMPACT | JSON_ENSURE_ASCII |
                           JSON_ENCODE_ANY);
  assert_non_null(text);
  assert_string_equal(text, expected);
}

static const json_t *python_of(const struct spec_bundle *bundle,
                               const char *key)
{
  return json_object_get(json_object_get(bundle->json, "python"), key);
}

static void test_least(void **state)
{
  (void)state;
  struct error *err = NULL;
  cleanup_request struct request request = {0};
  cleanup_bundle struct spec_bundle bundle = {0};
  ask(&request);
  check_good(spec_make(&request, &own_ids, true, false, &bundle, &err), err);
  json_is(bundle.json,
          "{\"landlock\":true,"
          "\"limits\":{\"cpu_s\":70,\"has_cgroup\":false,"
          "\"memory_bytes\":1073741824,\"own_ids\":true,\"pids_max\":128,"
          "\"scratch_bytes\":21474836480},"
          "\"mounts\":[],"
          "\"python\":{\"argv\":[],\"env\":{\"HOME\":\"/tmp\","
          "\"LANG\":\"C.UTF-8\",\"LOGNAME\":\"job\","
          "\"MKL_NUM_THREADS\":\"1\",\"NUMEXPR_NUM_THREADS\":\"1\","
          "\"OMP_NUM_THREADS\":\"1\",\"OPENBLAS_NUM_THREADS\":\"1\","
          "\"PATH\":\"/usr/local/bin:/usr/bin:/bin\",\"USER\":\"job\"},"
          "\"files\":1,\"libs\":[],\"name\":\"etl.py\","
          "\"packages\":[],\"script\":0},"
          "\"seccomp_log\":false,"
          "\"secrets\":[],\"tree_count\":0}");
  assert_int_equal(bundle.fd_count, 1);
  assert_int_equal(bundle.owned_count, 0);
  assert_int_equal(bundle.fds[0], request.script.fd);
}

/* Threads follow the size; what the user says goes before it. */
static void test_thread_counts(void **state)
{
  (void)state;
  struct error *err = NULL;
  cleanup_request struct request request = {0};
  cleanup_bundle struct spec_bundle bundle = {0};
  ask(&request);
  check_good(request_set_size(&request, "1", &err), err);
  check_good(request_add_env(&request, "OMP_NUM_THREADS=2", &err), err);
  check_good(spec_make(&request, &own_ids, true, false, &bundle, &err), err);
  const json_t *env = python_of(&bundle, "env");
  json_is(json_object_get(env, "OMP_NUM_THREADS"), "\"2\"");
  json_is(json_object_get(env, "OPENBLAS_NUM_THREADS"), "\"4\"");
}

static char *tree_paths_of(const struct request *request, size_t *count)
{
  const struct library_set *sets[REQUEST_SETS_MAX];
  size_t set_count = request_sets(request, sets);
  return spec_tree_paths(request->mounts, request->mount_count, sets, set_count,
                         count);
}

/* A set is the last tree, and its packages are on sys.path. */
static void test_library_set(void **state)
{
  (void)state;
  struct error *err = NULL;
  cleanup_request struct request request = {0};
  cleanup_bundle struct spec_bundle bundle = {0};
  size_t count;
  ask(&request);
  be_plain();
  request.libraries.dir = xstrdup("/var/tmp/sets/a-0123456789abcdef");
  request.libraries.dir_fd = -1;
  check_good(spec_make(&request, &own_ids, true, false, &bundle, &err), err);
  json_is(json_object_get(bundle.json, "mounts"),
          "[{\"is_file\":false,\"path\":\"/tmp/sets/a-0123456789abcdef/lib/"
          "python3.11/site-packages\",\"read_only\":true,\"tree\":1}]");
  json_is(python_of(&bundle, "packages"),
          "[\"/var/tmp/sets/a-0123456789abcdef/lib/python3.11/"
          "site-packages\"]");
  cleanup_free char *paths = tree_paths_of(&request, &count);
  const char *second = paths + strlen(paths) + 1;
  assert_string_equal(second, "r/var/tmp/sets/a-0123456789abcdef/lib/"
                              "python3.11/site-packages");
  assert_int_equal(count, strlen(paths) + strlen(second) + 2);
}

static void test_limits(void **state)
{
  (void)state;
  struct error *err = NULL;
  cleanup_request struct request request = {0};
  cleanup_bundle struct spec_bundle bundle = {0};
  const struct namespace_ids ids = {.job_uid = 1};
  ask(&request);
  check_good(request_set_size(&request, "1", &err), err);
  request.timeout_ms = REQUEST_TIMEOUT_DEFAULT_MS;
  check_good(spec_make(&request, &ids, false, true, &bundle, &err), err);
  json_is(json_object_get(bundle.json, "landlock"), "false");
  json_is(json_object_get(bundle.json, "limits"),
          "{\"cpu_s\":691240,\"has_cgroup\":true,\"memory_bytes\":17179869184,"
          "\"own_ids\":false,\"pids_max\":1024,"
          "\"scratch_bytes\":21474836480}");
}

/* Reads a text back as runtime/python.c does: a character a byte. */
static void bytes_are(const json_t *json, const char *expected)
{
  const unsigned char *text = (const void *)json_string_value(json);
  assert_non_null(text);
  for (; *expected != '\0'; expected++) {
    unsigned value = *text++;
    if (value >= 0x80)
      value = (value & 0x1F) << 6 | (*text++ & 0x3FU);
    assert_int_equal(value, (unsigned char)*expected);
  }
  assert_int_equal(*text, '\0');
}

static void test_bytes(void **state)
{
  (void)state;
  struct error *err = NULL;
  cleanup_request struct request request = {0};
  cleanup_bundle struct spec_bundle bundle = {0};
  char every[256], entry[260];
  for (int i = 0; i < 255; i++)
    every[i] = (char)(i + 1);
  every[255] = '\0';
  snprintf(entry, sizeof entry, "A=%s", every);
  char *arguments[] = {every, (char *)"", (char *)"\xFF\"\\\n"};
  ask(&request);
  request.arguments = arguments;
  request.argument_count = ARRAY_LENGTH(arguments);
  check_good(request_add_env(&request, entry, &err), err);
  check_good(request_add_env(&request, "HOME=/\xC3\xA9", &err), err);
  check_put("\xE9.py", "");
  check_good(request_add_libs(&request, "\xE9.py", &err), err);
  check_good(spec_make(&request, &own_ids, true, false, &bundle, &err), err);
  const json_t *argv = python_of(&bundle, "argv");
  assert_int_equal(json_array_size(argv), 3);
  for (size_t i = 0; i < ARRAY_LENGTH(arguments); i++)
    bytes_are(json_array_get(argv, i), arguments[i]);
  const json_t *env = python_of(&bundle, "env");
  bytes_are(json_object_get(env, "A"), every);
  json_is(json_object_get(env, "HOME"), "\"/\\u00C3\\u00A9\"");
  json_is(python_of(&bundle, "libs"), "[{\"file\":1,\"name\":\"\\u00E9.py\"}]");
  json_is(python_of(&bundle, "files"), "2");
  assert_int_equal(bundle.fd_count, 2);
  assert_int_equal(bundle.fds[1], request.libs[0].fd);
}

static void test_secrets(void **state)
{
  (void)state;
  struct error *err = NULL;
  cleanup_request struct request request = {0};
  struct spec_bundle bundle = {0};
  ask(&request);
  check_put("line", "s3cr\xE9t\n\n");
  check_put_bytes("binary", "a\0b", 3);
  check_put("empty", "");
  check_good(request_add_secret(&request, "LINE=line", &err), err);
  check_good(request_add_secret(&request, "BINARY=binary", &err), err);
  check_good(request_add_secret(&request, "EMPTY=empty", &err), err);
  check_good(spec_make(&request, &own_ids, true, false, &bundle, &err), err);
  json_is(json_object_get(bundle.json, "secrets"),
          "[\"LINE\",\"BINARY\",\"EMPTY\"]");
  const json_t *env = python_of(&bundle, "env");
  bytes_are(json_object_get(env, "LINE"), "s3cr\xE9t\n"); /* one is cut */
  bytes_are(json_object_get(env, "EMPTY"), "");
  assert_null(json_object_get(env, "BINARY"));
  assert_int_equal(bundle.fd_count, 4);
  assert_int_equal(bundle.owned_count, 3);
  cleanup_free char *bytes = NULL;
  size_t count;
  check_good(fd_read_all(bundle.fds[1], 9, &bytes, &count, &err), err);
  assert_int_equal(count, 3);
  assert_memory_equal(bytes, "a\0b", 3);
  assert_true(check_is_cloexec(bundle.fds[1]));
  assert_int_equal(write(bundle.fds[1], "x", 1), -1);
  int secret = bundle.fds[0];
  spec_bundle_release(&bundle);
  assert_int_equal(fcntl(secret, F_GETFD), -1);
  assert_true(fcntl(request.script.fd, F_GETFD) >= 0); /* the request's own */
  spec_bundle_release(&bundle);
}

static void test_mounts(void **state)
{
  const struct check *check = *state;
  struct error *err = NULL;
  cleanup_request struct request request = {0};
  cleanup_bundle struct spec_bundle bundle = {0};
  ask(&request);
  check_put("file\xE9", "");
  check_good(request_add_mount(&request, ".:/in", &err), err);
  check_good(request_add_mount(&request, "file\xE9:/\xC3\xA9:rw", &err), err);
  size_t count;
  cleanup_free char *paths = tree_paths_of(&request, &count);
  cleanup_free char *expected =
      xasprintf("r%s|r%s|w%s/file\xE9|", launch_python_dir(), check->folder,
                check->folder);
  assert_int_equal(count, strlen(expected));
  for (size_t i = 0; i < count; i++)
    assert_int_equal(paths[i], expected[i] == '|' ? '\0' : expected[i]);
  be_plain();
  check_good(spec_make(&request, &own_ids, true, false, &bundle, &err), err);
  json_is(json_object_get(bundle.json, "mounts"),
          "[{\"is_file\":false,\"path\":\"/in\",\"read_only\":true,\"tree\":1},"
          "{\"is_file\":true,\"path\":\"/\\u00E9\",\"read_only\":false,"
          "\"tree\":2}]");
  json_is(json_object_get(bundle.json, "tree_count"), "0");
  assert_int_equal(bundle.owned_count, 0);
}

/* No mount is left out without a word. */
static void test_mount_that_is_no_utf8(void **state)
{
  (void)state;
  struct error *err = NULL;
  cleanup_request struct request request = {0};
  cleanup_bundle struct spec_bundle bundle = {0};
  ask(&request);
  check_good(request_add_mount(&request, ".:/in", &err), err);
  request.mounts[0].target[1] = '\xE9';
  be_plain();
  check_bad(spec_make(&request, &own_ids, true, false, &bundle, &err), &err,
            EILSEQ, "a mount's path isn't UTF-8");
}

static void test_no_mounts(void **state)
{
  (void)state;
  struct request request = {0};
  size_t count;
  cleanup_free char *paths = tree_paths_of(&request, &count);
  assert_int_equal(count, strlen(launch_python_dir()) + 2);
  assert_int_equal(paths[0], 'r');
  assert_string_equal(paths + 1, launch_python_dir());
}

static void test_too_many_files(void **state)
{
  (void)state;
  struct error *err = NULL;
  cleanup_request struct request request = {0};
  cleanup_bundle struct spec_bundle bundle = {0};
  ask(&request);
  check_put("a.py", "");
  /* The script and these, and the spec itself beside them. */
  for (int i = 0; i < FD_MESSAGE_MAX - 2; i++)
    check_good(request_add_libs(&request, "a.py", &err), err);
  check_good(spec_make(&request, &own_ids, true, false, &bundle, &err), err);
  assert_int_equal(bundle.fd_count, FD_MESSAGE_MAX - 1);
  spec_bundle_release(&bundle);
  check_good(request_add_libs(&request, "a.py", &err), err);
  check_bad(spec_make(&request, &own_ids, true, false, &bundle, &err), &err,
            E2BIG, "128 files, mounts and secrets are more than the 127");
  assert_int_equal(bundle.fd_count, 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      SPEC_TEST(test_least),       SPEC_TEST(test_thread_counts),
      SPEC_TEST(test_library_set), SPEC_TEST(test_limits),
      SPEC_TEST(test_bytes),       SPEC_TEST(test_secrets),
      SPEC_TEST(test_mounts),      SPEC_TEST(test_mount_that_is_no_utf8),
      SPEC_TEST(test_no_mounts),   SPEC_TEST(test_too_many_files),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
