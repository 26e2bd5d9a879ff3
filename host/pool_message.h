/* What `wafer run` and `wafer serve` say to each other.
 *
 * The server listens on a SOCK_SEQPACKET Unix socket, mode 0600, in a folder
 * that is its user's own. It serves its own user alone: each side asks the
 * kernel for the other's uid (SO_PEERCRED) and ends the talk with anybody else.
 * Messages have the frame of runtime/protocol.h; these four, and its FORK,
 * FORKED and FAILED, are all that go over it.
 *
 *   client                                     server
 *     │ ────────────────── connects ───────────▶ │
 *     │ ◀───────────────── WELCOME ───────────── │  who it is, what it can give
 *     │ ─── TAKE {set, size, parked or not} ───▶ │
 *     │ ◀── TAKEN {text: a cell; descriptors} ── │  one was parked: it is the
 *     │                                          │  client's, and the server
 *     │                                          │  keeps no copy of anything
 *     │ ◀── EMPTY (value: its zygote's pid) ──── │  none is, or none was wanted
 *     │ ─── FORK {job,keeper,out,err,report} ──▶ │  to that zygote
 *     │ ◀── FORKED {pidfd} or FAILED ─────────── │  in the order of asking
 *
 * With the pid 0, EMPTY says that no fork is to be had either. Whenever
 * something is not as it should be, either side hangs up, and the client does
 * alone what it would have done without a server. So does a client that waited
 * for an answer for POOL_PATIENCE_MS.
 *
 * The structs travel as bytes: a client uses only a server of its own program
 * (see struct pool_welcome), so that the two agree on them. */
#ifndef WAFER_HOST_POOL_MESSAGE_H
#define WAFER_HOST_POOL_MESSAGE_H

#include "host/cell.h"
#include "runtime/protocol.h"

#include <stdint.h>

enum {
  POOL_PATIENCE_MS = 5000,
  POOL_SET_SIZE = LIBRARY_SET_NAME_MAX + 1,
  POOL_LOCK_SIZE = LIBRARY_SET_HASH_LENGTH + 1,
};

/* A file, as stat(2) tells it from all others; a program that was installed
 * anew is another one. */
struct pool_file {
  uint64_t device;
  uint64_t inode;
  int64_t changed_ns; /* 0 for a folder: what is in it doesn't count */
};

struct pool_welcome {
  struct pool_file program; /* /proc/self/exe */
  struct pool_file store;   /* the folder: leases are moved within it */
  uint32_t missing;         /* walls that what is parked does without */
};

struct pool_want {
  char library_set[POOL_SET_SIZE];
  char library_lock[POOL_LOCK_SIZE]; /* its SHA-256; "": the standard library */
  char size[16];                     /* struct size's name */
  uint32_t parked; /* else it is the zygote that is asked for */
};

/* Fills in who this process is. */
int pool_welcome_make(const char *state_dir, unsigned missing,
                      struct pool_welcome *welcome, struct error **err);

/* Whether a client and a server are of one program and one store. */
bool pool_welcome_fits(const struct pool_welcome *ours,
                       const struct pool_welcome *theirs);

/* Puts a struct into a message's text, or takes it out: EPROTO where the text
 * isn't just that. */
void pool_put_welcome(struct message *message,
                      const struct pool_welcome *welcome);
int pool_get_welcome(const struct message *message,
                     struct pool_welcome *welcome, struct error **err);
void pool_put_want(struct message *message, const struct pool_want *want);
int pool_get_want(const struct message *message, struct pool_want *want,
                  struct error **err);

/* The same for TAKEN. The cell and its descriptors stay the sender's; what is
 * taken out belongs to the cell, and the message is empty of descriptors then.
 */
void pool_put_cell(struct message *message, const struct cell *cell);
int pool_get_cell(struct message *message, struct cell *cell,
                  struct error **err);

#endif
