#include "config.h"

#include "sandbox/nft.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

/* Linux 5.12; the headers of a distribution may be older than its kernel. */
enum { TABLE_OWNER = 2 };

static void begin(struct netlink_batch *batch, unsigned type, unsigned flags,
                  unsigned family)
{
  const struct nfgenmsg header = {.nfgen_family = (uint8_t)family,
                                  .version = NFNETLINK_V0};
  netlink_begin(batch, NFNL_SUBSYS_NFTABLES << 8 | type, flags, &header,
                sizeof header);
}

static void mark(struct netlink_batch *batch, unsigned type)
{
  const struct nfgenmsg header = {.version = NFNETLINK_V0,
                                  .res_id = htons(NFNL_SUBSYS_NFTABLES)};
  netlink_begin(batch, type, 0, &header, sizeof header);
}

void nft_begin(struct netlink_batch *batch)
{
  mark(batch, NFNL_MSG_BATCH_BEGIN);
}

void nft_end(struct netlink_batch *batch)
{
  mark(batch, NFNL_MSG_BATCH_END);
}

void nft_add_table(struct netlink_batch *batch, unsigned family,
                   const char *name, bool owned)
{
  begin(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, family);
  netlink_put_text(batch, NFTA_TABLE_NAME, name);
  netlink_put_be32(batch, NFTA_TABLE_FLAGS, owned ? TABLE_OWNER : 0);
}

void nft_delete_table(struct netlink_batch *batch, unsigned family,
                      const char *name)
{
  begin(batch, NFT_MSG_DELTABLE, NLM_F_ACK, family);
  netlink_put_text(batch, NFTA_TABLE_NAME, name);
}

void nft_add_chain(struct netlink_batch *batch, const struct nft_chain *chain)
{
  begin(batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK,
        chain->family);
  netlink_put_text(batch, NFTA_CHAIN_TABLE, chain->table);
  netlink_put_text(batch, NFTA_CHAIN_NAME, chain->name);
  size_t hook = netlink_nest(batch, NFTA_CHAIN_HOOK);
  netlink_put_be32(batch, NFTA_HOOK_HOOKNUM, chain->hook);
  netlink_put_be32(batch, NFTA_HOOK_PRIORITY, (uint32_t)chain->priority);
  if (chain->device != NULL)
    netlink_put_text(batch, NFTA_HOOK_DEV, chain->device);
  netlink_unnest(batch, hook);
  netlink_put_be32(batch, NFTA_CHAIN_POLICY, NF_ACCEPT);
  netlink_put_text(batch, NFTA_CHAIN_TYPE, chain->type);
}

struct nft_rule nft_rule_begin(struct netlink_batch *batch,
                               const struct nft_chain *chain)
{
  begin(batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND | NLM_F_ACK,
        chain->family);
  netlink_put_text(batch, NFTA_RULE_TABLE, chain->table);
  netlink_put_text(batch, NFTA_RULE_CHAIN, chain->name);
  return (struct nft_rule){.list = netlink_nest(batch, NFTA_RULE_EXPRESSIONS)};
}

void nft_rule_end(struct netlink_batch *batch, struct nft_rule rule)
{
  netlink_unnest(batch, rule.list);
}

/* Where an expression and its data begin. */
struct nests {
  size_t element;
  size_t data;
};

static struct nests open_expression(struct netlink_batch *batch,
                                    const char *name)
{
  struct nests nests;
  nests.element = netlink_nest(batch, NFTA_LIST_ELEM);
  netlink_put_text(batch, NFTA_EXPR_NAME, name);
  nests.data = netlink_nest(batch, NFTA_EXPR_DATA);
  return nests;
}

static void close_expression(struct netlink_batch *batch, struct nests nests)
{
  netlink_unnest(batch, nests.data);
  netlink_unnest(batch, nests.element);
}

/* Data as nf_tables wants it: a value within an attribute. */
static void put_value(struct netlink_batch *batch, unsigned type,
                      const void *bytes, size_t size)
{
  size_t data = netlink_nest(batch, type);
  netlink_put(batch, NFTA_DATA_VALUE, bytes, size);
  netlink_unnest(batch, data);
}

