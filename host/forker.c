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
  struct forker *forker = xcalloc(1, sizeof *forker);
  forker->loop = loop;
  forker->library_set = xstrdup(library_set);
  forker->changed = changed;
  forker->argument = argument;
  forker->zygote = (struct zygote)ZYGOTE_INIT;
  forker->next = (struct zygote)ZYGOTE_INIT;
  forker->last = &forker->first;
  return forker;
}

static void free_waiter(struct waiter *waiter)
{
  for (int i = 0; i < FORK_FD_COUNT; i++)
    fd_close(&waiter->fds[i]);
  free(waiter);
}

/* Takes the first out of the queue and tells it. */
static void answer_first(struct forker *forker, struct message *answer)
{
  struct waiter *waiter = forker->first;
  forker->is_asked = false;
  forker->first = waiter->next;
  if (forker->first == NULL)
    forker->last = &forker->first;
  forker->waiting--;
  if (waiter->argument != NULL)
    waiter->answered(waiter->argument, answer);
  free_waiter(waiter);
}

static void drop_zygote(struct forker *forker)
{
  if (forker->event != NULL)
    event_free(forker->event);
  forker->event = NULL;
  zygote_end(&forker->zygote);
  library_set_release(&forker->set);
}

static void drop_waiters(struct forker *forker)
{
  while (forker->first != NULL)
    answer_first(forker, NULL);
}

/* One that is dead says so by its end of file, too: when_answer. */
static void ask_for_first(struct forker *forker)
{
  static const struct timeval patience = {
      .tv_sec = FORKER_PATIENCE_MS / 1000,
      .tv_usec = FORKER_PATIENCE_MS % 1000 * 1000,
  };
  while (forker->first != NULL && !forker->is_asked) {
    cleanup_error struct error *ignored = NULL;
    struct message fork = {.kind = MESSAGE_FORK, .fd_count = FORK_FD_COUNT};
    memcpy(fork.fds, forker->first->fds, sizeof forker->first->fds);
    if (message_send(forker->zygote.command_fd, &fork, &ignored) < 0) {
      answer_first(forker, NULL);
      continue;
    }
    forker->is_asked = true;
    event_add(forker->event, &patience);
  }
}

static void when_answer(evutil_socket_t fd, short what, void *argument);

static void take_next(struct forker *forker)
{
  if (!forker->next_is_warm || forker->is_asked)
    return;
  drop_zygote(forker);
  forker->zygote = forker->next;
  forker->next = (struct zygote)ZYGOTE_INIT;
  forker->set = forker->next_set;
  forker->next_set = (struct library_set){0};
  forker->next_is_warm = false;
  forker->is_spoiled = false;
  forker->forks = 0;
  forker->warm_ns = clock_monotonic_ns();
  forker->event = event_new(forker->loop, forker->zygote.command_fd,
                            EV_READ | EV_PERSIST, when_answer, forker);
  event_add(forker->event, NULL);
}

/* One that never forked anything is none to be replaced at once. */
static void lose_zygote(struct forker *forker)
{
  if (forker->forks == 0)
    forker->failed_ns = clock_monotonic_ns();
  drop_zygote(forker);
  drop_waiters(forker);
  take_next(forker);
}

static void take_answer(struct forker *forker, struct message *answer)
{
  forker->forks += answer->kind == MESSAGE_FORKED;
  if (answer->kind == MESSAGE_FAILED) {
    fprintf(stderr, "wafer: the zygote of the library set %s: %s\n",
            forker->library_set, answer->text);
    forker->is_spoiled = true;
  }
  if (forker->first != NULL)
    answer_first(forker, answer);
  message_close(answer);
  take_next(forker);
  ask_for_first(forker);
}

static void when_answer(evutil_socket_t fd, short what, void *argument)
{
  struct forker *forker = argument;
  struct message answer;
  cleanup_error struct error *ignored = NULL;
  event_remove_timer(forker->event);
  if (!(what & EV_TIMEOUT) && message_receive(fd, &answer, &ignored) > 0)
    take_answer(forker, &answer);
  else
    lose_zygote(forker);
  forker->changed(forker->argument);
}

