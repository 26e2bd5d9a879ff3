/* The network of --network egress: what the user allows, the machine's name
 * servers, and what the kernel answers by netlink. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include "host/resolv_conf.h"
#include "sandbox/netlink.h"
#include "sandbox/network_rules.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>

/* What is taken is printed as it is read, and opens no refused network before
 * the rule that refuses it. */
static void check_prefix(const char *text)
{
  char again_text[NETWORK_PREFIX_TEXT_SIZE];
  struct network_prefix prefix, again;
  struct network_rule rules[NETWORK_RULES_MAX];
  struct error *err = NULL;
  cleanup_error struct error *ignored = NULL;
  bool good = network_prefix_parse(text, &prefix, &err) == 0;
  if (good) {
    FUZZ_REQUIRE(prefix.length <= 32);
    network_prefix_text(&prefix, again_text);
    FUZZ_REQUIRE(network_prefix_parse(again_text, &again, &ignored) == 0);
    FUZZ_REQUIRE(again.address == prefix.address);
    FUZZ_REQUIRE(again.length == prefix.length);
    good = network_prefix_check_allowed(&prefix, &err) == 0;
  }
  if (good) {
    size_t count = network_rules(&prefix, 1, rules);
    FUZZ_REQUIRE(count <= NETWORK_RULES_MAX);
    for (size_t i = 1; i < count; i++)
      FUZZ_REQUIRE(rules[i - 1].kind <= rules[i].kind);
  }
  fuzz_count(good, &err);
}

static size_t count_of(const char *text, const char *word)
{
  size_t count = 0;
  for (const char *at = strstr(text, word); at != NULL;
       at = strstr(at + 1, word))
    count += at == text || at[-1] == '\n';
  return count;
}

/* Inside there is a server for each of the machine's, and none else. */
static void check_resolv_conf(const char *text)
{
  struct resolv_conf conf;
  resolv_conf_parse(text, &conf);
  FUZZ_REQUIRE(conf.count >= 1 && conf.count <= NETWORK_RESOLVERS_MAX);
  size_t length = strnlen(conf.text, sizeof conf.text);
  FUZZ_REQUIRE(length > 0 && length < sizeof conf.text);
  FUZZ_REQUIRE(conf.text[length - 1] == '\n');
  FUZZ_REQUIRE(count_of(conf.text, "nameserver 127.0.0.") == conf.count);
  FUZZ_REQUIRE(count_of(conf.text, "nameserver") == conf.count);
  for (unsigned i = 0; i < conf.count; i++)
    FUZZ_REQUIRE(conf.servers[i].address.any.sa_family != AF_UNSPEC &&
                 conf.servers[i].size <= sizeof conf.servers[i].address);
}

void fuzz_network(const uint8_t *bytes, size_t count)
{
  cleanup_free char *text = fuzz_text_of(bytes, count);
  check_prefix(text);
  check_resolv_conf(text);
  uint32_t acks = 0;
  int code = netlink_read_acks(bytes, count, 1, &acks);
  FUZZ_REQUIRE(code >= 0);
  FUZZ_REQUIRE(acks <= count / sizeof(struct nlmsghdr));
  fuzz_count(code == 0 && acks > 0, NULL);
}
