#include "config.h"

#include "host/pool.h"

#include "base/clock.h"
#include "base/fd.h"
#include "host/lease.h"
#include "host/process.h"
#include "host/scratch_maker.h"
#include "host/settings.h"
#include "host/walls.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
  SHELVES_MAX = 8, /* sizes */
  RACKS_MAX = 16,  /* library sets */
  /* What a parked sandbox is taken to need where it can't be measured. */
  GUESSED_BYTES = 2 << 20,
  /* After a sandbox that couldn't be made. */
  RETRY_MS = 1000,
};

struct parked {
  struct cell cell;
  char library_lock[POOL_LOCK_SIZE]; /* of the set that it was made with */
  int64_t bytes;
};

/* The list of one library set and size: first in, first out. */
struct shelf {
  struct rack *rack;
  const struct size *size;
  struct parked items[SETTINGS_POOL_SIZE_MAX];
  int count;
};

/* All of one library set. */
struct rack {
  char *library_set;
  struct forker *forker;
  struct shelf *shelves[SHELVES_MAX];
  size_t shelf_count;
};

struct pool {
  struct pool_options options;
  struct event_base *loop;
  struct background *background;
  struct event *work; /* a timer: see when_work */
  struct rack racks[RACKS_MAX];
  size_t rack_count;
  struct shelf *making_for; /* NULL: nothing is being made */
  struct parked making;
  struct error *making_error;
  int64_t failed_ns;
  bool was_full;
};

/* Ends a cell that nobody was given, and removes what it had. */
static void discard(struct pool *pool, struct cell *cell)
{
  cleanup_error struct error *err = NULL;
  cell_kill(cell);
  if (cgroup_destroy(steal_pointer(&cell->cgroup), &err) < 0)
    fprintf(stderr, "wafer: %s\n", err->text);
  else if (cell->lease[0] != '\0')
    lease_remove(pool->options.state_dir, cell->lease);
  cell_close(cell);
}

/* All that is done for nobody in particular waits a moment: who has just taken
 * something is to have the processors. */
static void work_soon(struct pool *pool)
{
  const struct timeval delay = {.tv_usec = POOL_REFILL_DELAY_MS * 1000};
  if (!event_pending(pool->work, EV_TIMEOUT, NULL))
    event_add(pool->work, &delay);
}

static void when_forker_changed(void *argument)
{
  work_soon(argument);
}

static int64_t measure(const struct sandbox *sandbox)
{
  int64_t job = process_private_bytes(sandbox->job_pid);
  int64_t keeper = process_private_bytes(sandbox->keeper_pid);
  return job < 0 || keeper < 0 ? GUESSED_BYTES : job + keeper;
}

static int make_scratch(struct cell *cell, const struct size *size,
                        struct error **err)
{
  if (cell->missing & 1U << WALL_SCRATCH)
    return 0;
  int mount_fd = scratch_maker_make((uint64_t)size->scratch_bytes, err);
  return mount_fd < 0 ? -1 : cell_give_scratch(cell, mount_fd, err);
}

/* What follows the fork. The lease comes before anything that could be left
 * behind. */
static int make(struct pool *pool, struct cell *cell, struct error **err)
{
  const struct size *size = pool->making_for->size;
  const struct library_set *set = forker_set(pool->making_for->rack->forker);
  const struct cell_place place = {
      .size = size,
      .network = NETWORK_NONE,
      .sets = &set,
      .set_count = set->dir != NULL,
      .rehearse = true,
  };
  cell->lease_fd = lease_make(pool->options.state_dir, cell->lease, err);
  if (cell->lease_fd < 0 ||
      cell_make_cgroup(cell, cell->lease, size, err) < 0 ||
      sandbox_await_hello(&cell->sandbox, err) < 0 ||
      cell_place(cell, &place, err) < 0 || make_scratch(cell, size, err) < 0)
    return -1;
  return cell_await_parked(cell, err);
}

static void make_in_background(void *argument)
{
  struct pool *pool = argument;
  struct cell *cell = &pool->making.cell;
  lease_sweep(pool->options.state_dir);
  if (make(pool, cell, &pool->making_error) == 0)
    pool->making.bytes = measure(&cell->sandbox);
}

static void fail_making(struct pool *pool)
{
  fprintf(stderr, "wafer: make a sandbox ahead: %s\n",
          pool->making_error->text);
  error_clear(&pool->making_error);
  discard(pool, &pool->making.cell);
  pool->failed_ns = clock_monotonic_ns();
}

static void put(struct shelf *shelf, const struct parked *parked)
{
  if (shelf->count < (int)ARRAY_LENGTH(shelf->items))
    shelf->items[shelf->count++] = *parked;
}

static void when_made(void *argument)
{
  struct pool *pool = argument;
  if (pool->making_error != NULL)
    fail_making(pool);
  else
    put(pool->making_for, &pool->making);
  pool->making_for = NULL;
  work_soon(pool);
}

