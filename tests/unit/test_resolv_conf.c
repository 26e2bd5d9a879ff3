/* resolv.conf: whatever is in it, three servers at most and a text that fits.
 */
#include "config.h"

#include "host/resolv_conf.h"

#include "tests/unit/check.h"

#include <arpa/inet.h>

static void check_server(const struct name_server *server, const char *address)
{
  char text[INET6_ADDRSTRLEN];
  bool inet = server->address.any.sa_family == AF_INET;
  const void *bytes = inet ? (const void *)&server->address.inet.sin_addr
                           : (const void *)&server->address.inet6.sin6_addr;
  uint16_t port =
      inet ? server->address.inet.sin_port : server->address.inet6.sin6_port;
  inet_ntop(server->address.any.sa_family, bytes, text, sizeof text);
  assert_string_equal(text, address);
  assert_int_equal(ntohs(port), 53);
}

static void test_usual(void **state)
{
  (void)state;
  struct resolv_conf conf;
  resolv_conf_parse("# by hand\n"
                    "nameserver 10.0.0.53\n"
                    "nameserver\t2001:db8::53 # second\n"
                    "search a.test b.test\n"
                    "options ndots:2\n"
                    "nameserver 127.0.0.53\r\n"
                    "nameserver 9.9.9.9\n",
                    &conf);
  assert_int_equal(conf.count, 3);
  check_server(&conf.servers[0], "10.0.0.53");
  check_server(&conf.servers[1], "2001:db8::53");
  check_server(&conf.servers[2], "127.0.0.53");
  assert_string_equal(conf.text, "nameserver 127.0.0.53\n"
                                 "nameserver 127.0.0.54\n"
                                 "nameserver 127.0.0.55\n"
                                 "search a.test b.test\n"
                                 "options ndots:2\n");
}

static void test_no_server(void **state)
{
  (void)state;
  static const char *const texts[] = {
      "",
      "\n\n",
      "nameserver",
      "nameserver \n",
      "nameserver x.test",
      "nameserver 10.0.0\n",
      "nameserver10.0.0.1",
      " nameserver 10.0.0.1",
      "#nameserver 10.0.0.1",
      "nameserver 10.0.0.1:53",
      "nameserver 111111111111111111111111111111111111111111111111111111111",
  };
  for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
    struct resolv_conf conf;
    resolv_conf_parse(texts[i], &conf);
    assert_int_equal(conf.count, 1);
    check_server(&conf.servers[0], "127.0.0.1");
    assert_string_equal(conf.text, "nameserver 127.0.0.53\n");
  }
}

/* A line that doesn't fit is left out whole. */
static void test_long(void **state)
{
  (void)state;
  struct resolv_conf conf;
  char text[4096];
  for (size_t length = 1; length < 1200; length++) {
    memset(text, 'a', sizeof text);
    text[snprintf(text, sizeof text, "search ")] = 'a';
    snprintf(text + 7 + length, sizeof text - 7 - length,
             "\nnameserver 10.0.0.1\noptions edns0\n");
    resolv_conf_parse(text, &conf);
    size_t used = strlen(conf.text);
    assert_true(used < sizeof conf.text);
    assert_int_equal(conf.text[used - 1], '\n');
    assert_int_equal(conf.count, 1);
  }
  assert_string_equal(conf.text, "nameserver 127.0.0.53\noptions edns0\n");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      CHECK_TEST(test_usual),
      CHECK_TEST(test_no_server),
      CHECK_TEST(test_long),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
