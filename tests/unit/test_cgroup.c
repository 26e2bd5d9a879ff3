/* What the cgroup backend v1 makes of the kernel's files, in a folder that
 * looks like them. Of the kernel itself: test_cgroup_kernel.c. */
#include "config.h"

#include "sandbox/cgroup.h"

#include "tests/unit/cgroup_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

static void make_split_v1(void)
{
  static const char *const trees[] = {"cpu",  "cpuacct", "memory",
                                      "pids", "blkio",   NULL};
  folder_make_v1(trees);
}

static void make_joint_v1(void)
{
  static const char *const trees[] = {"cpu,cpuacct", "memory", "pids", NULL};
  folder_make_v1(trees);
}

static void test_v1_limits(void **state)
{
  (void)state;
  make_split_v1();
  struct cgroup *cgroup = folder_create(&folder_small_limits);
  assert_string_equal(cgroup_source(cgroup), "cgroup-v1");
  assert_true(cgroup_limits(cgroup));
  folder_assert_file("cpu/own/wafer/jr_1/cpu.cfs_period_us", "100000");
  folder_assert_file("cpu/own/wafer/jr_1/cpu.cfs_quota_us", "25000");
  folder_assert_file("memory/own/wafer/jr_1/memory.limit_in_bytes",
                     "1073741824");
  folder_assert_file("memory/own/wafer/jr_1/memory.memsw.limit_in_bytes",
                     "1073741824");
  folder_assert_file("memory/own/wafer/jr_1/memory.swappiness", "0");
  folder_assert_file("pids/own/wafer/jr_1/pids.max", "128");
  assert_true(folder_has("cpuacct/own/wafer/jr_1"));
  assert_true(folder_has("blkio/own/wafer/jr_1"));
  folder_destroy(cgroup);

  cgroup = folder_create(&folder_large_limits);
  folder_assert_file("cpu/own/wafer/jr_1/cpu.cfs_quota_us", "400000");
  folder_assert_file("memory/own/wafer/jr_1/memory.limit_in_bytes",
                     "17179869184");
  folder_assert_file("pids/own/wafer/jr_1/pids.max", "1024");
  folder_destroy(cgroup);
  assert_false(folder_has("cpu/own/wafer/jr_1"));
  assert_false(folder_has("cpuacct/own/wafer/jr_1"));
  assert_false(folder_has("memory/own/wafer/jr_1"));
  assert_false(folder_has("pids/own/wafer/jr_1"));
  assert_false(folder_has("blkio/own/wafer/jr_1"));
}

static void test_v1_entry(void **state)
{
  (void)state;
  make_split_v1();
  struct cgroup *cgroup = folder_create(&folder_small_limits);
  folder_enter(cgroup, 5);
  folder_assert_file("cpu/own/wafer/jr_1/tasks", "0");
  folder_assert_file("blkio/own/wafer/jr_1/tasks", "0");
  folder_destroy(cgroup);

  folder.missing_file = "tasks";
  cgroup = folder_create(&folder_small_limits);
  struct error *err = NULL;
  int fds[CGROUP_ENTRY_FDS];
  assert_int_equal(cgroup_open_entry(cgroup, fds, &err), -1);
  assert_non_null(strstr(err->text, "tasks"));
  error_free(err);
  folder_destroy(cgroup);
}

static void test_v1_joint_tree(void **state)
{
  (void)state;
  make_joint_v1();
  struct cgroup *cgroup = folder_create(&folder_small_limits);
  folder_put("cpu,cpuacct/own/wafer/jr_1/cpuacct.usage", "7\n");
  folder_enter(cgroup, 3);
  struct cgroup_usage usage;
  struct error *err = NULL;
  assert_int_equal(cgroup_usage(cgroup, &usage, &err), 0);
  assert_int_equal(usage.cpu_ns, 7);
  assert_int_equal(usage.read_bytes, -1);
  folder_destroy(cgroup);
  assert_false(folder_has("cpu,cpuacct/own/wafer/jr_1"));
  assert_false(folder_has("memory/own/wafer/jr_1"));
  assert_false(folder_has("pids/own/wafer/jr_1"));
}

