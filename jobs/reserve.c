#include "config.h"

#include "jobs/reserve.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK_BYTES = 512 }; /* of st_blocks: stat (3type) */

int reserve_make(int dir_fd, struct error **err)
{
  struct stat status;
  cleanup_fd int fd = openat(dir_fd, RESERVE_FILE,
                             O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0 || fstat(fd, &status) < 0)
    return error_errno(err, "open " RESERVE_FILE);
  if (status.st_blocks * BLOCK_BYTES >= RESERVE_BYTES)
    return 0;
  errno = posix_fallocate(fd, 0, RESERVE_BYTES);
  if (errno == 0)
    return 0;
  error_errno(err, "set 1 MiB aside");
  if (ftruncate(fd, 0) < 0)
    return error_wrap(err, "and can't undo it");
  return -1;
}

int reserve_release(int dir_fd, struct error **err)
{
  cleanup_fd int fd =
      openat(dir_fd, RESERVE_FILE, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
  /* Journalling file systems free blocks when the change is on disk. */
  if (fd < 0 || ftruncate(fd, 0) < 0 || fsync(fd) < 0)
    return error_errno(err, "give back " RESERVE_FILE);
  return 0;
}
