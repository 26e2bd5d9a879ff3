/* One event loop; every event has a function below, named when_…. */
#include "config.h"

#include "host/execute.h"

#include "base/clock.h"
#include "host/heartbeat.h"
#include "host/resolver.h"
#include "host/seccomp_log.h"
#include "host/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum {
  GRACE_MS = 5000,     /* from the first signal to SIGKILL */
  STACK_WAIT_MS = 200, /* for a job to write its stack before it is ended */
  HEARTBEAT_MS = 1000,
  RELEASED_MS = 20, /* until RUNNING is recorded; see when_released */
  WATCH_MS = 100,   /* see cgroup_watch; a shorter job does without */
  REPORT_MAX_BYTES = 64 << 10,
  /* Refused calls that are answered at once; from then on one each
   * REFUSAL_PAUSE_MS, so that a job that does nothing else costs the host
   * nothing worth counting. */
  REFUSALS_AT_ONCE = 1000,
  REFUSAL_PAUSE_MS = 10,
  EVENTS_MAX = 24,
};

struct supervision {
  struct execution *execution;
  struct outcome *outcome;
  struct event_base *loop;
  struct stream out;
  struct stream err_stream;
  struct event *events[EVENTS_MAX]; /* all, to be freed */
  size_t event_count;
  struct resolver *resolver; /* with --network egress */
  struct event *report;
  struct event *kill_timer;
  struct event *stop_timer; /* after the stack of a run that timed out */
  struct event *refusal;
  struct event *refusal_timer;
  int64_t refusals;
  struct seccomp_log log;
  bool sandbox_is_dead;
  bool signalled; /* by this host: a first time */
};

static struct timeval milliseconds(int64_t ms)
{
  return (struct timeval){.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};
}

/* The job may be dead already; then there is nobody to tell. */
static void tell_job(struct supervision *self, int signal_number)
{
  cleanup_error struct error *ignored = NULL;
  sandbox_signal(&self->execution->cell.sandbox, signal_number, &ignored);
}

/* A step that can't be recorded (a full disk) doesn't stop the run: recording
 * its end makes up for it, see jobs/store.h. */
static void record(struct supervision *self, enum run_event event)
{
  cleanup_error struct error *ignored = NULL;
  struct execution *execution = self->execution;
  store_update_run(execution->store, &execution->run, event, &ignored);
}

static void end_loop_if_done(struct supervision *self)
{
  if (self->sandbox_is_dead && self->out.done && self->err_stream.done)
    event_base_loopbreak(self->loop);
}

static void when_stream_done(void *argument)
{
  end_loop_if_done(argument);
}

/* The keeper's death, or its word that all others are dead: its socket is
 * readable for that, and at its end. */
static void when_sandbox_dead(evutil_socket_t fd, short what, void *argument)
{
  (void)fd;
  (void)what;
  struct supervision *self = argument;
  if (self->sandbox_is_dead)
    return;
  self->outcome->ended_ns = clock_monotonic_ns();
  self->sandbox_is_dead = true;
  end_loop_if_done(self);
}

static void kill_job(struct supervision *self)
{
  tell_job(self, SIGKILL);
}

static void when_grace_over(evutil_socket_t fd, short what, void *argument)
{
  (void)fd;
  (void)what;
  kill_job(argument);
}

static void begin_stop(struct supervision *self, int signal_number)
{
  struct timeval grace = milliseconds(GRACE_MS);
  self->signalled = true;
  tell_job(self, signal_number);
  event_add(self->kill_timer, &grace);
}

/* The second signal kills; when the job is dead already and only its output
 * waits for a caller that doesn't read, it ends that wait. */
static void when_signal(evutil_socket_t signal_number, short what,
                        void *argument)
{
  (void)what;
  struct supervision *self = argument;
  if (self->sandbox_is_dead) {
    stream_abandon(&self->out);
    stream_abandon(&self->err_stream);
    return;
  }
  if (self->outcome->stop_signal != 0 || self->signalled) {
    kill_job(self);
    return;
  }
  self->outcome->stop_signal = (int)signal_number;
  begin_stop(self, (int)signal_number);
  record(self, EVENT_STOP_ASKED);
}

