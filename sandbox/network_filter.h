/* The filter of --network egress: network_rules.h as nf_tables.
 *
 * Behind a veth it stands in the host's namespace, on the host's end of the
 * pair, before routing: so it sees each packet of the sandbox's, and the
 * sandbox can't see it. Behind pasta, whose packets become the user's own
 * sockets, it stands at the sandbox's output, in the sandbox's namespace. */
#ifndef WAFER_SANDBOX_NETWORK_FILTER_H
#define WAFER_SANDBOX_NETWORK_FILTER_H

#include "sandbox/network_rules.h"

struct network_rule_list {
  struct network_rule rules[NETWORK_RULES_MAX];
  size_t count;
};

/* In the host's namespace, on a socket of NETLINK_NETFILTER opened there, as
 * real root: the filter of `device`, source address translation for it, and a
 * bar to whoever would open a connection to it. All of it belongs to the
 * socket and goes with its last holder. */
int network_filter_device(int netfilter_fd, const char *device,
                          uint32_t address,
                          const struct network_rule_list *list,
                          struct error **err);

/* Takes it away, by the same socket, once the sandbox is dead. That spares
 * others a wait: as the socket closes, the kernel would keep every change to
 * nf_tables waiting for a grace period. */
int network_filter_remove(int netfilter_fd, const char *device,
                          struct error **err);

/* In a sandbox's namespace, on a socket opened there by its root; the
 * machine's own addresses are those that this process sees, when it does. */
int network_filter_output(int netfilter_fd,
                          const struct network_rule_list *list,
                          struct error **err);

#endif
