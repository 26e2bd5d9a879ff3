/* wafer whose jobs are forks of one warm zygote: for the tests of what a fork
 * has to make new, and never installed. It is wafer's own objects, with the
 * calls below led here by the linker (--wrap).
 *
 * The whole command line is carried out WAFER_WARM_RUNS times (once, unless
 * set), so that the jobs of one process are forks of one zygote. */
#include "config.h"

#include "base/fd.h"
#include "runtime/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

int __real_zygote_start(struct zygote *zygote, struct error **err);
int __wrap_zygote_start(struct zygote *zygote, struct error **err);
int __wrap_zygote_start(struct zygote *zygote, struct error **err)
{
  static struct zygote warm = ZYGOTE_INIT;
  char version[PYTHON_VERSION_SIZE];
  if (warm.pid == 0 && (__real_zygote_start(&warm, err) < 0 ||
                        zygote_warm(&warm, NULL, version, err) < 0))
    return -1;
  zygote->pid = warm.pid;
  zygote->command_fd = fcntl(warm.command_fd, F_DUPFD_CLOEXEC, 0);
  return zygote->command_fd < 0 ? error_errno(err, "share the zygote") : 0;
}

/* It ends with this process. */
void __wrap_zygote_stop(struct zygote *zygote);
void __wrap_zygote_stop(struct zygote *zygote)
{
  fd_close(&zygote->command_fd);
  zygote->pid = 0;
}

void __wrap_zygote_end(struct zygote *zygote);
void __wrap_zygote_end(struct zygote *zygote)
{
  __wrap_zygote_stop(zygote);
}

int __real_main(int argc, char **argv);
int __wrap_main(int argc, char **argv);
int __wrap_main(int argc, char **argv)
{
  const char *wanted = getenv("WAFER_WARM_RUNS");
  long runs = wanted != NULL ? strtol(wanted, NULL, 10) : 1;
  int status = 0;
  for (long i = 0; i < runs && status == 0; i++)
    status = __real_main(argc, argv);
  return status;
}
