/* A cell: a sandbox with all that its host makes for it before it parks.
 *
 *   sandbox_fork → cell_make_cgroup → sandbox_await → cell_place →
 *   cell_give_scratch → cell_await_parked → … → cell_close
 *
 * `wafer run` makes one for itself, `wafer serve` makes them ahead and hands
 * them over (host/pool.h). Whoever holds a cell ends it: with the last copy of
 * its keeper's socket the keeper kills all. The cgroup is left to a caller of
 * cgroup_destroy, since it holds the meter. */
#ifndef WAFER_HOST_CELL_H
#define WAFER_HOST_CELL_H

#include "host/lease.h"
#include "host/request.h"
#include "host/resolv_conf.h"
#include "jobs/size.h"
#include "runtime/launch.h"
#include "sandbox/cgroup.h"

struct cell {
  struct sandbox sandbox;
  struct cgroup *cgroup; /* NULL until it is made */
  struct namespace_ids ids;
  unsigned missing; /* walls that it does without: walls.h */
  int scratch_fd;   /* its mount, once it is made; -1: none */
  int lease_fd;     /* of a cell that was made ahead: lease.h; else -1 */
  char lease[LEASE_NAME_SIZE]; /* its name, and the cgroup's; "": none */
  char python_version[PYTHON_VERSION_SIZE]; /* once it is parked */
};

#define CELL_INIT                                                              \
  {                                                                            \
    .sandbox = SANDBOX_INIT, .scratch_fd = -1, .lease_fd = -1                  \
  }

/* Makes its cgroup, of this size, by the name. */
int cell_make_cgroup(struct cell *cell, const char *name,
                     const struct size *size, struct error **err);

/* Gives the sandbox, whose pids are known, its ids and its place: ids.own and
 * missing are set by the caller. `resolv_conf` counts with egress alone;
 * `mounts` are what a plain user's sandbox is to clone: see spec_tree_paths. */
struct cell_place {
  const struct size *size;
  enum network_mode network;
  const struct resolv_conf *resolv_conf;
  const struct request_mount *mounts;
  size_t mount_count;
  const struct library_set *const *sets; /* likewise */
  size_t set_count;
  bool rehearse; /* it is made ahead, of a warm zygote */
};
int cell_place(struct cell *cell, const struct cell_place *place,
               struct error **err);

/* Gives it a scratch, whose mount becomes the cell's even where that fails. */
int cell_give_scratch(struct cell *cell, int mount_fd, struct error **err);

int cell_await_parked(struct cell *cell, struct error **err);

/* Ends the sandbox, if it lives, and waits for its keeper, the last to die. */
void cell_kill(struct cell *cell);

/* Closes what the host holds, but for the cgroup; if the sandbox lives, that
 * ends it. */
void cell_close(struct cell *cell);

#endif