static void when_time_up(evutil_socket_t fd, short what, void *argument)
{
  (void)fd;
  (void)what;
  struct supervision *self = argument;
  struct timeval wait = milliseconds(STACK_WAIT_MS);
  if (self->signalled)
    return;
  self->outcome->timed_out = true;
  self->signalled = true;
  tell_job(self, JOB_STACK_SIGNAL);
  event_add(self->stop_timer, &wait);
  record(self, EVENT_TIME_UP);
}

static void when_stack_waited(evutil_socket_t fd, short what, void *argument)
{
  (void)fd;
  (void)what;
  begin_stop(argument, SIGTERM);
}

/* What comes beyond the cap is read and dropped, lest the job wait. Returns
 * false at the end. */
static bool read_report(struct supervision *self)
{
  struct outcome *outcome = self->outcome;
  char bytes[4096];
  ssize_t got =
      read(self->execution->cell.sandbox.report_fd, bytes, sizeof bytes);
  size_t room = REPORT_MAX_BYTES - outcome->report_count;
  if (got <= 0)
    return false;
  size_t taken = (size_t)got < room ? (size_t)got : room;
  memcpy(outcome->report + outcome->report_count, bytes, taken);
  outcome->report_count += taken;
  return true;
}

static void when_report(evutil_socket_t fd, short what, void *argument)
{
  (void)fd;
  (void)what;
  struct supervision *self = argument;
  if (!read_report(self))
    event_del(self->report);
}

/* Of what isn't refused outright the filter speaks for the log alone. */
static void take_refusal(struct supervision *self,
                         const struct seccomp_refusal *refusal)
{
  if (refusal->verdict.action == SECCOMP_REFUSE)
    run_add_refused_syscall(&self->execution->run,
                            refusal->name ? refusal->name : "unknown", 1);
  if (self->execution->request->seccomp_log)
    seccomp_log_add(&self->log, refusal);
}

static void when_refused(evutil_socket_t fd, short what, void *argument)
{
  (void)what;
  struct supervision *self = argument;
  struct seccomp_refusal refusal;
  cleanup_error struct error *err = NULL;
  int got = seccomp_notify_answer(fd, &refusal, &err);
  if (got < 0) {
    event_del(self->refusal);
    return;
  }
  /* Nobody is left under the filter: POLLHUP, which would come for ever. */
  struct pollfd polled = {.fd = fd};
  if (got == 0 && poll(&polled, 1, 0) > 0)
    event_del(self->refusal);
  if (got > 0)
    take_refusal(self, &refusal);
  self->refusals += got;
  if (self->refusals > REFUSALS_AT_ONCE) {
    struct timeval pause = milliseconds(REFUSAL_PAUSE_MS);
    event_del(self->refusal);
    event_add(self->refusal_timer, &pause);
  }
}

static void when_refusal_pause_over(evutil_socket_t fd, short what,
                                    void *argument)
{
  (void)fd;
  (void)what;
  event_add(((struct supervision *)argument)->refusal, NULL);
}

/* At 95 % of the memory the job is asked for its stack, so that there is one to
 * show should it be killed; where the kernel killed, the whole job goes. */
static void look_at_memory(struct supervision *self)
{
  cleanup_error struct error *ignored = NULL;
  unsigned seen = 0;
  if (cgroup_watch_read(self->execution->cell.cgroup, &seen, &ignored) < 0)
    return;
  if (seen & CGROUP_SAW_PRESSURE)
    tell_job(self, JOB_STACK_SIGNAL);
  if (seen & CGROUP_SAW_OOM) {
    self->outcome->out_of_memory = true;
    kill_job(self);
  }
}

static void when_memory(evutil_socket_t fd, short what, void *argument)
{
  (void)fd;
  (void)what;
  look_at_memory(argument);
}

/* The kernel tells once that a threshold was passed; page cache may have done
 * that long before. So the heartbeat looks, too. */
