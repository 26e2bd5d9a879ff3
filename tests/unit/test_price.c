/* The arithmetic of metering, to the last pico-dollar. */
#include "config.h"

#include "base/clock.h"
#include "jobs/price.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

static const struct price aws = {
    .id = "test",
    .valid_from = "2018-01-01",
    .rate_micro_usd = 440000,
    .minimum_s = 60,
    .rounding_s = 1,
    .currency = "USD",
};

static void test_book(void **state)
{
  (void)state;
  const struct price *price = price_current();
  assert_int_equal(price->rate_micro_usd, 440000);
  assert_int_equal(price->minimum_s, 60);
  assert_int_equal(price->rounding_s, 1);
  assert_string_equal(price->currency, "USD");
  assert_int_not_equal(strlen(price->id), 0);
  assert_int_equal(strlen(price->valid_from), strlen("2018-01-01"));
  /* Before the first entry too there is a price. */
  assert_non_null(price_at(0));
}

static int64_t billed(const struct price *price, int64_t duration_ns)
{
  int64_t seconds = -1;
  struct error *err = NULL;
  assert_int_equal(price_billed_seconds(price, duration_ns, &seconds, &err), 0);
  return seconds;
}

static void test_billed_seconds(void **state)
{
  (void)state;
  assert_int_equal(billed(&aws, 0), 60);
  assert_int_equal(billed(&aws, 1), 60);
  assert_int_equal(billed(&aws, INT64_C(60) * NS_PER_S), 60);
  assert_int_equal(billed(&aws, INT64_C(60) * NS_PER_S + 1), 61);
  assert_int_equal(billed(&aws, INT64_C(61) * NS_PER_S), 61);
  assert_int_equal(billed(&aws, INT64_MAX), INT64_C(9223372037));
}

static void test_other_rules(void **state)
{
  (void)state;
  struct price price = aws;
  price.minimum_s = 0;
  assert_int_equal(billed(&price, 0), 0);
  assert_int_equal(billed(&price, 1), 1);
  price.rounding_s = 60;
  assert_int_equal(billed(&price, 1), 60);
  assert_int_equal(billed(&price, INT64_C(60) * NS_PER_S), 60);
  assert_int_equal(billed(&price, INT64_C(60) * NS_PER_S + 1), 120);
}

static void test_what_overflows_is_an_error(void **state)
{
  (void)state;
  int64_t value = 7;
  cleanup_error struct error *err = NULL;
  assert_int_equal(price_billed_seconds(&aws, -1, &value, &err), -1);
  assert_int_equal(err->code, EINVAL);
  error_clear(&err);
  struct price price = aws;
  price.rounding_s = INT64_MAX / 2 + 1;
  price.minimum_s = 0;
  assert_int_equal(billed(&price, 1), INT64_MAX / 2 + 1);
  assert_int_equal(price_micro_dpu_seconds(INT64_MAX, 2, &value, &err), -1);
  assert_int_equal(err->code, EOVERFLOW);
  error_clear(&err);
  assert_int_equal(price_micro_dpu_seconds(INT64_MIN, -1, &value, &err), -1);
  assert_int_equal(err->code, EOVERFLOW);
  error_clear(&err);
  assert_int_equal(price_cost_pico_usd(&aws, INT64_MAX, &value, &err), -1);
  assert_int_equal(err->code, EOVERFLOW);
  error_clear(&err);
  assert_int_equal(price_cost_pico_usd(&aws, INT64_MIN, &value, &err), -1);
  assert_int_equal(err->code, EOVERFLOW);
  assert_int_equal(value, 7);
}

static int64_t cost(int64_t micro_dpu_s)
{
  int64_t pico_usd = -1;
  struct error *err = NULL;
  assert_int_equal(price_cost_pico_usd(&aws, micro_dpu_s, &pico_usd, &err), 0);
  return pico_usd;
}

