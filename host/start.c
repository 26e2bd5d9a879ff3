/* How a run gets its sandbox: parked, forked by a server, or alone. */
#include "config.h"

#include "host/execute.h"

#include "base/clock.h"
#include "base/fd.h"
#include "host/walls.h"
#include "sandbox/cgroup_scope.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const unsigned wall_scratch = 1U << WALL_SCRATCH;
static const unsigned wall_uid = 1U << WALL_UID;

const char *start_way_name(enum start_way way)
{
  static const char *const names[] = {"alone", "pool", "parked"};
  return names[way];
}

static void note_way(struct execution *execution, enum start_way way)
{
  execution->way = way;
  run_set_text(&execution->run.start, start_way_name(way));
}

/* Before there is a zygote, which has to stand there, too. Where systemd gives
 * no scope the wall is missing; the run may do without it. */
static bool join_scope(void)
{
  cleanup_error struct error *err = NULL;
  int joined = cgroup_join_scope(&err);
  if (joined < 0)
    fprintf(stderr, "wafer: %s\n", err->text);
  return joined > 0;
}

/* The plain user's own id is used where he may have no other, and where he
 * accepted it to mount a folder for writing. */
static bool uses_own_id(const struct execution *execution, unsigned missing)
{
  if (geteuid() == 0)
    return false;
  if (missing & wall_uid)
    return true;
  for (size_t i = 0; i < execution->request->mount_count; i++)
    if (!execution->request->mounts[i].read_only)
      return true;
  return false;
}

static void note_missing(struct execution *execution, unsigned missing)
{
  struct run *run = &execution->run;
  execution->cell.missing = missing;
  text_list_release(&run->walls_missing);
  for (unsigned wall = 0; wall < WALL_COUNT; wall++)
    if (missing & 1U << wall)
      text_list_add(&run->walls_missing, wall_name(wall));
}

static int check_walls(struct execution *execution, struct error **err)
{
  const struct request *request = execution->request;
  struct cell *cell = &execution->cell;
  unsigned missing = walls_missing();
  cell->ids.own = uses_own_id(execution, missing);
  if (cell->ids.own && !(missing & wall_uid) &&
      !(request->allowed_missing & wall_uid))
    return error_make(err, EPERM,
                      "--mount …:rw needs an id-mapped mount, which only root "
                      "can make; run as root, or as your own user without the "
                      "uid wall: --allow-missing=%s",
                      walls_text(missing | wall_uid).text);
  if (cell->ids.own)
    missing |= wall_uid;
  if (walls_require(missing, request->allowed_missing, err) < 0)
    return -1;
  note_missing(execution, missing);
  return 0;
}

/* It leaves nothing behind, however the run ends: so it may come before the
 * record of it. */
static int begin_scratch(struct execution *execution, struct error **err)
{
  if (execution->cell.missing & wall_scratch)
    return 0;
  return scratch_maker_start(&execution->scratch,
                             (uint64_t)execution->request->size->scratch_bytes,
                             err);
}

static struct pool_want want_of(const struct execution *execution, bool parked)
{
  const struct request *request = execution->request;
  const char *lock = request->libraries.lock_sha256;
  struct pool_want want = {.parked = parked};
  snprintf(want.library_set, sizeof want.library_set, "%s",
           request->library_set);
  snprintf(want.library_lock, sizeof want.library_lock, "%s",
           lock != NULL ? lock : "");
  snprintf(want.size, sizeof want.size, "%s", request->size->name);
  return want;
}

/* A module of the job's own comes before its set's, but not where the zygote
 * has imported that already. */
static bool suits_server(const struct request *request)
{
  return !request->no_server && (request->modules_set.dir == NULL ||
                                 request->libraries.preload_count == 0);
}

/* Whether one that is parked would do: it has no network, a plain user's has
 * cloned all that it will ever mount, and its walls are what they are. */
static bool suits_parked(const struct execution *execution)
{
  const struct request *request = execution->request;
  unsigned missing = execution->server.welcome.missing;
  return execution->server.fd >= 0 && request->network == NETWORK_NONE &&
         (geteuid() == 0 ||
          (request->mount_count == 0 && request->modules_set.dir == NULL)) &&
         (missing & ~request->allowed_missing) == 0;
}

/* A fork of the server's zygote; or else, and where the server is gone since,
 * of one of our own. A plain user's zygote has to stand where he gets his
 * cgroup: in the scope that we have joined, if any. */
static int fork_sandbox(struct execution *execution, bool in_scope,
                        struct error **err)
{
  struct pool_want want = want_of(execution, false);
  execution->asked_ns = clock_monotonic_ns();
  if (!in_scope && pool_zygote(&execution->server, &want, &execution->zygote)) {
    cleanup_error struct error *lost = NULL;
    note_way(execution, START_POOL);
    if (sandbox_fork(&execution->zygote, &execution->cell.sandbox, &lost) == 0)
      return 0;
    sandbox_close(&execution->cell.sandbox);
    zygote_stop(&execution->zygote);
  }
  pool_hang_up(&execution->server);
  note_way(execution, START_ALONE);
  if (zygote_start(&execution->zygote, err) < 0)
    return -1;
  return sandbox_fork(&execution->zygote, &execution->cell.sandbox, err);
}

