#include "config.h"

#include "jobs/price.h"

#include "base/clock.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

__extension__ typedef __int128 int128;

/* In the order of their days. */
static const struct price book[] = {
    {
        .id = "python-shell-2018",
        .valid_from = "2018-01-01",
        .rate_micro_usd = 440000,
        .minimum_s = 60,
        .rounding_s = 1,
        .currency = "USD",
    },
};

const struct price *price_at(int64_t realtime_ns)
{
  /* Dates in RFC 3339 sort as text. */
  char now[CLOCK_TEXT_SIZE];
  clock_format(realtime_ns, now);
  size_t i = ARRAY_LENGTH(book) - 1;
  while (i > 0 && strncmp(book[i].valid_from, now, 10) > 0)
    i--;
  return &book[i];
}

const struct price *price_current(void)
{
  return price_at(clock_realtime_ns());
}

static int overflow(const char *what, struct error **err)
{
  return error_make(err, EOVERFLOW, "%s is too large to be counted", what);
}

int price_billed_seconds(const struct price *price, int64_t duration_ns,
                         int64_t *billed_s, struct error **err)
{
  if (duration_ns < 0)
    return error_make(err, EINVAL, "a duration of %lld ns is negative",
                      (long long)duration_ns);
  int64_t seconds = duration_ns / NS_PER_S + (duration_ns % NS_PER_S != 0);
  int64_t units = seconds / price->rounding_s;
  units += seconds % price->rounding_s != 0;
  if (__builtin_mul_overflow(units, price->rounding_s, &seconds))
    return overflow("a duration", err);
  *billed_s = seconds < price->minimum_s ? price->minimum_s : seconds;
  return 0;
}

int price_micro_dpu_seconds(int64_t billed_s, int64_t micro_dpu,
                            int64_t *micro_dpu_s, struct error **err)
{
  int64_t product;
  if (__builtin_mul_overflow(billed_s, micro_dpu, &product))
    return overflow("an amount of DPU-seconds", err);
  *micro_dpu_s = product;
  return 0;
}

/* n / d, rounded half to even; d is positive and below 2^126. */
static int128 divide_half_even(int128 n, int128 d)
{
  bool negative = n < 0;
  int128 size = negative ? -n : n;
  int128 quotient = size / d, twice = size % d * 2;
  if (twice > d || (twice == d && quotient % 2 != 0))
    quotient++;
  return negative ? -quotient : quotient;
}

/* micro-DPU-seconds × micro-USD a DPU-hour is pico-USD × this. */
enum { S_PER_HOUR = 3600, PICO_DIGITS = 12 };

int price_cost_pico_usd(const struct price *price, int64_t micro_dpu_s,
                        int64_t *pico_usd, struct error **err)
{
  int128 exact = (int128)micro_dpu_s * price->rate_micro_usd;
  int128 cost = divide_half_even(exact, S_PER_HOUR);
  if (cost > INT64_MAX || cost < INT64_MIN)
    return overflow("a cost", err);
  *pico_usd = (int64_t)cost;
  return 0;
}

void price_format(const struct price *price, int64_t micro_dpu_s,
                  unsigned decimals, char text[PRICE_TEXT_SIZE])
{
  if (decimals > PICO_DIGITS)
    decimals = PICO_DIGITS;
  int128 unit = S_PER_HOUR;
  for (unsigned i = decimals; i < PICO_DIGITS; i++)
    unit *= 10;
  int128 exact = (int128)micro_dpu_s * price->rate_micro_usd;
  int128 amount = divide_half_even(exact, unit);
  bool negative = amount < 0;
  int128 left = negative ? -amount : amount;

  /* Backwards from the end; 2^126 has 38 digits, so all fits. */
  char room[PRICE_TEXT_SIZE];
  char *next = room + sizeof room;
  *--next = '\0';
  for (unsigned i = 0; i <= decimals || left > 0; i++) {
    if (i == decimals && decimals > 0)
      *--next = '.';
    *--next = (char)('0' + (int)(left % 10));
    left /= 10;
  }
  bool dollars = strcmp(price->currency, "USD") == 0;
  snprintf(text, PRICE_TEXT_SIZE, "%s%s%s%s", negative ? "-" : "",
           dollars ? "$" : price->currency, dollars ? "" : " ", next);
}
