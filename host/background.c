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
  struct background *background = argument;
  stand_back();
  background->work(background->argument);
  eventfd_write(background->done_fd, 1);
  return NULL;
}

static void finish(struct background *background)
{
  pthread_join(background->thread, NULL);
  background->is_busy = false;
}

static void when_done(evutil_socket_t fd, short what, void *argument)
{
  (void)what;
  struct background *background = argument;
  eventfd_t count;
  eventfd_read(fd, &count);
  if (!background->is_busy)
    return;
  finish(background);
  background->done(background->argument);
}

struct background *background_new(struct event_base *loop, struct error **err)
{
  int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) {
    error_errno(err, "make an eventfd");
    return NULL;
  }
  struct background *background = xcalloc(1, sizeof *background);
  background->done_fd = fd;
  background->event =
      event_new(loop, fd, EV_READ | EV_PERSIST, when_done, background);
  event_add(background->event, NULL);
  return background;
}

void background_free(struct background *background)
{
  if (background == NULL)
    return;
  if (background->is_busy)
    finish(background);
  event_free(background->event);
  fd_close(&background->done_fd);
  free(background);
}

bool background_is_busy(const struct background *background)
{
  return background->is_busy;
}

int background_start(struct background *background,
                     void (*work)(void *argument), void (*done)(void *argument),
                     void *argument, struct error **err)
{
  enum { STACK_BYTES = 512 << 10 };
  pthread_attr_t attributes;
  background->work = work;
  background->done = done;
  background->argument = argument;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, STACK_BYTES);
  int failure =
      pthread_create(&background->thread, &attributes, run, background);
  pthread_attr_destroy(&attributes);
  if (failure != 0)
    return error_make(err, failure, "start a thread: %s", strerror(failure));
  background->is_busy = true;
  return 0;
}