/* The zygote's answer to a refill's FORK. */
static void when_forked(void *argument, struct message *answer)
{
  struct pool *pool = argument;
  struct error **err = &pool->making_error;
  if (answer == NULL)
    error_make(err, 0, "the zygote was lost");
  else if (answer->kind != MESSAGE_FORKED)
    error_make(err, 0, "%s", answer->text);
  else if (sandbox_take_forked(&pool->making.cell.sandbox, answer, err) == 0 &&
           background_start(pool->background, make_in_background, when_made,
                            pool, err) == 0)
    return;
  fail_making(pool);
  pool->making_for = NULL;
}

static void begin_to_make(struct pool *pool, struct shelf *shelf)
{
  struct sandbox_far_ends far = SANDBOX_FAR_ENDS_INIT;
  struct forker *forker = shelf->rack->forker;
  const char *lock = forker_set(forker)->lock_sha256;
  pool->making = (struct parked){.cell = CELL_INIT};
  snprintf(pool->making.library_lock, sizeof pool->making.library_lock, "%s",
           lock != NULL ? lock : "");
  pool->making.cell.missing = pool->options.missing;
  pool->making.cell.ids.own =
      geteuid() != 0 && (pool->options.missing & 1U << WALL_UID) != 0;
  pool->making_for = shelf;
  if (sandbox_make_ends(&pool->making.cell.sandbox, &far, &pool->making_error) <
          0 ||
      forker_fork(forker, far.fds, when_forked, pool, &pool->making_error) <
          0) {
    fail_making(pool);
    pool->making_for = NULL;
  }
  sandbox_close_far_ends(&far);
}

static bool may_make(const struct rack *rack)
{
  return forker_pid(rack->forker) != 0 && !forker_is_busy(rack->forker);
}

/* What all that is parked takes, and the most that one of it does. */
static int64_t count_bytes(const struct pool *pool, int64_t *largest)
{
  int64_t sum = 0;
  *largest = 0;
  for (size_t i = 0; i < pool->rack_count; i++)
    for (size_t j = 0; j < pool->racks[i].shelf_count; j++) {
      const struct shelf *shelf = pool->racks[i].shelves[j];
      for (int k = 0; k < shelf->count; k++) {
        sum += shelf->items[k].bytes;
        if (shelf->items[k].bytes > *largest)
          *largest = shelf->items[k].bytes;
      }
    }
  return sum;
}

/* The emptiest, if there is room in it and memory for one more. */
static struct shelf *find_short_shelf(const struct pool *pool)
{
  struct shelf *found = NULL;
  int64_t largest, bytes = count_bytes(pool, &largest);
  if (bytes + (largest > 0 ? largest : GUESSED_BYTES) >
      pool->options.memory_bytes)
    return NULL;
  for (size_t i = 0; i < pool->rack_count; i++) {
    const struct rack *rack = &pool->racks[i];
    for (size_t j = 0; may_make(rack) && j < rack->shelf_count; j++) {
      struct shelf *shelf = rack->shelves[j];
      if (shelf->count < pool->options.size &&
          (found == NULL || shelf->count < found->count))
        found = shelf;
    }
  }
  return found;
}

static struct forker *find_cold_forker(const struct pool *pool)
{
  for (size_t i = 0; i < pool->rack_count; i++)
    if (forker_wants_zygote(pool->racks[i].forker))
      return pool->racks[i].forker;
  return NULL;
}

static bool has_just_failed(const struct pool *pool)
{
  int64_t since_ns = clock_monotonic_ns() - pool->failed_ns;
  return pool->failed_ns != 0 && since_ns < RETRY_MS * (int64_t)NS_PER_MS;
}

/* Once: whoever starts a server may want to wait for that. */
static void tell_that_it_is_full(struct pool *pool)
{
  int count = 0;
  for (size_t i = 0; i < pool->rack_count; i++)
    for (size_t j = 0; j < pool->racks[i].shelf_count; j++)
      count += pool->racks[i].shelves[j]->count;
  if (!pool->was_full)
    fprintf(stderr, "wafer: %d sandboxes are parked\n", count);
  pool->was_full = true;
}

/* Begins one thing that needs doing, if any; the end of that comes back here.
 * Nothing is tried again before somebody asks. */
static void when_work(evutil_socket_t fd, short what, void *argument)
{
  (void)fd;
  (void)what;
  struct pool *pool = argument;
  if (background_is_busy(pool->background) || pool->making_for != NULL)
    return;
  struct forker *cold = find_cold_forker(pool);
  if (cold != NULL) {
    forker_warm(cold, pool->background);
    return;
  }
  if (has_just_failed(pool))
    return;
  struct shelf *shelf = find_short_shelf(pool);
  if (shelf != NULL)
    begin_to_make(pool, shelf);
  else
    tell_that_it_is_full(pool);
}

