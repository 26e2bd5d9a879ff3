#include "config.h"

#include "sandbox/netlink.h"

#include "base/fd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int netlink_open(int protocol, struct error **err)
{
  cleanup_fd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
  const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  if (fd < 0 ||
      connect(fd, (const struct sockaddr *)&kernel, sizeof kernel) < 0)
    return error_errno(err, "open a netlink socket of family %d", protocol);
  /* An answer without a copy of what was asked (Linux 4.3). */
  int on = 1;
  setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  return steal_fd(&fd);
}

void netlink_batch_init(struct netlink_batch *batch)
{
  batch->used = 0;
  batch->message = 0;
  batch->acks = 0;
  batch->overflow = false;
}

/* Makes room for `size` bytes, zeroed up to the next multiple of 4; NULL where
 * there is none. */
static void *reserve(struct netlink_batch *batch, size_t size)
{
  size_t aligned = NLMSG_ALIGN(size);
  if (batch->overflow || aligned < size ||
      aligned > sizeof batch->bytes - batch->used) {
    batch->overflow = true;
    return NULL;
  }
  void *room = batch->bytes + batch->used;
  memset(room, 0, aligned);
  batch->used += aligned;
  return room;
}

/* The message begun last ends where the batch does. */
static void close_message(struct netlink_batch *batch)
{
  struct nlmsghdr *header = (struct nlmsghdr *)(batch->bytes + batch->message);
  if (batch->used > batch->message)
    header->nlmsg_len = (uint32_t)(batch->used - batch->message);
}

void netlink_begin(struct netlink_batch *batch, unsigned type, unsigned flags,
                   const void *header, size_t header_size)
{
  close_message(batch);
  batch->message = batch->used;
  struct nlmsghdr *message = reserve(batch, sizeof *message);
  void *body = reserve(batch, header_size);
  if (body == NULL)
    return;
  message->nlmsg_type = (uint16_t)type;
  message->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
  memcpy(body, header, header_size);
  if (flags & NLM_F_ACK)
    batch->acks++;
}

void netlink_put(struct netlink_batch *batch, unsigned type, const void *bytes,
                 size_t size)
{
  struct nlattr *attribute = reserve(batch, sizeof *attribute + size);
  if (attribute == NULL)
    return;
  attribute->nla_type = (uint16_t)type;
  attribute->nla_len = (uint16_t)(sizeof *attribute + size);
  if (size > 0)
    memcpy(attribute + 1, bytes, size);
}

void netlink_put_text(struct netlink_batch *batch, unsigned type,
                      const char *text)
{
  netlink_put(batch, type, text, strlen(text) + 1);
}

void netlink_put_u32(struct netlink_batch *batch, unsigned type, uint32_t value)
{
  netlink_put(batch, type, &value, sizeof value);
}

void netlink_put_be32(struct netlink_batch *batch, unsigned type,
                      uint32_t value)
{
  netlink_put_u32(batch, type, htonl(value));
}

void netlink_put_header(struct netlink_batch *batch, const void *header,
                        size_t size)
{
  void *room = reserve(batch, size);
  if (room != NULL)
    memcpy(room, header, size);
}

size_t netlink_nest(struct netlink_batch *batch, unsigned type)
{
  size_t start = batch->used;
  netlink_put(batch, NLA_F_NESTED | type, NULL, 0);
  return start;
}

void netlink_unnest(struct netlink_batch *batch, size_t start)
{
  if (batch->overflow)
    return;
  struct nlattr *attribute = (struct nlattr *)(batch->bytes + start);
  attribute->nla_len = (uint16_t)(batch->used - start);
}

int netlink_read_acks(const void *bytes, size_t count, uint32_t first,
                      uint32_t *acks)
{
  const unsigned char *at = bytes;
  while (count > 0) {
    struct nlmsghdr header;
    struct nlmsgerr answer;
    if (count < sizeof header)
      return EBADMSG;
    memcpy(&header, at, sizeof header);
    if (header.nlmsg_len < sizeof header || header.nlmsg_len > count)
      return EBADMSG;
    if (header.nlmsg_type == NLMSG_ERROR && header.nlmsg_seq >= first) {
      if (header.nlmsg_len < sizeof header + sizeof answer)
        return EBADMSG;
      memcpy(&answer, at + sizeof header, sizeof answer);
      if (answer.error != 0)
        return answer.error < 0 && answer.error > -4096 ? -answer.error
                                                        : EBADMSG;
      ++*acks;
    }
    size_t step = NLMSG_ALIGN((size_t)header.nlmsg_len);
    step = step < count ? step : count;
    at += step;
    count -= step;
  }
  return 0;
}

static int refused(int code, struct error **err)
{
  errno = code;
  return error_errno(err, "the kernel refused it");
}

int netlink_send(int fd, struct netlink_batch *batch, struct error **err)
{
  static uint32_t sent; /* numbers already used on this process's sockets */
  if (batch->overflow)
    return error_make(err, E2BIG, "too many network settings for one message");
  close_message(batch);
  uint32_t first = sent + 1;
  for (size_t at = 0; at < batch->used;) {
    struct nlmsghdr *header = (struct nlmsghdr *)(batch->bytes + at);
    header->nlmsg_seq = ++sent;
    at += NLMSG_ALIGN((size_t)header->nlmsg_len);
  }
  if (send(fd, batch->bytes, batch->used, MSG_NOSIGNAL) < 0)
    return error_errno(err, "speak to the kernel by netlink");
  for (uint32_t acks = 0; acks < batch->acks;) {
    unsigned char answer[8192];
    ssize_t got = recv(fd, answer, sizeof answer, MSG_DONTWAIT);
    if (got < 0)
      return error_errno(err, "hear the kernel by netlink");
    int code = netlink_read_acks(answer, (size_t)got, first, &acks);
    if (code != 0)
      return refused(code, err);
  }
  return 0;
}
