#include "config.h"

#include "sandbox/network_filter.h"

#include "sandbox/nft.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_ipv4.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <stddef.h>
#include <string.h>

/* What one sandbox may have the host's connection tracking remember: its
 * table is the machine's, and a job could fill it. */
enum { CONNECTIONS_MAX = 4096 };

static void drop(struct netlink_batch *batch, struct nft_rule rule)
{
  nft_verdict(batch, false);
  nft_rule_end(batch, rule);
}

/* The packet's address at `offset`, as far as the prefix goes. */
static void load_address(struct netlink_batch *batch, size_t offset,
                         const struct network_prefix *prefix)
{
  uint32_t mask = htonl(prefix->length == 0 ? 0 : ~0U << (32 - prefix->length));
  nft_load_header(batch, (unsigned)offset, sizeof mask);
  nft_mask(batch, &mask);
}

static void add_destination(struct netlink_batch *batch,
                            const struct nft_chain *chain,
                            const struct network_prefix *prefix, bool accept)
{
  uint32_t address = htonl(prefix->address);
  struct nft_rule rule = nft_rule_begin(batch, chain);
  load_address(batch, offsetof(struct iphdr, daddr), prefix);
  nft_compare(batch, NFT_CMP_EQ, &address, sizeof address);
  if (accept)
    nft_verdict(batch, true);
  else
    nft_reject(batch);
  nft_rule_end(batch, rule);
}

/* Nothing comes from any other address than the sandbox's own. */
static void add_source(struct netlink_batch *batch,
                       const struct nft_chain *chain, uint32_t address)
{
  uint32_t source = htonl(address);
  struct nft_rule rule = nft_rule_begin(batch, chain);
  nft_load_header(batch, offsetof(struct iphdr, saddr), sizeof source);
  nft_compare(batch, NFT_CMP_NEQ, &source, sizeof source);
  drop(batch, rule);
}

/* What isn't unicast there is the machine's own address, or a broadcast that
 * it would take for itself. */
static void add_machine_by_route(struct netlink_batch *batch,
                                 const struct nft_chain *chain)
{
  const uint32_t unicast = RTN_UNICAST;
  struct nft_rule rule = nft_rule_begin(batch, chain);
  nft_load_address_type(batch);
  nft_compare(batch, NFT_CMP_NEQ, &unicast, sizeof unicast);
  nft_reject(batch);
  nft_rule_end(batch, rule);
}

static void add_machine_address(struct netlink_batch *batch,
                                const struct nft_chain *chain,
                                const struct sockaddr *address)
{
  if (address == NULL || address->sa_family != AF_INET)
    return;
  const struct sockaddr_in *inet = (const struct sockaddr_in *)address;
  const struct network_prefix own = {ntohl(inet->sin_addr.s_addr), 32};
  add_destination(batch, chain, &own, false);
}

static int add_machine_by_list(struct netlink_batch *batch,
                               const struct nft_chain *chain,
                               struct error **err)
{
  struct ifaddrs *all = NULL;
  if (getifaddrs(&all) < 0)
    return error_errno(err, "list the machine's addresses");
  for (const struct ifaddrs *one = all; one != NULL; one = one->ifa_next) {
    add_machine_address(batch, chain, one->ifa_addr);
    if (one->ifa_flags & IFF_BROADCAST)
      add_machine_address(batch, chain, one->ifa_broadaddr);
  }
  freeifaddrs(all);
  return 0;
}

static int add_rules(struct netlink_batch *batch, const struct nft_chain *chain,
                     const struct network_rule_list *list, struct error **err)
{
  for (size_t i = 0; i < list->count; i++) {
    const struct network_rule *rule = &list->rules[i];
    if (rule->kind != NETWORK_RULE_MACHINE)
      add_destination(batch, chain, &rule->prefix,
                      rule->kind == NETWORK_RULE_ALLOWED);
    else if (chain->device != NULL)
      add_machine_by_route(batch, chain);
    else if (add_machine_by_list(batch, chain, err) < 0)
      return -1;
  }
  return 0;
}

/* Neither IPv6 nor ARP nor a tag: the link needs none of them. */
static void add_ipv4_alone(struct netlink_batch *batch,
                           const struct nft_chain *chain, unsigned key,
                           const void *value, size_t size)
{
  struct nft_rule rule = nft_rule_begin(batch, chain);
  nft_load_meta(batch, key);
  nft_compare(batch, NFT_CMP_NEQ, value, size);
  drop(batch, rule);
}

/* Nobody opens a connection into a sandbox, from wherever: only answers go in.
 * And it opens no more than the machine can well remember. */
