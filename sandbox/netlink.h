/* Netlink messages: put together in a bounded buffer, sent, and their
 * acknowledgements read (netlink(7), linux/netlink.h).
 *
 *   struct netlink_batch batch;
 *   netlink_batch_init(&batch);
 *   netlink_begin(&batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_ACK, &header,
 *                 sizeof header);
 *   netlink_put_text(&batch, IFLA_IFNAME, "eth0");
 *   netlink_send(fd, &batch, err);
 *
 * What doesn't fit is left out, and netlink_send then refuses the whole. */
#ifndef WAFER_SANDBOX_NETLINK_H
#define WAFER_SANDBOX_NETLINK_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum { NETLINK_BATCH_MAX = 32 << 10 };

struct netlink_batch {
  _Alignas(4) unsigned char bytes[NETLINK_BATCH_MAX];
  size_t used;
  size_t message; /* where the last message begins */
  uint32_t acks;  /* how many were asked for */
  bool overflow;
};

/* Opens a socket of NETLINK_ROUTE or NETLINK_NETFILTER. It speaks to the
 * network namespace that it is opened in, whoever sends on it. */
int netlink_open(int protocol, struct error **err);

void netlink_batch_init(struct netlink_batch *batch);

/* Begins a message; flags are NLM_F_…, beyond NLM_F_REQUEST. */
void netlink_begin(struct netlink_batch *batch, unsigned type, unsigned flags,
                   const void *header, size_t header_size);

/* Each adds an attribute to the message begun last. */
void netlink_put(struct netlink_batch *batch, unsigned type, const void *bytes,
                 size_t size);
void netlink_put_text(struct netlink_batch *batch, unsigned type,
                      const char *text);
void netlink_put_u32(struct netlink_batch *batch, unsigned type,
                     uint32_t value);
/* In network byte order, as nf_tables wants its numbers. */
void netlink_put_be32(struct netlink_batch *batch, unsigned type,
                      uint32_t value);

/* A header as it is, within an attribute that begins with one. */
void netlink_put_header(struct netlink_batch *batch, const void *header,
                        size_t size);

/* Attributes within an attribute: from nest, which returns where it begins, to
 * unnest. */
size_t netlink_nest(struct netlink_batch *batch, unsigned type);
void netlink_unnest(struct netlink_batch *batch, size_t start);

/* Sends it all, and reads one answer for each message that wants one
 * (NLM_F_ACK). The first refusal is the error, with the kernel's errno. The
 * kernel answers before the sending returns, so this doesn't wait. */
int netlink_send(int fd, struct netlink_batch *batch, struct error **err);

/* Reads what a datagram from the kernel acknowledges. *acks is raised by each
 * message of success whose number is at least `first`; returns 0, or the errno
 * of the first refusal, or EBADMSG where the bytes are no whole messages. */
int netlink_read_acks(const void *bytes, size_t count, uint32_t first,
                      uint32_t *acks);

#endif