static void test_v1_without_swap_accounting(void **state)
{
  (void)state;
  make_split_v1();
  folder.missing_file = "memory.memsw.limit_in_bytes";
  folder_destroy(folder_create(&folder_small_limits));
}

static void test_v1_failed_write(void **state)
{
  static const char *const each[] = {
      "cpu/cpu.cfs_period_us",        "cpu/cpu.cfs_quota_us",
      "memory/memory.limit_in_bytes", "memory/memory.memsw.limit_in_bytes",
      "memory/memory.swappiness",     "pids/pids.max"};
  (void)state;
  make_split_v1();
  for (size_t i = 0; i < ARRAY_LENGTH(each); i++) {
    folder_assert_refuses_full(each[i]);
    assert_false(folder_has("cpu/own/wafer/jr_1"));
    assert_false(folder_has("memory/own/wafer/jr_1"));
  }
}

static void test_v1_lacking_controller(void **state)
{
  static const char *const trees[] = {"cpu,cpuacct", "memory", NULL};
  (void)state;
  folder_make_v1(trees);
  struct cgroup_probe probe;
  cgroup_probe(&folder.env, &probe);
  assert_false(probe.limits);
  assert_string_equal(probe.source, "none");
  assert_non_null(strstr(probe.why, "pids"));
  assert_non_null(probe.fix);
  cgroup_probe_release(&probe);
  struct cgroup *cgroup = folder_create(&folder_small_limits);
  assert_false(cgroup_limits(cgroup));
  folder_destroy(cgroup);
}

