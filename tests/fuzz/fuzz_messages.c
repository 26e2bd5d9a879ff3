/* What one process of a run sends another: messages, the spec, and what goes
 * between wafer run and wafer serve. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include "base/fd.h"
#include "host/pool_message.h"
#include "runtime/protocol.h"
#include "runtime/spec.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool equal(const struct message *one, const struct message *other)
{
  return one->kind == other->kind && one->value == other->value &&
         one->text_count == other->text_count &&
         memcmp(one->text, other->text, one->text_count) == 0 &&
         one->fd_count == other->fd_count;
}

/* What was received is the same when it is sent on. */
static void send_on(int from, int to, const struct message *message)
{
  struct message again;
  cleanup_error struct error *err = NULL;
  FUZZ_REQUIRE(message_send(from, message, &err) == 0);
  FUZZ_REQUIRE(message_receive(to, &again, &err) == 1);
  FUZZ_REQUIRE(equal(message, &again));
  message_close(&again);
}

/* The first byte says how many descriptors go along; the rest is sent as it
 * is. */
void fuzz_message(const uint8_t *bytes, size_t count)
{
  enum { FDS_MAX = 5 };
  if (count < 2)
    return;
  int ends[2];
  FUZZ_REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) ==
               0);
  cleanup_fd int one = ends[0];
  cleanup_fd int other = ends[1];
  cleanup_free uint8_t *copy = xmalloc(count - 1);
  memcpy(copy, bytes + 1, count - 1);
  struct fd_message raw = {
      .bytes = copy, .count = count - 1, .fd_count = bytes[0] % FDS_MAX};
  for (size_t i = 0; i < raw.fd_count; i++)
    raw.fds[i] = STDERR_FILENO;
  struct error *err = NULL;
  struct message received;
  int got = fd_send(one, &raw, &err) < 0
                ? -1
                : message_receive(other, &received, &err);
  if (got > 0) {
    FUZZ_REQUIRE(received.text_count < sizeof received.text);
    FUZZ_REQUIRE(received.text[received.text_count] == '\0');
    FUZZ_REQUIRE(received.fd_count == raw.fd_count);
    send_on(other, one, &received);
    message_close(&received);
  }
  fuzz_count(got > 0, &err);
}

/* The first byte says how many descriptors come after the spec's own; the rest
 * is the spec. spec_read hands the numbers on and opens or closes none of them,
 * so that they may be any. */
void fuzz_spec(const uint8_t *bytes, size_t count)
{
  enum { FIRST_FD = 1000 };
  if (count < 1)
    return;
  struct message message = {.kind = MESSAGE_SPEC};
  message.fds[message.fd_count++] = fuzz_file(bytes + 1, count - 1);
  size_t others = 1 + bytes[0] % (FD_MESSAGE_MAX - 1);
  for (size_t i = 0; i < others; i++)
    message.fds[message.fd_count++] = FIRST_FD + (int)i;
  struct spec spec = {0};
  struct error *err = NULL;
  int status = spec_read(&message, &spec, &err);
  if (status == 0) {
    FUZZ_REQUIRE(spec.tree_count + spec.secret_count + spec.file_count ==
                 others);
    FUZZ_REQUIRE(spec.mount_count < FD_MESSAGE_MAX);
    for (size_t i = 0; i < spec.secret_count; i++)
      FUZZ_REQUIRE(spec.secrets[i].fd >= FIRST_FD);
    for (size_t i = 0; i < spec.file_count; i++)
      FUZZ_REQUIRE(spec.files[i] >= FIRST_FD && spec.files[i] < spec.fd_end);
    for (size_t i = 0; i < spec.mount_count; i++)
      FUZZ_REQUIRE(spec.mounts[i].path[0] == '/');
  }
  fuzz_count(status == 0, &err);
  json_decref(spec.root);
}

/* Takes a message's text for each of the pool's. The bytes are filled up with
 * zeros to the length that they must have, as any other is refused at once. */
static bool take_cell(struct message *message, struct error **err)
{
  struct cell cell = CELL_INIT;
  if (pool_get_cell(message, &cell, err) < 0)
    return false;
  FUZZ_REQUIRE(strlen(cell.lease) < sizeof cell.lease);
  FUZZ_REQUIRE(strlen(cell.python_version) < sizeof cell.python_version);
  FUZZ_REQUIRE(message->fd_count == 0);
  cgroup_forget(cell.cgroup);
  cell_close(&cell);
  return true;
}

static size_t length_of_taken(void)
{
  struct cell cell = CELL_INIT;
  const struct cgroup_share share = {.source = "none", .name = "sb_"};
  struct error *err = NULL;
  struct message message = {.kind = MESSAGE_TAKEN};
  cell.cgroup = cgroup_of_share(&share, NULL, 0, &err);
  pool_put_cell(&message, &cell);
  cgroup_forget(cell.cgroup);
  return message.text_count;
}

/* The first byte says how many descriptors come along. */
void fuzz_pool(const uint8_t *bytes, size_t count)
{
  enum { FDS_MAX = 20 };
  struct message message = {.kind = MESSAGE_TAKEN};
  struct pool_want want;
  struct pool_welcome welcome;
  struct error *err = NULL, *ignored = NULL;
  if (count < 1 || count >= sizeof message.text)
    return;
  memcpy(message.text, bytes + 1, count - 1);
  message.text_count = sizeof want;
  if (pool_get_want(&message, &want, &ignored) == 0)
    FUZZ_REQUIRE(strlen(want.library_set) < sizeof want.library_set &&
                 strlen(want.size) < sizeof want.size);
  error_clear(&ignored);
  message.text_count = sizeof welcome;
  FUZZ_REQUIRE(pool_get_welcome(&message, &welcome, &ignored) == 0);
  message.text_count = length_of_taken();
  for (size_t i = 0; i < bytes[0] % FDS_MAX; i++)
    message.fds[message.fd_count++] = dup(STDERR_FILENO);
  bool taken = take_cell(&message, &err);
  message_close(&message);
  fuzz_count(taken, &err);
}