void nft_load_header(struct netlink_batch *batch, unsigned offset,
                     unsigned size)
{
  struct nests nests = open_expression(batch, "payload");
  netlink_put_be32(batch, NFTA_PAYLOAD_DREG, NFT_REG_1);
  netlink_put_be32(batch, NFTA_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER);
  netlink_put_be32(batch, NFTA_PAYLOAD_OFFSET, offset);
  netlink_put_be32(batch, NFTA_PAYLOAD_LEN, size);
  close_expression(batch, nests);
}

void nft_load_meta(struct netlink_batch *batch, unsigned key)
{
  struct nests nests = open_expression(batch, "meta");
  netlink_put_be32(batch, NFTA_META_KEY, key);
  netlink_put_be32(batch, NFTA_META_DREG, NFT_REG_1);
  close_expression(batch, nests);
}

void nft_load_connection(struct netlink_batch *batch, unsigned key)
{
  struct nests nests = open_expression(batch, "ct");
  netlink_put_be32(batch, NFTA_CT_KEY, key);
  netlink_put_be32(batch, NFTA_CT_DREG, NFT_REG_1);
  close_expression(batch, nests);
}

void nft_load_address_type(struct netlink_batch *batch)
{
  struct nests nests = open_expression(batch, "fib");
  netlink_put_be32(batch, NFTA_FIB_DREG, NFT_REG_1);
  netlink_put_be32(batch, NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
  netlink_put_be32(batch, NFTA_FIB_FLAGS, NFTA_FIB_F_DADDR);
  close_expression(batch, nests);
}

void nft_mask(struct netlink_batch *batch, const void *mask)
{
  static const unsigned char zero[4];
  struct nests nests = open_expression(batch, "bitwise");
  netlink_put_be32(batch, NFTA_BITWISE_SREG, NFT_REG_1);
  netlink_put_be32(batch, NFTA_BITWISE_DREG, NFT_REG_1);
  netlink_put_be32(batch, NFTA_BITWISE_LEN, sizeof zero);
  put_value(batch, NFTA_BITWISE_MASK, mask, sizeof zero);
  put_value(batch, NFTA_BITWISE_XOR, zero, sizeof zero);
  close_expression(batch, nests);
}

void nft_compare(struct netlink_batch *batch, unsigned operation,
                 const void *bytes, size_t size)
{
  struct nests nests = open_expression(batch, "cmp");
  netlink_put_be32(batch, NFTA_CMP_SREG, NFT_REG_1);
  netlink_put_be32(batch, NFTA_CMP_OP, operation);
  put_value(batch, NFTA_CMP_DATA, bytes, size);
  close_expression(batch, nests);
}

void nft_if_connections_above(struct netlink_batch *batch, uint32_t count)
{
  struct nests nests = open_expression(batch, "connlimit");
  netlink_put_be32(batch, NFTA_CONNLIMIT_COUNT, count);
  netlink_put_be32(batch, NFTA_CONNLIMIT_FLAGS, NFT_CONNLIMIT_F_INV);
  close_expression(batch, nests);
}

void nft_masquerade(struct netlink_batch *batch)
{
  close_expression(batch, open_expression(batch, "masq"));
}

void nft_reject(struct netlink_batch *batch)
{
  const uint8_t code = NFT_REJECT_ICMPX_ADMIN_PROHIBITED;
  struct nests nests = open_expression(batch, "reject");
  netlink_put_be32(batch, NFTA_REJECT_TYPE, NFT_REJECT_ICMPX_UNREACH);
  netlink_put(batch, NFTA_REJECT_ICMP_CODE, &code, sizeof code);
  close_expression(batch, nests);
}

void nft_verdict(struct netlink_batch *batch, bool accept)
{
  struct nests nests = open_expression(batch, "immediate");
  netlink_put_be32(batch, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
  size_t data = netlink_nest(batch, NFTA_IMMEDIATE_DATA);
  size_t verdict = netlink_nest(batch, NFTA_DATA_VERDICT);
  netlink_put_be32(batch, NFTA_VERDICT_CODE, accept ? NF_ACCEPT : NF_DROP);
  netlink_unnest(batch, verdict);
  netlink_unnest(batch, data);
  close_expression(batch, nests);
}