static void add_rack(struct pool *pool, const char *library_set)
{
  if (pool->rack_count == RACKS_MAX)
    return;
  struct rack *rack = &pool->racks[pool->rack_count++];
  rack->library_set = xstrdup(library_set);
  rack->forker = forker_new(pool->loop, library_set, when_forker_changed, pool);
  for (size_t i = 0; i < SHELVES_MAX && size_at(i) != NULL; i++) {
    rack->shelves[i] = xcalloc(1, sizeof *rack->shelves[i]);
    rack->shelves[i]->rack = rack;
    rack->shelves[i]->size = size_at(i);
    rack->shelf_count++;
  }
}

struct pool *pool_new(struct event_base *loop,
                      const struct pool_options *options, struct error **err)
{
  struct background *background = background_new(loop, err);
  if (background == NULL)
    return NULL;
  struct pool *pool = xcalloc(1, sizeof *pool);
  pool->loop = loop;
  pool->options = *options;
  pool->background = background;
  pool->work = evtimer_new(loop, when_work, pool);
  for (size_t i = 0; i < options->library_sets->count; i++)
    add_rack(pool, options->library_sets->items[i]);
  work_soon(pool);
  return pool;
}

/* In the making: the zygote and the keeper are killed, so that the thread waits
 * for nobody. */
static void interrupt(struct pool *pool)
{
  int keeper = pool->making.cell.sandbox.keeper_pidfd;
  for (size_t i = 0; i < pool->rack_count; i++) {
    forker_cancel(pool->racks[i].forker, pool);
    forker_interrupt(pool->racks[i].forker);
  }
  if (pool->making_for != NULL && keeper >= 0)
    syscall(SYS_pidfd_send_signal, keeper, SIGKILL, NULL, 0);
}

/* All are told before the first is waited for. */
static void tell_to_end(struct rack *rack)
{
  for (size_t i = 0; i < rack->shelf_count; i++)
    for (int j = 0; j < rack->shelves[i]->count; j++)
      fd_close(&rack->shelves[i]->items[j].cell.sandbox.keeper_fd);
}

static void release_rack(struct pool *pool, struct rack *rack)
{
  for (size_t i = 0; i < rack->shelf_count; i++) {
    for (int j = 0; j < rack->shelves[i]->count; j++)
      discard(pool, &rack->shelves[i]->items[j].cell);
    free(rack->shelves[i]);
  }
  forker_free(rack->forker);
  free(rack->library_set);
}

void pool_free(struct pool *pool)
{
  if (pool == NULL)
    return;
  interrupt(pool);
  background_free(pool->background);
  error_clear(&pool->making_error);
  if (pool->making_for != NULL)
    discard(pool, &pool->making.cell);
  for (size_t i = 0; i < pool->rack_count; i++)
    tell_to_end(&pool->racks[i]);
  for (size_t i = 0; i < pool->rack_count; i++)
    release_rack(pool, &pool->racks[i]);
  event_free(pool->work);
  free(pool);
}

static struct rack *find_rack(struct pool *pool, const char *library_set)
{
  for (size_t i = 0; i < pool->rack_count; i++)
    if (strcmp(pool->racks[i].library_set, library_set) == 0)
      return &pool->racks[i];
  return NULL;
}

static struct shelf *find_shelf(struct pool *pool, const struct pool_want *want)
{
  const struct rack *rack = find_rack(pool, want->library_set);
  for (size_t i = 0; rack != NULL && i < rack->shelf_count; i++)
    if (strcmp(rack->shelves[i]->size->name, want->size) == 0)
      return rack->shelves[i];
  return NULL;
}

static bool has_died(const struct cell *cell)
{
  struct pollfd keeper = {.fd = cell->sandbox.keeper_pidfd, .events = POLLIN};
  return poll(&keeper, 1, 0) != 0;
}

static struct parked shift(struct shelf *shelf)
{
  struct parked first = shelf->items[0];
  shelf->count--;
  memmove(shelf->items, shelf->items + 1,
          (size_t)shelf->count * sizeof *shelf->items);
  return first;
}

bool pool_pop(struct pool *pool, const struct pool_want *want,
              struct cell *cell)
{
  struct shelf *shelf = find_shelf(pool, want);
  work_soon(pool);
  while (shelf != NULL && shelf->count > 0) {
    struct parked parked = shift(shelf);
    if (!has_died(&parked.cell) &&
        strcmp(parked.library_lock, want->library_lock) == 0) {
      *cell = parked.cell;
      return true;
    }
    discard(pool, &parked.cell);
  }
  return false;
}

void pool_push(struct pool *pool, const struct pool_want *want,
               const struct cell *cell)
{
  struct parked parked = {.cell = *cell, .bytes = measure(&cell->sandbox)};
  memcpy(parked.library_lock, want->library_lock, sizeof parked.library_lock);
  put(find_shelf(pool, want), &parked);
}

struct forker *pool_forker(struct pool *pool, const struct pool_want *want)
{
  struct rack *rack = find_rack(pool, want->library_set);
  return rack != NULL && forker_has_lock(rack->forker, want->library_lock)
             ? rack->forker
             : NULL;
}
