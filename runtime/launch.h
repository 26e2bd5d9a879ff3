/* The host's side of making a sandbox: protocol.h in calls.
 *
 *   zygote_start → sandbox_fork → sandbox_await → sandbox_place →
 *   sandbox_await_parked → sandbox_release → … → sandbox_close → zygote_stop
 *
 * What takes time is in two calls, one that asks and one that waits, so that
 * the host can open its store, make the cgroup and the scratch meanwhile.
 *
 *   launch.c          zygote_…
 *   launch_sandbox.c  sandbox_… */
#ifndef WAFER_RUNTIME_LAUNCH_H
#define WAFER_RUNTIME_LAUNCH_H

#include "runtime/library_set.h"
#include "runtime/protocol.h"
#include "sandbox/namespace.h"
#include "sandbox/network.h"

#include <jansson.h>
#include <stdbool.h>

struct zygote {
  pid_t pid; /* 0: none */
  int command_fd;
};

#define ZYGOTE_INIT                                                            \
  {                                                                            \
    .command_fd = -1                                                           \
  }

/* Starts one: with ids of its own where the host is real root. It dies with
 * the calling thread (PR_SET_PDEATHSIG). */
int zygote_start(struct zygote *zygote, struct error **err);

enum { PYTHON_VERSION_SIZE = 32 };

/* A zygote on its way to be warm. */
struct zygote_warming {
  char module[MESSAGE_TEXT_MAX]; /* what it imports now; "": the interpreter */
  char version[PYTHON_VERSION_SIZE]; /* once it is ready */
};

/* Has it start its interpreter and, unless `set` is NULL, import that set's
 * modules, which takes a second where they are large. zygote_warm_step then
 * takes an answer each time that command_fd is readable: 1, once it is warm; 0,
 * while more is to come; -1, with an error that names the module. What failed
 * half-way is of no use any more: zygote_end. */
int zygote_warm_begin(struct zygote *zygote, const struct library_set *set,
                      struct error **err);
int zygote_warm_step(struct zygote *zygote, struct zygote_warming *warming,
                     struct error **err);

enum { ZYGOTE_WARM_DEADLINE_MS = 30000 };

/* All of that, and waits for it. What takes longer than the deadline is killed,
 * and the error says what was being imported. */
int zygote_warm(struct zygote *zygote, const struct library_set *set,
                char version[PYTHON_VERSION_SIZE], struct error **err);

/* Ends it; its sandboxes go on. It is not waited for. */
void zygote_stop(struct zygote *zygote);

/* The same at once, whatever it does, and waits: for a host that outlives it.
 */
void zygote_end(struct zygote *zygote);

/* Lets whoever is awake go before this process of ours: SCHED_BATCH. */
void launch_stand_back(pid_t pid);

/* A sandbox as its host holds it. */
struct sandbox {
  pid_t keeper_pid;
  pid_t job_pid; /* as the host sees it */
  int keeper_pidfd;
  int keeper_fd; /* closing it ends the sandbox: see keeper.c */
  int job_fd;
  int stdout_fd; /* read ends of the job's pipes */
  int stderr_fd;
  int report_fd;   /* stack dumps, and how the script ended: untrusted */
  int listener_fd; /* seccomp_notify.h */
};

#define SANDBOX_INIT                                                           \
  {                                                                            \
    .keeper_pidfd = -1, .keeper_fd = -1, .job_fd = -1, .stdout_fd = -1,        \
    .stderr_fd = -1, .report_fd = -1, .listener_fd = -1                        \
  }

/* Asks for one. */
int sandbox_fork(struct zygote *zygote, struct sandbox *sandbox,
                 struct error **err);

/* Tells its keeper where to write the result record: any time before the
 * release. */
int sandbox_record(struct sandbox *sandbox, int result_fd, struct error **err);

/* Waits for what was asked: keeper_pid and job_pid are then known. */
int sandbox_await(struct zygote *zygote, struct sandbox *sandbox,
                  struct error **err);

/* The parts of the two, for a host that speaks to its zygote in an event loop:
 * makes the sandbox's sockets and pipes, whose far ends go along with FORK;
 * takes what FORKED brought, which is the sandbox's then; waits for the job. */
struct sandbox_far_ends {
  int fds[FORK_FD_COUNT];
};

#define SANDBOX_FAR_ENDS_INIT                                                  \
  {                                                                            \
    .fds = { -1, -1, -1, -1, -1 }                                              \
  }

int sandbox_make_ends(struct sandbox *sandbox, struct sandbox_far_ends *far,
                      struct error **err);
void sandbox_close_far_ends(struct sandbox_far_ends *far);
int sandbox_take_forked(struct sandbox *sandbox, struct message *forked,
                        struct error **err);
int sandbox_await_hello(struct sandbox *sandbox, struct error **err);

/* What a sandbox is given. The descriptors stay the caller's. */
struct sandbox_place {
  struct namespace_ids ids;
  enum network_mode network;
  unsigned resolvers;      /* with egress; see struct park */
  const char *resolv_conf; /* likewise: below RESOLV_CONF_MAX bytes */
  bool has_scratch;        /* sandbox_give_scratch follows; else /tmp is */
  uint64_t scratch_bytes;  /* memory, at most this much */
  bool rehearse;           /* a warm one, that is to wait for its run */
  const int *cgroup_fds;   /* files to enter the cgroup by */
  size_t cgroup_count;
  int python_tree;        /* real root: a detached mount; else -1, and */
  const char *tree_paths; /* a plain user: struct park's list of paths */
  size_t tree_paths_count;
};

/* Maps the ids and tells the job to set itself up. */
int sandbox_place(struct sandbox *sandbox, const struct sandbox_place *place,
                  struct error **err);

/* With egress, after that: waits for the descriptors of its network namespace,
 * which become the caller's. */
int sandbox_await_network(struct sandbox *sandbox,
                          int handles[NETWORK_HANDLES_MAX], size_t *count,
                          struct error **err);

/* Has the keeper hold copies of descriptors until it ends, which is after
 * everybody else in the sandbox. What the last holder waits for grace periods
 * to close (a scratch's mount: 15 ms) belongs there, since nobody waits for the
 * keeper. */
int sandbox_hold(const struct sandbox *sandbox, const int *fds, size_t fd_count,
                 struct error **err);

/* Gives it a detached mount for /tmp, which stays the caller's, too. */
int sandbox_give_scratch(const struct sandbox *sandbox, int mount_fd,
                         struct error **err);

/* Waits until it has; `version` becomes its interpreter's. */
int sandbox_await_parked(struct sandbox *sandbox,
                         char version[PYTHON_VERSION_SIZE], struct error **err);

/* Sends the spec with its descriptors, and returns once the last wall stands.
 * *released_ns becomes the CLOCK_MONOTONIC time of the sending. */
int sandbox_release(struct sandbox *sandbox, const json_t *spec, const int *fds,
                    size_t fd_count, int64_t *released_ns, struct error **err);

/* Tells the keeper, which is done or dead, that its record isn't needed any
 * more. */
int sandbox_booked(const struct sandbox *sandbox, struct error **err);

/* Has the keeper pass a signal on. */
int sandbox_signal(const struct sandbox *sandbox, int signal_number,
                   struct error **err);

/* Closes what the host holds; if the sandbox lives, that ends it. */
void sandbox_close(struct sandbox *sandbox);

/* Where wafer's Python package is on this machine. */
const char *launch_python_dir(void);

#endif
