/* As test_cgroup.c, with the backends v2 and none. */
#include "config.h"

#include "sandbox/cgroup.h"

#include "tests/unit/cgroup_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

static void test_v2_limits(void **state)
{
  (void)state;
  folder_make_v2("/own", "cpuset cpu io memory pids\n");
  struct cgroup *cgroup = folder_create(&folder_small_limits);
  assert_string_equal(cgroup_source(cgroup), "cgroup-v2");
  folder_assert_file("tree/cgroup.subtree_control", "+cpu +memory +pids");
  folder_assert_file("tree/wafer/cgroup.subtree_control", "+cpu +memory +pids");
  folder_assert_file("tree/wafer/jr_1/cpu.max", "25000 100000");
  folder_assert_file("tree/wafer/jr_1/memory.max", "1073741824");
  folder_assert_file("tree/wafer/jr_1/memory.high", "1020054710");
  folder_assert_file("tree/wafer/jr_1/memory.swap.max", "0");
  folder_assert_file("tree/wafer/jr_1/memory.oom.group", "1");
  folder_assert_file("tree/wafer/jr_1/pids.max", "128");
  folder_enter(cgroup, 1);
  folder_assert_file("tree/wafer/jr_1/cgroup.procs", "0");
  folder_destroy(cgroup);
  assert_false(folder_has("tree/wafer/jr_1"));

  folder.missing_file = "memory.swap.max";
  cgroup = folder_create(&folder_large_limits);
  folder_assert_file("tree/wafer/jr_1/cpu.max", "400000 100000");
  folder_assert_file("tree/wafer/jr_1/memory.max", "17179869184");
  folder_destroy(cgroup);
}

static void test_v2_failed_write(void **state)
{
  static const char *const each[] = {"/cpu.max",          "/memory.max",
                                     "/memory.high",      "/memory.swap.max",
                                     "/memory.oom.group", "/pids.max"};
  (void)state;
  folder_make_v2("/own", "cpu memory pids\n");
  for (size_t i = 0; i < ARRAY_LENGTH(each); i++) {
    folder_assert_refuses_full(each[i]);
    assert_false(folder_has("tree/wafer/jr_1"));
  }
}

/* "+io" alone is written over what the folder holds in place of the kernel. */
static void test_v2_enabled_but_io(void **state)
{
  (void)state;
  folder_make_v2("/own", "cpu io memory pids\n");
  folder_put("tree/cgroup.subtree_control", "cpu memory pids\n");
  folder_destroy(folder_create(&folder_small_limits));
  folder_assert_file("tree/cgroup.subtree_control", "+io memory pids\n");
}

static void test_v2_plain_user(void **state)
{
  static const char *const own[] = {"/own", "/own/wafer-host"};
  (void)state;
  folder.env.real_root = false;
  for (size_t i = 0; i < ARRAY_LENGTH(own); i++) {
    folder_make_v2(own[i], "cpu memory pids\n");
    struct cgroup *cgroup = folder_create(&folder_small_limits);
    folder_assert_file("tree/own/wafer/jr_1/pids.max", "128");
    folder_assert_file("tree/cgroup.subtree_control", "io\n");
    folder_destroy(cgroup);
  }
}

static void assert_probe(const char *why, const char *detail)
{
  struct cgroup_probe probe;
  cgroup_probe(&folder.env, &probe);
  assert_int_equal(probe.limits, why == NULL);
  assert_int_equal(probe.scope_would_do, why != NULL && !folder.env.real_root);
  assert_string_equal(probe.source, why == NULL ? "cgroup-v2" : "none");
  if (detail == NULL)
    assert_null(probe.detail);
  else
    assert_string_equal(probe.detail, detail);
  if (why == NULL) {
    assert_null(probe.why);
    assert_null(probe.fix);
  } else {
    assert_non_null(strstr(probe.why, why));
    assert_non_null(probe.fix);
  }
  cgroup_probe_release(&probe);
}

