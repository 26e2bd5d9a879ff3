/* Booking the runs whose wafer was killed.
 *
 * Every command that opens the store for writing begins with this, so that no
 * record stays RUNNING. A run is dead when its owner is: it takes its sandbox
 * with it (runtime/keeper.c), and the keeper leaves a result record. */
#ifndef WAFER_HOST_RECOVER_H
#define WAFER_HOST_RECOVER_H

#include "jobs/store.h"

/* Ends each unfinished run whose owner is dead: as ERROR, with the usage that
 * the keeper recorded, or up to the last sign of life; removes its cgroup. */
int recover_dead_runs(struct store *store, struct error **err);

#endif
