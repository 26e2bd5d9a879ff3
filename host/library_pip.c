#include "config.h"

#include "host/library_pip.h"

#include "base/fd.h"
#include "host/format.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

const char library_pip_python[] = "/usr/bin/python" PYTHON_VERSION;

enum { ENVIRONMENT_MAX = 64, SAID_MAX_BYTES = 4 << 20, LOCK_FD = 3 };

/* What of the caller's environment is for pip: its options, and the way out. */
static const char *const passed_on[] = {
    "PIP_",       "HTTP_PROXY=", "HTTPS_PROXY=",     "NO_PROXY=",
    "ALL_PROXY=", "http_proxy=", "https_proxy=",     "no_proxy=",
    "all_proxy=", "SSL_CERT_",   "XDG_CONFIG_HOME=", "XDG_CACHE_HOME=",
};

static bool is_passed_on(const char *variable)
{
  for (size_t i = 0; i < ARRAY_LENGTH(passed_on); i++)
    if (strncmp(variable, passed_on[i], strlen(passed_on[i])) == 0)
      return true;
  return false;
}

/* The first texts are the array's own to free: so many. */
static size_t make_environment(const struct library_pip *pip,
                               char *environment[ENVIRONMENT_MAX])
{
  const char *home = geteuid() == 0 ? NULL : getenv("HOME");
  size_t owned = 0;
  environment[owned++] = xasprintf("HOME=%s", home ? home : pip->home);
  environment[owned++] = xasprintf("TMPDIR=%s", pip->home);
  size_t count = owned;
  environment[count++] = (char *)"PATH=/usr/bin:/bin";
  environment[count++] = (char *)"LANG=C.UTF-8";
  environment[count++] = (char *)"PIP_DISABLE_PIP_VERSION_CHECK=1";
  environment[count++] = (char *)"PIP_NO_INPUT=1";
  for (char **at = environ; *at != NULL && count < ENVIRONMENT_MAX - 1; at++)
    if (is_passed_on(*at))
      environment[count++] = *at;
  environment[count] = NULL;
  return owned;
}

int library_pip_check(struct error **err)
{
  static const char *const needed[][2] = {
      {library_pip_python, "python" PYTHON_VERSION},
      {"/usr/lib/python" PYTHON_VERSION "/venv",
       "libpython" PYTHON_VERSION "-stdlib"},
      {LIBRARY_PIP_RUNNER, "python3-pip"},
  };
  for (size_t i = 0; i < ARRAY_LENGTH(needed); i++)
    if (access(needed[i][0], R_OK) < 0)
      return error_make(err, ENOENT,
                        "%s isn't there, which building a library set takes; "
                        "as root: apt-get install %s",
                        needed[i][0], needed[i][1]);
  return 0;
}

static int drop_ids(const struct library_pip *pip)
{
  if (geteuid() != 0)
    return 0;
  if (setgroups(0, NULL) < 0 || setresgid(pip->gid, pip->gid, pip->gid) < 0)
    return -1;
  return setresuid(pip->uid, pip->uid, pip->uid);
}

/* The lock stays open in it, so that nobody sweeps the folder away beneath it,
 * should its parent be killed. The descriptors go above all that they are to
 * become first. */
static int arrange_descriptors(const struct library_pip *pip, int said_fd)
{
  enum { ABOVE = 64 };
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  int said = fcntl(said_fd, F_DUPFD_CLOEXEC, ABOVE);
  int lock = fcntl(pip->lock_fd, F_DUPFD_CLOEXEC, ABOVE);
  if (null < 0 || said < 0 || lock < 0 || dup2(null, 0) < 0 ||
      dup2(said, 1) < 0 || dup2(said, 2) < 0 || dup2(lock, LOCK_FD) < 0)
    return -1;
  return close_range(LOCK_FD + 1, ~0U, CLOSE_RANGE_CLOEXEC);
}

/* Runs in a vforked child: system calls alone. PR_SET_PDEATHSIG comes after the
 * ids, whose change undoes it. */
