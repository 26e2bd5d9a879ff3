/* Where a sandbox with --network egress may send: IPv4 alone, by the packet's
 * destination. Names play no part, so that one which resolves to a forbidden
 * address leads nowhere.
 *
 * The rules in their order; the first that matches decides:
 *
 *   1 refused for good   metadata services of clouds, and what is no host on
 *                        the internet: loopback, multicast, broadcast, other
 *                        sandboxes, 6to4's relays
 *   2 the machine        its own addresses, whatever they are
 *   3 allowed            what the user named, within the private networks
 *   4 private networks   RFC 1918, RFC 6598, link-local
 *   5 all else           is sent */
#ifndef WAFER_SANDBOX_NETWORK_RULES_H
#define WAFER_SANDBOX_NETWORK_RULES_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* Host byte order; the bits beyond the length are 0. */
struct network_prefix {
  uint32_t address;
  unsigned length; /* 0 to 32 */
};

/* "10.1.0.0/16", or an address alone, which is a /32. Bits beyond the length,
 * IPv6 and anything else are errors (EINVAL). */
int network_prefix_parse(const char *text, struct network_prefix *prefix,
                         struct error **err);

enum { NETWORK_PREFIX_TEXT_SIZE = 20 };
const char *network_prefix_text(const struct network_prefix *prefix,
                                char text[NETWORK_PREFIX_TEXT_SIZE]);

/* Whether a user may allow it: it lies within one of the private networks, and
 * isn't a metadata service alone. EINVAL says what may be allowed. */
int network_prefix_check_allowed(const struct network_prefix *prefix,
                                 struct error **err);

/* A row of the list above. */
enum network_rule_kind {
  NETWORK_RULE_REFUSED,
  NETWORK_RULE_MACHINE, /* no prefix: all addresses of the machine */
  NETWORK_RULE_ALLOWED,
  NETWORK_RULE_PRIVATE,
};

struct network_rule {
  enum network_rule_kind kind;
  struct network_prefix prefix;
  const char *reason; /* static */
};

enum { NETWORK_ALLOWED_MAX = 64, NETWORK_RULES_MAX = NETWORK_ALLOWED_MAX + 32 };

/* Lists the rules; at most NETWORK_ALLOWED_MAX prefixes are taken. Returns
 * their count. */
size_t network_rules(const struct network_prefix *allowed, size_t allowed_count,
                     struct network_rule rules[NETWORK_RULES_MAX]);

#endif