static void when_heartbeat(evutil_socket_t fd, short what, void *argument)
{
  (void)fd;
  (void)what;
  struct supervision *self = argument;
  struct execution *execution = self->execution;
  struct cgroup_usage usage;
  cleanup_error struct error *ignored = NULL;
  int64_t cpu_ns = -1;
  if (cgroup_usage(execution->cell.cgroup, &usage, &ignored) == 0)
    cpu_ns = usage.cpu_ns;
  heartbeat_write(execution->heartbeat_fd, execution->released_ns, cpu_ns);
  look_at_memory(self);
  if (!execute_look_at_scratch(execution))
    kill_job(self);
}

static void no_log(int severity, const char *text)
{
  (void)severity;
  (void)text;
}

/* poll rather than epoll: it takes any kind of file. There are a dozen. */
static struct event_base *make_loop(void)
{
  event_set_log_callback(no_log);
  struct event_config *config = event_config_new();
  event_config_avoid_method(config, "epoll");
  event_config_avoid_method(config, "select");
  event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
  event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
  struct event_base *loop = event_base_new_with_config(config);
  event_config_free(config);
  return loop;
}

static struct event *make_event(struct supervision *self, int fd, short what,
                                event_callback_fn callback)
{
  struct event *event = event_new(self->loop, fd, what, callback, self);
  self->events[self->event_count++] = event;
  return event;
}

/* `what` is EV_READ or EV_SIGNAL, and EV_PERSIST. */
static void watch(struct supervision *self, int fd, short what,
                  event_callback_fn callback)
{
  if (fd >= 0)
    event_add(make_event(self, fd, what, callback), NULL);
}

static void when_watch_begins(evutil_socket_t fd, short what, void *argument)
{
  (void)fd;
  (void)what;
  struct supervision *self = argument;
  struct cgroup *cgroup = self->execution->cell.cgroup;
  int fds[CGROUP_WATCH_FDS];
  /* Without it the heartbeat still looks. */
  cleanup_error struct error *ignored = NULL;
  cgroup_watch(cgroup, &ignored);
  size_t count = cgroup_watch_fds(cgroup, fds);
  for (size_t i = 0; i < count; i++)
    watch(self, fds[i], EV_READ | EV_PERSIST, when_memory);
  look_at_memory(self);
}

/* The run has been durable since before its sandbox was made. Its start is
 * recorded once it has lasted a moment: what is over sooner needs one
 * transaction less. Should wafer be killed in between, the heartbeat tells that
 * it was released. */
static void when_released(evutil_socket_t fd, short what, void *argument)
{
  (void)fd;
  (void)what;
  struct supervision *self = argument;
  if (self->execution->run.state == STATE_STARTING)
    record(self, EVENT_RELEASED);
}

static void start_timers(struct supervision *self)
{
  const struct execution *execution = self->execution;
  int64_t spent_ns = clock_monotonic_ns() - execution->released_ns;
  int64_t left_ms = execution->run.timeout_ms - spent_ns / NS_PER_MS;
  struct timeval timeout = milliseconds(left_ms > 0 ? left_ms : 0);
  struct timeval heartbeat = milliseconds(HEARTBEAT_MS);
  struct timeval watch_begin = milliseconds(WATCH_MS);
  struct timeval released = milliseconds(RELEASED_MS);
  self->kill_timer = make_event(self, -1, 0, when_grace_over);
  self->stop_timer = make_event(self, -1, 0, when_stack_waited);
  self->refusal_timer = make_event(self, -1, 0, when_refusal_pause_over);
  event_add(make_event(self, -1, 0, when_time_up), &timeout);
  event_add(make_event(self, -1, EV_PERSIST, when_heartbeat), &heartbeat);
  event_add(make_event(self, -1, 0, when_watch_begins), &watch_begin);
  event_add(make_event(self, -1, 0, when_released), &released);
}