static bool is_old(const struct forker *forker)
{
  int64_t age_ns = clock_monotonic_ns() - forker->warm_ns;
  return forker->is_spoiled || forker->forks >= FORKER_FORKS_MAX ||
         age_ns >= FORKER_AGE_MAX_MS * (int64_t)NS_PER_MS;
}

bool forker_wants_zygote(const struct forker *forker)
{
  if (forker->next.pid != 0 || (forker->zygote.pid != 0 && !is_old(forker)))
    return false;
  int64_t since_ns = clock_monotonic_ns() - forker->failed_ns;
  return forker->failed_ns == 0 ||
         since_ns >= FORKER_RETRY_MS * (int64_t)NS_PER_MS;
}

static void warm(void *argument)
{
  struct forker *forker = argument;
  struct library_set *set = &forker->next_set;
  char version[PYTHON_VERSION_SIZE];
  forker->next_is_warm =
      library_sets_choose(forker->library_set, set, &forker->next_error) == 0 &&
      zygote_warm(&forker->next, set->dir != NULL ? set : NULL, version,
                  &forker->next_error) == 0;
}

static void fail_next(struct forker *forker)
{
  fprintf(stderr, "wafer: the zygote of the library set %s: %s\n",
          forker->library_set, forker->next_error->text);
  error_clear(&forker->next_error);
  zygote_end(&forker->next);
  library_set_release(&forker->next_set);
  forker->failed_ns = clock_monotonic_ns();
}

static void when_warm(void *argument)
{
  struct forker *forker = argument;
  if (forker->next_is_warm)
    take_next(forker);
  else
    fail_next(forker);
  forker->changed(forker->argument);
}

void forker_warm(struct forker *forker, struct background *background)
{
  /* It dies with the thread that starts it, so that is the loop's. */
  if (zygote_start(&forker->next, &forker->next_error) < 0 ||
      background_start(background, warm, when_warm, forker,
                       &forker->next_error) < 0) {
    fail_next(forker);
    return;
  }
  launch_stand_back(forker->next.pid);
}

void forker_interrupt(struct forker *forker)
{
  if (forker->next.pid > 0)
    kill(forker->next.pid, SIGKILL);
}

pid_t forker_pid(const struct forker *forker)
{
  return forker->zygote.pid;
}

const struct library_set *forker_set(const struct forker *forker)
{
  return &forker->set;
}

bool forker_has_lock(struct forker *forker, const char *lock_sha256)
{
  const char *ours = forker->set.lock_sha256;
  if (forker->zygote.pid == 0)
    return false;
  if (strcmp(ours != NULL ? ours : "", lock_sha256) == 0)
    return true;
  forker->is_spoiled = true;
  return false;
}

bool forker_is_busy(const struct forker *forker)
{
  return forker->first != NULL;
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

int forker_fork(struct forker *forker, const int *fds,
                forker_answered *answered, void *argument, struct error **err)
{
  if (forker->zygote.pid == 0)
    return error_make(err, ECHILD, "there is no zygote");
  if (forker->waiting == FORKER_QUEUE_MAX)
    return error_make(err, EBUSY, "%d wait for a fork already",
                      forker->waiting);
  struct waiter *waiter = xcalloc(1, sizeof *waiter);
  waiter->answered = answered;
  waiter->argument = argument;
  if (copy_fds(fds, waiter->fds, err) < 0) {
    free_waiter(waiter);
    return -1;
  }
  *forker->last = waiter;
  forker->last = &waiter->next;
  forker->waiting++;
  ask_for_first(forker);
  return 0;
}

void forker_cancel(struct forker *forker, const void *argument)
{
  for (struct waiter *waiter = forker->first; waiter != NULL;
       waiter = waiter->next)
    if (waiter->argument == argument)
      waiter->argument = NULL;
}

void forker_free(struct forker *forker)
{
  if (forker == NULL)
    return;
  drop_waiters(forker);
  drop_zygote(forker);
  zygote_end(&forker->next);
  library_set_release(&forker->next_set);
  error_clear(&forker->next_error);
  free(forker->library_set);
  free(forker);
}
