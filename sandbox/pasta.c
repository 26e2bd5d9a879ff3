#include "config.h"

#include "sandbox/pasta.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <linux/nsfs.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROGRAM "/usr/bin/pasta"
#define TUN     "/dev/net/tun"

/* Where its descriptors are put. */
enum { NAMESPACE_FD = 3, USER_NAMESPACE_FD, READY_FD, DEATH_FD, FD_END };

/* Names no server, forwards nothing inward, and gives no way to the host by
 * its gateway's address. 198.18.0.0/15 is no network's (RFC 2544). */
static const char *const arguments[] = {
    "pasta",        "--foreground",
    "--quiet",      "--ipv4-only",
    "--config-net", "--no-map-gw",
    "--no-dhcp",    "--no-dhcpv6",
    "--no-ndp",     "--no-ra",
    "--ns-ifname",  "eth0",
    "--address",    "198.18.0.2",
    "--netmask",    "30",
    "--gateway",    "198.18.0.1",
    "--dns",        "none",
    "--tcp-ports",  "none",
    "--udp-ports",  "none",
    "--tcp-ns",     "none",
    "--udp-ns",     "none",
    "--userns",     "/proc/self/fd/4",
    "--netns",      "/proc/self/fd/3",
    "--pid",        "/proc/self/fd/5",
    NULL,
};

struct descriptors {
  int namespace;
  int user_namespace;
  int ready; /* pasta writes its pid to it, and its complaints */
  int death;
};

static void close_descriptors(struct descriptors *fds)
{
  fd_close(&fds->user_namespace);
  fd_close(&fds->ready);
}

/* The descriptors go above all that they are to become first. */
static int arrange_descriptors(const struct descriptors *fds)
{
  enum { ABOVE = 64 };
  const int from[] = {
      open("/dev/null", O_RDWR | O_CLOEXEC),
      fds->ready,
      fds->namespace,
      fds->user_namespace,
      fds->ready,
      fds->death,
  };
  static const int to[] = {STDIN_FILENO,      STDERR_FILENO, NAMESPACE_FD,
                           USER_NAMESPACE_FD, READY_FD,      DEATH_FD};
  int high[ARRAY_LENGTH(from)];
  for (size_t i = 0; i < ARRAY_LENGTH(from); i++)
    high[i] = fcntl(from[i], F_DUPFD, ABOVE);
  for (size_t i = 0; i < ARRAY_LENGTH(from); i++)
    if (high[i] < 0 || dup2(high[i], to[i]) < 0)
      return -1;
  if (dup2(STDIN_FILENO, STDOUT_FILENO) < 0)
    return -1;
  return close_range(FD_END, ~0U, CLOSE_RANGE_CLOEXEC);
}

/* The end of the pipe's writers becomes a signal to the calling process. */
static int die_with(int pipe_fd)
{
  const struct f_owner_ex self = {.type = F_OWNER_PID, .pid = getpid()};
  if (fcntl(pipe_fd, F_SETOWN_EX, &self) < 0 ||
      fcntl(pipe_fd, F_SETSIG, SIGKILL) < 0)
    return -1;
  return fcntl(pipe_fd, F_SETFL, O_ASYNC);
}

static int drop_ids(uid_t uid, gid_t gid)
{
  if (geteuid() != 0)
    return 0;
  if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0)
    return -1;
  return setresuid(uid, uid, uid);
}

/* Runs in a vforked child: system calls alone. */
static void become_pasta(const struct descriptors *fds, uid_t uid, gid_t gid)
{
  static const char *const environment[] = {"PATH=/usr/bin:/bin", NULL};
  sigset_t none;
  sigemptyset(&none);
  for (int number = 1; number < NSIG; number++)
    signal(number, SIG_DFL);
  if (arrange_descriptors(fds) < 0 || setsid() < 0 || die_with(DEATH_FD) < 0 ||
      drop_ids(uid, gid) < 0 || sigprocmask(SIG_SETMASK, &none, NULL) < 0)
    _exit(125);
  execve(PROGRAM, (char **)arguments, (char **)environment);
  _exit(127);
}

/* Reads what it says until its pid comes, which is when all is set up. */
static int await_ready(const struct pasta *pasta, int ready_fd,
                       struct error **err)
{
  enum { WAIT_MS = 10000 };
  char text[1024];
  size_t count = 0;
  char pid[16];
  snprintf(pid, sizeof pid, "%d\n", pasta->pid);
  struct pollfd polled = {.fd = ready_fd, .events = POLLIN};
  while (count < sizeof text - 1 && poll(&polled, 1, WAIT_MS) > 0) {
    ssize_t got = read(ready_fd, text + count, sizeof text - 1 - count);
    if (got <= 0)
      break;
    count += (size_t)got;
    text[count] = '\0';
    if (strstr(text, pid) != NULL)
      return 0;
  }
  text[count] = '\0';
  text[strcspn(text, "\n")] = '\0';
  return error_make(err, EPROTO, PROGRAM " set up no network: %s",
                    count > 0 ? text : "it ended, or took too long");
}

static int spawn(struct pasta *pasta, struct descriptors *fds, int ready_fd,
                 uid_t uid, gid_t gid, struct error **err)
{
  /* It opens the pipe by name, as `uid`. */
  if (geteuid() == 0 && fchown(fds->ready, uid, gid) < 0)
    return error_errno(err, "give " PROGRAM " its pipe");
  pid_t pid = vfork();
  if (pid == 0)
    become_pasta(fds, uid, gid);
  if (pid < 0)
    return error_errno(err, "start " PROGRAM);
  pasta->pid = pid;
  fd_close(&fds->ready);
  return await_ready(pasta, ready_fd, err);
}

int pasta_start(struct pasta *pasta, int namespace_fd, uid_t uid, gid_t gid,
                struct error **err)
{
  int life[2], ready[2];
  if (pipe2(life, O_CLOEXEC) < 0)
    return error_errno(err, "make a pipe");
  pasta->death_fd = life[0];
  pasta->life_fd = life[1];
  if (pipe2(ready, O_CLOEXEC) < 0)
    return error_errno(err, "make a pipe");
  cleanup_fd int ready_fd = ready[0];
  __attribute__((cleanup(close_descriptors))) struct descriptors fds = {
      .namespace = namespace_fd,
      .user_namespace = ioctl(namespace_fd, NS_GET_USERNS),
      .ready = ready[1],
      .death = pasta->death_fd,
  };
  if (fds.user_namespace < 0)
    return error_errno(err, "find the sandbox's user namespace");
  if (spawn(pasta, &fds, ready_fd, uid, gid, err) < 0) {
    pasta_stop(pasta);
    return -1;
  }
  return 0;
}

void pasta_stop(struct pasta *pasta)
{
  if (pasta->pid > 0)
    kill(pasta->pid, SIGKILL);
  pasta->pid = 0;
  fd_close(&pasta->life_fd);
  fd_close(&pasta->death_fd);
}

bool pasta_probe(const char **why, const char **fix)
{
  struct stat status;
  *why = NULL;
  *fix = NULL;
  if (access(PROGRAM, X_OK) != 0) {
    *why = PROGRAM " is not installed";
    *fix = "apt-get install passt";
  } else if (stat(TUN, &status) < 0) {
    *why = "there is no " TUN;
    *fix = "modprobe tun";
  } else if (geteuid() != 0 ? access(TUN, R_OK | W_OK) != 0
                            : (status.st_mode & 06) != 06) {
    *why = TUN " is not everybody's to read and write";
    *fix = "chmod 666 " TUN;
  }
  return *why == NULL;
}
