/* The machine's name servers, by /etc/resolv.conf (resolv.conf(5)), and what a
 * sandbox with --network egress sees in its place: sandbox/network.h. */
#ifndef WAFER_HOST_RESOLV_CONF_H
#define WAFER_HOST_RESOLV_CONF_H

#include "runtime/protocol.h"
#include "sandbox/network.h"

#include <netinet/in.h>

struct name_server {
  union {
    struct sockaddr any;
    struct sockaddr_in inet;
    struct sockaddr_in6 inet6;
  } address;
  socklen_t size;
};

struct resolv_conf {
  struct name_server servers[NETWORK_RESOLVERS_MAX];
  unsigned count;             /* at least 1 */
  char text[RESOLV_CONF_MAX]; /* the sandbox's */
};

/* Reads a text; a line that isn't understood is passed over, as libc does.
 * Where it names no server, that is 127.0.0.1. Lines of search and options are
 * kept as far as there is room. */
void resolv_conf_parse(const char *text, struct resolv_conf *conf);

/* Reads the machine's; one that isn't there is as good as an empty one. */
void resolv_conf_load(struct resolv_conf *conf);

#endif
