#include "config.h"

#include "host/scratch_maker.h"

#include "base/fd.h"
#include "jobs/home.h"
#include "sandbox/scratch.h"

#include <string.h>

int scratch_maker_make(uint64_t size_bytes, struct error **err)
{
  cleanup_free char *path = NULL;
  if (home_state_dir(&path, err) < 0)
    return -1;
  cleanup_fd int dir = home_make_dir(path, err);
  if (dir < 0)
    return -1;
  int fd = scratch_create(dir, size_bytes, err);
  return fd < 0 ? error_wrap(err, "%s", path) : fd;
}

static void *run(void *argument)
{
  struct scratch_maker *maker = argument;
  maker->fd = scratch_maker_make(maker->size_bytes, &maker->err);
  return NULL;
}

int scratch_maker_start(struct scratch_maker *maker, uint64_t size_bytes,
                        struct error **err)
{
  maker->size_bytes = size_bytes;
  maker->fd = -1;
  int failure = pthread_create(&maker->thread, NULL, run, maker);
  if (failure != 0)
    return error_make(err, failure, "start a thread: %s", strerror(failure));
  maker->is_running = true;
  return 0;
}

static void await(struct scratch_maker *maker)
{
  if (maker->is_running)
    pthread_join(maker->thread, NULL);
  maker->is_running = false;
}

int scratch_maker_finish(struct scratch_maker *maker, struct error **err)
{
  await(maker);
  if (maker->fd < 0)
    *err = steal_pointer(&maker->err);
  return steal_fd(&maker->fd);
}

void scratch_maker_release(struct scratch_maker *maker)
{
  if (!maker->is_running)
    return;
  await(maker);
  fd_close(&maker->fd);
  error_clear(&maker->err);
}