static void add_forward(struct netlink_batch *batch,
                        const struct nft_chain *chain, const char *device)
{
  static const uint32_t none = 0;
  /* Bits that include/net/netfilter/nf_conntrack.h numbers by state. */
  const uint32_t answers =
      NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED);
  const uint32_t new = NF_CT_STATE_BIT(IP_CT_NEW);
  struct nft_rule rule = nft_rule_begin(batch, chain);
  nft_load_meta(batch, NFT_META_OIFNAME);
  nft_compare(batch, NFT_CMP_EQ, device, strlen(device) + 1);
  nft_load_connection(batch, NFT_CT_STATE);
  nft_mask(batch, &answers);
  nft_compare(batch, NFT_CMP_EQ, &none, sizeof none);
  drop(batch, rule);
  rule = nft_rule_begin(batch, chain);
  nft_load_meta(batch, NFT_META_IIFNAME);
  nft_compare(batch, NFT_CMP_EQ, device, strlen(device) + 1);
  nft_load_connection(batch, NFT_CT_STATE);
  nft_mask(batch, &new);
  nft_compare(batch, NFT_CMP_NEQ, &none, sizeof none);
  nft_if_connections_above(batch, CONNECTIONS_MAX);
  drop(batch, rule);
}

static void add_translation(struct netlink_batch *batch,
                            const struct nft_chain *chain, uint32_t address)
{
  uint32_t source = htonl(address);
  struct nft_rule rule = nft_rule_begin(batch, chain);
  nft_load_header(batch, offsetof(struct iphdr, saddr), sizeof source);
  nft_compare(batch, NFT_CMP_EQ, &source, sizeof source);
  nft_masquerade(batch);
  nft_rule_end(batch, rule);
}

int network_filter_device(int netfilter_fd, const char *device,
                          uint32_t address,
                          const struct network_rule_list *list,
                          struct error **err)
{
  const struct nft_chain ingress = {.family = NFPROTO_NETDEV,
                                    .table = device,
                                    .name = "from-sandbox",
                                    .type = "filter",
                                    .hook = NF_NETDEV_INGRESS,
                                    .device = device};
  const struct nft_chain forward = {.family = NFPROTO_IPV4,
                                    .table = device,
                                    .name = "forward",
                                    .type = "filter",
                                    .hook = NF_INET_FORWARD,
                                    .priority = NF_IP_PRI_FILTER - 1};
  const struct nft_chain translation = {.family = NFPROTO_IPV4,
                                        .table = device,
                                        .name = "translation",
                                        .type = "nat",
                                        .hook = NF_INET_POST_ROUTING,
                                        .priority = NF_IP_PRI_NAT_SRC};
  const uint16_t ipv4 = htons(ETH_P_IP);
  struct netlink_batch batch;
  netlink_batch_init(&batch);
  nft_begin(&batch);
  nft_add_table(&batch, ingress.family, device, true);
  nft_add_chain(&batch, &ingress);
  add_ipv4_alone(&batch, &ingress, NFT_META_PROTOCOL, &ipv4, sizeof ipv4);
  add_source(&batch, &ingress, address);
  if (add_rules(&batch, &ingress, list, err) < 0)
    return -1;
  nft_add_table(&batch, forward.family, device, true);
  nft_add_chain(&batch, &forward);
  add_forward(&batch, &forward, device);
  nft_add_chain(&batch, &translation);
  add_translation(&batch, &translation, address);
  nft_end(&batch);
  if (netlink_send(netfilter_fd, &batch, err) < 0)
    return error_wrap(err, "filter the packets of %s", device);
  return 0;
}

int network_filter_remove(int netfilter_fd, const char *device,
                          struct error **err)
{
  struct netlink_batch batch;
  netlink_batch_init(&batch);
  nft_begin(&batch);
  nft_delete_table(&batch, NFPROTO_NETDEV, device);
  nft_delete_table(&batch, NFPROTO_IPV4, device);
  nft_end(&batch);
  return netlink_send(netfilter_fd, &batch, err);
}

/* What stays inside is the job's own affair. */
static void add_loopback(struct netlink_batch *batch,
                         const struct nft_chain *chain)
{
  static const uint32_t loopback = 1; /* the first interface of any namespace */
  struct nft_rule rule = nft_rule_begin(batch, chain);
  nft_load_meta(batch, NFT_META_OIF);
  nft_compare(batch, NFT_CMP_EQ, &loopback, sizeof loopback);
  nft_verdict(batch, true);
  nft_rule_end(batch, rule);
}

int network_filter_output(int netfilter_fd,
                          const struct network_rule_list *list,
                          struct error **err)
{
  const struct nft_chain output = {.family = NFPROTO_INET,
                                   .table = "wafer",
                                   .name = "output",
                                   .type = "filter",
                                   .hook = NF_INET_LOCAL_OUT,
                                   .priority = NF_IP_PRI_FILTER};
  const uint8_t ipv4 = NFPROTO_IPV4;
  struct netlink_batch batch;
  netlink_batch_init(&batch);
  nft_begin(&batch);
  nft_add_table(&batch, output.family, output.table, false);
  nft_add_chain(&batch, &output);
  add_loopback(&batch, &output);
  add_ipv4_alone(&batch, &output, NFT_META_NFPROTO, &ipv4, sizeof ipv4);
  if (add_rules(&batch, &output, list, err) < 0)
    return -1;
  nft_end(&batch);
  if (netlink_send(netfilter_fd, &batch, err) < 0)
    return error_wrap(err, "filter the sandbox's packets");
  return 0;
}
