/* The cgroup backends against the kernel, where it gives us a cgroup: v1 or v2
 * (tests/vm/run boots a kernel for that), as root or in a group that was
 * delegated to a plain user. On v1 all of it is below a group of the test's own
 * in each tree, so that what other runs have is neither seen nor touched. */
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
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MIB = 1 << 20, MEMORY_MIB = 64, CHILD_BROKEN = 99 };

/* For news of a group with a quarter of a CPU, of a machine that is emulated.
 */
enum { WAIT_MS = 30000 };

static const struct limits limits = {
    .cpu_milli = 250, .memory_bytes = MEMORY_MIB * MIB, .pids_max = 16};

static char scene[] = "/tmp/wafer-kernel-XXXXXX";
static char *own_dirs[CONTROLLER_COUNT];
static struct cgroup_env own_env;
static const struct cgroup_env *env;
static char *unusable; /* why it can't be tried here */

static char *read_own(const char *path)
{
  cleanup_error struct error *err = NULL;
  char *text = NULL;
  size_t count;
  assert_int_equal(fd_read_file(AT_FDCWD, path, MIB, &text, &count, &err), 0);
  return text;
}

/* Writes a proc/self/cgroup in which each of our groups is a child of the real
 * one, and makes those children. */
static void make_own_groups(void)
{
  cleanup_free char *groups = read_own("/proc/self/cgroup");
  cleanup_free char *mounts = read_own("/proc/self/mountinfo");
  FILE *cgroup = fopen("self/cgroup", "we");
  FILE *mountinfo = fopen("self/mountinfo", "we");
  assert_true(cgroup != NULL && mountinfo != NULL);
  char *rest = groups;
  for (char *line = strsep(&rest, "\n"); line != NULL && line[0] != '\0';
       line = strsep(&rest, "\n"))
    fprintf(cgroup, "%s%scgroup-test-%d\n", line,
            line[strlen(line) - 1] == '/' ? "" : "/", getpid());
  fputs(mounts, mountinfo);
  assert_int_equal(fclose(cgroup), 0);
  assert_int_equal(fclose(mountinfo), 0);
  cleanup_free char *own = cgroup_read_proc(own_env.proc_dir, "cgroup");
  cleanup_free char *points = cgroup_read_proc(own_env.proc_dir, "mountinfo");
  struct cgroup_env here = {.groups = own, .mounts = points};
  for (int i = 0; i < CONTROLLER_COUNT; i++) {
    own_dirs[i] = cgroup_own_dir(&here, controller_names[i]);
    if (own_dirs[i] != NULL && mkdir(own_dirs[i], 0755) < 0 && errno != EEXIST)
      fail_msg("no cgroup of the test's own: %s: %s", own_dirs[i],
               strerror(errno));
  }
}

static int set_up(void **state)
{
  (void)state;
  __attribute__((cleanup(cgroup_probe_release))) struct cgroup_probe probe = {
      0};
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  assert_non_null(mkdtemp(scene));
  assert_int_equal(chdir(scene), 0);
  assert_int_equal(mkdir("self", 0700), 0);
  own_env.proc_dir = scene;
  cgroup_probe(NULL, &probe);
  if (!probe.limits) {
    unusable = steal_pointer(&probe.why);
  } else if (strcmp(probe.source, cgroup_v1.source) == 0) {
    env = &own_env;
    make_own_groups();
  }
  return 0;
}

/* A group that a test left would keep these from going. */
static int tear_down(void **state)
{
  (void)state;
  int result = 0;
  for (int i = 0; i < CONTROLLER_COUNT; i++) {
    if (own_dirs[i] == NULL)
      continue;
    cleanup_free char *wafer = xasprintf("%s/wafer", own_dirs[i]);
    if ((rmdir(wafer) < 0 || rmdir(own_dirs[i]) < 0) && errno != ENOENT) {
      print_error("%s is left: %s\n", own_dirs[i], strerror(errno));
      result = -1;
    }
    free(own_dirs[i]);
  }
  unlink("self/cgroup");
  unlink("self/mountinfo");
  rmdir("self");
  assert_int_equal(chdir("/"), 0);
  rmdir(scene);
  free(unusable);
  return result;
}

static struct cgroup *make_group(const char *name)
{
  struct cgroup *cgroup = NULL;
  struct error *err = NULL;
  if (unusable != NULL) {
    print_message("no cgroup here: %s\n", unusable);
    skip();
  }
  cleanup_free char *full = xasprintf("test-%d-%s", getpid(), name);
  if (cgroup_create(env, full, &limits, &cgroup, &err) < 0)
    fail_msg("%s", err->text);
  return cgroup;
}

static void remove_group(struct cgroup *cgroup)
{
  struct error *err = NULL;
  if (cgroup_destroy(cgroup, &err) < 0)
    fail_msg("%s", err->text);
}

static void enter(const struct cgroup *cgroup)
{
  int fds[CGROUP_ENTRY_FDS];
  struct error *err = NULL;
  int count = cgroup_open_entry(cgroup, fds, &err);
  for (int i = 0; i < count; i++)
    if (write(fds[i], "0", 1) != 1)
      _exit(CHILD_BROKEN);
  if (count <= 0)
    _exit(CHILD_BROKEN);
}