/* What the caller has us ignore, as nohup does, stays ignored. */
static void watch_signal(struct supervision *self, int number)
{
  struct sigaction now;
  sigaction(number, NULL, &now);
  if (now.sa_handler != SIG_IGN)
    watch(self, number, EV_SIGNAL | EV_PERSIST, when_signal);
}

static void start_watching(struct supervision *self)
{
  const struct sandbox *sandbox = &self->execution->cell.sandbox;
  event_add(make_event(self, sandbox->keeper_pidfd, EV_READ, when_sandbox_dead),
            NULL);
  event_add(make_event(self, sandbox->keeper_fd, EV_READ, when_sandbox_dead),
            NULL);
  self->report =
      make_event(self, sandbox->report_fd, EV_READ | EV_PERSIST, when_report);
  event_add(self->report, NULL);
  self->refusal = make_event(self, sandbox->listener_fd, EV_READ | EV_PERSIST,
                             when_refused);
  event_add(self->refusal, NULL);
  watch_signal(self, SIGINT);
  watch_signal(self, SIGTERM);
  watch_signal(self, SIGHUP);
}

/* Signals have waited since the run began to be made: see execute.c. */
static void let_signals_in(void)
{
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

static int start_stream(struct supervision *self, struct stream *stream,
                        int source_fd, int caller_fd, const char *log_name,
                        struct error **err)
{
  stream->source_fd = source_fd;
  stream->caller_fd = caller_fd;
  stream->log_dir = self->execution->run_dir;
  stream->log_name = log_name;
  stream->log_fd = -1;
  mask_stream_init(&stream->mask, self->execution->mask);
  stream->when_done = when_stream_done;
  stream->argument = self;
  return stream_start(stream, self->loop, err);
}

static void take_stream(struct stream *stream, int64_t *total_bytes,
                        bool *log_truncated)
{
  *total_bytes = stream->total_bytes;
  *log_truncated = *log_truncated || stream->log_truncated;
  stream_release(stream);
}

static void read_result(struct supervision *self)
{
  char text[RESULT_MAX_BYTES + 1];
  cleanup_error struct error *err = NULL;
  ssize_t count = pread(self->execution->result_fd, text, sizeof text, 0);
  self->outcome->have_result =
      count > 0 &&
      result_parse(text, (size_t)count, &self->outcome->result, &err) == 0;
}

static void release(struct supervision *self)
{
  self->outcome->mid_line = self->err_stream.mid_line;
  struct run *run = &self->execution->run;
  take_stream(&self->out, &run->stdout_bytes, &run->log_truncated);
  take_stream(&self->err_stream, &run->stderr_bytes, &run->log_truncated);
  if (self->execution->request->seccomp_log)
    seccomp_log_finish(&self->log, run);
  resolver_free(self->resolver);
  for (size_t i = 0; i < self->event_count; i++)
    event_free(self->events[i]);
  event_base_free(self->loop);
}

int supervise(struct execution *execution, struct outcome *outcome,
              struct error **err)
{
  cleanup_free struct supervision *self = xcalloc(1, sizeof *self);
  struct sandbox *sandbox = &execution->cell.sandbox;
  self->execution = execution;
  self->outcome = outcome;
  self->loop = make_loop();
  outcome->report = xmalloc(REPORT_MAX_BYTES);
  start_timers(self);
  start_watching(self);
  if (execution->request->network == NETWORK_EGRESS)
    self->resolver = resolver_new(self->loop, &execution->egress.resolv_conf,
                                  egress_resolver_fds(&execution->egress));
  int started = 0;
  if (start_stream(self, &self->out, sandbox->stdout_fd, STDOUT_FILENO,
                   "stdout", err) < 0 ||
      start_stream(self, &self->err_stream, sandbox->stderr_fd, STDERR_FILENO,
                   "stderr", err) < 0)
    started = -1;
  let_signals_in();
  if (started == 0)
    event_base_dispatch(self->loop);
  /* Everybody who could write to it is dead, so this comes to an end. */
  while (self->sandbox_is_dead && read_report(self))
    continue;
  read_result(self);
  release(self);
  return started;
}
