/* A network by a pair of virtual interfaces, as real root: one end in the
 * host's network namespace, one in a sandbox's, with a filter on the host's
 * end (network_filter.h), and the kernel to forward and translate between.
 *
 * The pair is a pipe for IPv4 packets: both ends have one hardware address and
 * no ARP, so that neither has a neighbour to ask for, the host's end no address
 * at all, and the sandbox no gateway to talk to.
 *
 * Nothing needs to be cleaned up. The pair goes with the sandbox's namespace
 * and takes its route along, the filter with the last holder of its socket.
 * What address is free, the host's routing table knows: a /32 route to each
 * sandbox is added only where there is none. They are of 198.18.0.0/15, which
 * no network uses (RFC 2544). */
#ifndef WAFER_SANDBOX_VETH_H
#define WAFER_SANDBOX_VETH_H

#include "sandbox/network_filter.h"

#include <sys/types.h>

/* The sandbox's namespace, and a socket of NETLINK_ROUTE that its root opened
 * in it. */
struct veth_target {
  int namespace_fd;
  int route_fd;
};

struct veth {
  char name[16]; /* of the host's end */
  int filter_fd; /* somebody has to hold it for as long as the sandbox lives */
};

#define VETH_INIT                                                              \
  {                                                                            \
    .filter_fd = -1                                                            \
  }

/* Makes the pair "wafer-PID" and eth0, for the sandbox whose keeper is `pid`,
 * with its filter. */
int veth_make(struct veth *veth, pid_t pid, const struct veth_target *target,
              const struct network_rule_list *rules, struct error **err);

/* Takes the filter away, once the sandbox is dead. */
void veth_release(struct veth *veth);

/* Whether the machine forwards packets; `why` is set to a sentence where not.
 */
bool veth_probe(const char **why);

#endif
