/* Which cap a failed run is told of: one test a row of host/caps.c. */
#include "config.h"

#include "host/caps.h"

#include "tests/unit/check.h"

#include <signal.h>

struct ended {
  struct run run;
  struct scratch_usage scratch;
  struct caps_end end;
};

/* A failure like any other: with a cgroup and room in every place. */
static void end_plainly(struct ended *ended)
{
  run_init(&ended->run);
  ended->scratch = (struct scratch_usage){
      .bytes_total = INT64_C(20) << 30,
      .bytes_free = INT64_C(10) << 30,
      .files_free = 1000,
  };
  ended->run.usage.pids_refused = 0;
  ended->end = (struct caps_end){
      .run = &ended->run,
      .size = size_default(),
      .scratch = &ended->scratch,
      .has_cgroup = true,
  };
}

static void raise_exception(struct ended *ended, const char *type,
                            const char *message)
{
  run_set_text(&ended->run.reason.exception.type, type);
  run_set_text(&ended->run.reason.exception.message, message);
}

static void told(struct ended *ended, const char *words, enum reason_kind kind)
{
  struct caps_finding found = {0};
  assert_true(caps_find(&ended->end, &found));
  if (strstr(found.text, words) == NULL)
    fail_msg("\"%s\" isn't in \"%s\"", words, found.text);
  assert_int_equal(found.kind, kind);
  free(found.text);
}

static void told_nothing(struct ended *ended)
{
  struct caps_finding found = {0};
  assert_false(caps_find(&ended->end, &found));
}

static void test_no_cap(void **state)
{
  (void)state;
  struct ended ended;
  end_plainly(&ended);
  told_nothing(&ended);
  raise_exception(&ended, "KeyError", "'day'");
  told_nothing(&ended);
  /* What is a cap's word only where the cap stands. */
  raise_exception(&ended, "MemoryError", "");
  told_nothing(&ended);
  raise_exception(&ended, "BlockingIOError", "[Errno 11] try again");
  told_nothing(&ended);
  raise_exception(&ended, "OSError", NULL);
  ended.run.signal = SIGXCPU;
  told_nothing(&ended);
  /* -1 is "not known". */
  ended.run.usage.pids_refused = -1;
  told_nothing(&ended);
  run_release(&ended.run);
}

static void test_scratch(void **state)
{
  (void)state;
  struct ended ended;
  end_plainly(&ended);
  raise_exception(&ended, "OSError", "[Errno 28] No space left on device");
  told(&ended, "/tmp holds 20 GiB, and a mount", REASON_NONE);
  ended.scratch.bytes_free = 4096;
  told(&ended, "/tmp is full: it holds 20 GiB", REASON_NONE);
  raise_exception(&ended, "sqlite3.OperationalError",
                  "database or disk is full");
  told(&ended, "/tmp is full: it holds 20 GiB", REASON_NONE);
  raise_exception(&ended, NULL, NULL);
  told(&ended, "/tmp is full: it holds 20 GiB", REASON_NONE);
  ended.scratch = (struct scratch_usage){0};
  told_nothing(&ended);
  raise_exception(&ended, "OSError", "[Errno 28] No space left on device");
  told(&ended, "/tmp holds", REASON_NONE);
  run_release(&ended.run);
}

static void test_inodes(void **state)
{
  (void)state;
  struct ended ended;
  end_plainly(&ended);
  ended.scratch.files_free = 0;
  told(&ended, "no more files", REASON_NONE);
  raise_exception(&ended, "OSError", "[Errno 28] No space left on device");
  told(&ended, "no more files", REASON_NONE);
  run_release(&ended.run);
}

static void test_open_files(void **state)
{
  (void)state;
  struct ended ended;
  end_plainly(&ended);
  raise_exception(&ended, "OSError", "[Errno 24] Too many open files: 'x'");
  told(&ended, "1024 files open at once, or 4096", REASON_NONE);
  run_release(&ended.run);
}

static void test_file_size(void **state)
{
  (void)state;
  struct ended ended;
  end_plainly(&ended);
  raise_exception(&ended, "OSError", "[Errno 27] File too large");
  told(&ended, "a file may have 20 GiB at most", REASON_NONE);
  raise_exception(&ended, "subprocess.CalledProcessError",
                  "died with <Signals.SIGXFSZ: 25>.");
  told(&ended, "a file may have 20 GiB at most", REASON_NONE);
  raise_exception(&ended, NULL, NULL);
  ended.run.signal = SIGXFSZ;
  told(&ended, "a file may have 20 GiB at most", REASON_NONE);
  run_release(&ended.run);
}

static void test_cpu_time(void **state)
{
  (void)state;
  struct ended ended;
  end_plainly(&ended);
  ended.end.has_cgroup = false;
  ended.run.signal = SIGXCPU;
  told(&ended, "CPU time is limited", REASON_NONE);
  run_release(&ended.run);
}

static void test_addresses(void **state)
{
  (void)state;
  struct ended ended;
  end_plainly(&ended);
  ended.end.has_cgroup = false;
  raise_exception(&ended, "MemoryError", "");
  told(&ended, "1.0 GiB of addresses", REASON_OUT_OF_MEMORY);
  told(&ended, "or take --max-capacity 1", REASON_OUT_OF_MEMORY);
  raise_exception(&ended, "OSError", "[Errno 12] Cannot allocate memory");
  told(&ended, "1.0 GiB of addresses", REASON_OUT_OF_MEMORY);
  raise_exception(&ended, "numpy.core._exceptions._ArrayMemoryError", "");
  told(&ended, "1.0 GiB of addresses", REASON_OUT_OF_MEMORY);
  run_release(&ended.run);
}

static void test_processes(void **state)
{
  (void)state;
  struct ended ended;
  end_plainly(&ended);
  ended.run.usage.pids_refused = 1;
  told(&ended, "128 processes and threads at once", REASON_NONE);
  raise_exception(&ended, "OSError", "[Errno 24] Too many open files: 'x'");
  told(&ended, "files open", REASON_NONE);
  run_release(&ended.run);

  end_plainly(&ended);
  ended.end.has_cgroup = false;
  raise_exception(&ended, "RuntimeError", "can't start new thread");
  told(&ended, "128 processes and threads at once", REASON_NONE);
  raise_exception(&ended, "BlockingIOError", "[Errno 11] try again");
  told(&ended, "128 processes and threads at once", REASON_NONE);
  ended.end.own_ids = true;
  told_nothing(&ended);
  run_release(&ended.run);
}

static void test_larger_size(void **state)
{
  (void)state;
  const struct size *size = NULL;
  struct error *err = NULL;
  assert_string_equal(caps_larger_size(size_default()),
                      ", or take --max-capacity 1");
  check_good(size_find("1", &size, &err), err);
  assert_string_equal(caps_larger_size(size), "");
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_no_cap),      cmocka_unit_test(test_scratch),
      cmocka_unit_test(test_inodes),      cmocka_unit_test(test_open_files),
      cmocka_unit_test(test_file_size),   cmocka_unit_test(test_cpu_time),
      cmocka_unit_test(test_addresses),   cmocka_unit_test(test_processes),
      cmocka_unit_test(test_larger_size),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
