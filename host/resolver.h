/* Hands a sandbox's DNS queries on to the machine's name servers, byte for
 * byte, and the answers back: --network egress, see sandbox/network.h.
 *
 * Nothing of them is understood here. A query by UDP gets a socket, and so a
 * port, of its own; a connection by TCP is joined to one of its own. Both are
 * bounded in number, bytes and time, whatever the job sends: beyond that a
 * query is lost, and libc asks again. */
#ifndef WAFER_HOST_RESOLVER_H
#define WAFER_HOST_RESOLVER_H

#include "host/resolv_conf.h"

#include <event2/event.h>

struct resolver;

/* `fds` are those that listen in the sandbox, for each server in `conf` one of
 * UDP and one of TCP; they and `conf` stay the caller's and outlive it. */
struct resolver *resolver_new(struct event_base *loop,
                              const struct resolv_conf *conf, const int *fds);

/* NULL is no resolver. */
void resolver_free(struct resolver *resolver);

#endif
