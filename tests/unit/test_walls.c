/* Sets of walls, and the refusal: it must be complete, and its flag one that
 * is taken. What the machine has matters to none of these. */
#include "config.h"

#include "host/walls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

enum {
  SECCOMP = 1 << WALL_SECCOMP,
  LANDLOCK = 1 << WALL_LANDLOCK,
  UID = 1 << WALL_UID,
  CGROUP = 1 << WALL_CGROUP,
  SCRATCH = 1 << WALL_SCRATCH,
};

struct example {
  const char *list;
  unsigned set;
};

static void test_parse(void **state)
{
  (void)state;
  static const struct example examples[] = {
      {"uid", UID},
      {"uid,cgroup", UID | CGROUP},
      {" scratch , landlock\t", SCRATCH | LANDLOCK},
      {"uid,uid", UID},
  };
  for (size_t i = 0; i < ARRAY_LENGTH(examples); i++) {
    cleanup_error struct error *err = NULL;
    unsigned set = 0;
    assert_int_equal(walls_parse(examples[i].list, &set, &err), 0);
    assert_int_equal(set, examples[i].set);
  }
}

static void test_parse_adds(void **state)
{
  (void)state;
  cleanup_error struct error *err = NULL;
  unsigned set = UID;
  assert_int_equal(walls_parse("cgroup", &set, &err), 0);
  assert_int_equal(set, UID | CGROUP);
  assert_int_equal(walls_parse("scratch,moat", &set, &err), -1);
  assert_int_equal(set, UID | CGROUP);
}

struct refusal {
  const char *list;
  const char *text;
};

static void test_parse_bad(void **state)
{
  (void)state;
#define MAY "; what may be missing: landlock,uid,cgroup,scratch"
  static const struct refusal refusals[] = {
      {"", "there is no wall \"\"" MAY},
      {"uid,", "there is no wall \"\"" MAY},
      {"uid cgroup", "there is no wall \"uid cgroup\"" MAY},
      {"ui", "there is no wall \"ui\"" MAY},
      {"UID", "there is no wall \"UID\"" MAY},
      {"uid,seccomp", "no run can do without seccomp" MAY},
      {"namespaces", "no run can do without namespaces" MAY},
  };
  for (size_t i = 0; i < ARRAY_LENGTH(refusals); i++) {
    cleanup_error struct error *err = NULL;
    unsigned set = 0;
    assert_int_equal(walls_parse(refusals[i].list, &set, &err), -1);
    assert_int_equal(err->code, EINVAL);
    assert_string_equal(err->text, refusals[i].text);
    assert_int_equal(set, 0);
  }
}

/* Each set that may be missing reads back from its text. */
static void test_text(void **state)
{
  (void)state;
  assert_string_equal(walls_text(0).text, "");
  assert_string_equal(walls_text((1U << WALL_COUNT) - 1).text,
                      "namespaces,seccomp,landlock,uid,cgroup,scratch");
  for (unsigned set = LANDLOCK; set < 1U << WALL_COUNT; set += LANDLOCK) {
    cleanup_error struct error *err = NULL;
    unsigned read = 0;
    assert_int_equal(walls_parse(walls_text(set).text, &read, &err), 0);
    assert_int_equal(read, set);
  }
}

static void test_require_nothing(void **state)
{
  (void)state;
  cleanup_error struct error *err = NULL;
  assert_int_equal(walls_require(0, 0, &err), 0);
  assert_int_equal(walls_require(0, UID, &err), 0);
  assert_int_equal(walls_require(UID | CGROUP, UID | CGROUP | SCRATCH, &err),
                   0);
}

static void assert_ends(const char *text, const char *end)
{
  assert_true(strlen(text) >= strlen(end));
  assert_string_equal(text + strlen(text) - strlen(end), end);
}

/* The reasons name what isn't allowed; the flag also what was, so that it can
 * take the old one's place. */
static void test_require_refuses(void **state)
{
  (void)state;
  setenv("WAFER_CONFIG_DIR", "/etc/somewhere", 1);
  cleanup_error struct error *err = NULL;
  assert_int_equal(walls_require(UID | CGROUP | SCRATCH, UID, &err), -1);
  assert_int_equal(err->code, EPERM);
  assert_null(strchr(err->text, '\n'));
  assert_null(strstr(err->text, "uid ("));
  assert_non_null(strstr(err->text, "lacks cgroup ("));
  assert_non_null(strstr(err->text, ", scratch ("));
  assert_non_null(strstr(err->text, "\"allow_missing = uid,cgroup,scratch\" in "
                                    "/etc/somewhere/wafer.conf"));
  assert_ends(err->text, " --allow-missing=uid,cgroup,scratch");
}

/* No flag is shown that would not be taken. */
static void test_require_vital(void **state)
{
  (void)state;
  cleanup_error struct error *err = NULL;
  assert_int_equal(walls_require(SECCOMP | UID, ~0U, &err), -1);
  assert_int_equal(err->code, EPERM);
  assert_non_null(strstr(err->text, "no run can do without seccomp ("));
  assert_null(strstr(err->text, "--allow-missing"));
}

/* Each wall either stands, with a detail, or lacks a reason and a fix. */
static void test_probe(void **state)
{
  (void)state;
  unsigned missing = walls_missing();
  for (enum wall wall = 0; wall < WALL_COUNT; wall++) {
    cleanup_wall_state struct wall_state probed = {0};
    wall_probe(wall, &probed);
    if (probed.stands) {
      assert_non_null(probed.detail);
      assert_null(probed.why);
      assert_null(probed.fix);
    } else {
      assert_null(probed.detail);
      assert_non_null(probed.why);
      assert_non_null(probed.fix);
    }
    if (wall != WALL_NAMESPACES)
      assert_int_equal(probed.stands, (missing & 1U << wall) == 0);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_parse),
      cmocka_unit_test(test_parse_adds),
      cmocka_unit_test(test_parse_bad),
      cmocka_unit_test(test_text),
      cmocka_unit_test(test_require_nothing),
      cmocka_unit_test(test_require_refuses),
      cmocka_unit_test(test_require_vital),
      cmocka_unit_test(test_probe),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
