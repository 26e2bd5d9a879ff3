/* Clocks, in integer nanoseconds. */
#ifndef WAFER_BASE_CLOCK_H
#define WAFER_BASE_CLOCK_H

#include <stdint.h>

enum { NS_PER_MS = 1000000, NS_PER_S = 1000000000 };

/* CLOCK_MONOTONIC: what is billed. It stands still while a machine sleeps. */
int64_t clock_monotonic_ns(void);

/* CLOCK_REALTIME since the epoch: what is shown. Never subtracted. */
int64_t clock_realtime_ns(void);

/* Writes "2018-11-26T09:30:05.120Z" (RFC 3339, UTC). */
enum { CLOCK_TEXT_SIZE = 32 };
void clock_format(int64_t realtime_ns, char text[CLOCK_TEXT_SIZE]);

#endif
