#include "config.h"

#include "runtime/launch.h"

#include "base/fd.h"
#include "runtime/zygote_fds.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ZYGOTE_PROGRAM LIBEXECDIR "/wafer-zygote"
#define KEEPER_PROGRAM LIBEXECDIR "/wafer-keeper"
#define PYTHON_MODULE  LIBEXECDIR "/wafer-python.so"
#define PYTHON_DIR     PKGDATADIR "/python"

const char *launch_python_dir(void)
{
  return PYTHON_DIR;
}

static int open_part(const char *path, int flags, struct error **err)
{
  int fd = open(path, flags | O_CLOEXEC);
  if (fd < 0)
    return error_errno(err, "open %s (is wafer installed whole?)", path);
  return fd;
}

/* What the zygote is made of, as descriptors: its uid need not be able to
 * reach any of it by path (a checkout in root's home, say). */
struct parts {
  int program;
  int command; /* the zygote's end */
  int keeper;
  int python; /* read by the dynamic linker, not just executed: no O_PATH */
  int null;
};

static void close_parts(struct parts *parts)
{
  fd_close(&parts->program);
  fd_close(&parts->command);
  fd_close(&parts->keeper);
  fd_close(&parts->python);
  fd_close(&parts->null);
}

static int open_parts(struct parts *parts, struct error **err)
{
  parts->program = open_part(ZYGOTE_PROGRAM, O_PATH, err);
  if (parts->program < 0)
    return -1;
  parts->keeper = open_part(KEEPER_PROGRAM, O_PATH, err);
  if (parts->keeper < 0)
    return -1;
  parts->python = open_part(PYTHON_MODULE, O_RDONLY, err);
  if (parts->python < 0)
    return -1;
  parts->null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (parts->null < 0)
    return error_errno(err, "open /dev/null");
  return 0;
}

/* Real root gives the zygote an id that owns nothing. */
static int drop_ids(void)
{
  if (geteuid() != 0)
    return 0;
  struct namespace_ids ids = namespace_ids_of_pid(getpid());
  if (setgroups(0, NULL) < 0 ||
      setresgid(ids.root_gid, ids.root_gid, ids.root_gid) < 0 ||
      setresuid(ids.root_uid, ids.root_uid, ids.root_uid) < 0)
    return -1;
  return 0;
}

#define NO_ARROW_THREAD "JE_ARROW_MALLOC_CONF=background_thread:false"

/* Runs in a vforked child: system calls alone. The descriptors go above all
 * that they are to become before they are put in place. */
static void become_zygote(const struct parts *parts)
{
  static const char *const argv[] = {"wafer-zygote", NULL};
  /* None of its libraries may start a thread, since it forks: those that take
   * one a CPU find one CPU, and Arrow's jemalloc does without its own. */
  static const char *const environment[] = {"PATH=/usr/local/bin:/usr/bin:/bin",
                                            "LANG=C.UTF-8",
                                            "HOME=/tmp",
                                            "OMP_NUM_THREADS=1",
                                            "OPENBLAS_NUM_THREADS=1",
                                            "MKL_NUM_THREADS=1",
                                            NO_ARROW_THREAD,
                                            NULL};
  enum { ABOVE = 64 };
  int program = fcntl(parts->program, F_DUPFD_CLOEXEC, ABOVE);
  int command = fcntl(parts->command, F_DUPFD_CLOEXEC, ABOVE);
  int keeper = fcntl(parts->keeper, F_DUPFD_CLOEXEC, ABOVE);
  int python = fcntl(parts->python, F_DUPFD_CLOEXEC, ABOVE);
  sigset_t none;
  sigemptyset(&none);
  if (getpid() == JOB_PID)
    _exit(0);
  /* Whatever the caller ignores (nohup), a job finds the usual defaults. What
   * a module prints while it is imported goes where errors go. */
  for (int number = 1; number < NSIG; number++)
    signal(number, SIG_DFL);
  if (program < 0 || dup2(parts->null, 0) < 0 || dup2(2, 1) < 0 ||
      dup2(command, ZYGOTE_COMMAND_FD) < 0 ||
      dup2(keeper, ZYGOTE_KEEPER_FD) < 0 ||
      dup2(python, ZYGOTE_PYTHON_FD) < 0 ||
      close_range(ZYGOTE_FD_END, ~0U, CLOSE_RANGE_CLOEXEC) < 0 ||
      setsid() < 0 || drop_ids() < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
      sigprocmask(SIG_SETMASK, &none, NULL) < 0)
    _exit(125);
  syscall(SYS_execveat, program, "", argv, environment, AT_EMPTY_PATH);
  _exit(125);
}

/* The first child in a container would be JOB_PID, and the next isn't. */
static pid_t vfork_zygote(const struct parts *parts)
{
  pid_t pid = vfork();
  if (pid == 0)
    become_zygote(parts);
  if (pid != JOB_PID)
    return pid;
  waitpid(pid, NULL, 0);
  pid = vfork();
  if (pid == 0)
    become_zygote(parts);
  return pid;
}

int zygote_start(struct zygote *zygote, struct error **err)
{
  int ends[2];
  if (fd_socket_pair(ends, err) < 0)
    return -1;
  zygote->command_fd = ends[0];
  __attribute__((cleanup(close_parts))) struct parts parts = {
      .program = -1,
      .command = ends[1],
      .keeper = -1,
      .python = -1,
      .null = -1,
  };
  if (open_parts(&parts, err) < 0)
    return -1;
  pid_t pid = vfork_zygote(&parts);
  if (pid < 0)
    return error_errno(err, "start " ZYGOTE_PROGRAM);
  zygote->pid = pid;
  return 0;
}

/* A batch process that wakes up waits for whoever runs (sched(7)). */
void launch_stand_back(pid_t pid)
{
  struct sched_param none = {0};
  if (pid > 0)
    sched_setscheduler(pid, SCHED_BATCH, &none);
}

void zygote_stop(struct zygote *zygote)
{
  launch_stand_back(zygote->pid);
  fd_close(&zygote->command_fd);
  zygote->pid = 0;
}

void zygote_end(struct zygote *zygote)
{
  pid_t pid = zygote->pid;
  if (pid > 0)
    kill(pid, SIGKILL);
  zygote_stop(zygote);
  while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
    continue;
}
