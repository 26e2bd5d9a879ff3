/* The resident host: `wafer serve`.
 *
 *   serve.c       the socket, who is served, and the end
 *   pool.c        what is parked, and its refilling
 *   forker.c      the warm zygote, and who waits for a fork
 *   background.c  a thread for what waits
 *
 * It makes no runs. It hands sandboxes that it made ahead, or forks of its warm
 * zygote, to `wafer run` (host/pool_message.h), and keeps nothing of them: the
 * run is then the caller's as if he had made the sandbox himself, so that a
 * server which ends, however it does, ends no run. */
#ifndef WAFER_HOST_SERVE_H
#define WAFER_HOST_SERVE_H

#include "base/error.h"
#include "jobs/text_list.h"

#include <stdint.h>

struct serve_options {
  const char *socket_path;
  struct text_list library_sets; /* to keep warm; empty: all there are */
  int pool_size;
  int64_t pool_memory_bytes;
};

/* Serves until SIGINT, SIGTERM or SIGHUP. One server a store: a second one is
 * refused (EBUSY). */
int serve(const struct serve_options *options, struct error **err);

#endif