static void test_v1_usage(void **state)
{
  (void)state;
  make_split_v1();
  struct cgroup *cgroup = folder_create(&folder_small_limits);
  folder_put("cpuacct/own/wafer/jr_1/cpuacct.usage", "1234567890\n");
  folder_put("cpu/own/wafer/jr_1/cpu.stat",
             "nr_periods 9\nnr_throttled 4\nthrottled_time 500\n");
  folder_put("memory/own/wafer/jr_1/memory.max_usage_in_bytes", "4096\n");
  folder_put("memory/own/wafer/jr_1/memory.oom_control",
             "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
  folder_put("pids/own/wafer/jr_1/pids.events", "max 3\n");
  folder_put("blkio/own/wafer/jr_1/blkio.throttle.io_service_bytes",
             "8:0 Read 100\n8:0 Write 10\n8:0 Total 110\n"
             "7:0 Read 1\n7:0 Write 2\nTotal 113\n");
  const char *source = NULL;
  struct cgroup_usage usage;
  struct error *err = NULL;
  assert_int_equal(
      cgroup_usage_by_name(&folder.env, "jr_1", &usage, &source, &err), 0);
  assert_string_equal(source, "cgroup-v1");
  assert_int_equal(usage.cpu_ns, 1234567890);
  assert_int_equal(usage.memory_peak_bytes, 4096);
  assert_int_equal(usage.throttled_ns, 500);
  assert_int_equal(usage.throttled_periods, 4);
  assert_int_equal(usage.oom_kills, 2);
  assert_int_equal(usage.pids_refused, 3);
  assert_int_equal(usage.read_bytes, 101);
  assert_int_equal(usage.write_bytes, 12);

  folder_put("cpuacct/own/wafer/jr_1/cpuacct.usage", "");
  assert_int_equal(cgroup_usage(cgroup, &usage, &err), -1);
  assert_non_null(strstr(err->text, "cpuacct.usage"));
  error_free(err);
  folder_destroy(cgroup);
}

static void test_v1_memory_news(void **state)
{
  const char *stat = "memory/own/wafer/jr_1/memory.stat";
  const char *used = "memory/own/wafer/jr_1/memory.usage_in_bytes";
  const char *oom = "memory/own/wafer/jr_1/memory.oom_control";
  (void)state;
  make_split_v1();
  struct cgroup *cgroup = folder_create(&folder_small_limits);
  assert_int_equal(folder_look(cgroup), 0);
  folder_put(used, "1073741824\n");
  folder_put(stat, "total_inactive_file 1000000\ntotal_active_file 63424533\n");
  assert_int_equal(folder_look(cgroup), 0);
  folder_put(stat, "total_inactive_file 1000000\ntotal_active_file 63424532\n");
  assert_int_equal(folder_look(cgroup), CGROUP_SAW_PRESSURE);
  assert_int_equal(folder_look(cgroup), 0);
  folder_put(oom, "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
  assert_int_equal(folder_look(cgroup), CGROUP_SAW_OOM);
  assert_int_equal(folder_look(cgroup), 0);
  folder_put(oom, "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n");
  assert_int_equal(folder_look(cgroup), CGROUP_SAW_OOM);
  folder_destroy(cgroup);
}

static void test_somebody_elses_group(void **state)
{
  (void)state;
  make_split_v1();
  folder_put("memory/own/wafer/jr_1/theirs", "");
  cleanup_error struct error *err = folder_refuse("jr_1");
  assert_int_equal(err->code, EEXIST);
  assert_true(folder_has("memory/own/wafer/jr_1/theirs"));
  assert_false(folder_has("cpu/own/wafer/jr_1"));
}

/* A crash may come between any two folders' making or removal. */
static void test_half_left_group(void **state)
{
  (void)state;
  make_split_v1();
  struct error *err = NULL;
  struct cgroup_usage usage;
  const char *source;
  assert_int_equal(cgroup_remove_by_name(&folder.env, "jr_1", &err), 0);
  assert_int_equal(
      cgroup_usage_by_name(&folder.env, "jr_1", &usage, &source, &err), -1);
  assert_int_equal(err->code, ENOENT);
  error_clear(&err);
  static const char *const trees[] = {"cpu", "cpuacct", "memory", "pids"};
  for (size_t i = 0; i < ARRAY_LENGTH(trees); i++) {
    cleanup_free char *left = xasprintf("%s/own/wafer/jr_1/tasks", trees[i]);
    folder_put(left, "");
    assert_int_equal(cgroup_remove_by_name(&folder.env, "jr_1", &err), 0);
    assert_false(folder_has(left));
  }
}

/* One tree's failure doesn't keep the others from going. */
static void test_stuck_group(void **state)
{
  (void)state;
  make_split_v1();
  struct cgroup *cgroup = folder_create(&folder_small_limits);
  folder_put("cpuacct/own/wafer/jr_1/stuck", "");
  cleanup_error struct error *err = NULL;
  assert_int_equal(cgroup_destroy(cgroup, &err), -1);
  assert_non_null(strstr(err->text, "wafer/jr_1 (cpuacct)"));
  assert_false(folder_has("cpu/own/wafer/jr_1"));
  assert_false(folder_has("memory/own/wafer/jr_1"));
}

static void test_names(void **state)
{
  static const char *const bad[] = {"", ".", "..", "../x", "a/b", ".hidden"};
  (void)state;
  make_split_v1();
  for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
    cleanup_error struct error *err = folder_refuse(bad[i]);
    assert_int_equal(err->code, EINVAL);
    cleanup_error struct error *also = NULL;
    assert_int_equal(cgroup_remove_by_name(&folder.env, bad[i], &also), -1);
    assert_int_equal(also->code, EINVAL);
  }
}

int main(void)
{
#define WITH_FOLDER(test)                                                      \
  cmocka_unit_test_setup_teardown(test, folder_begin, folder_end)
  const struct CMUnitTest tests[] = {
      WITH_FOLDER(test_v1_limits),
      WITH_FOLDER(test_v1_entry),
      WITH_FOLDER(test_v1_joint_tree),
      WITH_FOLDER(test_v1_without_swap_accounting),
      WITH_FOLDER(test_v1_failed_write),
      WITH_FOLDER(test_v1_lacking_controller),
      WITH_FOLDER(test_v1_usage),
      WITH_FOLDER(test_v1_memory_news),
      WITH_FOLDER(test_somebody_elses_group),
      WITH_FOLDER(test_half_left_group),
      WITH_FOLDER(test_stuck_group),
      WITH_FOLDER(test_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
