/* Who speaks to whom while a run is made.
 *
 *   host ── command ──▶ zygote     start, fork
 *   host ── job ──────▶ job        hello, placed, parked, spec, started
 *   host ── keeper ───▶ keeper     record, hold, signals to pass on; its end
 *                                  means: kill all
 *
 * Each is a SOCK_SEQPACKET socket pair that the host made, so each message
 * arrives whole, and only its holder can speak on it. A message is a kind
 * and a value and, after them, text; descriptors come beside it.
 *
 *  host                         zygote            keeper (pid 1)     job
 *   │ FORK {job,keeper,           │
 *   │       out,err,report} ─────▶│ vfork-clone ──▶ │
 *   │                             │                 │ fork ─────────▶ │
 *   │◀── FORKED {pidfd} ──────────│◀─ (execs) ──────┘                 │
 *   │◀── HELLO (its pid by SO_PASSCRED) ──────────────────────────────│
 *   │─── RECORD {result file} ─────────────────────▶│                 │
 *   │  id maps, cgroup              (starts the interpreter, if cold) │
 *   │─── PLACED {package, cgroup files} text: struct park ───────────▶│
 *   │                                                    net, mounts  │
 *   │◀── NETWORK {its namespace …}, with egress alone ────────────────│
 *   │─── HOLD {what is to outlive the host} ───────▶│                 │
 *   │─── SCRATCH {mount for /tmp} ───────────────────────────────────▶│
 *   │                                             enters its cgroup   │
 *   │◀── PARKED ──────────────────────────────────────────────────────│
 *   │  (a pool may hold it here)                                      │
 *   │─── SPEC {spec, files, mounts} ── the release: billing begins ──▶│
 *   │                                     mounts, ids, Landlock, seccomp
 *   │◀── STARTED {listener} ──────────────────────────────────────────│
 *   │                                                          script │
 *
 * A zygote is warm once it was told to START its interpreter. What a cold one
 * forks starts an interpreter of its own, while the host goes on: for a single
 * run that is sooner done, since a fork of a live interpreter copies page
 * tables first and then each page that is written to (measured on an empty
 * script: 5 ms of 20).
 *
 * START may name a library set: the zygote then imports its modules ahead, and
 * says before each which it is (LOADING), so that the host knows what hung or
 * crashed. One that starts a thread is refused: a fork copies no thread.
 *
 * In place of PARKED, STARTED or READY, FAILED carries a line of text that says
 * what went wrong. */
#ifndef WAFER_RUNTIME_PROTOCOL_H
#define WAFER_RUNTIME_PROTOCOL_H

#include "base/fd.h"

#include <stdint.h>

enum message_kind {
  MESSAGE_START = 1, /* to the zygote; text: the folder of a library set's
                        packages and its modules to import, each with a NUL;
                        or nothing */
  MESSAGE_LOADING,   /* text: the module that is imported next */
  MESSAGE_READY,     /* text: Python's version */
  MESSAGE_FORK,
  MESSAGE_FORKED, /* value: the keeper's pid */
  MESSAGE_HELLO,
  MESSAGE_PLACED,  /* text: a struct park */
  MESSAGE_NETWORK, /* descriptors: sandbox/network.h */
  MESSAGE_SCRATCH,
  MESSAGE_PARKED, /* text: Python's version */
  MESSAGE_SPEC,
  MESSAGE_STARTED,
  MESSAGE_FAILED, /* text: one line */
  MESSAGE_RECORD, /* to the keeper: the file for its result record */
  MESSAGE_HOLD,   /* to the keeper: descriptors to hold until it ends */
  MESSAGE_SIGNAL, /* to the keeper; value: the signal */
  MESSAGE_DONE,   /* from the keeper: all are dead, and the record is written.
                     It waits for the next, to force the record to disk should
                     the host end without */
  MESSAGE_BOOKED, /* to the keeper: the run is booked */
  /* Between wafer run and wafer serve: host/pool_message.h. */
  MESSAGE_WELCOME,
  MESSAGE_TAKE,
  MESSAGE_TAKEN,
  MESSAGE_EMPTY,
};

enum { MESSAGE_TEXT_MAX = 8192, RESOLV_CONF_MAX = 512 };

