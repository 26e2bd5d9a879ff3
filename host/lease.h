/* Leases: whose cgroup is one that no run's record names?
 *
 * A cell that is made ahead (host/pool.h) has a cgroup before it has a run, so
 * the group's name is its own, and a file of that name is its lease:
 *
 *   STATE_DIR/parked/NAME   holds NAME, and is locked (flock(2)) by whoever
 *                           holds the cell: the lock goes along with the
 *                           descriptor, and ends with its last copy
 *
 * Whoever takes a cell for a run moves the lease to the run's folder, as
 * runs/ID/cgroup, where recovery finds it (host/recover.h). What is left in
 * parked/ and isn't locked belongs to nobody: the group is removed. So at any
 * instant a killed server or wafer leaves a name behind for each group, and no
 * group of a living one is touched. Leases need not survive a crash of the
 * machine, which takes the groups along. */
#ifndef WAFER_HOST_LEASE_H
#define WAFER_HOST_LEASE_H

#include "base/error.h"

#include <stdbool.h>

enum { LEASE_NAME_SIZE = 24 };

/* Makes a lease with a new name, below `state_dir`. Returns its descriptor,
 * which holds the lock; or -1. */
int lease_make(const char *state_dir, char name[LEASE_NAME_SIZE],
               struct error **err);

/* Takes a lease to the folder of a run. */
int lease_move(const char *state_dir, const char *name, int run_dir,
               struct error **err);

/* The group is gone: so may the lease be. */
void lease_remove(const char *state_dir, const char *name);

/* Reads the name that was moved to a run's folder. Returns whether there is
 * one. */
bool lease_read(int run_dir, char name[LEASE_NAME_SIZE]);

/* Removes the groups of leases that nobody holds, and those leases. What fails
 * is tried again the next time. */
void lease_sweep(const char *state_dir);

#endif
