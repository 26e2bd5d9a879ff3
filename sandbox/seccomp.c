#include "config.h"

#include "sandbox/seccomp.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/seccomp_filter.inc"

int seccomp_load(bool with_listener, int *listener_fd, struct error **err)
{
  /* The kernel copies the program; its type is not const for history's sake. */
  struct sock_fprog alone = {
      .len = ARRAY_LENGTH(filter_alone),
      .filter = (struct sock_filter *)(uintptr_t)filter_alone,
  };
  struct sock_fprog listened = {
      .len = ARRAY_LENGTH(filter_with_listener),
      .filter = (struct sock_filter *)(uintptr_t)filter_with_listener,
  };
  unsigned flags = with_listener ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0;
  long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags,
                    with_listener ? &listened : &alone);
  if (fd < 0)
    return error_errno(err, "load the system-call filter");
  if (with_listener)
    *listener_fd = (int)fd;
  return 0;
}

static bool has_action(uint32_t action)
{
  return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

int seccomp_probe(bool *listener, struct error **err)
{
  static const uint32_t needed[] = {SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO,
                                    SECCOMP_RET_KILL_PROCESS};
  for (size_t i = 0; i < ARRAY_LENGTH(needed); i++) {
    if (!has_action(needed[i]))
      return error_errno(err, "this kernel's seccomp lacks action 0x%08x",
                         needed[i]);
  }
  *listener = has_action(SECCOMP_RET_USER_NOTIF);
  return 0;
}
