#include "config.h"

#include "sandbox/seccomp_notify.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/seccomp_names.inc"

const char *seccomp_call_name(int number)
{
  if (number < 0 || (size_t)number >= ARRAY_LENGTH(call_names))
    return NULL;
  return call_names[number];
}

/* A newer kernel writes more than the headers know, and says how much. */
static size_t room_for(size_t ours, size_t kernels)
{
  return ours > kernels ? ours : kernels;
}

/* Returns 1 with the notification's id and number, 0 where there is none. */
static int receive(int listener_fd, const struct seccomp_notif_sizes *sizes,
                   uint64_t *id, int *number, struct error **err)
{
  /* RECV blocks where nothing waits, whatever the descriptor's flags. */
  struct pollfd waiting = {.fd = listener_fd, .events = POLLIN};
  if (poll(&waiting, 1, 0) < 0)
    return error_errno(err, "poll for refused calls");
  if (!(waiting.revents & POLLIN))
    return 0;

  size_t room = room_for(sizeof(struct seccomp_notif), sizes->seccomp_notif);
  cleanup_free struct seccomp_notif *request = xcalloc(1, room);
  if (ioctl(listener_fd, SECCOMP_IOCTL_NOTIF_RECV, request) < 0) {
    /* ENOENT: the caller died, or a signal interrupted its call. */
    if (errno == ENOENT || errno == EINTR)
      return 0;
    return error_errno(err, "receive a refused call");
  }
  *id = request->id;
  *number = request->data.nr;
  return 1;
}

int seccomp_notify_answer(int listener_fd, const char **name,
                          struct error **err)
{
  struct seccomp_notif_sizes sizes;
  if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) < 0)
    return error_errno(err, "ask for the size of a notification");
  uint64_t id = 0;
  int number = -1;
  int received = receive(listener_fd, &sizes, &id, &number, err);
  if (received <= 0)
    return received;

  size_t room =
      room_for(sizeof(struct seccomp_notif_resp), sizes.seccomp_notif_resp);
  cleanup_free struct seccomp_notif_resp *answer = xcalloc(1, room);
  answer->id = id;
  answer->error = -EPERM;
  if (ioctl(listener_fd, SECCOMP_IOCTL_NOTIF_SEND, answer) < 0) {
    if (errno == ENOENT)
      return 0;
    return error_errno(err, "answer a refused call");
  }
  const char *known = seccomp_call_name(number);
  *name = known != NULL ? known : "unknown";
  return 1;
}
