/* File descriptors: owned, close-on-exec, never a surprise.
 *
 * `cleanup_fd int fd = -1;` closes at the end of its scope; steal_fd hands it
 * out. Every function here that makes a descriptor makes it close-on-exec. */
#ifndef WAFER_BASE_FD_H
#define WAFER_BASE_FD_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Closes *fd if it is open, keeps errno, sets it to -1. */
void fd_close(int *fd);

static inline int steal_fd(int *fd)
{
  int held = *fd;
  *fd = -1;
  return held;
}

#define cleanup_fd __attribute__((cleanup(fd_close)))

/* Writes all of it, through short writes and EINTR. -1 sets err. */
int fd_write_all(int fd, const void *bytes, size_t count, struct error **err);

/* Reads until end of file, at most max_bytes: more is an error (EFBIG). The
 * result is NUL-terminated beyond *count; the caller frees it. */
int fd_read_all(int fd, size_t max_bytes, char **bytes, size_t *count,
                struct error **err);

/* Opens `path` beneath `dir_fd` read-only and reads it as fd_read_all does.
 * `path` may be absolute where dir_fd is AT_FDCWD. */
int fd_read_file(int dir_fd, const char *path, size_t max_bytes, char **bytes,
                 size_t *count, struct error **err);

/* Writes `text` to an existing file (a proc or cgroup file, say) in a single
 * write (2), as those files need. */
int fd_write_file(int dir_fd, const char *path, const char *text,
                  struct error **err);

/* openat2 (Linux 5.6) with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
 * RESOLVE_NO_MAGICLINKS, O_CLOEXEC and O_NOCTTY: the only way that the host
 * opens a name which a job may have made. Returns the descriptor or -1. */
int fd_open_beneath(int dir_fd, const char *path, int flags, mode_t mode,
                    struct error **err);

/* Makes a sealed, read-only memory file that holds `bytes`; its offset is 0.
 * Returns the descriptor or -1. */
int fd_sealed_memory(const char *name, const void *bytes, size_t count,
                     struct error **err);

/* Two joined SOCK_SEQPACKET sockets. */
int fd_socket_pair(int ends[2], struct error **err);

/* Who is at the other end of a Unix socket, by its kernel (SO_PEERCRED): the
 * uid that it had when it connected or listened. */
int fd_peer_uid(int socket_fd, uid_t *uid, struct error **err);

/* Messages with descriptors over a SOCK_SEQPACKET socket. */
enum { FD_MESSAGE_MAX = 128 };

struct fd_message {
  void *bytes;
  size_t count; /* in: room; out: bytes received */
  int fds[FD_MESSAGE_MAX];
  size_t fd_count;
  pid_t peer_pid; /* out, where SO_PASSCRED is set: the sender's pid in our pid
                     namespace; 0 where unknown */
  uid_t peer_uid;
};

/* Sends one message; its descriptors stay the caller's. */
int fd_send(int socket_fd, const struct fd_message *message,
            struct error **err);

/* Receives one message. Returns 1, or 0 at end of file, or -1. Its descriptors
 * become the caller's, and are close-on-exec. A message that was cut short is
 * an error (EMSGSIZE), and its descriptors are closed. */
int fd_receive(int socket_fd, struct fd_message *message, struct error **err);

/* Closes every descriptor of a received message. */
void fd_message_close(struct fd_message *message);

#endif
