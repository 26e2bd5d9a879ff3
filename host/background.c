#include "config.h"

#include "host/background.h"

#include "base/fd.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

struct background {
  int done_fd; /* an eventfd: the thread's last act */
  struct event *event;
  bool is_busy;
  pthread_t thread;
  void (*work)(void *argument);
  void (*done)(void *argument);
  void *argument;
};

/* Both are of the calling thread alone in Linux (sched(7), setpriority(2)), and
 * what it starts inherits them. */
static void stand_back(void)
{
  enum { NICE = 5 };
  struct sched_param none = {0};
  sched_setscheduler(0, SCHED_BATCH, &none);
  setpriority(PRIO_PROCESS, 0, NICE);
}

static void *run(void *argument)
{
  struct background *self = argument;
  stand_back();
  self->work(self->argument);
  eventfd_write(self->done_fd, 1);
  return NULL;
}

static void finish(struct background *self)
{
  pthread_join(self->thread, NULL);
  self->is_busy = false;
}

static void when_done(evutil_socket_t fd, short what, void *argument)
{
  (void)what;
  struct background *self = argument;
  eventfd_t count;
  eventfd_read(fd, &count);
  if (!self->is_busy)
    return;
  finish(self);
  self->done(self->argument);
}

struct background *background_new(struct event_base *loop, struct error **err)
{
  int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) {
    error_errno(err, "make an eventfd");
    return NULL;
  }
  struct background *self = xcalloc(1, sizeof *self);
  self->done_fd = fd;
  self->event = event_new(loop, fd, EV_READ | EV_PERSIST, when_done, self);
  event_add(self->event, NULL);
  return self;
}

void background_free(struct background *self)
{
  if (self == NULL)
    return;
  if (self->is_busy)
    finish(self);
  event_free(self->event);
  fd_close(&self->done_fd);
  free(self);
}

bool background_is_busy(const struct background *self)
{
  return self->is_busy;
}

int background_start(struct background *self, void (*work)(void *argument),
                     void (*done)(void *argument), void *argument,
                     struct error **err)
{
  enum { STACK_BYTES = 512 << 10 };
  pthread_attr_t attributes;
  self->work = work;
  self->done = done;
  self->argument = argument;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, STACK_BYTES);
  int failure = pthread_create(&self->thread, &attributes, run, self);
  pthread_attr_destroy(&attributes);
  if (failure != 0)
    return error_make(err, failure, "start a thread: %s", strerror(failure));
  self->is_busy = true;
  return 0;
}
