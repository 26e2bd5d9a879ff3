/* Networks as a user writes them, and the order in which they are decided. */
#include "config.h"

#include "sandbox/network_rules.h"

#include "tests/unit/check.h"

static void test_good_prefixes(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    struct network_prefix prefix;
    const char *shown;
  } rows[] = {
      {"10.1.0.0/16", {0x0a010000, 16}, "10.1.0.0/16"},
      {"192.168.7.1", {0xc0a80701, 32}, "192.168.7.1/32"},
      {"0.0.0.0/0", {0, 0}, "0.0.0.0/0"},
      {"255.255.255.255/32", {0xffffffff, 32}, "255.255.255.255/32"},
      {"128.0.0.0/1", {0x80000000, 1}, "128.0.0.0/1"},
  };
  for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
    struct error *err = NULL;
    struct network_prefix prefix;
    char text[NETWORK_PREFIX_TEXT_SIZE];
    check_good(network_prefix_parse(rows[i].text, &prefix, &err), err);
    assert_int_equal(prefix.address, rows[i].prefix.address);
    assert_int_equal(prefix.length, rows[i].prefix.length);
    assert_string_equal(network_prefix_text(&prefix, text), rows[i].shown);
  }
}

static void test_bad_prefixes(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    const char *reason;
  } rows[] = {
      {"", "is no IPv4 network"},
      {"/", "is no IPv4 network"},
      {"/8", "is no IPv4 network"},
      {"10", "is no IPv4 network"},
      {"10.0.0.0/", "is no IPv4 network"},
      {"10.0.0.0/33", "is no IPv4 network"},
      {"10.0.0.0/032", "is no IPv4 network"},
      {"10.0.0.0/-1", "is no IPv4 network"},
      {"10.0.0.0/+8", "is no IPv4 network"},
      {"10.0.0.0/8 ", "is no IPv4 network"},
      {"10.0.0.0/8/8", "is no IPv4 network"},
      {"10.0.0.0/4294967304", "is no IPv4 network"},
      {" 10.0.0.0/8", "is no IPv4 network"},
      {"010.0.0.0/8", "is no IPv4 network"},
      {"0x0a.0.0.0/8", "is no IPv4 network"},
      {"10.0.0/8", "is no IPv4 network"},
      {"10.0.0.256", "is no IPv4 network"},
      {"1111111111111111111111111111.0.0.0", "is no IPv4 network"},
      {"office", "is no IPv4 network"},
      {"fd00::/8", "has no IPv6"},
      {"::ffff:10.0.0.1", "has no IPv6"},
      {"10.1.2.3/8", "the network is 10.0.0.0/8"},
      {"10.0.0.1/0", "the network is 0.0.0.0/0"},
  };
  for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
    struct error *err = NULL;
    struct network_prefix prefix;
    check_bad(network_prefix_parse(rows[i].text, &prefix, &err), &err, EINVAL,
              rows[i].reason);
  }
}

static void test_what_may_be_allowed(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    const char *reason; /* NULL: it may */
  } rows[] = {
      {"10.0.0.0/8", NULL},
      {"10.255.255.255", NULL},
      {"172.16.0.0/12", NULL},
      {"172.31.0.0/16", NULL},
      {"192.168.0.0/16", NULL},
      {"100.64.0.0/10", NULL},
      {"169.254.0.0/16", NULL},
      {"169.254.169.0/24", NULL},
      {"169.254.169.254", "can't be allowed"},
      {"169.254.170.2", "can't be allowed"},
      {"100.100.100.200", "can't be allowed"},
      {"168.63.129.16", "can't be allowed"},
      {"127.0.0.1", "can't be allowed"},
      {"198.18.0.0/15", "can't be allowed"},
      {"224.0.0.0/4", "can't be allowed"},
      {"0.0.0.0/8", "can't be allowed"},
      {"0.0.0.0/0", "is in no private network"},
      {"10.0.0.0/7", "is in no private network"},
      {"172.16.0.0/11", "is in no private network"},
      {"172.32.0.0/16", "is in no private network"},
      {"8.8.8.8", "is in no private network"},
  };
  for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
    struct error *err = NULL;
    struct network_prefix prefix;
    if (rows[i].reason != NULL &&
        network_prefix_parse(rows[i].text, &prefix, &err) < 0) {
      error_clear(&err);
      continue;
    }
    if (rows[i].reason == NULL) {
      check_good(network_prefix_parse(rows[i].text, &prefix, &err), err);
      check_good(network_prefix_check_allowed(&prefix, &err), err);
    } else {
      check_bad(network_prefix_check_allowed(&prefix, &err), &err, EINVAL,
                rows[i].reason);
    }
  }
}

