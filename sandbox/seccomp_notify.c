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

/* Returns 1 with the notification's id, number and registers, 0 where there is
 * none. */
static int receive(int listener_fd, const struct seccomp_notif_sizes *sizes,
                   uint64_t *id, struct seccomp_refusal *refusal,
                   struct error **err)
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
  refusal->number = request->data.nr;
  for (size_t i = 0; i < SECCOMP_ARGUMENTS_MAX; i++)
    refusal->arguments[i] = (uint32_t)request->data.args[i];
  return 1;
}

/* The filter asked, so the call isn't allowed, whatever the tables say. Of -1,
 * by which tracers skip a call, they say nothing, and libseccomp refuses it. */
static void judge(struct seccomp_refusal *refusal)
{
  refusal->name = seccomp_call_name(refusal->number);
  refusal->verdict = seccomp_judge(refusal->name, refusal->arguments);
  if (refusal->verdict.action == SECCOMP_ALLOW || refusal->number < 0)
    refusal->verdict =
        (struct seccomp_verdict){SECCOMP_REFUSE, "the filter refused it", NULL};
}

int seccomp_notify_answer(int listener_fd, struct seccomp_refusal *refusal,
                          struct error **err)
{
  struct seccomp_notif_sizes sizes;
  if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) < 0)
    return error_errno(err, "ask for the size of a notification");
  uint64_t id = 0;
  int received = receive(listener_fd, &sizes, &id, refusal, err);
  if (received <= 0)
    return received;

  judge(refusal);
  size_t room =
      room_for(sizeof(struct seccomp_notif_resp), sizes.seccomp_notif_resp);
  cleanup_free struct seccomp_notif_resp *answer = xcalloc(1, room);
  answer->id = id;
  answer->error = -seccomp_action_errno(refusal->verdict.action);
  if (ioctl(listener_fd, SECCOMP_IOCTL_NOTIF_SEND, answer) < 0) {
    if (errno == ENOENT)
      return 0;
    return error_errno(err, "answer a refused call");
  }
  return 1;
}
