/* Messages between the host, the zygote, the keeper and the job. */
#include "config.h"

#include "runtime/protocol.h"

#include "tests/unit/check.h"

#include <sys/socket.h>

static void make_pair(int ends[2])
{
  assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends),
                   0);
}

static void close_pair(int ends[2])
{
  fd_close(&ends[0]);
  fd_close(&ends[1]);
}

static void test_round_trip(void **state)
{
  (void)state;
  struct error *err = NULL;
  int ends[2];
  make_pair(ends);
  struct message out = {.kind = MESSAGE_PLACED,
                        .value = INT64_MIN,
                        .text = "a\0b",
                        .text_count = 3,
                        .fds = {ends[0], ends[1]},
                        .fd_count = 2};
  struct message in;
  check_good(message_send(ends[0], &out, &err), err);
  memset(&in, 0xFF, sizeof in);
  check_good(message_expect(ends[1], MESSAGE_PLACED, &in, &err), err);
  assert_int_equal(in.kind, MESSAGE_PLACED);
  assert_int_equal(in.value, INT64_MIN);
  assert_int_equal(in.text_count, 3);
  assert_memory_equal(in.text, "a\0b", 4);
  assert_int_equal(in.fd_count, 2);
  assert_true(check_is_cloexec(in.fds[0]) && check_is_cloexec(in.fds[1]));
  assert_int_equal(in.peer_pid, 0);
  message_close(&in);
  assert_int_equal(in.fd_count, 0);
  check_good(message_send_plain(ends[0], MESSAGE_SIGNAL, 15, &err), err);
  check_good(message_expect(ends[1], MESSAGE_SIGNAL, &in, &err), err);
  assert_int_equal(in.value, 15);
  assert_int_equal(in.text_count, 0);
  assert_string_equal(in.text, "");
  close_pair(ends);
}

static void test_sender(void **state)
{
  (void)state;
  struct error *err = NULL;
  int ends[2], on = 1;
  struct message in;
  make_pair(ends);
  assert_int_equal(setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on),
                   0);
  check_good(message_send_plain(ends[0], MESSAGE_HELLO, 0, &err), err);
  check_good(message_expect(ends[1], MESSAGE_HELLO, &in, &err), err);
  assert_int_equal(in.peer_pid, getpid());
  close_pair(ends);
}

static void test_text_bounds(void **state)
{
  (void)state;
  struct error *err = NULL;
  int ends[2];
  struct message message = {.kind = MESSAGE_PARKED,
                            .text_count = MESSAGE_TEXT_MAX - 1};
  make_pair(ends);
  memset(message.text, 'x', sizeof message.text);
  check_good(message_send(ends[0], &message, &err), err);
  check_good(message_expect(ends[1], MESSAGE_PARKED, &message, &err), err);
  assert_int_equal(strlen(message.text), MESSAGE_TEXT_MAX - 1);
  message.text_count = MESSAGE_TEXT_MAX;
  check_bad(message_send(ends[0], &message, &err), &err, EMSGSIZE,
            "a message's text is too long");
  message.text_count = SIZE_MAX;
  check_bad(message_send(ends[0], &message, &err), &err, EMSGSIZE,
            "a message's text is too long");
  message.text_count = 0;
  message.fd_count = FD_MESSAGE_MAX + 1;
  check_bad(message_send(ends[0], &message, &err), &err, E2BIG,
            "more than 128 descriptors");
  close_pair(ends);
}

static void test_failed(void **state)
{
  (void)state;
  struct error *err = NULL;
  int ends[2];
  make_pair(ends);
  size_t before = check_count_fds();
  struct message message = {.kind = MESSAGE_FAILED,
                            .value = ENOSPC,
                            .text = "mount %s: full",
                            .text_count = strlen("mount %s: full"),
                            .fds = {ends[0]},
                            .fd_count = 1};
  check_good(message_send(ends[0], &message, &err), err);
  check_bad(message_expect(ends[1], MESSAGE_PARKED, &message, &err), &err,
            ENOSPC, "mount %s: full");
  assert_int_equal(check_count_fds(), before);
  close_pair(ends);
}

static void test_unexpected(void **state)
{
  (void)state;
  struct error *err = NULL;
  int ends[2];
  make_pair(ends);
  size_t before = check_count_fds();
  struct message message = {
      .kind = (enum message_kind)4000, .fds = {ends[0]}, .fd_count = 1};
  check_good(message_send(ends[0], &message, &err), err);
  check_bad(message_expect(ends[1], MESSAGE_PARKED, &message, &err), &err,
            EPROTO, "message 4000 came in place of ");
  assert_int_equal(check_count_fds(), before);
  close_pair(ends);
}

/* Bytes that are no message. */
static void test_short(void **state)
{
  (void)state;
  struct error *err = NULL;
  struct message in;
  char bytes[15] = "";
  for (size_t count = 1; count <= sizeof bytes; count++) {
    int ends[2];
    make_pair(ends);
    size_t before = check_count_fds();
    struct fd_message raw = {
        .bytes = bytes, .count = count, .fds = {ends[0]}, .fd_count = 1};
    check_good(fd_send(ends[0], &raw, &err), err);
    check_bad(message_expect(ends[1], MESSAGE_PARKED, &in, &err), &err, EPROTO,
              "a message was too short");
    assert_int_equal(check_count_fds(), before);
    close_pair(ends);
  }
}

static void test_too_long(void **state)
{
  (void)state;
  struct error *err = NULL;
  int ends[2];
  struct message in;
  static char bytes[MESSAGE_TEXT_MAX + 16];
  struct fd_message raw = {.bytes = bytes, .count = sizeof bytes};
  make_pair(ends);
  check_good(fd_send(ends[0], &raw, &err), err);
  check_bad(message_expect(ends[1], MESSAGE_PARKED, &in, &err), &err, EMSGSIZE,
            "a message was cut short");
  close_pair(ends);
}

/* A receiver of any kind gets what came, FAILED too. */
static void test_receive(void **state)
{
  (void)state;
  struct error *err = NULL;
  int ends[2];
  struct message in;
  make_pair(ends);
  struct message message = {.kind = MESSAGE_FAILED,
                            .text = "full",
                            .text_count = 4,
                            .fds = {ends[0]},
                            .fd_count = 1};
  check_good(message_send(ends[0], &message, &err), err);
  assert_int_equal(message_receive(ends[1], &in, &err), 1);
  assert_int_equal(in.kind, MESSAGE_FAILED);
  assert_string_equal(in.text, "full");
  assert_int_equal(in.fd_count, 1);
  message_close(&in);
  fd_close(&ends[0]);
  assert_int_equal(message_receive(ends[1], &in, &err), 0);
  fd_close(&ends[1]);
  check_bad(message_receive(-1, &in, &err), &err, EBADF, "receive a message");
}

static void test_end(void **state)
{
  (void)state;
  struct error *err = NULL;
  int ends[2];
  struct message in;
  make_pair(ends);
  fd_close(&ends[0]);
  check_bad(message_expect(ends[1], MESSAGE_PARKED, &in, &err), &err, EPIPE,
            "the other side ended");
  check_bad(message_send_plain(ends[1], MESSAGE_SPEC, 0, &err), &err, EPIPE,
            "send a message");
  fd_close(&ends[1]);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      CHECK_TEST(test_round_trip),  CHECK_TEST(test_sender),
      CHECK_TEST(test_text_bounds), CHECK_TEST(test_failed),
      CHECK_TEST(test_unexpected),  CHECK_TEST(test_short),
      CHECK_TEST(test_too_long),    CHECK_TEST(test_receive),
      CHECK_TEST(test_end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
