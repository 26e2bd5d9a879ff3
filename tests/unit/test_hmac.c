/* The test cases of RFC 4231 that differ in kind. */
#include "config.h"

#include "base/hmac.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static void check(const void *key, size_t key_count, const char *message,
                  const char *expected)
{
  unsigned char mac[HMAC_BYTES];
  char text[2 * HMAC_BYTES + 1];
  hmac_sha256(key, key_count, message, strlen(message), mac);
  for (size_t i = 0; i < sizeof mac; i++)
    snprintf(text + 2 * i, 3, "%02x", mac[i]);
  assert_string_equal(text, expected);
}

static void test_short_key(void **state)
{
  (void)state;
  check("Jefe", 4, "what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c7"
        "5a003f089d2739839dec58b964ec3843");
}

static void test_key_longer_than_a_block(void **state)
{
  (void)state;
  char key[131];
  memset(key, 0xaa, sizeof key);
  check(key, sizeof key,
        "Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f"
        "8e0bc6213728c5140546040f0ee37f54");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_short_key),
      cmocka_unit_test(test_key_longer_than_a_block),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
