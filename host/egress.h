/* The host's part of --network egress.
 *
 *   egress_choose    before the run is recorded: is there a way, and which
 *   egress_make      once the sandbox has offered its network namespace
 *   egress_release   at the end
 *
 * As real root on a machine that forwards packets it is a veth
 * (sandbox/veth.h); else, and for a plain user, pasta (sandbox/pasta.h). */
#ifndef WAFER_HOST_EGRESS_H
#define WAFER_HOST_EGRESS_H

#include "host/resolv_conf.h"
#include "host/walls.h"
#include "runtime/launch.h"
#include "sandbox/network_rules.h"
#include "sandbox/pasta.h"
#include "sandbox/veth.h"

enum egress_way { EGRESS_NO_WAY, EGRESS_VETH, EGRESS_PASTA };

struct egress {
  enum egress_way way;
  struct resolv_conf resolv_conf;
  int handles[NETWORK_HANDLES_MAX]; /* of them the host keeps the resolvers' */
  size_t handle_count;
  struct veth veth;
  struct pasta pasta;
};

#define EGRESS_INIT                                                            \
  {                                                                            \
    .veth = VETH_INIT, .pasta = PASTA_INIT                                     \
  }

/* Finds a way and reads the machine's name servers. An error is one line: what
 * the machine lacks, and what to type. */
int egress_choose(struct egress *egress, struct error **err);

/* Waits for the namespace's descriptors and makes the network of a sandbox that
 * this zygote has forked. */
int egress_make(struct egress *egress, pid_t zygote_pid,
                struct sandbox *sandbox, const struct network_prefix *allowed,
                size_t allowed_count, struct error **err);

/* The sockets that listen for DNS queries, for resolver_new. */
const int *egress_resolver_fds(const struct egress *egress);

/* Ends what would outlive the sandbox, once that is dead. */
void egress_release(struct egress *egress);

/* What wafer doctor says of it. */
void egress_probe(struct wall_state *state);

#endif
