/* Sizes: what a run of a MaxCapacity gets, and what it counts as.
 *
 * The one table of DPU sizes. AWS Glue offers a Python shell job exactly these
 * two (MaxCapacity 0.0625 or 1) and says that a DPU is 4 vCPU and 16 GB of
 * memory. A size is static and const: nobody owns or frees it. */
#ifndef WAFER_JOBS_SIZE_H
#define WAFER_JOBS_SIZE_H

#include "base/error.h"

#include <stdint.h>

struct size {
  const char *name;      /* as MaxCapacity is written: "1", "0.0625" */
  int64_t micro_dpu;     /* millionths of a DPU: what is billed each second */
  int64_t cpu_milli;     /* thousandths of a CPU */
  int64_t memory_bytes;  /* without swap */
  int64_t pids_max;      /* processes and threads */
  int64_t scratch_bytes; /* of /tmp, on disk, no part of memory_bytes */
};

/* The size of a run that names none: 0.0625. */
const struct size *size_default(void);

/* The size at `index` in the table, NULL beyond its end. */
const struct size *size_at(size_t index);

/* Sets *size to the one that the decimal number `max_capacity` names. Equal
 * spellings are equal ("1", "1.0", "0.06250"); a sign, an exponent, blanks, a
 * leading zero too many or a bare point are refused, as is any other number:
 * EINVAL, and the text lists what is allowed. */
int size_find(const char *max_capacity, const struct size **size,
              struct error **err);

#endif
