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

#define LIBRARY_SET "none"

enum {
  SHELVES_MAX = 8,
  /* What a parked sandbox is taken to need where it can't be measured. */
  GUESSED_BYTES = 2 << 20,
  /* After a sandbox that couldn't be made. */
  RETRY_MS = 1000,
};

struct parked {
  struct cell cell;
  int64_t bytes;
};

/* The list of one size: first in, first out. */
struct shelf {
  const struct size *size;
  struct parked items[SETTINGS_POOL_SIZE_MAX];
  int count;
};

struct pool {
  struct pool_options options;
  struct event_base *loop;
  struct background *background;
  struct forker *forker;
  struct event *work; /* a timer: see when_work */
  struct shelf *shelves[SHELVES_MAX];
  size_t shelf_count;
  struct shelf *making_for; /* NULL: nothing is being made */
  struct parked making;
  struct error *making_error;
  int64_t failed_ns;
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
static int make(struct pool *pool, struct cell *cell, const struct size *size,
                struct error **err)
{
  const struct cell_place place = {
      .size = size, .network = NETWORK_NONE, .rehearse = true};
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
  if (make(pool, cell, pool->making_for->size, &pool->making_error) == 0)
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
  pool->making = (struct parked){.cell = CELL_INIT};
  pool->making.cell.missing = pool->options.missing;
  pool->making.cell.ids.own =
      geteuid() != 0 && (pool->options.missing & 1U << WALL_UID) != 0;
  pool->making_for = shelf;
  if (sandbox_make_ends(&pool->making.cell.sandbox, &far, &pool->making_error) <
          0 ||
      forker_fork(pool->forker, far.fds, when_forked, pool,
                  &pool->making_error) < 0) {
    fail_making(pool);
    pool->making_for = NULL;
  }
  sandbox_close_far_ends(&far);
}

/* The emptiest, if there is room in it and memory for one more. */
static struct shelf *find_short_shelf(const struct pool *pool)
{
  struct shelf *found = NULL;
  int64_t bytes = 0, largest = 0;
  for (size_t i = 0; i < pool->shelf_count; i++) {
    struct shelf *shelf = pool->shelves[i];
    for (int j = 0; j < shelf->count; j++) {
      bytes += shelf->items[j].bytes;
      if (shelf->items[j].bytes > largest)
        largest = shelf->items[j].bytes;
    }
    if (shelf->count < pool->options.size &&
        (found == NULL || shelf->count < found->count))
      found = shelf;
  }
  if (largest == 0)
    largest = GUESSED_BYTES;
  return bytes + largest <= pool->options.memory_bytes ? found : NULL;
}

static bool may_make(const struct pool *pool)
{
  int64_t since_ns = clock_monotonic_ns() - pool->failed_ns;
  return forker_pid(pool->forker) != 0 && !forker_is_busy(pool->forker) &&
         (pool->failed_ns == 0 || since_ns >= RETRY_MS * (int64_t)NS_PER_MS);
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
  if (forker_wants_zygote(pool->forker)) {
    forker_warm(pool->forker, pool->background);
    return;
  }
  struct shelf *shelf = may_make(pool) ? find_short_shelf(pool) : NULL;
  if (shelf != NULL)
    begin_to_make(pool, shelf);
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
  pool->forker = forker_new(loop, LIBRARY_SET, when_forker_changed, pool);
  pool->work = evtimer_new(loop, when_work, pool);
  for (size_t i = 0; i < SHELVES_MAX && size_at(i) != NULL; i++) {
    pool->shelves[i] = xcalloc(1, sizeof *pool->shelves[i]);
    pool->shelves[i]->size = size_at(i);
    pool->shelf_count++;
  }
  work_soon(pool);
  return pool;
}

/* In the making: the zygote and the keeper are killed, so that the thread waits
 * for nobody. */
static void interrupt(struct pool *pool)
{
  int keeper = pool->making.cell.sandbox.keeper_pidfd;
  forker_interrupt(pool->forker);
  if (pool->making_for != NULL && keeper >= 0)
    syscall(SYS_pidfd_send_signal, keeper, SIGKILL, NULL, 0);
}

void pool_free(struct pool *pool)
{
  if (pool == NULL)
    return;
  forker_cancel(pool->forker, pool);
  interrupt(pool);
  background_free(pool->background);
  error_clear(&pool->making_error);
  if (pool->making_for != NULL)
    discard(pool, &pool->making.cell);
  /* All are told before the first is waited for. */
  for (size_t i = 0; i < pool->shelf_count; i++)
    for (int j = 0; j < pool->shelves[i]->count; j++)
      fd_close(&pool->shelves[i]->items[j].cell.sandbox.keeper_fd);
  for (size_t i = 0; i < pool->shelf_count; i++) {
    for (int j = 0; j < pool->shelves[i]->count; j++)
      discard(pool, &pool->shelves[i]->items[j].cell);
    free(pool->shelves[i]);
  }
  forker_free(pool->forker);
  event_free(pool->work);
  free(pool);
}

static struct shelf *find_shelf(const struct pool *pool,
                                const struct pool_want *want)
{
  if (strcmp(want->library_set, LIBRARY_SET) != 0)
    return NULL;
  for (size_t i = 0; i < pool->shelf_count; i++)
    if (strcmp(pool->shelves[i]->size->name, want->size) == 0)
      return pool->shelves[i];
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
    if (!has_died(&parked.cell)) {
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
  put(find_shelf(pool, want),
      &(struct parked){.cell = *cell, .bytes = measure(&cell->sandbox)});
}

struct forker *pool_forker(struct pool *pool, const char *library_set)
{
  return strcmp(library_set, LIBRARY_SET) == 0 ? pool->forker : NULL;
}
