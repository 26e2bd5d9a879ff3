#include "config.h"

#include "host/lease.h"

#include "base/fd.h"
#include "sandbox/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define PARKED_DIR "parked"
#define IN_RUN     "cgroup"
#define PREFIX     "sb_"

static int open_parked(const char *state_dir, bool make, struct error **err)
{
  cleanup_free char *path = xasprintf("%s/" PARKED_DIR, state_dir);
  if (make && mkdir(path, 0700) < 0 && errno != EEXIST)
    return error_errno(err, "make the folder %s", path);
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  return fd < 0 ? error_errno(err, "open the folder %s", path) : fd;
}

static int new_name(char name[LEASE_NAME_SIZE], struct error **err)
{
  uint64_t number;
  if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
    return error_errno(err, "get random bits");
  snprintf(name, LEASE_NAME_SIZE, PREFIX "%016" PRIx64, number);
  return 0;
}

/* Whether the open file is still the one of this name. */
static bool is_named(int dir, const char *name, int fd)
{
  struct stat named, open;
  return fstatat(dir, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         fstat(fd, &open) == 0 && named.st_dev == open.st_dev &&
         named.st_ino == open.st_ino;
}

/* Between its making and its locking a sweep may have taken a lease for one
 * that nobody holds: then there is no such name any more, or no lock to have.
 */
static int try_make(int parked, const char *name, struct error **err)
{
  cleanup_fd int fd = openat(
      parked, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0)
    return error_errno(err, "make the lease %s", name);
  if (flock(fd, LOCK_EX | LOCK_NB) < 0 || !is_named(parked, name, fd))
    return error_make(err, EAGAIN, "the lease %s was swept away", name);
  if (fd_write_all(fd, name, strlen(name), err) < 0) {
    unlinkat(parked, name, 0);
    return error_wrap(err, "the lease %s", name);
  }
  return steal_fd(&fd);
}

int lease_make(const char *state_dir, char name[LEASE_NAME_SIZE],
               struct error **err)
{
  enum { TRIES = 8 };
  cleanup_fd int parked = open_parked(state_dir, true, err);
  if (parked < 0)
    return -1;
  for (int i = 0;; i++) {
    cleanup_error struct error *failure = NULL;
    if (new_name(name, err) < 0)
      return -1;
    int fd = try_make(parked, name, &failure);
    if (fd >= 0)
      return fd;
    if (failure->code != EAGAIN || i == TRIES) {
      *err = steal_pointer(&failure);
      return -1;
    }
  }
}

int lease_move(const char *state_dir, const char *name, int run_dir,
               struct error **err)
{
  cleanup_fd int parked = open_parked(state_dir, false, err);
  if (parked < 0)
    return -1;
  if (renameat(parked, name, run_dir, IN_RUN) < 0)
    return error_errno(err, "take the lease %s", name);
  return 0;
}

void lease_remove(const char *state_dir, const char *name)
{
  cleanup_error struct error *ignored = NULL;
  cleanup_fd int parked = open_parked(state_dir, false, &ignored);
  if (parked >= 0)
    unlinkat(parked, name, 0);
}

/* The name is opened beneath the folder, and may hold anything. */
bool lease_read(int run_dir, char name[LEASE_NAME_SIZE])
{
  cleanup_error struct error *ignored = NULL;
  cleanup_fd int fd = fd_open_beneath(run_dir, IN_RUN, O_RDONLY, 0, &ignored);
  ssize_t count = fd < 0 ? -1 : read(fd, name, LEASE_NAME_SIZE - 1);
  if (count <= 0)
    return false;
  name[count] = '\0';
  return strncmp(name, PREFIX, strlen(PREFIX)) == 0;
}

static void sweep_one(int parked, const char *name)
{
  cleanup_error struct error *err = NULL;
  cleanup_fd int fd = fd_open_beneath(parked, name, O_RDONLY, 0, &err);
  if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 || !is_named(parked, name, fd))
    return;
  if (cgroup_remove_by_name(NULL, name, &err) < 0)
    fprintf(stderr, "wafer: %s\n", err->text);
  else
    unlinkat(parked, name, 0);
}

void lease_sweep(const char *state_dir)
{
  cleanup_error struct error *ignored = NULL;
  int parked = open_parked(state_dir, false, &ignored);
  DIR *dir = parked < 0 ? NULL : fdopendir(parked);
  if (dir == NULL) {
    fd_close(&parked);
    return;
  }
  for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir))
    if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) == 0)
      sweep_one(parked, entry->d_name);
  closedir(dir);
}
