/* The cgroup backends: all that they read and write, against a folder that
 * imitates the kernel's trees. See test_cgroup_kernel.c for the real ones. */
#include "config.h"

#include "sandbox/cgroup.h"

#include "base/clock.h"
#include "base/fd.h"
#include "sandbox/cgroup_backend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define V1_OWN                                                                 \
  "9:name=systemd:/\n8:pids:/a\n7:blkio:/\n4:memory:/a/b\n"                    \
  "3:cpu,cpuacct:/\n0::/u\n"
#define V2_OWN "0::/user.slice/run-1.scope\n"

static const struct limits sixteenth = {
    .cpu_milli = 250, .memory_bytes = 1 << 30, .pids_max = 128};

/* The folder: proc/self/ and, below tree/, what is mounted. */
static char scene[] = "/tmp/wafer-cgroup-XXXXXX";
static char proc_dir[64];
static struct cgroup_env env = {.proc_dir = proc_dir};

static int remove_entry(const char *path, const struct stat *stat, int kind,
                        struct FTW *where)
{
  (void)stat;
  (void)kind;
  (void)where;
  return remove(path);
}

static void make_folders(char *path)
{
  for (char *slash = strchr(path + 1, '/'); slash != NULL;
       slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    assert_true(mkdir(path, 0755) == 0 || errno == EEXIST);
    *slash = '/';
  }
}

/* Puts a file into the scene, and its folders; a path that ends in "/" is a
 * folder alone. */
static void put(const char *path, const char *text)
{
  cleanup_free char *full = xasprintf("%s/%s", scene, path);
  struct error *err = NULL;
  make_folders(full);
  if (text == NULL)
    return;
  cleanup_fd int fd =
      open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  assert_true(fd >= 0);
  assert_int_equal(fd_write_all(fd, text, strlen(text), &err), 0);
}

static void assert_holds(const char *path, const char *expected)
{
  cleanup_free char *full = xasprintf("%s/%s", scene, path);
  cleanup_free char *text = NULL;
  struct error *err = NULL;
  size_t count;
  assert_int_equal(fd_read_file(AT_FDCWD, full, 4096, &text, &count, &err), 0);
  assert_string_equal(text, expected);
}

static bool is_there(const char *path)
{
  cleanup_free char *full = xasprintf("%s/%s", scene, path);
  return access(full, F_OK) == 0;
}

static int make_scene(void **state)
{
  (void)state;
  memset(scene + sizeof scene - 7, 'X', 6);
  assert_non_null(mkdtemp(scene));
  snprintf(proc_dir, sizeof proc_dir, "%s/proc", scene);
  put("proc/self/cgroup", "");
  put("proc/self/mountinfo", "");
  env.real_root = false;
  return 0;
}