static void become_program(const struct library_pip *pip, pid_t parent,
                           const char *const *argv, char **environment,
                           int said_fd)
{
  sigset_t none;
  sigemptyset(&none);
  for (int number = 1; number < NSIG; number++)
    signal(number, SIG_DFL);
  umask(022);
  if (arrange_descriptors(pip, said_fd) < 0 || setsid() < 0 ||
      chdir(pip->home) < 0 || drop_ids(pip) < 0 ||
      prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent ||
      sigprocmask(SIG_SETMASK, &none, NULL) < 0)
    _exit(125);
  execve(argv[0], (char **)argv, environment);
  _exit(127);
}

static pid_t spawn(const struct library_pip *pip, const char *const *argv,
                   int said_fd, struct error **err)
{
  char *environment[ENVIRONMENT_MAX];
  size_t owned = make_environment(pip, environment);
  pid_t parent = getpid();
  pid_t pid = vfork();
  if (pid == 0)
    become_program(pip, parent, argv, environment, said_fd);
  if (pid < 0)
    error_errno(err, "start %s", argv[0]);
  while (owned > 0)
    free(environment[--owned]);
  return pid;
}

/* What pip says in many lines or beside the point, and what to do about it. */
static const struct {
  const char *said;
  const char *advice;
} known[] = {
    {"DO NOT MATCH THE HASHES",
     "a package is not the one that the lock file names: the index serves "
     "another, or the lock file is wrong; nothing of it was used"},
    {"No space left on device", "free some space where wafer keeps its state"},
    {"Disk quota exceeded", "free some space where wafer keeps its state"},
    {"Retrying (Retry(",
     "the package index can't be reached, or broke off: see pip config list"},
    {"IncompleteRead",
     "the package index broke off: try again, or see pip config list"},
    {"ResolutionImpossible", "the requirements contradict each other"},
};

static const char *find_advice(const char *said)
{
  for (size_t i = 0; i < ARRAY_LENGTH(known); i++)
    if (strstr(said, known[i].said) != NULL)
      return known[i].advice;
  return NULL;
}

/* Its first line that is an error and no list of what it passed over; else its
 * last. */
static char *find_line(char *said)
{
  static const char error[] = "ERROR: ", passed_over[] = "ERROR: Ignored";
  const char *last = "it said nothing";
  for (char *line = strsep(&said, "\n"); line != NULL;
       line = strsep(&said, "\n")) {
    line += strspn(line, " \t\r");
    if (strncmp(line, error, strlen(error)) == 0 &&
        strncmp(line, passed_over, strlen(passed_over)) != 0)
      return format_safe(line + strlen(error));
    if (*line != '\0')
      last = line;
  }
  return format_safe(last);
}

static int explain(const char *const *argv, int status, char *said,
                   struct error **err)
{
  enum { LINE_MAX_BYTES = 400 };
  const char *advice = find_advice(said);
  cleanup_free char *line = find_line(said);
  if (WIFSIGNALED(status))
    return error_make(err, EINTR, "%s was ended by signal %d (%s)", argv[0],
                      WTERMSIG(status), strsignal(WTERMSIG(status)));
  return error_make(err, EIO, "%s%s%.*s", advice != NULL ? advice : "",
                    advice != NULL ? "; pip: " : "pip: ", LINE_MAX_BYTES, line);
}

int library_pip_run(const struct library_pip *pip, const char *const *argv,
                    struct error **err)
{
  int ends[2], status;
  if (pipe2(ends, O_CLOEXEC) < 0)
    return error_errno(err, "make a pipe");
  cleanup_fd int said_fd = ends[0];
  cleanup_fd int far_end = ends[1];
  pid_t pid = spawn(pip, argv, far_end, err);
  if (pid < 0)
    return -1;
  fd_close(&far_end);
  cleanup_free char *said = NULL;
  size_t count;
  int result = fd_read_all(said_fd, SAID_MAX_BYTES, &said, &count, err);
  /* Who says more than that goes on against a closed pipe, and ends. */
  fd_close(&said_fd);
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
    continue;
  if (result < 0)
    return error_wrap(err, "what %s says", argv[0]);
  return status == 0 ? 0 : explain(argv, status, said, err);
}
