/* `wafer run`'s end of host/pool_message.h.
 *
 * Whatever goes wrong here is no failure of a run: it then makes its sandbox
 * alone. So nothing returns an error, and nothing is said. */
#ifndef WAFER_HOST_POOL_CLIENT_H
#define WAFER_HOST_POOL_CLIENT_H

#include "host/pool_message.h"

struct pool_client {
  int fd; /* -1: there is no server */
  struct pool_welcome welcome;
};

#define POOL_CLIENT_INIT                                                       \
  {                                                                            \
    .fd = -1                                                                   \
  }

/* Looks for the server of this user and this store, at `path` or, where NULL,
 * at the usual place. */
void pool_connect(struct pool_client *client, const char *path);

/* Asks for a parked sandbox. Returns whether the cell, which was CELL_INIT, is
 * one. Else there may be a zygote to fork from: pool_zygote. */
bool pool_take(struct pool_client *client, const struct pool_want *want,
               struct cell *cell);

/* Asks for a zygote. Returns whether there is one; then *zygote speaks for the
 * server's, to sandbox_fork and sandbox_await, by the client's connection,
 * which is the zygote's from then on. */
bool pool_zygote(struct pool_client *client, struct pool_want *want,
                 struct zygote *zygote);

void pool_hang_up(struct pool_client *client);

/* Where the server of this user listens. The caller frees it. */
int pool_socket_path(char **path, struct error **err);

/* `path` as an address: ENAMETOOLONG where it doesn't fit. */
struct sockaddr_un;
int pool_socket_address(const char *path, struct sockaddr_un *address,
                        struct error **err);

#endif