static int remove_scene(void **state)
{
  (void)state;
  return nftw(scene, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static char *v1_line(const char *folder, const char *controllers)
{
  return xasprintf("32 31 0:29 / %s/tree/%s rw,relatime shared:9 - cgroup "
                   "cgroup rw,%s\n",
                   scene, folder, controllers);
}

/* Debian 10's and the like: cpu and cpuacct are one tree. */
static void be_v1(void)
{
  cleanup_free char *cpu = v1_line("cpu,cpuacct", "cpu,cpuacct");
  cleanup_free char *memory = v1_line("memory", "memory");
  cleanup_free char *pids = v1_line("pids", "pids");
  cleanup_free char *all = xasprintf("%s%s%s", cpu, memory, pids);
  put("proc/self/cgroup", V1_OWN);
  put("proc/self/mountinfo", all);
  put("tree/cpu,cpuacct/", NULL);
  put("tree/memory/a/b/", NULL);
  put("tree/pids/a/", NULL);
}

static void be_v2(const char *controllers)
{
  cleanup_free char *line =
      xasprintf("31 23 0:28 / %s/tree rw - cgroup2 cgroup2 rw\n", scene);
  put("proc/self/cgroup", V2_OWN);
  put("proc/self/mountinfo", line);
  put("tree/user.slice/run-1.scope/cgroup.controllers", controllers);
  put("tree/user.slice/run-1.scope/cgroup.procs", "");
  put("tree/user.slice/run-1.scope/cgroup.subtree_control", "");
}

#define V1_CPU  "tree/cpu,cpuacct/wafer/jr_1/"
#define V1_MEM  "tree/memory/a/b/wafer/jr_1/"
#define V1_PIDS "tree/pids/a/wafer/jr_1/"
#define V2_OURS "tree/user.slice/run-1.scope/wafer/jr_1/"

static void make_v1_group(void)
{
  be_v1();
  put(V1_CPU "cpu.cfs_period_us", "");
  put(V1_CPU "cpu.cfs_quota_us", "");
  put(V1_CPU "cpu.stat", "nr_periods 9\nnr_throttled 4\nthrottled_time 500\n");
  put(V1_CPU "cpuacct.usage", "123456\n");
  put(V1_CPU "cgroup.procs", "");
  put(V1_MEM "memory.limit_in_bytes", "");
  put(V1_MEM "memory.swappiness", "");
  put(V1_MEM "memory.max_usage_in_bytes", "4096\n");
  put(V1_MEM "memory.oom_control",
      "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n");
  put(V1_MEM "memory.stat", "cache 1073741824\ntotal_rss 0\ntotal_shmem 0\n");
  put(V1_MEM "cgroup.procs", "");
  put(V1_PIDS "pids.max", "");
  put(V1_PIDS "cgroup.procs", "");
}

static void make_v2_group(void)
{
  static const char *const empty[] = {"cpu.max",          "memory.max",
                                      "memory.high",      "memory.swap.max",
                                      "memory.oom.group", "pids.max"};
  be_v2("cpu io memory pids\n");
  for (size_t i = 0; i < ARRAY_LENGTH(empty); i++) {
    cleanup_free char *path = xasprintf("%s%s", V2_OURS, empty[i]);
    put(path, "");
  }
  put(V2_OURS "cpu.stat", "usage_usec 2500\nnr_throttled 7\n"
                          "throttled_usec 30\n");
  put(V2_OURS "memory.events", "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n");
  put(V2_OURS "memory.stat", "anon 0\nfile 1073741824\nshmem 0\nkernel 0\n");
  put(V2_OURS "memory.peak", "8192\n");
  put(V2_OURS "io.stat", "8:0 rbytes=10 wbytes=20 rios=1 wios=1\n"
                         "8:16 rbytes=1 wbytes=2 rios=1 wios=1\n");
}

/* The group of the scene, opened as a backend opens one that is there. */
static struct cgroup opened;

static struct cgroup *open_scene(const struct cgroup_backend *backend)
{
  static char name[] = "jr_1";
  struct error *err = NULL;
  opened = (struct cgroup){.backend = backend,
                           .name = name,
                           .memory_bytes = sixteenth.memory_bytes,
                           .watch_fd = -1};
  for (int i = 0; i < CONTROLLER_COUNT; i++)
    opened.dirs[i] = opened.parent_dirs[i] = -1;
  assert_int_equal(backend->open(&env, &opened, false, &err), 0);
  return &opened;
}

static void close_scene(void)
{
  for (int i = 0; i < CONTROLLER_COUNT; i++) {
    fd_close(&opened.dirs[i]);
    fd_close(&opened.parent_dirs[i]);
  }
  fd_close(&opened.watch_fd);
}

/* --- what a probe finds -------------------------------------------------- */

static void assert_probe(const char *source, const char *why, bool has_fix)
{
  __attribute__((cleanup(cgroup_probe_release))) struct cgroup_probe probe = {
      0};
  cgroup_probe(&env, &probe);
  assert_string_equal(probe.source, source);
  assert_int_equal(probe.limits, why == NULL);
  if (why == NULL) {
    assert_null(probe.why);
    assert_non_null(probe.detail);
    return;
  }
  if (strstr(probe.why, why) == NULL)
    fail_msg("\"%s\" has no \"%s\"", probe.why, why);
  if (has_fix)
    assert_non_null(probe.fix);
}

static void test_probe_v1(void **state)
{
  (void)state;
  be_v1();
  assert_probe("cgroup-v1", NULL, false);
}

static void test_probe_v2(void **state)
{
  (void)state;
  be_v2("cpu io memory pids\n");
  assert_probe("cgroup-v2", NULL, false);
}

static void test_probe_names_what_v2_lacks(void **state)
{
  (void)state;
  be_v2("cpuset memory pids\n");
  assert_probe("none", "run-1.scope hasn't the cpu controller", true);
}

static void test_probe_without_a_tree(void **state)
{
  (void)state;
  assert_probe("none", "no cgroup", true);
}

/* A hybrid system: the v2 tree is there and has no controllers. */
static void test_probe_names_what_v1_lacks(void **state)
{
  (void)state;
  cleanup_free char *cpu = v1_line("cpu", "cpu");
  cleanup_free char *cpuacct = v1_line("cpuacct", "cpuacct");
  cleanup_free char *memory = v1_line("memory", "memory");
  cleanup_free char *all = xasprintf("%s%s%s", cpu, cpuacct, memory);
  be_v1();
  put("tree/cpu/", NULL);
  put("tree/cpuacct/", NULL);
  put("proc/self/mountinfo", all);
  assert_probe("none", "pids", false);
}

static void test_real_root_takes_the_root_of_v2(void **state)
{
  (void)state;
  be_v2("");
  env.real_root = true;
  put("tree/cgroup.controllers", "cpu memory pids\n");
  put("tree/cgroup.procs", "");
  put("tree/cgroup.subtree_control", "");
  assert_probe("cgroup-v2", NULL, false);
}

/* --- limits and counters ------------------------------------------------- */

static void test_limits_of_v1(void **state)
{
  (void)state;
  struct error *err = NULL;
  make_v1_group();
  put(V1_MEM "memory.memsw.limit_in_bytes", "");
  assert_int_equal(cgroup_v1.limit(open_scene(&cgroup_v1), &sixteenth, &err),
                   0);
  assert_holds(V1_CPU "cpu.cfs_period_us", "100000");
  assert_holds(V1_CPU "cpu.cfs_quota_us", "25000");
  assert_holds(V1_MEM "memory.limit_in_bytes", "1073741824");
  assert_holds(V1_MEM "memory.memsw.limit_in_bytes", "1073741824");
  assert_holds(V1_MEM "memory.swappiness", "0");
  assert_holds(V1_PIDS "pids.max", "128");
  close_scene();
}

/* A kernel without swap accounting has no memory.memsw. */
static void test_limits_of_v1_without_swap(void **state)
{
  (void)state;
  struct error *err = NULL;
  make_v1_group();
  assert_int_equal(cgroup_v1.limit(open_scene(&cgroup_v1), &sixteenth, &err),
                   0);
  assert_false(is_there(V1_MEM "memory.memsw.limit_in_bytes"));
  close_scene();
}

static void test_limits_of_v2(void **state)
{
  (void)state;
  struct error *err = NULL;
  make_v2_group();
  struct cgroup *cgroup = open_scene(&cgroup_v2);
  assert_int_equal(cgroup_v2.limit(cgroup, &sixteenth, &err), 0);
  assert_int_equal(cgroup_v2.watch(cgroup, &err), 0);
  assert_holds(V2_OURS "cpu.max", "25000 100000");
  assert_holds(V2_OURS "memory.max", "1073741824");
  assert_holds(V2_OURS "memory.high", "1020054710");
  assert_holds(V2_OURS "memory.swap.max", "0");
  assert_holds(V2_OURS "memory.oom.group", "1");
  assert_holds(V2_OURS "pids.max", "128");
  close_scene();
}

static void test_a_failed_write_names_its_file(void **state)
{
  (void)state;
  cleanup_error struct error *err = NULL;
  make_v1_group();
  cleanup_free char *file = xasprintf("%s/%s", scene, V1_PIDS "pids.max");
  assert_int_equal(unlink(file), 0);
  assert_int_equal(cgroup_v1.limit(open_scene(&cgroup_v1), &sixteenth, &err),
                   -1);
  assert_non_null(strstr(err->text, "pids.max"));
  assert_int_equal(err->code, ENOENT);
  close_scene();
}

static void test_usage_of_v1(void **state)
{
  (void)state;
  struct error *err = NULL;
  struct cgroup_usage usage;
  const char *source;
  make_v1_group();
  assert_int_equal(cgroup_usage_by_name(&env, "jr_1", &usage, &source, &err),
                   0);
  assert_string_equal(source, "cgroup-v1");
  assert_int_equal(usage.cpu_ns, 123456);
  assert_int_equal(usage.memory_peak_bytes, 4096);
  assert_int_equal(usage.throttled_ns, 500);
  assert_int_equal(usage.throttled_periods, 4);
  assert_int_equal(usage.oom_kills, 0);
  assert_int_equal(usage.read_bytes, -1);
  assert_int_equal(usage.write_bytes, -1);
}

static void test_usage_of_v2(void **state)
{
  (void)state;
  struct error *err = NULL;
  struct cgroup_usage usage;
  const char *source;
  make_v2_group();
  assert_int_equal(cgroup_usage_by_name(&env, "jr_1", &usage, &source, &err),
                   0);
  assert_string_equal(source, "cgroup-v2");
  assert_int_equal(usage.cpu_ns, 2500000);
  assert_int_equal(usage.memory_peak_bytes, 8192);
  assert_int_equal(usage.throttled_ns, 30000);
  assert_int_equal(usage.throttled_periods, 7);
  assert_int_equal(usage.read_bytes, 11);
  assert_int_equal(usage.write_bytes, 22);
}

static void test_usage_of_no_group(void **state)
{
  (void)state;
  cleanup_error struct error *err = NULL;
  struct cgroup_usage usage;
  const char *source;
  make_v1_group();
  assert_int_equal(cgroup_usage_by_name(&env, "jr_2", &usage, &source, &err),
                   -1);
  assert_int_equal(err->code, ENOENT);
}

/* --- watching memory ----------------------------------------------------- */

/* 1,020,054,710 bytes are 95 % of it. */
static void assert_sees(struct cgroup *cgroup, unsigned expected)
{
  struct error *err = NULL;
  unsigned seen = 0;
  assert_int_equal(cgroup_watch_read(cgroup, &seen, &err), 0);
  assert_int_equal(seen, expected);
}

static void test_pressure_on_v1_is_not_page_cache(void **state)
{
  (void)state;
  make_v1_group();
  struct cgroup *cgroup = open_scene(&cgroup_v1);
  assert_sees(cgroup, 0);
  put(V1_MEM "memory.stat",
      "cache 9\ntotal_rss 1000000000\ntotal_shmem 20054720\n");
  assert_sees(cgroup, CGROUP_SAW_PRESSURE);
  assert_sees(cgroup, 0);
  put(V1_MEM "memory.oom_control", "under_oom 0\noom_kill 2\n");
  assert_sees(cgroup, CGROUP_SAW_OOM);
  assert_sees(cgroup, 0);
  close_scene();
}

static void test_pressure_on_v2_lifts_memory_high(void **state)
{
  (void)state;
  struct error *err = NULL;
  make_v2_group();
  struct cgroup *cgroup = open_scene(&cgroup_v2);
  int fds[CGROUP_WATCH_FDS];
  assert_int_equal(cgroup_watch(cgroup, &err), 0);
  assert_int_equal(cgroup_watch_fds(cgroup, fds), 1);
  assert_sees(cgroup, 0);
  put(V2_OURS "memory.high", "");
  put(V2_OURS "memory.events", "high 1\noom_kill 0\n");
  char event;
  assert_int_equal(read(fds[0], &event, 0), -1); /* EINVAL: there is one */
  assert_int_equal(errno, EINVAL);
  /* A slab that can be given back isn't trouble. */
  put(V2_OURS "memory.stat", "anon 9\nfile 9\nshmem 0\nkernel 1020054720\n"
                             "slab_reclaimable 1020054720\n");
  assert_sees(cgroup, 0);
  put(V2_OURS "memory.stat", "anon 1000000000\nshmem 20054720\nkernel 9\n");
  assert_sees(cgroup, CGROUP_SAW_PRESSURE);
  assert_holds(V2_OURS "memory.high", "max");
  put(V2_OURS "memory.events", "high 1\noom_kill 1\n");
  assert_sees(cgroup, CGROUP_SAW_OOM);
  close_scene();
}

/* --- making and removing ------------------------------------------------- */

static void test_joint_controllers_make_one_folder(void **state)
{
  (void)state;
  cleanup_error struct error *err = NULL;
  static char name[] = "jr_1";
  be_v1();
  opened = (struct cgroup){.backend = &cgroup_v1, .name = name, .watch_fd = -1};
  for (int i = 0; i < CONTROLLER_COUNT; i++)
    opened.dirs[i] = opened.parent_dirs[i] = -1;
  assert_int_equal(cgroup_v1.open(&env, &opened, true, &err), 0);
  close_scene();
  assert_true(is_there(V1_CPU) && is_there(V1_MEM) && is_there(V1_PIDS));
}

/* Somebody else's group of that name is neither joined nor removed. */
static void test_a_name_that_is_taken(void **state)
{
  (void)state;
  cleanup_error struct error *err = NULL;
  struct cgroup *cgroup = NULL;
  be_v1();
  put(V1_CPU, NULL);
  assert_int_equal(cgroup_create(&env, "jr_1", &sixteenth, &cgroup, &err), -1);
  assert_int_equal(err->code, EEXIST);
  assert_true(is_there(V1_CPU));
}

static void test_a_failed_creation_leaves_nothing(void **state)
{
  (void)state;
  cleanup_error struct error *err = NULL;
  struct cgroup *cgroup = NULL;
  be_v1();
  assert_int_equal(cgroup_create(&env, "jr_1", &sixteenth, &cgroup, &err), -1);
  assert_non_null(strstr(err->text, "cpu.cfs_period_us"));
  assert_false(is_there(V1_CPU) || is_there(V1_MEM) || is_there(V1_PIDS));
}

static void test_names_that_are_no_name(void **state)
{
  (void)state;
  static const char *const names[] = {"", ".", "..", "a/b", "/", "../jr_1"};
  be_v1();
  put(V1_PIDS, NULL);
  for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
    cleanup_error struct error *err = NULL, *second = NULL;
    struct cgroup *cgroup = NULL;
    assert_int_equal(cgroup_create(&env, names[i], &sixteenth, &cgroup, &err),
                     -1);
    assert_int_equal(err->code, EINVAL);
    assert_int_equal(cgroup_remove_by_name(&env, names[i], &second), -1);
    assert_int_equal(second->code, EINVAL);
  }
  assert_true(is_there(V1_PIDS));
}

/* A crash may come between any two folders' making or removal. */
static void test_removal_of_what_a_crash_left(void **state)
{
  (void)state;
  static const char *const folders[] = {V1_CPU, V1_MEM, V1_PIDS};
  struct error *err = NULL;
  be_v1();
  assert_int_equal(cgroup_remove_by_name(&env, "jr_1", &err), 0);
  for (size_t i = 0; i < ARRAY_LENGTH(folders); i++) {
    put(folders[i], NULL);
    assert_int_equal(cgroup_remove_by_name(&env, "jr_1", &err), 0);
    assert_false(is_there(folders[i]));
  }
}

static void test_none_limits_and_counts_nothing(void **state)
{
  (void)state;
  cleanup_error struct error *err = NULL;
  struct cgroup *cgroup = NULL;
  struct cgroup_usage usage;
  int fds[CGROUP_ENTRY_FDS];
  assert_int_equal(cgroup_create(&env, "jr_1", &sixteenth, &cgroup, &err), 0);
  assert_string_equal(cgroup_source(cgroup), "none");
  assert_false(cgroup_limits(cgroup));
  assert_int_equal(cgroup_open_entry(cgroup, fds, &err), 0);
  assert_int_equal(cgroup_watch(cgroup, &err), 0);
  assert_int_equal(cgroup_watch_fds(cgroup, fds), 0);
  assert_sees(cgroup, 0);
  assert_int_equal(cgroup_usage(cgroup, &usage, &err), -1);
  assert_int_equal(err->code, ENOTSUP);
  error_clear(&err);
  assert_int_equal(cgroup_destroy(cgroup, &err), 0);
}

#define IN_SCENE(test)                                                         \
  cmocka_unit_test_setup_teardown(test, make_scene, remove_scene)

int main(void)
{
  static const struct CMUnitTest tests[] = {
      IN_SCENE(test_probe_v1),
      IN_SCENE(test_probe_v2),
      IN_SCENE(test_probe_names_what_v2_lacks),
      IN_SCENE(test_probe_without_a_tree),
      IN_SCENE(test_probe_names_what_v1_lacks),
      IN_SCENE(test_real_root_takes_the_root_of_v2),
      IN_SCENE(test_limits_of_v1),
      IN_SCENE(test_limits_of_v1_without_swap),
      IN_SCENE(test_limits_of_v2),
      IN_SCENE(test_a_failed_write_names_its_file),
      IN_SCENE(test_usage_of_v1),
      IN_SCENE(test_usage_of_v2),
      IN_SCENE(test_usage_of_no_group),
      IN_SCENE(test_pressure_on_v1_is_not_page_cache),
      IN_SCENE(test_pressure_on_v2_lifts_memory_high),
      IN_SCENE(test_joint_controllers_make_one_folder),
      IN_SCENE(test_a_name_that_is_taken),
      IN_SCENE(test_a_failed_creation_leaves_nothing),
      IN_SCENE(test_names_that_are_no_name),
      IN_SCENE(test_removal_of_what_a_crash_left),
      IN_SCENE(test_none_limits_and_counts_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