static void test_example_of_aws(void **state)
{
  (void)state;
  int64_t micro_dpu_s;
  char text[PRICE_TEXT_SIZE];
  struct error *err = NULL;
  int64_t seconds = billed(&aws, INT64_C(4145) * NS_PER_S);
  assert_int_equal(seconds, 4145);
  assert_int_equal(
      price_micro_dpu_seconds(seconds, 1000000, &micro_dpu_s, &err), 0);
  assert_int_equal(micro_dpu_s, INT64_C(4145000000));
  assert_int_equal(cost(micro_dpu_s), INT64_C(506611111111));
  price_format(&aws, micro_dpu_s, 2, text);
  assert_string_equal(text, "$0.51");
  price_format(&aws, micro_dpu_s, 5, text);
  assert_string_equal(text, "$0.50661");
}

static void test_costs(void **state)
{
  (void)state;
  /* The least run: 60 s of 1/16 DPU, 458333333.33 pico-USD. */
  assert_int_equal(cost(INT64_C(60) * 62500), 458333333);
  assert_int_equal(cost(0), 0);
  /* An hour of a DPU is the rate itself. */
  assert_int_equal(cost(INT64_C(3600000000)), INT64_C(440000000000));
  assert_int_equal(cost(INT64_C(-3600000000)), INT64_C(-440000000000));
}

static void format_is(const struct price *price, int64_t micro_dpu_s,
                      unsigned decimals, const char *expected)
{
  char text[PRICE_TEXT_SIZE];
  price_format(price, micro_dpu_s, decimals, text);
  assert_string_equal(text, expected);
}

static void test_format(void **state)
{
  (void)state;
  format_is(&aws, INT64_C(60) * 62500, PRICE_DECIMALS, "$0.000458");
  format_is(&aws, 0, 6, "$0.000000");
  format_is(&aws, 0, 0, "$0");
  format_is(&aws, INT64_C(3600000000), 2, "$0.44");
  format_is(&aws, INT64_C(-3600000000), 2, "-$0.44");
  format_is(&aws, -1, 2, "$0.00");
  format_is(&aws, INT64_C(3600000000000), 2, "$440.00");
  format_is(&aws, INT64_MAX, 2, "$1127301026.73");
  struct price most = aws;
  most.rate_micro_usd = INT64_MAX;
  format_is(&most, INT64_MIN, 12, "-$23630719925065171071283.411061413133");
  struct price euro = aws;
  memcpy(euro.currency, "EUR", sizeof euro.currency);
  format_is(&euro, INT64_C(3600000000), 2, "EUR 0.44");
}

/* At this rate a micro-DPU-second is a pico-dollar. */
static void test_half_goes_to_even_once(void **state)
{
  (void)state;
  struct price price = aws;
  price.rate_micro_usd = 3600;
  format_is(&price, INT64_C(5000000000), 2, "$0.00");
  format_is(&price, INT64_C(5000000001), 2, "$0.01");
  format_is(&price, INT64_C(15000000000), 2, "$0.02");
  format_is(&price, INT64_C(25000000000), 2, "$0.02");
  format_is(&price, INT64_C(-15000000000), 2, "-$0.02");
  format_is(&price, INT64_C(500000000000), 0, "$0");
  format_is(&price, INT64_C(1500000000000), 0, "$2");
  /* Half a cent and a third of a pico-dollar, which rounding to pico-dollars
   * first would lose. */
  price.rate_micro_usd = 1200;
  format_is(&price, INT64_C(15000000001), 2, "$0.01");
  int64_t pico_usd;
  struct error *err = NULL;
  price.rate_micro_usd = 1800;
  assert_int_equal(price_cost_pico_usd(&price, 1, &pico_usd, &err), 0);
  assert_int_equal(pico_usd, 0);
  assert_int_equal(price_cost_pico_usd(&price, 3, &pico_usd, &err), 0);
  assert_int_equal(pico_usd, 2);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_book),
      cmocka_unit_test(test_billed_seconds),
      cmocka_unit_test(test_other_rules),
      cmocka_unit_test(test_what_overflows_is_an_error),
      cmocka_unit_test(test_example_of_aws),
      cmocka_unit_test(test_costs),
      cmocka_unit_test(test_format),
      cmocka_unit_test(test_half_goes_to_even_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
