/* What `wafer doctor --explain` prints: a row for each row that is enforced. */
#include "config.h"

#include "host/wall_tables.h"

#include "jobs/size.h"
#include "sandbox/landlock_table.h"
#include "sandbox/namespace.h"
#include "sandbox/network_rules.h"
#include "sandbox/privileges.h"
#include "sandbox/rlimits.h"
#include "sandbox/rootfs_table.h"
#include "sandbox/seccomp_explain.h"

#include "tests/unit/check.h"

#include <sched.h>

static unsigned parse(const char *list)
{
  unsigned set = 0;
  struct error *err = NULL;
  check_good(wall_tables_parse(list, &set, &err), err);
  return set;
}

/* The rows of a table, which the caller releases with *all. */
static const json_t *rows_of(const char *name, json_t **all)
{
  *all = wall_tables_to_json(parse(name));
  assert_int_equal(json_object_size(*all), 1);
  const json_t *rows = json_object_get(*all, name);
  assert_true(json_is_array(rows));
  return rows;
}

static const char *cell(const json_t *rows, size_t row, const char *column)
{
  const json_t *object = json_array_get(rows, row);
  const char *text = json_string_value(json_object_get(object, column));
  if (text == NULL)
    fail_msg("row %zu has no %s", row, column);
  return text;
}

static void test_seccomp(void **state)
{
  (void)state;
  json_t *all;
  const json_t *rows = rows_of("seccomp", &all);
  size_t at = 0;
  for (size_t i = 0; i < seccomp_calls_count; i++, at++) {
    assert_string_equal(cell(rows, at, "call"), seccomp_calls[i].call);
    assert_string_equal(cell(rows, at, "arguments"), "any");
    assert_string_equal(cell(rows, at, "action"),
                        seccomp_action_name(seccomp_calls[i].action));
    assert_string_equal(cell(rows, at, "reason"), seccomp_calls[i].reason);
  }
  for (size_t i = 0; i < seccomp_arguments_count; i++, at++) {
    const struct seccomp_argument *row = &seccomp_arguments[i];
    /* After the last row of a call comes what none of them allows. */
    if (strcmp(cell(rows, at, "arguments"), "others") == 0)
      assert_string_equal(cell(rows, at++, "action"), "refuse");
    cleanup_free char *tests = seccomp_tests_text(row);
    assert_string_equal(cell(rows, at, "call"), row->call);
    assert_string_equal(cell(rows, at, "arguments"), tests);
    assert_string_equal(cell(rows, at, "reason"), row->reason);
  }
  /* "others" of the last call, other numbers, the kernel's own, other
   * architectures. */
  assert_int_equal(json_array_size(rows), at + 4);
  json_decref(all);
}

static void test_mounts(void **state)
{
  (void)state;
  json_t *all;
  const json_t *rows = rows_of("mounts", &all);
  assert_int_equal(json_array_size(rows), rootfs_rows_count);
  for (size_t i = 0; i < rootfs_rows_count; i++) {
    const char *path = cell(rows, i, "path");
    assert_string_equal(path + (path[0] == '/'), rootfs_rows[i].path);
    assert_string_equal(cell(rows, i, "options"),
                        rootfs_options_text(rootfs_rows[i].kind).text);
    assert_string_equal(cell(rows, i, "reason"), rootfs_rows[i].reason);
  }
  /* The root is the first, and nothing is laxer than nosuid. */
  assert_string_equal(cell(rows, 0, "path"), "/");
  for (enum rootfs_kind kind = 0; kind < ROOTFS_KIND_COUNT; kind++) {
    struct rootfs_options_text options = rootfs_options_text(kind);
    assert_true(options.text[0] == '\0' ||
                strstr(options.text, ",nosuid") != NULL);
  }
  json_decref(all);
}

static void test_landlock(void **state)
{
  (void)state;
  json_t *all;
  const json_t *rows = rows_of("landlock", &all);
  /* The two of mounts, and all else. */
  assert_int_equal(json_array_size(rows), landlock_rows_count + 3);
  for (size_t i = 0; i < landlock_rows_count; i++) {
    const struct landlock_rule *rule = &landlock_rows[i].rule;
    assert_string_equal(cell(rows, i, "path"), rule->path);
    assert_string_equal(cell(rows, i, "access"),
                        landlock_access_text(rule->access).text);
  }
  json_decref(all);
}

/* A row a flag, and all flags that a sandbox is made with. */
static void test_namespaces(void **state)
{
  (void)state;
  json_t *all;
  const json_t *rows = rows_of("namespaces", &all);
  unsigned flags = 0;
  assert_int_equal(json_array_size(rows), namespace_rows_count);
  for (size_t i = 0; i < namespace_rows_count; i++) {
    assert_string_equal(cell(rows, i, "namespace"), namespace_rows[i].name);
    assert_int_equal(flags & namespace_rows[i].flag, 0);
    flags |= namespace_rows[i].flag;
  }
  assert_int_equal(flags, NAMESPACE_FLAGS | CLONE_NEWNET | CLONE_NEWCGROUP);
  json_decref(all);
}

static void test_the_others(void **state)
{
  (void)state;
  json_t *all;
  const json_t *rows = rows_of("rlimits", &all);
  assert_int_equal(json_array_size(rows), rlimits_rows_count);
  json_decref(all);
  rows = rows_of("privileges", &all);
  assert_true(json_array_size(rows) > privileges_bits_count);
  json_decref(all);
  rows = rows_of("egress", &all);
  struct network_rule rules[NETWORK_RULES_MAX];
  /* All else, and IPv6. */
  assert_int_equal(json_array_size(rows), network_rules(NULL, 0, rules) + 2);
  json_decref(all);
  rows = rows_of("limits", &all);
  size_t sizes = 0;
  while (size_at(sizes) != NULL)
    sizes++;
  assert_int_equal(json_array_size(rows) % sizes, 0);
  json_decref(all);
}

static void test_names(void **state)
{
  (void)state;
  unsigned set = 0;
  struct error *err = NULL;
  assert_int_equal(parse(NULL), 0xff);
  assert_int_equal(parse("mounts,seccomp"), parse("mounts") | parse("seccomp"));
  check_bad(wall_tables_parse("doors", &set, &err), &err, EINVAL, "\"doors\"");
  check_bad(wall_tables_parse("", &set, &err), &err, EINVAL, "no table \"\"");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      CHECK_TEST(test_seccomp),    CHECK_TEST(test_mounts),
      CHECK_TEST(test_landlock),   CHECK_TEST(test_namespaces),
      CHECK_TEST(test_the_others), CHECK_TEST(test_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
