/* Descriptors: messages that carry them, from peers that mean harm too. */
#include "config.h"

#include "base/fd.h"

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

/* Sends `count` bytes and `fd_count` times descriptor 0, past fd_send. */
static void send_raw(int socket_fd, size_t count, size_t fd_count)
{
  enum { MOST = 253 }; /* SCM_MAX_FD of the kernel */
  static char bytes[64];
  union {
    struct cmsghdr align;
    char room[CMSG_SPACE(sizeof(int) * MOST)];
  } control = {0};
  struct iovec part = {bytes, count};
  struct msghdr header = {.msg_iov = &part,
                          .msg_iovlen = 1,
                          .msg_control = control.room,
                          .msg_controllen = CMSG_SPACE(sizeof(int) * fd_count)};
  assert_true(fd_count <= MOST && count <= sizeof bytes);
  struct cmsghdr *item = CMSG_FIRSTHDR(&header);
  item->cmsg_level = SOL_SOCKET;
  item->cmsg_type = SCM_RIGHTS;
  item->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
  memset(CMSG_DATA(item), 0, sizeof(int) * fd_count);
  assert_int_equal(sendmsg(socket_fd, &header, 0), count);
}

static void test_round_trip(void **state)
{
  (void)state;
  struct error *err = NULL;
  int ends[2];
  char bytes[8] = "ab";
  make_pair(ends);
  check_put("file", "");
  cleanup_fd int file = open("file", O_RDONLY | O_CLOEXEC);
  struct fd_message out = {
      .bytes = bytes, .count = 3, .fds = {file, file}, .fd_count = 2};
  check_good(fd_send(ends[0], &out, &err), err);
  assert_int_equal(fcntl(file, F_GETFD), FD_CLOEXEC); /* still the caller's */

  char room[16];
  struct fd_message in = {.bytes = room, .count = sizeof room};
  assert_int_equal(fd_receive(ends[1], &in, &err), 1);
  assert_int_equal(in.count, 3);
  assert_memory_equal(room, "ab", 3);
  assert_int_equal(in.fd_count, 2);
  assert_int_equal(in.peer_pid, 0);
  assert_int_equal(in.peer_uid, (uid_t)-1);
  struct stat sent, received;
  assert_int_equal(fstat(file, &sent), 0);
  for (size_t i = 0; i < in.fd_count; i++) {
    assert_true(check_is_cloexec(in.fds[i]));
    assert_int_equal(fstat(in.fds[i], &received), 0);
    assert_int_equal(received.st_ino, sent.st_ino);
  }
  fd_message_close(&in);
  assert_int_equal(in.fd_count, 0);
  fd_message_close(&in);
  close_pair(ends);
}

static void test_credentials(void **state)
{
  (void)state;
  struct error *err = NULL;
  int ends[2], on = 1;
  char room[4];
  make_pair(ends);
  assert_int_equal(setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on),
                   0);
  /* Beside the most descriptors there is room for them. */
  send_raw(ends[0], 1, FD_MESSAGE_MAX);
  struct fd_message in = {.bytes = room, .count = sizeof room};
  assert_int_equal(fd_receive(ends[1], &in, &err), 1);
  assert_int_equal(in.peer_pid, getpid());
  assert_int_equal(in.peer_uid, getuid());
  assert_int_equal(in.fd_count, FD_MESSAGE_MAX);
  fd_message_close(&in);
  close_pair(ends);
}

static void test_most_descriptors(void **state)
{
  (void)state;
  struct error *err = NULL;
  int ends[2];
  char bytes[1] = "";
  make_pair(ends);
  struct fd_message message = {
      .bytes = bytes, .count = 1, .fd_count = FD_MESSAGE_MAX};
  check_good(fd_send(ends[0], &message, &err), err);
  assert_int_equal(fd_receive(ends[1], &message, &err), 1);
  assert_int_equal(message.fd_count, FD_MESSAGE_MAX);
  fd_message_close(&message);
  message.fd_count = FD_MESSAGE_MAX + 1;
  check_bad(fd_send(ends[0], &message, &err), &err, E2BIG,
            "more than 128 descriptors in a message");
  close_pair(ends);
}

/* No more is taken than there is room for, and nothing is kept. */
static void test_too_many_descriptors(void **state)
{
  (void)state;
  struct error *err = NULL;
  struct {
    struct fd_message message;
    char beyond[64];
  } in = {0};
  char room[4];
  for (size_t count = FD_MESSAGE_MAX + 1; count <= 253; count++) {
    int ends[2];
    size_t before = check_count_fds();
    make_pair(ends);
    send_raw(ends[0], 1, count);
    in.message.bytes = room;
    in.message.count = sizeof room;
    check_bad(fd_receive(ends[1], &in.message, &err), &err, EMSGSIZE,
              "a message was cut short");
    assert_int_equal(in.message.fd_count, 0);
    for (size_t i = 0; i < sizeof in.beyond; i++)
      assert_int_equal(in.beyond[i], 0);
    close_pair(ends);
    assert_int_equal(check_count_fds(), before);
  }
}

static void test_too_many_bytes(void **state)
{
  (void)state;
  struct error *err = NULL;
  int ends[2];
  char room[3];
  make_pair(ends);
  send_raw(ends[0], 3, 1);
  send_raw(ends[0], 4, 1);
  send_raw(ends[0], 1, 1);
  struct fd_message in = {.bytes = room, .count = sizeof room};
  assert_int_equal(fd_receive(ends[1], &in, &err), 1);
  fd_message_close(&in);
  size_t before = check_count_fds();
  in.count = sizeof room;
  check_bad(fd_receive(ends[1], &in, &err), &err, EMSGSIZE, "cut short");
  assert_int_equal(check_count_fds(), before);
  /* The next one is whole. */
  in.count = sizeof room;
  assert_int_equal(fd_receive(ends[1], &in, &err), 1);
  assert_int_equal(in.count, 1);
  fd_message_close(&in);
  close_pair(ends);
}

static void test_end(void **state)
{
  (void)state;
  struct error *err = NULL;
  int ends[2];
  char room[3];
  make_pair(ends);
  struct fd_message message = {.bytes = room, .count = sizeof room};
  /* An empty message can't be told from the end: it brings nothing. */
  size_t before = check_count_fds();
  send_raw(ends[0], 0, 3);
  assert_int_equal(fd_receive(ends[1], &message, &err), 0);
  assert_int_equal(message.fd_count, 0);
  assert_int_equal(check_count_fds(), before);
  fd_close(&ends[0]);
  assert_int_equal(fd_receive(ends[1], &message, &err), 0);
  message.count = 1;
  /* EPIPE, and no SIGPIPE. */
  check_bad(fd_send(ends[1], &message, &err), &err, EPIPE, "send a message: ");
  fd_close(&ends[1]);
  check_bad(fd_receive(-1, &message, &err), &err, EBADF, "receive a message: ");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      CHECK_TEST(test_round_trip),       CHECK_TEST(test_credentials),
      CHECK_TEST(test_most_descriptors), CHECK_TEST(test_too_many_descriptors),
      CHECK_TEST(test_too_many_bytes),   CHECK_TEST(test_end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
