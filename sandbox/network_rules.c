#include "config.h"

#include "sandbox/network_rules.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define IPV4(a, b, c, d)                                                       \
  ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 |            \
   (uint32_t)(d))

/* No option opens the refused ones. */
static const struct network_rule rows[] = {
    {NETWORK_RULE_REFUSED,
     {IPV4(169, 254, 169, 254), 32},
     "metadata of AWS, Azure, Google, Oracle and others"},
    {NETWORK_RULE_REFUSED,
     {IPV4(169, 254, 170, 2), 32},
     "AWS: credentials of ECS tasks"},
    {NETWORK_RULE_REFUSED,
     {IPV4(169, 254, 170, 23), 32},
     "AWS: credentials of EKS pods"},
    {NETWORK_RULE_REFUSED,
     {IPV4(169, 254, 42, 42), 32},
     "metadata of Scaleway"},
    {NETWORK_RULE_REFUSED,
     {IPV4(100, 100, 100, 200), 32},
     "metadata of Alibaba"},
    {NETWORK_RULE_REFUSED,
     {IPV4(168, 63, 129, 16), 32},
     "Azure: the host of a virtual machine"},
    {NETWORK_RULE_REFUSED,
     {IPV4(0, 0, 0, 0), 8},
     "this host: Linux takes 0.0.0.0 for 127.0.0.1"},
    {NETWORK_RULE_REFUSED, {IPV4(127, 0, 0, 0), 8}, "loopback"},
    {NETWORK_RULE_REFUSED,
     {IPV4(192, 0, 0, 0), 24},
     "protocol assignments; metadata of Oracle's older machines"},
    {NETWORK_RULE_REFUSED, {IPV4(192, 88, 99, 0), 24}, "relays of 6to4"},
    {NETWORK_RULE_REFUSED, {IPV4(198, 18, 0, 0), 15}, "other sandboxes"},
    {NETWORK_RULE_REFUSED,
     {IPV4(224, 0, 0, 0), 3},
     "multicast, reserved, broadcast"},
    {NETWORK_RULE_MACHINE, {0}, "its services trust who is on it"},
    {NETWORK_RULE_PRIVATE, {IPV4(10, 0, 0, 0), 8}, "private (RFC 1918)"},
    {NETWORK_RULE_PRIVATE, {IPV4(172, 16, 0, 0), 12}, "private (RFC 1918)"},
    {NETWORK_RULE_PRIVATE, {IPV4(192, 168, 0, 0), 16}, "private (RFC 1918)"},
    {NETWORK_RULE_PRIVATE,
     {IPV4(100, 64, 0, 0), 10},
     "a provider's own (RFC 6598)"},
    {NETWORK_RULE_PRIVATE, {IPV4(169, 254, 0, 0), 16}, "link-local (RFC 3927)"},
};

static uint32_t mask_of(unsigned length)
{
  return length == 0 ? 0 : ~0U << (32 - length);
}

static bool contains(const struct network_prefix *outer,
                     const struct network_prefix *inner)
{
  return outer->length <= inner->length &&
         (inner->address & mask_of(outer->length)) == outer->address;
}

/* One or two digits, no sign, at most 32. */
static bool parse_length(const char *text, unsigned *length)
{
  size_t digits = strspn(text, "0123456789");
  if (digits == 0 || digits > 2 || text[digits] != '\0')
    return false;
  *length = (unsigned)strtoul(text, NULL, 10);
  return *length <= 32;
}

int network_prefix_parse(const char *text, struct network_prefix *prefix,
                         struct error **err)
{
  char address[INET_ADDRSTRLEN];
  size_t count = strcspn(text, "/");
  struct in_addr parsed;
  unsigned length = 32;
  if (strchr(text, ':') != NULL)
    return error_make(err, EINVAL,
                      "\"%s\": a sandbox has no IPv6, so there is none to "
                      "allow; give an IPv4 network",
                      text);
  bool good = count < sizeof address;
  if (good) {
    memcpy(address, text, count);
    address[count] = '\0';
    good = inet_pton(AF_INET, address, &parsed) == 1;
  }
  if (!good || (text[count] == '/' && !parse_length(text + count + 1, &length)))
    return error_make(err, EINVAL,
                      "\"%s\" is no IPv4 network: write it as 10.1.0.0/16",
                      text);
  *prefix = (struct network_prefix){ntohl(parsed.s_addr), length};
  if ((prefix->address & ~mask_of(length)) != 0) {
    char whole[NETWORK_PREFIX_TEXT_SIZE];
    prefix->address &= mask_of(length);
    return error_make(err, EINVAL,
                      "\"%s\" names an address within a network; the network "
                      "is %s",
                      text, network_prefix_text(prefix, whole));
  }
  return 0;
}

const char *network_prefix_text(const struct network_prefix *prefix,
                                char text[NETWORK_PREFIX_TEXT_SIZE])
{
  uint32_t address = prefix->address;
  snprintf(text, NETWORK_PREFIX_TEXT_SIZE, "%u.%u.%u.%u/%u", address >> 24,
           address >> 16 & 255, address >> 8 & 255, address & 255,
           prefix->length & 63);
  return text;
}

static bool is_within(const struct network_prefix *prefix,
                      enum network_rule_kind kind)
{
  for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
    if (rows[i].kind == kind && contains(&rows[i].prefix, prefix))
      return true;
  return false;
}

int network_prefix_check_allowed(const struct network_prefix *prefix,
                                 struct error **err)
{
  char text[NETWORK_PREFIX_TEXT_SIZE];
  network_prefix_text(prefix, text);
  if (is_within(prefix, NETWORK_RULE_REFUSED))
    return error_make(err, EINVAL,
                      "%s can't be allowed: no sandbox may reach the machine "
                      "itself, other sandboxes or a cloud's metadata",
                      text);
  if (is_within(prefix, NETWORK_RULE_PRIVATE))
    return 0;
  return error_make(err, EINVAL,
                    "%s is in no private network: those are 10.0.0.0/8, "
                    "172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10 and "
                    "169.254.0.0/16, and all others are open",
                    text);
}

static size_t add_rows(struct network_rule *rules, size_t count,
                       enum network_rule_kind kind)
{
  for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
    if (rows[i].kind == kind)
      rules[count++] = rows[i];
  return count;
}

size_t network_rules(const struct network_prefix *allowed, size_t allowed_count,
                     struct network_rule rules[NETWORK_RULES_MAX])
{
  size_t count = add_rows(rules, 0, NETWORK_RULE_REFUSED);
  count = add_rows(rules, count, NETWORK_RULE_MACHINE);
  for (size_t i = 0; i < allowed_count && i < NETWORK_ALLOWED_MAX; i++)
    rules[count++] = (struct network_rule){NETWORK_RULE_ALLOWED, allowed[i],
                                           "the user names it"};
  return add_rows(rules, count, NETWORK_RULE_PRIVATE);
}
