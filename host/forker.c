#include "config.h"

#include "host/forker.h"

#include "base/clock.h"
#include "base/fd.h"
#include "host/library_sets.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct waiter {
  struct waiter *next;
  int fds[FORK_FD_COUNT];
  forker_answered *answered;
  void *argument; /* NULL: it doesn't wait any more */
};

struct forker {
  struct event_base *loop;
  char *library_set;
  void (*changed)(void *argument);
  void *argument;
  struct zygote zygote;   /* the warm one */
  struct library_set set; /* that it has imported from; zeroed: none */
  struct event *event;    /* its answers */
  int64_t warm_ns;
  int forks; /* that it made */
  bool is_spoiled;
  struct zygote next; /* that is being warmed, or waits for the last answer */
  struct library_set next_set;
  bool next_is_warm;
  struct error *next_error;
  int64_t failed_ns; /* 0: never */
  struct waiter *first;
  struct waiter **last;
  bool is_asked; /* the zygote has the FORK of the first */
  int waiting;
};

struct forker *forker_new(struct event_base *loop, const char *library_set,
                          void (*changed)(void *argument), void *argument)
{
  struct forker *self = xcalloc(1, sizeof *self);
  self->loop = loop;
  self->library_set = xstrdup(library_set);
  self->changed = changed;
  self->argument = argument;
  self->zygote = (struct zygote)ZYGOTE_INIT;
  self->next = (struct zygote)ZYGOTE_INIT;
  self->last = &self->first;
  return self;
}

static void free_waiter(struct waiter *waiter)
{
  for (int i = 0; i < FORK_FD_COUNT; i++)
    fd_close(&waiter->fds[i]);
  free(waiter);
}

/* Takes the first out of the queue and tells it. */
static void answer_first(struct forker *self, struct message *answer)
{
  struct waiter *waiter = self->first;
  self->is_asked = false;
  self->first = waiter->next;
  if (self->first == NULL)
    self->last = &self->first;
  self->waiting--;
  if (waiter->argument != NULL)
    waiter->answered(waiter->argument, answer);
  free_waiter(waiter);
}

static void drop_zygote(struct forker *self)
{
  if (self->event != NULL)
    event_free(self->event);
  self->event = NULL;
  zygote_end(&self->zygote);
  library_set_release(&self->set);
}

static void drop_waiters(struct forker *self)
{
  while (self->first != NULL)
    answer_first(self, NULL);
}

/* One that is dead says so by its end of file, too: when_answer. */
static void ask_for_first(struct forker *self)
{
  while (self->first != NULL && !self->is_asked) {
    cleanup_error struct error *ignored = NULL;
    struct message fork = {.kind = MESSAGE_FORK, .fd_count = FORK_FD_COUNT};
    memcpy(fork.fds, self->first->fds, sizeof self->first->fds);
    if (message_send(self->zygote.command_fd, &fork, &ignored) < 0)
      answer_first(self, NULL);
    else
      self->is_asked = true;
  }
}

static void when_answer(evutil_socket_t fd, short what, void *argument);

static void take_next(struct forker *self)
{
  if (!self->next_is_warm || self->is_asked)
    return;
  drop_zygote(self);
  self->zygote = self->next;
  self->next = (struct zygote)ZYGOTE_INIT;
  self->set = self->next_set;
  self->next_set = (struct library_set){0};
  self->next_is_warm = false;
  self->is_spoiled = false;
  self->forks = 0;
  self->warm_ns = clock_monotonic_ns();
  self->event = event_new(self->loop, self->zygote.command_fd,
                          EV_READ | EV_PERSIST, when_answer, self);
  event_add(self->event, NULL);
}

/* One that never forked anything is none to be replaced at once. */
static void lose_zygote(struct forker *self)
{
  if (self->forks == 0)
    self->failed_ns = clock_monotonic_ns();
  drop_zygote(self);
  drop_waiters(self);
  take_next(self);
}

static void take_answer(struct forker *self, struct message *answer)
{
  self->forks += answer->kind == MESSAGE_FORKED;
  if (answer->kind == MESSAGE_FAILED) {
    fprintf(stderr, "wafer: the zygote of the library set %s: %s\n",
            self->library_set, answer->text);
    self->is_spoiled = true;
  }
  if (self->first != NULL)
    answer_first(self, answer);
  message_close(answer);
  take_next(self);
  ask_for_first(self);
}

