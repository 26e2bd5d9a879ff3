/* Prices: what a second of a size costs, in exact integers.
 *
 * An amount of use is a count of micro-DPU-seconds, exact in an int64_t (1/16
 * DPU is 62,500 each second; a DPU for 292,000 years overflows). It becomes
 * money once, when it is shown or invoiced: nothing here is floating point,
 * and what would overflow is an error (EOVERFLOW), never a wrap.
 *
 * The book is dated. A run keeps a copy of the price that it ran under, so a
 * later entry changes no earlier run. */
#ifndef WAFER_JOBS_PRICE_H
#define WAFER_JOBS_PRICE_H

#include "base/error.h"

#include <stdint.h>

/* Whole and self-contained: copy it by assignment. */
struct price {
  char id[32];            /* names this entry of the book */
  char valid_from[12];    /* "2018-11-26": its first day, UTC */
  int64_t rate_micro_usd; /* of one DPU-hour */
  int64_t minimum_s;      /* a run is billed at least this */
  int64_t rounding_s;     /* and in whole multiples of this, rounded up */
  char currency[4];       /* "USD" (ISO 4217) */
};

/* The entry in force at an instant: the last whose first day has begun, or
 * the first of the book where the clock is before them all. */
const struct price *price_at(int64_t realtime_ns);

/* price_at now. */
const struct price *price_current(void);

/* Billed seconds of a measured duration: rounded up to whole rounding_s, and
 * at least minimum_s. A negative duration is an error (EINVAL). */
int price_billed_seconds(const struct price *price, int64_t duration_ns,
                         int64_t *billed_s, struct error **err);

/* billed_s × micro_dpu. */
int price_micro_dpu_seconds(int64_t billed_s, int64_t micro_dpu,
                            int64_t *micro_dpu_s, struct error **err);

/* Money for machines to read: micro_dpu_s at the price in 10^-12 USD, rounded
 * half to even. Display doesn't start from it, lest it be rounded twice. */
int price_cost_pico_usd(const struct price *price, int64_t micro_dpu_s,
                        int64_t *pico_usd, struct error **err);

/* Money for people: micro_dpu_s at the price as "$0.000458", with `decimals`
 * (0 to 12) digits, rounded once, half to even; "-$0.51" for a credit. */
enum { PRICE_TEXT_SIZE = 64, PRICE_DECIMALS = 6 };
void price_format(const struct price *price, int64_t micro_dpu_s,
                  unsigned decimals, char text[PRICE_TEXT_SIZE]);

#endif
