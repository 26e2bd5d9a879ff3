/* The network of a sandbox. */
#ifndef WAFER_SANDBOX_NETWORK_H
#define WAFER_SANDBOX_NETWORK_H

#include "base/error.h"

/* Brings up the loopback interface of this network namespace: a new one has it
 * down, and programs that talk to themselves expect 127.0.0.1. */
int network_loopback_up(struct error **err);

#endif
