#include "config.h"

#include "host/process.h"

#include "base/fd.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The name, which is in parentheses, may hold parentheses itself. */
bool process_parse_stat(const char *text, char *state, int64_t *start_ticks)
{
  enum { FIELDS_BETWEEN = 18 };
  const char *field = strrchr(text, ')');
  if (field == NULL || field[1] != ' ' || field[2] == '\0')
    return false;
  *state = field[2];
  field += 2;
  for (int i = 0; i <= FIELDS_BETWEEN && field != NULL; i++)
    field = strchr(field + 1, ' ');
  return field != NULL && sscanf(field, " %" SCNd64, start_ticks) == 1;
}

static bool read_stat(pid_t pid, char *state, int64_t *start_ticks)
{
  enum { STAT_MAX_BYTES = 4096 };
  char path[32];
  cleanup_free char *text = NULL;
  cleanup_error struct error *err = NULL;
  size_t count;
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  return fd_read_file(AT_FDCWD, path, STAT_MAX_BYTES, &text, &count, &err) ==
             0 &&
         process_parse_stat(text, state, start_ticks);
}

static void read_boot_id(char text[BOOT_ID_SIZE])
{
  cleanup_fd int fd =
      open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
  ssize_t count = read(fd, text, BOOT_ID_SIZE - 1);
  text[count > 0 ? count : 0] = '\0';
  text[strcspn(text, "\n")] = '\0';
}

void process_identify(pid_t pid, struct run_process *process)
{
  char state;
  *process = (struct run_process){0};
  if (!read_stat(pid, &state, &process->start_ticks))
    return;
  process->pid = pid;
  read_boot_id(process->boot_id);
}

bool process_lives(const struct run_process *process)
{
  char boot_id[BOOT_ID_SIZE], state;
  int64_t start_ticks;
  read_boot_id(boot_id);
  return process->pid > 0 && strcmp(boot_id, process->boot_id) == 0 &&
         read_stat((pid_t)process->pid, &state, &start_ticks) &&
         start_ticks == process->start_ticks && state != 'Z' && state != 'X';
}

void process_await_end(const struct run_process *process, int timeout_ms)
{
  if (process->pid <= 0)
    return;
  cleanup_fd int pidfd = (int)syscall(SYS_pidfd_open, process->pid, 0);
  /* Looked at after the descriptor is held, so that it is of this process. */
  if (pidfd < 0 || !process_lives(process))
    return;
  struct pollfd polled = {.fd = pidfd, .events = POLLIN};
  if (poll(&polled, 1, timeout_ms) != 0)
    return;
  syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
  poll(&polled, 1, timeout_ms);
}

int64_t process_private_bytes(pid_t pid)
{
  enum { ROLLUP_MAX_BYTES = 4096 };
  static const char *const keys[] = {"Private_Clean:", "Private_Dirty:"};
  char path[40];
  cleanup_free char *text = NULL;
  cleanup_error struct error *ignored = NULL;
  size_t count;
  int64_t kib = 0;
  snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
  if (fd_read_file(AT_FDCWD, path, ROLLUP_MAX_BYTES, &text, &count, &ignored) <
      0)
    return -1;
  for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
    const char *found = strstr(text, keys[i]);
    kib += found != NULL ? strtoll(found + strlen(keys[i]), NULL, 10) : 0;
  }
  return kib * 1024;
}
