/* The walls of a sandbox, and which of them this machine can give.
 *
 * A run with a wall missing is refused unless the user accepts it by name, on
 * the command line or in the configuration; what was missing is recorded. Not
 * every wall can be waived: no run can do without namespaces and seccomp.
 *
 *   walls.c        names, sets, and the refusal
 *   wall_probe.c   what this machine can give, and what to do where it can't
 *   wall_tables.c  what each of them forbids, row by row */
#ifndef WAFER_HOST_WALLS_H
#define WAFER_HOST_WALLS_H

#include "base/error.h"

#include <stdbool.h>

enum wall {
  WALL_NAMESPACES, /* user, pid, mount, ipc, uts, net, cgroup */
  WALL_SECCOMP,
  WALL_LANDLOCK,
  WALL_UID,     /* ids of the job's own */
  WALL_CGROUP,  /* CPU, memory and process limits for the job as a whole */
  WALL_SCRATCH, /* /tmp on disk with a hard cap */
  WALL_COUNT,
};

/* A set of walls is an unsigned with bit 1 << wall. */

/* "landlock". Static. */
const char *wall_name(enum wall wall);

/* What it is for, in a few words. Static. */
const char *wall_purpose(enum wall wall);

/* Reads "uid,cgroup" (blanks around a name don't count) into *set, adding to
 * it. Names that don't exist, and walls that no run can do without, are errors.
 */
int walls_parse(const char *list, unsigned *set, struct error **err);

/* A set as walls_parse reads it: walls_text (set).text is "uid,cgroup". */
struct walls_text {
  char text[64];
};
struct walls_text walls_text(unsigned set);

struct wall_state {
  bool stands;
  char *detail; /* e.g. "cgroup v1", "Landlock ABI 7"; owned */
  char *why;    /* why it is missing; NULL where it stands; owned */
  char *fix;    /* what to do about it; owned */
};

/* Finds out the state of one wall. WALL_NAMESPACES makes a process to see;
 * the others only look. */
void wall_probe(enum wall wall, struct wall_state *state);
void wall_state_release(struct wall_state *state);

#define cleanup_wall_state __attribute__((cleanup(wall_state_release)))

/* The set of what this machine can't give. Namespaces are not looked at: making
 * the sandbox shows whether they are there. */
unsigned walls_missing(void);

/* 0 where all of `missing` is in `allowed`; else an error (EPERM) of one line,
 * which names each wall that isn't, with the reason, and ends with the option
 * that accepts all that is missing, ready to paste. */
int walls_require(unsigned missing, unsigned allowed, struct error **err);

#endif