/* Runs `act` in a child, once that is in the group. */
static pid_t start(const struct cgroup *cgroup, void (*act)(void))
{
  int entered[2];
  char byte;
  assert_int_equal(pipe2(entered, O_CLOEXEC), 0);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    enter(cgroup);
    close(entered[0]);
    close(entered[1]);
    act();
    _exit(0);
  }
  close(entered[1]);
  assert_int_equal(read(entered[0], &byte, 1), 0);
  close(entered[0]);
  return pid;
}

static int wait_for(pid_t pid)
{
  int status = -1;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  return status;
}

static struct cgroup_usage usage_of(struct cgroup *cgroup)
{
  struct cgroup_usage usage;
  struct error *err = NULL;
  if (cgroup_usage(cgroup, &usage, &err) < 0)
    fail_msg("%s", err->text);
  return usage;
}

/* Takes memory that can't be reclaimed, slowly. */
static void take_memory(int mebibytes)
{
  struct timespec pause = {.tv_nsec = 2 * NS_PER_MS};
  for (int i = 0; i < mebibytes; i++) {
    void *taken = mmap(NULL, MIB, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (taken == MAP_FAILED)
      _exit(CHILD_BROKEN);
    nanosleep(&pause, NULL);
  }
}

static void burn_two_seconds(void)
{
  int64_t end_ns = clock_monotonic_ns() + 2LL * NS_PER_S;
  while (clock_monotonic_ns() < end_ns)
    continue;
}

static void take_too_much(void)
{
  take_memory(2 * MEMORY_MIB);
}

/* 96.9 % of the limit; the process itself has some more. */
static void take_nearly_all(void)
{
  take_memory(MEMORY_MIB - 2);
  pause();
}

/* Twice the limit in page cache, and hardly any other memory. */
static void fill_page_cache(void)
{
  static char block[MIB];
  int fd = open(scene, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0 || ftruncate(fd, 2 * MEMORY_MIB * MIB) < 0)
    _exit(CHILD_BROKEN);
  while (read(fd, block, sizeof block) > 0)
    continue;
}

static void fill_page_cache_then_memory(void)
{
  fill_page_cache();
  take_nearly_all();
}

static void skip_without_page_cache(void)
{
  struct statfs status;
  if (statfs(scene, &status) < 0 || status.f_type == TMPFS_MAGIC) {
    print_message("/tmp has no page cache that can be reclaimed\n");
    skip();
  }
}

static void wait_for_a_signal(void)
{
  pause();
}

/* No process of it lives long enough to be looked up at leisure. */
static void fork_for_ever(void)
{
  for (;;) {
    pid_t pid = fork();
    if (pid > 0)
      _exit(0);
  }
}

/* Reads the news whenever the kernel says that there is some, and only then,
 * until `wanted` has come; returns all that came. */
static unsigned watch_until(struct cgroup *cgroup, unsigned wanted)
{
  struct error *err = NULL;
  struct pollfd news = {.events = POLLIN};
  unsigned all = 0, seen;
  assert_int_equal(cgroup_watch_fds(cgroup, &news.fd), 1);
  while (!(all & wanted) && poll(&news, 1, WAIT_MS) > 0) {
    assert_int_equal(cgroup_watch_read(cgroup, &seen, &err), 0);
    all |= seen;
  }
  return all;
}

static void begin_watch(struct cgroup *cgroup)
{
  struct error *err = NULL;
  if (cgroup_watch(cgroup, &err) < 0)
    fail_msg("%s", err->text);
}

static void test_a_quarter_of_a_cpu(void **state)
{
  (void)state;
  struct cgroup *cgroup = make_group("cpu");
  assert_int_equal(wait_for(start(cgroup, burn_two_seconds)), 0);
  struct cgroup_usage usage = usage_of(cgroup);
  /* One period of quota may be in hand at the start; a busy machine may give
   * less than what is allowed. */
  assert_in_range(usage.cpu_ns, 250 * (int64_t)NS_PER_MS,
                  600 * (int64_t)NS_PER_MS);
  assert_true(usage.throttled_periods > 0 && usage.throttled_ns > 0);
  remove_group(cgroup);
}

static void test_the_kernel_kills_for_memory(void **state)
{
  (void)state;
  struct cgroup *cgroup = make_group("oom");
  begin_watch(cgroup);
  pid_t pid = start(cgroup, take_too_much);
  assert_true(watch_until(cgroup, CGROUP_SAW_OOM) & CGROUP_SAW_OOM);
  int status = wait_for(pid);
  assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  struct cgroup_usage usage = usage_of(cgroup);
  assert_true(usage.oom_kills >= 1);
  assert_in_range(usage.memory_peak_bytes, (MEMORY_MIB - 4) * MIB,
                  MEMORY_MIB * MIB);
  remove_group(cgroup);
}

static void assert_pressure(void (*act)(void))
{
  struct cgroup *cgroup = make_group("pressure");
  begin_watch(cgroup);
  pid_t pid = start(cgroup, act);
  unsigned seen = watch_until(cgroup, CGROUP_SAW_PRESSURE | CGROUP_SAW_OOM);
  int64_t oom_kills = usage_of(cgroup).oom_kills;
  remove_group(cgroup);
  assert_true(WIFSIGNALED(wait_for(pid)));
  assert_int_equal(seen, CGROUP_SAW_PRESSURE);
  assert_int_equal(oom_kills, 0);
}

static void test_pressure_comes_before_the_limit(void **state)
{
  (void)state;
  assert_pressure(take_nearly_all);
}

/* Page cache is past the threshold already when memory comes near it. */
static void test_pressure_comes_after_page_cache(void **state)
{
  (void)state;
  skip_without_page_cache();
  assert_pressure(fill_page_cache_then_memory);
}

static void test_page_cache_is_no_pressure(void **state)
{
  (void)state;
  struct error *err = NULL;
  unsigned seen;
  skip_without_page_cache();
  struct cgroup *cgroup = make_group("cache");
  begin_watch(cgroup);
  assert_int_equal(wait_for(start(cgroup, fill_page_cache)), 0);
  assert_int_equal(cgroup_watch_read(cgroup, &seen, &err), 0);
  assert_int_equal(seen, 0);
  struct cgroup_usage usage = usage_of(cgroup);
  assert_true(usage.memory_peak_bytes > (int64_t)MEMORY_MIB * MIB / 10 * 9);
  assert_int_equal(usage.oom_kills, 0);
  remove_group(cgroup);
}

/* Those that it has end with it: the kernel's SIGKILL is their parent's death
 * signal. */
static void fork_until_refused(void)
{
  for (;;) {
    pid_t pid = fork();
    if (pid < 0)
      _exit(errno == EAGAIN ? 0 : CHILD_BROKEN);
    if (pid == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      pause();
      _exit(0);
    }
  }
}

static void test_refused_forks_are_counted(void **state)
{
  (void)state;
  struct cgroup *cgroup = make_group("pids");
  assert_int_equal(usage_of(cgroup).pids_refused, 0);
  assert_int_equal(wait_for(start(cgroup, fork_until_refused)), 0);
  assert_int_equal(usage_of(cgroup).pids_refused, 1);
  remove_group(cgroup);
  while (waitpid(-1, NULL, 0) > 0)
    continue;
}

/* Ignored, SIGCHLD has each link reaped as it ends: as zombies they would count
 * towards pids.max, and end the chain by themselves. */
static void test_removal_outruns_a_chain_of_forks(void **state)
{
  (void)state;
  struct cgroup *cgroup = make_group("forks");
  signal(SIGCHLD, SIG_IGN);
  start(cgroup, fork_for_ever);
  remove_group(cgroup);
  while (waitpid(-1, NULL, 0) > 0)
    continue;
  assert_int_equal(errno, ECHILD);
  signal(SIGCHLD, SIG_DFL);
}

/* As after a crash: by name alone, with somebody still in it. */
static void test_removal_by_name(void **state)
{
  (void)state;
  struct error *err = NULL;
  struct cgroup *cgroup = make_group("name");
  cleanup_free char *name = xasprintf("test-%d-name", getpid());
  pid_t pid = start(cgroup, wait_for_a_signal);
  struct cgroup_usage usage;
  const char *source = NULL;
  assert_int_equal(cgroup_usage_by_name(env, name, &usage, &source, &err), 0);
  assert_string_equal(source, cgroup_source(cgroup));
  if (cgroup_remove_by_name(env, name, &err) < 0)
    fail_msg("%s", err->text);
  assert_true(WIFSIGNALED(wait_for(pid)));
  assert_int_equal(cgroup_remove_by_name(env, name, &err), 0);
  remove_group(cgroup);
  assert_int_equal(cgroup_usage_by_name(env, name, &usage, &source, &err), -1);
  assert_int_equal(err->code, ENOENT);
  error_free(err);
}

static void test_a_name_that_is_taken(void **state)
{
  (void)state;
  struct cgroup *cgroup = make_group("taken"), *second = NULL;
  cleanup_error struct error *err = NULL;
  cleanup_free char *name = xasprintf("test-%d-taken", getpid());
  assert_int_equal(cgroup_create(env, name, &limits, &second, &err), -1);
  assert_int_equal(err->code, EEXIST);
  usage_of(cgroup);
  remove_group(cgroup);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_quarter_of_a_cpu),
      cmocka_unit_test(test_the_kernel_kills_for_memory),
      cmocka_unit_test(test_pressure_comes_before_the_limit),
      cmocka_unit_test(test_pressure_comes_after_page_cache),
      cmocka_unit_test(test_page_cache_is_no_pressure),
      cmocka_unit_test(test_refused_forks_are_counted),
      cmocka_unit_test(test_removal_outruns_a_chain_of_forks),
      cmocka_unit_test(test_removal_by_name),
      cmocka_unit_test(test_a_name_that_is_taken),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