struct message {
  enum message_kind kind;
  int64_t value;
  char text[MESSAGE_TEXT_MAX]; /* NUL-terminated on receipt, so that the most
                                  is one byte less */
  size_t text_count;
  int fds[FD_MESSAGE_MAX];
  size_t fd_count;
  pid_t peer_pid; /* where the receiver set SO_PASSCRED */
};

/* Sends; the descriptors stay the caller's. */
int message_send(int socket_fd, const struct message *message,
                 struct error **err);

/* Sends a message of a kind and a value alone. */
int message_send_plain(int socket_fd, enum message_kind kind, int64_t value,
                       struct error **err);

/* Receives the next message, of any kind. Returns 1, 0 at end of file, or -1.
 * Its descriptors become the caller's: message_close. */
int message_receive(int socket_fd, struct message *message, struct error **err);

/* Receives the next message, which must be `expected`; FAILED becomes an error
 * with its text, and so does end of file. On success the descriptors are the
 * caller's: message_close. */
int message_expect(int socket_fd, enum message_kind expected,
                   struct message *message, struct error **err);

void message_close(struct message *message);

/* Copies the text, cut to size - 1 bytes, with a NUL after it. */
void message_copy_text(const struct message *message, char *text, size_t size);

/* A job's process id in its sandbox, whose first process is the keeper. No
 * zygote may have the same in its own namespace: it is by a new process id
 * that OpenSSL 3 (openssl_get_fork_id) and SQLite (unixOpen) see that they were
 * forked, and seed their generators anew. */
enum { JOB_PID = 2 };

/* Indices of the descriptors beside FORK. */
enum fork_fd {
  FORK_FD_JOB,
  FORK_FD_KEEPER,
  FORK_FD_STDOUT,
  FORK_FD_STDERR,
  FORK_FD_REPORT,
  FORK_FD_COUNT,
};

/* What a sandbox needs to know before it parks; it travels as bytes between
 * two programs of one build, and after it, in the message's text, the paths to
 * clone: each one byte 'r' or 'w' (read-only or not), the path, and a NUL.
 *
 * A tree is a detached mount, and each sandbox has a list of them: the first is
 * wafer's Python package, the others are what the run mounts, in the order of
 * the spec. Real root clones and id-maps them itself and sends them beside
 * PLACED (the package) and SPEC (the rest). A plain user can't, so there the
 * sandbox clones them all by these paths, while it still has his id.
 *
 * The job enters its cgroup itself, by writing "0" to files that the host has
 * opened (the kernel asks whether the opener may: Linux 5.16). To v1's `tasks`
 * that costs nothing; a pid that somebody else writes to cgroup.procs makes the
 * kernel wait for an RCU grace period, 10 ms where it was measured. */
struct park {
  uint8_t own_ids;      /* struct namespace_ids */
  uint8_t network;      /* enum network_mode */
  uint8_t resolvers;    /* with egress: how many, and in resolv_conf the text
                           of /etc/resolv.conf */
  uint8_t has_scratch;  /* SCRATCH follows */
  uint8_t cgroup_files; /* so many descriptors, which are the last */
  uint8_t rehearse;     /* it will wait for its run: python_rehearse */
  uint64_t scratch_bytes;
  char resolv_conf[RESOLV_CONF_MAX]; /* NUL-terminated */
};

/* The spec: a memory file with a JSON object, the first descriptor beside
 * SPEC. After it come the trees that go along, a memory file a secret, and the
 * files of python: the script and its libraries.
 *
 *   tree_count how many trees go along
 *   mounts     [{tree, path, is_file, read_only}], tree by struct park's list
 *   secrets    [name]
 *   limits     {memory_bytes, scratch_bytes, pids_max, cpu_s, has_cgroup,
 *              own_ids}
 *   landlock   bool
 *   seccomp_log  bool: the host hears of every call that isn't allowed
 *   python     {argv [text], env {name: text}, name, script, libs [{name,
 *              file}], files, packages}: script and file are indices of files,
 *              and files is their count; packages [text] are folders of
 *              library sets, for the end of sys.path */

/* The job answers this signal with its Python stack on the report pipe. It is
 * the last real-time signal, since programs take theirs from the first on. */
enum { JOB_STACK_SIGNAL = 64 };

#endif