static void test_v2_probe(void **state)
{
  (void)state;
  folder_make_v2("/own", "cpu memory pids io\n");
  assert_probe(NULL, "v2: cpu, memory, pids, io");
  folder_put("tree/cgroup.controllers", "cpuset memory pids\n");
  assert_probe("the cpu controller", "v2: cpu, memory, pids");
  folder.env.real_root = false;
  assert_probe(NULL, "v2: cpu, memory, pids, io");
  cleanup_free char *procs = xasprintf("%s/tree/own/cgroup.procs", folder.top);
  assert_int_equal(remove(procs), 0);
  assert_probe("to write", "v2: cpu, memory, pids, io");
}

static void test_v2_probe_in_a_scope(void **state)
{
  (void)state;
  folder_make_v2("/wafer-1.scope/wafer-host", "cpu memory pids\n");
  folder_put("tree/wafer-1.scope/cgroup.controllers", "cpu memory pids\n");
  folder_put("tree/wafer-1.scope/cgroup.subtree_control", "");
  folder_put("tree/wafer-1.scope/cgroup.procs", "");
  folder.env.real_root = false;
  assert_probe(NULL, "v2: cpu, memory, pids, in a scope made by systemd");
}

static void test_v2_usage(void **state)
{
  (void)state;
  folder_make_v2("/own", "cpu memory pids\n");
  struct cgroup *cgroup = folder_create(&folder_small_limits);
  struct cgroup_usage usage;
  cleanup_error struct error *err = NULL;
  assert_int_equal(cgroup_usage(cgroup, &usage, &err), -1);
  error_clear(&err);
  folder_put(
      "tree/wafer/jr_1/cpu.stat",
      "usage_usec 1500\nuser_usec 1000\nnr_throttled 3\nthrottled_usec 20\n");
  folder_put("tree/wafer/jr_1/memory.peak", "8192\n");
  folder_put("tree/wafer/jr_1/memory.events", "low 0\noom 1\noom_kill 1\n");
  folder_put("tree/wafer/jr_1/pids.events", "max 2\n");
  folder_put("tree/wafer/jr_1/io.stat",
             "8:0 rbytes=100 wbytes=10 rios=1 wios=1 dbytes=0 dios=0\n"
             "7:0 rbytes=1 wbytes=2 rios=1 wios=1 dbytes=0 dios=0\n");
  assert_int_equal(cgroup_usage(cgroup, &usage, &err), 0);
  assert_int_equal(usage.cpu_ns, 1500000);
  assert_int_equal(usage.throttled_ns, 20000);
  assert_int_equal(usage.throttled_periods, 3);
  assert_int_equal(usage.memory_peak_bytes, 8192);
  assert_int_equal(usage.oom_kills, 1);
  assert_int_equal(usage.pids_refused, 2);
  assert_int_equal(usage.read_bytes, 101);
  assert_int_equal(usage.write_bytes, 12);
  folder_put("tree/wafer/jr_1/cpu.stat", "usage_usec 9223372036854775807\n");
  assert_int_equal(cgroup_usage(cgroup, &usage, &err), 0);
  assert_int_equal(usage.cpu_ns, -1);
  folder_destroy(cgroup);
}

static void test_v2_memory_news(void **state)
{
  (void)state;
  folder_make_v2("/own", "cpu memory pids\n");
  struct cgroup *cgroup = folder_create(&folder_small_limits);
  folder_put("tree/wafer/jr_1/memory.stat",
             "anon 900000000\nfile 1000000000\nshmem 100000000\n"
             "slab_reclaimable 70000000\nslab_unreclaimable 9000000\n");
  assert_int_equal(folder_look(cgroup), 0);
  folder_put("tree/wafer/jr_1/memory.stat",
             "anon 900000000\nfile 1000000000\nshmem 100000000\n"
             "slab_unreclaimable 9400000\n");
  assert_int_equal(folder_look(cgroup), CGROUP_SAW_PRESSURE);
  folder_assert_file("tree/wafer/jr_1/memory.high", "max0054710");
  folder_put("tree/wafer/jr_1/memory.events", "oom_kill 1\n");
  assert_int_equal(folder_look(cgroup), CGROUP_SAW_OOM);
  folder_destroy(cgroup);
}

