/* nf_tables, as little of it as wafer's filter needs: tables, chains and rules
 * in one transaction (linux/netfilter/nf_tables.h). A rule is a list of
 * expressions, each of which goes on to the next or leaves the rule:
 *
 *   rule = nft_rule_begin(batch, &chain);
 *   nft_load_header(batch, offset, size);   the packet's bytes
 *   nft_compare(batch, NFT_CMP_EQ, …);      leaves the rule where they differ
 *   nft_verdict(batch, false);              drops the packet
 *   nft_rule_end(batch, rule);
 *
 * All of them use one register, so that a comparison follows its load. */
#ifndef WAFER_SANDBOX_NFT_H
#define WAFER_SANDBOX_NFT_H

#include "sandbox/netlink.h"

struct nft_chain {
  unsigned family; /* NFPROTO_… */
  const char *table;
  const char *name;
  const char *type; /* "filter", "nat" */
  unsigned hook;    /* NF_NETDEV_INGRESS, NF_INET_FORWARD … */
  int priority;
  const char *device; /* NFPROTO_NETDEV: whose; else NULL */
};

/* Begin and end a transaction: all of it is applied, or nothing. */
void nft_begin(struct netlink_batch *batch);
void nft_end(struct netlink_batch *batch);

/* Makes a table. An owned one (Linux 5.12) can be changed only by the socket
 * that made it, "flush ruleset" spares it, and it goes when that socket is
 * closed by its last holder. */
void nft_add_table(struct netlink_batch *batch, unsigned family,
                   const char *name, bool owned);

void nft_delete_table(struct netlink_batch *batch, unsigned family,
                      const char *name);

/* Makes a chain at its hook; what no rule decides is accepted. */
void nft_add_chain(struct netlink_batch *batch, const struct nft_chain *chain);

struct nft_rule {
  size_t list;
};

struct nft_rule nft_rule_begin(struct netlink_batch *batch,
                               const struct nft_chain *chain);
void nft_rule_end(struct netlink_batch *batch, struct nft_rule rule);

/* Loads of the register: `size` bytes of the network header; what
 * NFT_META_… or NFT_CT_… says; whether the destination is an address of the
 * machine's own, as RTN_LOCAL. */
void nft_load_header(struct netlink_batch *batch, unsigned offset,
                     unsigned size);
void nft_load_meta(struct netlink_batch *batch, unsigned key);
void nft_load_connection(struct netlink_batch *batch, unsigned key);
void nft_load_address_type(struct netlink_batch *batch);

/* Keeps those bits of the register's 4 bytes. */
void nft_mask(struct netlink_batch *batch, const void *mask);
void nft_compare(struct netlink_batch *batch, unsigned operation,
                 const void *bytes, size_t size);

/* Goes on only where the rule has seen more than so many connections that are
 * still known. */
void nft_if_connections_above(struct netlink_batch *batch, uint32_t count);
void nft_masquerade(struct netlink_batch *batch);
/* Drops the packet, and tells its sender so (ICMP, administratively
 * prohibited), who then need not wait for an answer. NFPROTO_NETDEV: Linux 5.11
 */
void nft_reject(struct netlink_batch *batch);
void nft_verdict(struct netlink_batch *batch, bool accept);

#endif
