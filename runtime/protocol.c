#include "config.h"

#include "runtime/protocol.h"

#include <errno.h>
#include <string.h>

struct wire {
  struct {
    uint32_t kind;
    uint32_t reserved;
    int64_t value;
  } head;
  char text[MESSAGE_TEXT_MAX];
};

int message_send(int socket_fd, const struct message *message,
                 struct error **err)
{
  struct wire wire = {.head = {.kind = message->kind, .value = message->value}};
  /* The receiver puts a NUL after it. */
  if (message->text_count >= sizeof wire.text)
    return error_make(err, EMSGSIZE, "a message's text is too long");
  memcpy(wire.text, message->text, message->text_count);
  struct fd_message raw = {
      .bytes = &wire,
      .count = sizeof wire.head + message->text_count,
      .fd_count = message->fd_count,
  };
  memcpy(raw.fds, message->fds, sizeof raw.fds);
  return fd_send(socket_fd, &raw, err);
}

int message_send_plain(int socket_fd, enum message_kind kind, int64_t value,
                       struct error **err)
{
  struct message message = {.kind = kind, .value = value};
  return message_send(socket_fd, &message, err);
}

static int unpack(const struct wire *wire, struct fd_message *raw,
                  struct message *message, struct error **err)
{
  if (raw->count < sizeof wire->head) {
    fd_message_close(raw);
    return error_make(err, EPROTO, "a message was too short");
  }
  message->kind = (enum message_kind)wire->head.kind;
  message->value = wire->head.value;
  message->text_count = raw->count - sizeof wire->head;
  memcpy(message->text, wire->text, message->text_count);
  message->text[message->text_count] = '\0';
  message->fd_count = raw->fd_count;
  memcpy(message->fds, raw->fds, sizeof message->fds);
  message->peer_pid = raw->peer_pid;
  return 0;
}

int message_receive(int socket_fd, struct message *message, struct error **err)
{
  struct wire wire;
  struct fd_message raw = {.bytes = &wire, .count = sizeof wire - 1};
  int got = fd_receive(socket_fd, &raw, err);
  if (got <= 0)
    return got;
  return unpack(&wire, &raw, message, err) < 0 ? -1 : 1;
}

int message_expect(int socket_fd, enum message_kind expected,
                   struct message *message, struct error **err)
{
  int got = message_receive(socket_fd, message, err);
  if (got < 0)
    return -1;
  if (got == 0)
    return error_make(err, EPIPE, "the other side ended");
  if (message->kind == expected)
    return 0;
  message_close(message);
  if (message->kind == MESSAGE_FAILED)
    return error_make(err, (int)message->value, "%s", message->text);
  return error_make(err, EPROTO, "message %d came in place of %d",
                    message->kind, expected);
}

void message_copy_text(const struct message *message, char *text, size_t size)
{
  size_t length = strnlen(message->text, size - 1);
  memcpy(text, message->text, length);
  text[length] = '\0';
}

void message_close(struct message *message)
{
  for (size_t i = 0; i < message->fd_count; i++)
    fd_close(&message->fds[i]);
  message->fd_count = 0;
}
