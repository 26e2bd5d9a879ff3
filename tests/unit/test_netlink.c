/* Netlink messages: their layout, their bounds, and answers that are none. */
#include "config.h"

#include "sandbox/netlink.h"

#include "sandbox/nft.h"
#include "tests/unit/check.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

static void test_layout(void **state)
{
  (void)state;
  struct netlink_batch batch;
  const struct ifinfomsg header = {.ifi_index = 7};
  netlink_batch_init(&batch);
  netlink_begin(&batch, RTM_NEWLINK, NLM_F_ACK, &header, sizeof header);
  netlink_put_text(&batch, IFLA_IFNAME, "eth0");
  size_t nest = netlink_nest(&batch, IFLA_LINKINFO);
  netlink_put_text(&batch, IFLA_INFO_KIND, "veth");
  netlink_unnest(&batch, nest);
  const struct nlmsghdr *message = (const struct nlmsghdr *)batch.bytes;
  assert_int_equal(message->nlmsg_type, RTM_NEWLINK);
  assert_int_equal(message->nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK);
  assert_memory_equal(NLMSG_DATA(message), &header, sizeof header);
  const struct nlattr *name =
      (const struct nlattr *)(batch.bytes + NLMSG_HDRLEN + sizeof header);
  assert_int_equal(name->nla_type, IFLA_IFNAME);
  assert_int_equal(name->nla_len, 4 + 5);
  assert_string_equal((const char *)(name + 1), "eth0");
  const struct nlattr *info = (const struct nlattr *)(batch.bytes + nest);
  assert_int_equal(nest % 4, 0);
  assert_int_equal(info->nla_type, NLA_F_NESTED | IFLA_LINKINFO);
  assert_int_equal(info->nla_len, 4 + 4 + 8);
  assert_int_equal(batch.used, nest + 4 + 4 + 8);
  assert_int_equal(batch.acks, 1);
}

/* Whatever doesn't fit is refused as a whole, and nothing is written beyond. */
static void test_overflow(void **state)
{
  (void)state;
  struct error *err = NULL;
  const struct ifinfomsg header = {0};
  static unsigned char big[NETLINK_BATCH_MAX];
  struct {
    struct netlink_batch batch;
    unsigned char guard[64];
  } padded = {.guard = {0}};
  netlink_batch_init(&padded.batch);
  for (int i = 0; i < 10000; i++) {
    netlink_begin(&padded.batch, RTM_NEWLINK, NLM_F_ACK, &header,
                  sizeof header);
    size_t nest = netlink_nest(&padded.batch, 1);
    netlink_put(&padded.batch, 2, big, (size_t)i % 100);
    netlink_unnest(&padded.batch, nest);
  }
  assert_true(padded.batch.overflow);
  assert_true(padded.batch.used <= NETLINK_BATCH_MAX);
  netlink_put(&padded.batch, 1, big, sizeof big);
  for (size_t i = 0; i < sizeof padded.guard; i++)
    assert_int_equal(padded.guard[i], 0);
  check_bad(netlink_send(-1, &padded.batch, &err), &err, E2BIG, "too many");
}

static size_t put_answer(unsigned char *to, uint32_t sequence, int code)
{
  struct {
    struct nlmsghdr header;
    struct nlmsgerr answer;
  } message = {.header = {.nlmsg_len = sizeof message,
                          .nlmsg_type = NLMSG_ERROR,
                          .nlmsg_seq = sequence},
               .answer = {.error = code}};
  memcpy(to, &message, sizeof message);
  return sizeof message;
}

static void test_answers(void **state)
{
  (void)state;
  unsigned char bytes[256];
  uint32_t acks = 0;
  size_t count = put_answer(bytes, 5, 0);
  count += put_answer(bytes + count, 6, 0);
  assert_int_equal(netlink_read_acks(bytes, count, 5, &acks), 0);
  assert_int_equal(acks, 2);
  /* A late answer to an earlier batch, refusals too, is none to this. */
  count = put_answer(bytes, 4, -EPERM);
  count += put_answer(bytes + count, 5, 0);
  acks = 0;
  assert_int_equal(netlink_read_acks(bytes, count, 5, &acks), 0);
  assert_int_equal(acks, 1);
  count = put_answer(bytes, 5, -EEXIST);
  assert_int_equal(netlink_read_acks(bytes, count, 5, &acks), EEXIST);
  acks = 0;
  assert_int_equal(netlink_read_acks(bytes, 0, 5, &acks), 0);
  assert_int_equal(acks, 0);
}