static void when_answer(evutil_socket_t fd, short what, void *argument)
{
  (void)what;
  struct forker *self = argument;
  struct message answer;
  cleanup_error struct error *ignored = NULL;
  if (message_receive(fd, &answer, &ignored) > 0)
    take_answer(self, &answer);
  else
    lose_zygote(self);
  self->changed(self->argument);
}

static bool is_old(const struct forker *self)
{
  int64_t age_ns = clock_monotonic_ns() - self->warm_ns;
  return self->is_spoiled || self->forks >= FORKER_FORKS_MAX ||
         age_ns >= FORKER_AGE_MAX_MS * (int64_t)NS_PER_MS;
}

bool forker_wants_zygote(const struct forker *self)
{
  if (self->next.pid != 0 || (self->zygote.pid != 0 && !is_old(self)))
    return false;
  int64_t since_ns = clock_monotonic_ns() - self->failed_ns;
  return self->failed_ns == 0 ||
         since_ns >= FORKER_RETRY_MS * (int64_t)NS_PER_MS;
}

static void warm(void *argument)
{
  struct forker *self = argument;
  struct library_set *set = &self->next_set;
  char version[PYTHON_VERSION_SIZE];
  self->next_is_warm =
      library_sets_choose(self->library_set, set, &self->next_error) == 0 &&
      zygote_warm(&self->next, set->dir != NULL ? set : NULL, version,
                  &self->next_error) == 0;
}

static void fail_next(struct forker *self)
{
  fprintf(stderr, "wafer: the zygote of the library set %s: %s\n",
          self->library_set, self->next_error->text);
  error_clear(&self->next_error);
  zygote_end(&self->next);
  library_set_release(&self->next_set);
  self->failed_ns = clock_monotonic_ns();
}

static void when_warm(void *argument)
{
  struct forker *self = argument;
  if (self->next_is_warm)
    take_next(self);
  else
    fail_next(self);
  self->changed(self->argument);
}

void forker_warm(struct forker *self, struct background *background)
{
  /* It dies with the thread that starts it, so that is the loop's. */
  if (zygote_start(&self->next, &self->next_error) < 0 ||
      background_start(background, warm, when_warm, self, &self->next_error) <
          0) {
    fail_next(self);
    return;
  }
  launch_stand_back(self->next.pid);
}

void forker_interrupt(struct forker *self)
{
  if (self->next.pid > 0)
    kill(self->next.pid, SIGKILL);
}

pid_t forker_pid(const struct forker *self)
{
  return self->zygote.pid;
}

const struct library_set *forker_set(const struct forker *self)
{
  return &self->set;
}

bool forker_has_lock(struct forker *self, const char *lock_sha256)
{
  const char *ours = self->set.lock_sha256;
  if (self->zygote.pid == 0)
    return false;
  if (strcmp(ours != NULL ? ours : "", lock_sha256) == 0)
    return true;
  self->is_spoiled = true;
  return false;
}

bool forker_is_busy(const struct forker *self)
{
  return self->first != NULL;
}

static int copy_fds(const int *fds, int copies[FORK_FD_COUNT],
                    struct error **err)
{
  for (int i = 0; i < FORK_FD_COUNT; i++)
    copies[i] = -1;
  for (int i = 0; i < FORK_FD_COUNT; i++) {
    copies[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
    if (copies[i] < 0)
      return error_errno(err, "copy a descriptor");
  }
  return 0;
}

int forker_fork(struct forker *self, const int *fds, forker_answered *answered,
                void *argument, struct error **err)
{
  if (self->zygote.pid == 0)
    return error_make(err, ECHILD, "there is no zygote");
  if (self->waiting == FORKER_QUEUE_MAX)
    return error_make(err, EBUSY, "%d wait for a fork already", self->waiting);
  struct waiter *waiter = xcalloc(1, sizeof *waiter);
  waiter->answered = answered;
  waiter->argument = argument;
  if (copy_fds(fds, waiter->fds, err) < 0) {
    free_waiter(waiter);
    return -1;
  }
  *self->last = waiter;
  self->last = &waiter->next;
  self->waiting++;
  ask_for_first(self);
  return 0;
}

void forker_cancel(struct forker *self, const void *argument)
{
  for (struct waiter *waiter = self->first; waiter != NULL;
       waiter = waiter->next)
    if (waiter->argument == argument)
      waiter->argument = NULL;
}

void forker_free(struct forker *self)
{
  if (self == NULL)
    return;
  drop_waiters(self);
  drop_zygote(self);
  zygote_end(&self->next);
  library_set_release(&self->next_set);
  error_clear(&self->next_error);
  free(self->library_set);
  free(self);
}
