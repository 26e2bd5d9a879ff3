#include "config.h"

#include "host/cell.h"

#include "base/fd.h"
#include "host/spec.h"
#include "host/walls.h"
#include "sandbox/rootfs.h"
#include "sandbox/scratch.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

int cell_make_cgroup(struct cell *cell, const char *name,
                     const struct size *size, struct error **err)
{
  struct limits limits = {
      .cpu_milli = (unsigned)size->cpu_milli,
      .memory_bytes = (uint64_t)size->memory_bytes,
      .pids_max = (unsigned)size->pids_max,
      .scratch_bytes = (uint64_t)size->scratch_bytes,
  };
  return cgroup_create(NULL, name, &limits, &cell->cgroup, err);
}

static int place_in_cgroup(struct cell *cell, struct sandbox_place place,
                           struct error **err)
{
  int entry[CGROUP_ENTRY_FDS];
  int count = cgroup_open_entry(cell->cgroup, entry, err);
  if (count < 0)
    return -1;
  place.ids = cell->ids;
  place.cgroup_fds = entry;
  place.cgroup_count = (size_t)count;
  int result = sandbox_place(&cell->sandbox, &place, err);
  while (count > 0)
    fd_close(&entry[--count]);
  return result;
}

/* Real root clones what the sandbox mounts, since the sandbox's own ids may not
 * be able to reach it; a plain user's sandbox does it by path. */
static int place_as_root(struct cell *cell, struct sandbox_place *place,
                         struct error **err)
{
  cell->ids = namespace_ids_of_pid(cell->sandbox.keeper_pid);
  cleanup_fd int python_tree = rootfs_clone(launch_python_dir(), true, err);
  if (python_tree < 0)
    return -1;
  place->python_tree = python_tree;
  return place_in_cgroup(cell, *place, err);
}

static int place_as_user(struct cell *cell, const struct cell_place *wanted,
                         struct sandbox_place *place, struct error **err)
{
  if (namespace_ids_of_user(cell->sandbox.keeper_pid, cell->ids.own, &cell->ids,
                            err) < 0)
    return -1;
  cleanup_free char *paths =
      spec_tree_paths(wanted->mounts, wanted->mount_count, wanted->sets,
                      wanted->set_count, &place->tree_paths_count);
  place->python_tree = -1;
  place->tree_paths = paths;
  return place_in_cgroup(cell, *place, err);
}

int cell_place(struct cell *cell, const struct cell_place *place,
               struct error **err)
{
  bool egress = place->network == NETWORK_EGRESS;
  struct sandbox_place made = {
      .network = place->network,
      .resolvers = egress ? place->resolv_conf->count : 0,
      .resolv_conf = egress ? place->resolv_conf->text : NULL,
      .has_scratch = !(cell->missing & 1U << WALL_SCRATCH),
      .scratch_bytes = (uint64_t)place->size->scratch_bytes,
      .rehearse = place->rehearse,
  };
  return geteuid() == 0 ? place_as_root(cell, &made, err)
                        : place_as_user(cell, place, &made, err);
}

int cell_give_scratch(struct cell *cell, int mount_fd, struct error **err)
{
  const struct namespace_ids *ids = &cell->ids;
  cell->scratch_fd = mount_fd;
  if (scratch_give(mount_fd, ids->job_uid, ids->job_gid, err) < 0 ||
      sandbox_hold(&cell->sandbox, &mount_fd, 1, err) < 0)
    return -1;
  return sandbox_give_scratch(&cell->sandbox, mount_fd, err);
}

int cell_await_parked(struct cell *cell, struct error **err)
{
  return sandbox_await_parked(&cell->sandbox, cell->python_version, err);
}

void cell_kill(struct cell *cell)
{
  struct pollfd keeper = {.fd = cell->sandbox.keeper_pidfd, .events = POLLIN};
  fd_close(&cell->sandbox.keeper_fd);
  while (keeper.fd >= 0 && poll(&keeper, 1, -1) < 0 && errno == EINTR)
    continue;
}

void cell_close(struct cell *cell)
{
  sandbox_close(&cell->sandbox);
  fd_close(&cell->scratch_fd);
  fd_close(&cell->lease_fd);
}