/* Any cut, any length that lies, and any errno that is none. */
static void test_hostile_answers(void **state)
{
  (void)state;
  unsigned char bytes[256];
  uint32_t acks = 0;
  size_t whole = put_answer(bytes, 5, 0);
  for (size_t count = 1; count < whole; count++) {
    cleanup_free unsigned char *cut = xmalloc(count);
    memcpy(cut, bytes, count);
    assert_int_equal(netlink_read_acks(cut, count, 5, &acks), EBADMSG);
  }
  static const uint32_t lengths[] = {0, 1, 15, 16, 19, 37, 255, 0xffffffff};
  for (size_t i = 0; i < ARRAY_LENGTH(lengths); i++) {
    put_answer(bytes, 5, 0);
    memcpy(bytes, &lengths[i], sizeof lengths[i]);
    assert_int_equal(netlink_read_acks(bytes, whole, 5, &acks), EBADMSG);
  }
  static const int codes[] = {1, -4096, -2147483647 - 1, 2147483647};
  for (size_t i = 0; i < ARRAY_LENGTH(codes); i++) {
    put_answer(bytes, 5, codes[i]);
    assert_int_equal(netlink_read_acks(bytes, whole, 5, &acks), EBADMSG);
  }
  for (unsigned seed = 0; seed < 20000; seed++) {
    srandom(seed);
    for (size_t i = 0; i < sizeof bytes; i++)
      bytes[i] = (unsigned char)(random() & (i % 16 < 4 ? 0x1f : 0xff));
    netlink_read_acks(bytes, seed % sizeof bytes, 0, &acks);
  }
  assert_true(acks < 2000000);
}

/* Attributes fill what holds them exactly, down to the last expression. */
static void check_attributes(const unsigned char *bytes, size_t count)
{
  while (count > 0) {
    struct nlattr attribute;
    assert_true(count >= sizeof attribute);
    memcpy(&attribute, bytes, sizeof attribute);
    assert_true(attribute.nla_len >= sizeof attribute);
    size_t whole = NLA_ALIGN((size_t)attribute.nla_len);
    assert_true(whole <= count);
    if (attribute.nla_type & NLA_F_NESTED)
      check_attributes(bytes + sizeof attribute,
                       attribute.nla_len - sizeof attribute);
    bytes += whole;
    count -= whole;
  }
}

static void test_rule(void **state)
{
  (void)state;
  struct netlink_batch batch;
  const uint32_t any = 0;
  const struct nft_chain chain = {.family = NFPROTO_INET,
                                  .table = "t",
                                  .name = "c",
                                  .type = "filter",
                                  .hook = NF_INET_LOCAL_OUT};
  netlink_batch_init(&batch);
  nft_add_chain(&batch, &chain);
  size_t first_end = batch.used;
  struct nft_rule rule = nft_rule_begin(&batch, &chain);
  nft_load_header(&batch, 16, sizeof any);
  nft_mask(&batch, &any);
  nft_compare(&batch, NFT_CMP_EQ, &any, sizeof any);
  nft_load_meta(&batch, NFT_META_OIF);
  nft_load_connection(&batch, NFT_CT_STATE);
  nft_load_address_type(&batch);
  nft_if_connections_above(&batch, 5);
  nft_masquerade(&batch);
  nft_reject(&batch);
  nft_verdict(&batch, false);
  nft_rule_end(&batch, rule);
  assert_false(batch.overflow);
  const size_t headers = NLMSG_HDRLEN + 4;
  check_attributes(batch.bytes + headers, first_end - headers);
  check_attributes(batch.bytes + first_end + headers,
                   batch.used - first_end - headers);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      CHECK_TEST(test_layout),  CHECK_TEST(test_overflow),
      CHECK_TEST(test_answers), CHECK_TEST(test_hostile_answers),
      CHECK_TEST(test_rule),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