/* What the list decides of one address, as nf_tables would go through it. */
static const char *verdict(const struct network_rule *rules, size_t count,
                           const char *text)
{
  struct error *err = NULL;
  struct network_prefix address;
  check_good(network_prefix_parse(text, &address, &err), err);
  for (size_t i = 0; i < count; i++) {
    const struct network_prefix *prefix = &rules[i].prefix;
    uint32_t mask = prefix->length == 0 ? 0 : ~0U << (32 - prefix->length);
    if (rules[i].kind == NETWORK_RULE_MACHINE ||
        (address.address & mask) != prefix->address)
      continue;
    return rules[i].kind == NETWORK_RULE_ALLOWED ? "sent" : "dropped";
  }
  return "sent";
}

static void test_the_order(void **state)
{
  (void)state;
  static const struct network_prefix allowed[] = {
      {0x0a010000, 16},  /* 10.1.0.0/16 */
      {0xa9fe0000, 16},  /* 169.254.0.0/16 */
      {0x64400000, 10}}; /* 100.64.0.0/10 */
  static const struct {
    const char *address;
    const char *without;
    const char *with;
  } rows[] = {
      {"8.8.8.8", "sent", "sent"},
      {"203.0.113.1", "sent", "sent"},
      {"198.51.100.1", "sent", "sent"},
      {"192.0.2.1", "sent", "sent"},
      {"10.1.2.3", "dropped", "sent"},
      {"10.2.2.3", "dropped", "dropped"},
      {"172.20.0.1", "dropped", "dropped"},
      {"192.168.1.1", "dropped", "dropped"},
      {"100.64.0.1", "dropped", "sent"},
      {"100.100.100.200", "dropped", "dropped"},
      {"169.254.7.7", "dropped", "sent"},
      {"169.254.169.254", "dropped", "dropped"},
      {"169.254.170.2", "dropped", "dropped"},
      {"168.63.129.16", "dropped", "dropped"},
      {"127.0.0.1", "dropped", "dropped"},
      {"0.0.0.0", "dropped", "dropped"},
      {"198.18.0.1", "dropped", "dropped"},
      {"198.20.0.1", "sent", "sent"},
      {"223.255.255.255", "sent", "sent"},
      {"224.0.0.1", "dropped", "dropped"},
      {"255.255.255.255", "dropped", "dropped"},
  };
  struct network_rule without[NETWORK_RULES_MAX], with[NETWORK_RULES_MAX];
  size_t without_count = network_rules(NULL, 0, without);
  size_t with_count = network_rules(allowed, ARRAY_LENGTH(allowed), with);
  for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
    assert_string_equal(verdict(without, without_count, rows[i].address),
                        rows[i].without);
    assert_string_equal(verdict(with, with_count, rows[i].address),
                        rows[i].with);
  }
}

static void test_too_many_are_cut(void **state)
{
  (void)state;
  struct network_prefix many[NETWORK_ALLOWED_MAX + 1] = {{0}};
  struct network_rule rules[NETWORK_RULES_MAX];
  size_t none = network_rules(NULL, 0, rules);
  size_t count = network_rules(many, ARRAY_LENGTH(many), rules);
  assert_int_equal(count, none + NETWORK_ALLOWED_MAX);
  assert_true(count <= NETWORK_RULES_MAX);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      CHECK_TEST(test_good_prefixes),       CHECK_TEST(test_bad_prefixes),
      CHECK_TEST(test_what_may_be_allowed), CHECK_TEST(test_the_order),
      CHECK_TEST(test_too_many_are_cut),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
