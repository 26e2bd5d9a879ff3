/* The network of a sandbox: which there are, and the part that is made inside.
 *
 *   none     a network namespace with a loopback interface
 *   host     the host's own
 *   egress   a namespace that reaches the internet, and what else the user
 *            allows: by veth.h as real root where the machine forwards packets,
 *            else by pasta.h; what it may reach is in network_rules.h
 *
 * With egress the sandbox's root hands the host a few descriptors of its
 * namespace (network_open_handles), and the host does the rest beside the
 * sandbox's own start. */
#ifndef WAFER_SANDBOX_NETWORK_H
#define WAFER_SANDBOX_NETWORK_H

#include "base/error.h"

enum network_mode {
  NETWORK_NONE,
  NETWORK_HOST,
  NETWORK_EGRESS,
  NETWORK_MODE_COUNT,
};

/* "none". Static. */
const char *network_mode_name(enum network_mode mode);
/* EINVAL names the modes that there are. */
int network_mode_find(const char *name, enum network_mode *mode,
                      struct error **err);

/* Brings up the loopback interface of this network namespace: a new one has it
 * down, and programs that talk to themselves expect 127.0.0.1. */
int network_loopback_up(struct error **err);

/* Name resolution with egress: the sandbox's /etc/resolv.conf has as many name
 * servers as the host's, at 127.0.0.53, .54 and .55 of its own loopback
 * interface. The host holds those sockets, and hands each query on to the
 * server that it stands for (host/resolver.h); so it makes no difference
 * whether that is on the host's loopback or in a private network. */
enum { NETWORK_RESOLVERS_MAX = 3, NETWORK_RESOLVER_FIRST = 53 };

/* The descriptors that go to the host: these, and then for each resolver a
 * socket of UDP and one of TCP, which listens. */
enum {
  NETWORK_HANDLE_NAMESPACE,
  NETWORK_HANDLE_ROUTE, /* netlink sockets */
  NETWORK_HANDLE_FILTER,
  NETWORK_HANDLE_RESOLVERS,
  NETWORK_HANDLES_MAX = NETWORK_HANDLE_RESOLVERS + 2 * NETWORK_RESOLVERS_MAX,
};

/* Opens them in this thread's network namespace, whose root it must be; the
 * namespace's own descriptor is the caller's `namespace_fd`. *count becomes how
 * many there are, on failure too: network_close_handles. */
int network_open_handles(int namespace_fd, unsigned resolvers,
                         int handles[NETWORK_HANDLES_MAX], size_t *count,
                         struct error **err);

/* Closes all but the namespace's. */
void network_close_handles(int *handles, size_t count);

#endif
