#include "config.h"

#include "sandbox/seccomp.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/seccomp_filter.inc"

int seccomp_load(enum seccomp_form form, int *listener_fd, struct error **err)
{
  static const struct {
    const struct sock_filter *filter;
    unsigned short length;
    unsigned flags;
  } programs[] = {
      [SECCOMP_ALONE] = {filter_alone, ARRAY_LENGTH(filter_alone), 0},
      [SECCOMP_LISTENED] = {filter_with_listener,
                            ARRAY_LENGTH(filter_with_listener),
                            SECCOMP_FILTER_FLAG_NEW_LISTENER},
      [SECCOMP_LOGGED] = {filter_with_log, ARRAY_LENGTH(filter_with_log),
                          SECCOMP_FILTER_FLAG_NEW_LISTENER},
  };
  /* The kernel copies the program; its type is not const for history's sake. */
  struct sock_fprog program = {
      .len = programs[form].length,
      .filter = (struct sock_filter *)(uintptr_t)programs[form].filter,
  };
  long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, programs[form].flags,
                    &program);
  if (fd < 0)
    return error_errno(err, "load the system-call filter");
  if (form != SECCOMP_ALONE)
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
