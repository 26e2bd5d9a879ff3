/* What the kernel's texts about cgroups say: v1's, v2's, empty ones, garbage,
 * and those that are cut short. */
#include "config.h"

#include "sandbox/cgroup_backend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#define V1_OWN                                                                 \
  "9:name=systemd:/\n8:pids:/a\n7:blkio:/\n4:memory:/a/b\n"                    \
  "3:cpu,cpuacct:/\n0::/u\n"
#define V2_OWN "0::/user.slice/run-1.scope\n"

static void test_own_group_of_v1_and_v2(void **state)
{
  (void)state;
  static const struct {
    const char *text, *controller, *own;
  } cases[] = {
      {V1_OWN, "memory", "/a/b"},
      {V1_OWN, "cpuacct", "/"},
      {V1_OWN, "cpu", "/"},
      {V1_OWN, "", "/u"},
      {V1_OWN, "cpuset", NULL},
      {V2_OWN, "", "/user.slice/run-1.scope"},
      {V2_OWN, "cpu", NULL},
      {"5:cpu:/a:b\n", "cpu", "/a:b"},
      {"", "", NULL},
      {"", "cpu", NULL},
      {"garbage", "cpu", NULL},
      {":::\n::\n0::\n0:cpu\n4:cpu:relative\n", "cpu", NULL},
      {":::\n::\n0::\n", "", NULL},
  };
  for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
    cleanup_free char *own = cgroup_parse_own(
        cases[i].text, strlen(cases[i].text), cases[i].controller);
    if (cases[i].own == NULL)
      assert_null(own);
    else
      assert_string_equal(own, cases[i].own);
  }
}

static void test_mount_point(void **state)
{
  (void)state;
  static const char text[] =
      "30 23 0:27 / /proc rw - proc proc rw\n"
      "31 23 0:28 / /cg/cpu,cpuacct rw,nosuid shared:7 master:1 - cgroup "
      "cgroup rw,cpu,cpuacct\n"
      "33 23 0:30 / /cg/systemd rw - cgroup cgroup rw,name=systemd\n"
      "34 23 0:31 /box/1 /cg/a\\040b rw - cgroup cgroup rw,memory\n"
      "32 23 0:29 / /cg/unified rw - cgroup2 cgroup2 rw,nsdelegate\n"
      "35 23 0:32 /.. /cg/above rw - cgroup cgroup rw,pids\n"
      "36 23 0:33 / /cg/\\04 rw - cgroup cgroup rw,blkio\n";
  static const struct {
    const char *controller, *group, *dir;
  } cases[] = {
      {"cpu", "/", "/cg/cpu,cpuacct"},
      {"cpuacct", "/a", "/cg/cpu,cpuacct/a"},
      {"", "/u.slice", "/cg/unified/u.slice"},
      {"cpuset", "/", NULL},
      {"blkio", "/", "/cg/\\04"},
      {"pids", "/", NULL},
      {"pids", "/../a", "/cg/above/a"},
      {"pids", "/../../a", NULL},
      {"cpu", "/..", NULL},
      {"cpu", "/..a", "/cg/cpu,cpuacct/..a"},
      {"memory", "/box/1", "/cg/a b"},
      {"memory", "/box/1/2", "/cg/a b/2"},
      {"memory", "/box/12", NULL},
      {"memory", "/", NULL},
      {"cpu", "/../other", NULL},
  };
  for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
    cleanup_free char *dir = cgroup_parse_mount(
        text, sizeof text - 1, cases[i].controller, cases[i].group);
    if (cases[i].dir == NULL)
      assert_null(dir);
    else
      assert_string_equal(dir, cases[i].dir);
  }
}

static void test_numbers(void **state)
{
  (void)state;
  static const struct {
    const char *text, *key;
    int64_t number;
  } keys[] = {
      {"oom 1\noom_kill 3\n", "oom_kill", 3},
      {"oom_kill 3", "oom_kill", 3},
      {"oom_kill 3\n", "oom", -1},
      {"oom_kill", "oom_kill", -1},
      {"oom_kill \n", "oom_kill", -1},
      {"oom_kill -1\n", "oom_kill", -1},
      {"oom_kill 3x\n", "oom_kill", -1},
      {"oom_kill 99999999999999999999\n", "oom_kill", -1},
      {"", "oom_kill", -1},
      {"\n\n \x01\xff\n", "oom_kill", -1},
  };
  for (size_t i = 0; i < ARRAY_LENGTH(keys); i++)
    assert_int_equal(
        cgroup_parse_key(keys[i].text, strlen(keys[i].text), keys[i].key),
        keys[i].number);
  static const struct {
    const char *text, *word;
    int64_t sum;
  } sums[] = {
      {"8:0 Read 5\n8:0 Write 7\n8:16 Read 6\nTotal 18\n", " Read ", 11},
      {"8:0 rbytes=5 wbytes=1\n8:1 rbytes=2 wbytes=3", " wbytes=", 4},
      {"", " Read ", 0},
      {"8:0 Read \n", " Read ", -1},
      {"8:0 Read 9223372036854775807\n8:1 Read 1\n", " Read ", -1},
  };
  for (size_t i = 0; i < ARRAY_LENGTH(sums); i++)
    assert_int_equal(
        cgroup_parse_sum(sums[i].text, strlen(sums[i].text), sums[i].word),
        sums[i].sum);
}

static void test_words(void **state)
{
  (void)state;
  assert_true(cgroup_has_word("cpuset cpu io\n", "cpu"));
  assert_true(cgroup_has_word("cpuset cpu io\n", "io"));
  assert_true(cgroup_has_word("cpu", "cpu"));
  assert_false(cgroup_has_word("cpuset mycpu\n", "cpu"));
  assert_false(cgroup_has_word("", "cpu"));
}

/* Each text is cut at every place, in memory that ends there: a sanitizer sees
 * a read beyond it. */
static void test_texts_cut_short(void **state)
{
  (void)state;
  static const char *const texts[] = {
      (V1_OWN), V2_OWN, "31 23 0:28 / /cg rw shared:7 - cgroup cgroup rw,cpu\n",
      "oom_kill 3\n8:0 Read 5\n", " - \n - - \n: - :"};
  for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
    for (size_t count = 0; count <= strlen(texts[i]); count++) {
      cleanup_free char *text = xmalloc(count);
      memcpy(text, texts[i], count);
      cleanup_free char *own = cgroup_parse_own(text, count, "cpu");
      cleanup_free char *point = cgroup_parse_mount(text, count, "cpu", "/");
      assert_true(own == NULL || own[0] == '/');
      assert_true(point == NULL || point[0] == '/');
      assert_true(cgroup_parse_key(text, count, "oom_kill") <= 3);
      assert_true(cgroup_parse_sum(text, count, " Read ") <= 5);
    }
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_own_group_of_v1_and_v2),
      cmocka_unit_test(test_mount_point),
      cmocka_unit_test(test_numbers),
      cmocka_unit_test(test_words),
      cmocka_unit_test(test_texts_cut_short),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
