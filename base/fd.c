#include "config.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

void fd_close(int *fd)
{
  if (*fd < 0)
    return;
  int kept = errno;
  close(*fd);
  errno = kept;
  *fd = -1;
}

int fd_write_all(int fd, const void *bytes, size_t count, struct error **err)
{
  const char *next = bytes;
  while (count > 0) {
    ssize_t written = write(fd, next, count);
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      return error_errno(err, "write");
    next += written;
    count -= (size_t)written;
  }
  return 0;
}

int fd_read_all(int fd, size_t max_bytes, char **bytes, size_t *count,
                struct error **err)
{
  size_t room = 4096, used = 0;
  cleanup_free char *buffer = xmalloc(room + 1);
  for (;;) {
    if (used == room) {
      room *= 2;
      buffer = xreallocarray(buffer, room + 1, 1);
    }
    ssize_t got = read(fd, buffer + used, room - used);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return error_errno(err, "read");
    if (got == 0)
      break;
    used += (size_t)got;
    if (used > max_bytes)
      return error_make(err, EFBIG, "larger than %zu bytes", max_bytes);
  }
  buffer[used] = '\0';
  *bytes = steal_pointer(&buffer);
  *count = used;
  return 0;
}

int fd_read_file(int dir_fd, const char *path, size_t max_bytes, char **bytes,
                 size_t *count, struct error **err)
{
  cleanup_fd int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0)
    return error_errno(err, "open %s", path);
  if (fd_read_all(fd, max_bytes, bytes, count, err) < 0)
    return error_wrap(err, "%s", path);
  return 0;
}

int fd_write_file(int dir_fd, const char *path, const char *text,
                  struct error **err)
{
  cleanup_fd int fd = openat(dir_fd, path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0)
    return error_errno(err, "open %s", path);
  size_t count = strlen(text);
  int first_line = (int)strcspn(text, "\n"); /* an error is one line */
  ssize_t written = write(fd, text, count);
  if (written < 0)
    return error_errno(err, "write \"%.*s\" to %s", first_line, text, path);
  if ((size_t)written != count)
    return error_make(err, EIO, "write \"%.*s\" to %s: cut short", first_line,
                      text, path);
  return 0;
}

int fd_open_beneath(int dir_fd, const char *path, int flags, mode_t mode,
                    struct error **err)
{
  /* With O_PATH openat2 takes no flag that would be without effect. */
  int always = flags & O_PATH ? O_CLOEXEC : O_CLOEXEC | O_NOCTTY;
  struct open_how how = {
      .flags = (unsigned)(flags | always),
      .mode = mode,
      .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
  };
  long fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof how);
  if (fd < 0)
    return error_errno(err, "open %s", path);
  return (int)fd;
}

int fd_sealed_memory(const char *name, const void *bytes, size_t count,
                     struct error **err)
{
  cleanup_fd int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0)
    return error_errno(err, "memfd_create %s", name);
  if (fd_write_all(fd, bytes, count, err) < 0)
    return error_wrap(err, "memory file %s", name);
  int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  if (lseek(fd, 0, SEEK_SET) < 0 || fcntl(fd, F_ADD_SEALS, seals) < 0)
    return error_errno(err, "seal memory file %s", name);
  return steal_fd(&fd);
}

int fd_socket_pair(int ends[2], struct error **err)
{
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
    return error_errno(err, "make a socket pair");
  return 0;
}

int fd_peer_uid(int socket_fd, uid_t *uid, struct error **err)
{
  struct ucred peer;
  socklen_t size = sizeof peer;
  if (getsockopt(socket_fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
    return error_errno(err, "ask who is at the other end");
  *uid = peer.uid;
  return 0;
}

/* Room for the descriptors and the sender's credentials. */
union control {
  struct cmsghdr align;
  char room[CMSG_SPACE(sizeof(int) * FD_MESSAGE_MAX) +
            CMSG_SPACE(sizeof(struct ucred))];
};

int fd_send(int socket_fd, const struct fd_message *message, struct error **err)
{
  union control control = {0};
  struct iovec part = {message->bytes, message->count};
  struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
  if (message->fd_count > FD_MESSAGE_MAX)
    return error_make(err, E2BIG, "more than %d descriptors in a message",
                      FD_MESSAGE_MAX);
  if (message->fd_count > 0) {
    size_t size = sizeof(int) * message->fd_count;
    header.msg_control = control.room;
    header.msg_controllen = CMSG_SPACE(size);
    struct cmsghdr *item = CMSG_FIRSTHDR(&header);
    item->cmsg_level = SOL_SOCKET;
    item->cmsg_type = SCM_RIGHTS;
    item->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(item), message->fds, size);
  }
  ssize_t sent;
  do
    sent = sendmsg(socket_fd, &header, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  if (sent < 0)
    return error_errno(err, "send a message");
  return 0;
}

/* Where no credentials come, their room holds descriptors beyond the most that
 * a message has: those are closed. Returns whether there were none. */
static bool take_fds(struct cmsghdr *item, struct fd_message *message)
{
  size_t count = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);
  size_t taken = count < FD_MESSAGE_MAX ? count : FD_MESSAGE_MAX;
  memcpy(message->fds, CMSG_DATA(item), taken * sizeof(int));
  message->fd_count = taken;
  for (size_t i = taken; i < count; i++) {
    int extra;
    memcpy(&extra, CMSG_DATA(item) + i * sizeof extra, sizeof extra);
    fd_close(&extra);
  }
  return taken == count;
}

/* Returns whether all of it was taken. */
static bool take_control(struct msghdr *header, struct fd_message *message)
{
  bool whole = true;
  for (struct cmsghdr *item = CMSG_FIRSTHDR(header); item != NULL;
       item = CMSG_NXTHDR(header, item)) {
    if (item->cmsg_level != SOL_SOCKET)
      continue;
    if (item->cmsg_type == SCM_RIGHTS) {
      whole = take_fds(item, message);
    } else if (item->cmsg_type == SCM_CREDENTIALS) {
      struct ucred peer;
      memcpy(&peer, CMSG_DATA(item), sizeof peer);
      message->peer_pid = peer.pid;
      message->peer_uid = peer.uid;
    }
  }
  return whole;
}

int fd_receive(int socket_fd, struct fd_message *message, struct error **err)
{
  union control control;
  struct iovec part = {message->bytes, message->count};
  struct msghdr header = {.msg_iov = &part,
                          .msg_iovlen = 1,
                          .msg_control = control.room,
                          .msg_controllen = sizeof control.room};
  message->fd_count = 0;
  message->peer_pid = 0;
  message->peer_uid = (uid_t)-1;
  ssize_t got;
  do
    got = recvmsg(socket_fd, &header, MSG_CMSG_CLOEXEC);
  while (got < 0 && errno == EINTR);
  if (got < 0)
    return error_errno(err, "receive a message");
  bool whole = take_control(&header, message);
  if (!whole || (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
    fd_message_close(message);
    return error_make(err, EMSGSIZE, "a message was cut short");
  }
  message->count = (size_t)got;
  /* An empty message looks like the end, but may bring descriptors. */
  if (got == 0)
    fd_message_close(message);
  return got > 0;
}

void fd_message_close(struct fd_message *message)
{
  for (size_t i = 0; i < message->fd_count; i++)
    fd_close(&message->fds[i]);
  message->fd_count = 0;
}