/* Pages of pipes are in "kernel" alone. */
static void test_v2_memory_news_of_the_kernels(void **state)
{
  (void)state;
  folder_make_v2("/own", "cpu memory pids\n");
  struct cgroup *cgroup = folder_create(&folder_small_limits);
  folder_put("tree/wafer/jr_1/memory.stat",
             "anon 100000000\nfile 0\nkernel 950000000\nshmem 0\n"
             "slab_reclaimable 70000000\nslab_unreclaimable 9000000\n");
  assert_int_equal(folder_look(cgroup), 0);
  folder_put("tree/wafer/jr_1/memory.stat",
             "anon 100000000\nfile 0\nkernel 950000000\nshmem 0\n"
             "slab_reclaimable 100000\nslab_unreclaimable 9000000\n");
  assert_int_equal(folder_look(cgroup), CGROUP_SAW_PRESSURE);
  folder_destroy(cgroup);
}

static void test_v2_watch(void **state)
{
  (void)state;
  folder_make_v2("/own", "cpu memory pids\n");
  struct cgroup *cgroup = folder_create(&folder_small_limits);
  struct error *err = NULL;
  struct pollfd news = {.events = POLLIN};
  assert_int_equal(cgroup_watch(cgroup, &err), 0);
  assert_int_equal(cgroup_watch_fds(cgroup, &news.fd), 1);
  assert_int_equal(poll(&news, 1, 0), 0);
  folder_put("tree/wafer/jr_1/memory.events", "high 1\noom_kill 0\n");
  assert_int_equal(poll(&news, 1, 0), 1);
  assert_int_equal(folder_look(cgroup), 0);
  assert_int_equal(poll(&news, 1, 0), 0);
  folder_destroy(cgroup);
}

static void test_none(void **state)
{
  (void)state;
  folder_put("proc/self/cgroup", "0::/\n");
  assert_probe("no cgroup tree", NULL);
  folder_put("proc/self/mountinfo", "garbage\n");
  assert_probe("no cgroup tree", NULL);
  struct cgroup *cgroup = folder_create(&folder_small_limits);
  struct cgroup_usage usage;
  cleanup_error struct error *err = NULL;
  int fds[CGROUP_WATCH_FDS];
  assert_string_equal(cgroup_source(cgroup), "none");
  assert_false(cgroup_limits(cgroup));
  folder_enter(cgroup, 0);
  assert_int_equal(cgroup_watch(cgroup, &err), 0);
  assert_int_equal(cgroup_watch_fds(cgroup, fds), 0);
  assert_int_equal(folder_look(cgroup), 0);
  assert_int_equal(cgroup_usage(cgroup, &usage, &err), -1);
  assert_int_equal(err->code, ENOTSUP);
  folder_destroy(cgroup);
  folder_destroy(NULL);
}

int main(void)
{
#define WITH_FOLDER(test)                                                      \
  cmocka_unit_test_setup_teardown(test, folder_begin, folder_end)
  const struct CMUnitTest tests[] = {
      WITH_FOLDER(test_v2_limits),
      WITH_FOLDER(test_v2_failed_write),
      WITH_FOLDER(test_v2_enabled_but_io),
      WITH_FOLDER(test_v2_plain_user),
      WITH_FOLDER(test_v2_probe),
      WITH_FOLDER(test_v2_probe_in_a_scope),
      WITH_FOLDER(test_v2_usage),
      WITH_FOLDER(test_v2_memory_news),
      WITH_FOLDER(test_v2_memory_news_of_the_kernels),
      WITH_FOLDER(test_v2_watch),
      WITH_FOLDER(test_none),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