static int choose_network(struct execution *execution, struct error **err)
{
  if (execution->request->network != NETWORK_EGRESS)
    return 0;
  return egress_choose(&execution->egress, err);
}

static int begin_unparked(struct execution *execution, struct error **err)
{
  bool in_scope = join_scope();
  if (fork_sandbox(execution, in_scope, err) < 0 ||
      check_walls(execution, err) < 0 || choose_network(execution, err) < 0)
    return -1;
  return begin_scratch(execution, err);
}

int start_begin(struct execution *execution, struct error **err)
{
  const struct request *request = execution->request;
  if (suits_server(request))
    pool_connect(&execution->server, request->socket_path);
  if (!suits_parked(execution))
    return begin_unparked(execution, err);
  note_way(execution, START_PARKED);
  note_missing(execution, execution->server.welcome.missing);
  return 0;
}

static int give_scratch(struct execution *execution, struct error **err)
{
  if (execution->cell.missing & wall_scratch)
    return 0;
  int mount_fd = scratch_maker_finish(&execution->scratch, err);
  return mount_fd < 0 ? -1 : cell_give_scratch(&execution->cell, mount_fd, err);
}

static int make_network(struct execution *execution, struct error **err)
{
  const struct request *request = execution->request;
  if (request->network != NETWORK_EGRESS)
    return 0;
  return egress_make(&execution->egress, execution->zygote.pid,
                     &execution->cell.sandbox, request->allowed_networks,
                     request->allowed_network_count, err);
}

/* A server that ends between FORK and FORKED is no failure of the run's. */
static int await_sandbox(struct execution *execution, struct error **err)
{
  struct sandbox *sandbox = &execution->cell.sandbox;
  cleanup_error struct error *lost = NULL;
  if (execution->way == START_ALONE)
    return sandbox_await(&execution->zygote, sandbox, err);
  if (sandbox_await(&execution->zygote, sandbox, &lost) == 0)
    return 0;
  cell_kill(&execution->cell);
  sandbox_close(sandbox);
  zygote_stop(&execution->zygote);
  if (fork_sandbox(execution, true, err) < 0 ||
      sandbox_record(sandbox, execution->result_fd, err) < 0)
    return -1;
  return sandbox_await(&execution->zygote, sandbox, err);
}

static int make_sandbox(struct execution *execution, struct error **err)
{
  struct cell *cell = &execution->cell;
  const struct request *request = execution->request;
  const struct library_set *sets[REQUEST_SETS_MAX];
  size_t set_count = request_sets(request, sets);
  const struct cell_place place = {
      .size = request->size,
      .network = request->network,
      .resolv_conf = &execution->egress.resolv_conf,
      .mounts = request->mounts,
      .mount_count = request->mount_count,
      .sets = sets,
      .set_count = set_count,
  };
  if (sandbox_record(&cell->sandbox, execution->result_fd, err) < 0 ||
      cell_make_cgroup(cell, execution->run.id, request->size, err) < 0 ||
      await_sandbox(execution, err) < 0)
    return -1;
  /* The scratch before the network: a process that pasta is started with would
   * hold what the maker's thread has just closed, a mount that is to go. */
  if (cell_place(cell, &place, err) < 0 || give_scratch(execution, err) < 0 ||
      make_network(execution, err) < 0)
    return -1;
  return cell_await_parked(cell, err);
}

/* Returns whether there is a parked sandbox, which then is the run's. */
static bool take_parked(struct execution *execution)
{
  const struct pool_want want = want_of(execution, true);
  struct cell *cell = &execution->cell;
  execution->asked_ns = clock_monotonic_ns();
  if (!pool_take(&execution->server, &want, cell))
    return false;
  note_missing(execution, cell->missing);
  return true;
}

static int own_parked(struct execution *execution, struct error **err)
{
  struct cell *cell = &execution->cell;
  if (lease_move(store_dir(execution->store), cell->lease, execution->run_dir,
                 err) < 0)
    return -1;
  return sandbox_record(&cell->sandbox, execution->result_fd, err);
}

int start_finish(struct execution *execution, struct error **err)
{
  int made;
  if (execution->way != START_PARKED)
    made = make_sandbox(execution, err);
  else if (take_parked(execution))
    made = own_parked(execution, err);
  else if (begin_unparked(execution, err) < 0)
    return -1;
  else
    made = make_sandbox(execution, err);
  if (made < 0)
    return -1;
  run_set_text(&execution->run.python_version, execution->cell.python_version);
  return 0;
}
