/* What a sandbox may use. */
#ifndef WAFER_SANDBOX_LIMITS_H
#define WAFER_SANDBOX_LIMITS_H

#include <stdint.h>

struct limits {
  unsigned cpu_milli; /* thousandths of a CPU */
  uint64_t memory_bytes;
  unsigned pids_max;
  uint64_t scratch_bytes;
};

#endif
