#include "config.h"

#include "host/pool_message.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* A cell's text, and the order of its descriptors: these, a scratch's mount
 * where there is one, and the cgroup's. */
enum { CELL_FDS = 7 };

struct taken {
  int32_t keeper_pid;
  int32_t job_pid;
  uint32_t root_uid; /* struct namespace_ids */
  uint32_t root_gid;
  uint32_t job_uid;
  uint32_t job_gid;
  uint32_t own_ids;
  uint32_t missing;
  uint32_t has_scratch;
  struct cgroup_share cgroup;
  char lease[LEASE_NAME_SIZE];
  char python_version[PYTHON_VERSION_SIZE];
};

static int identify(const char *path, bool is_folder, struct pool_file *file,
                    struct error **err)
{
  struct stat status;
  if (stat(path, &status) < 0)
    return error_errno(err, "look at %s", path);
  file->device = status.st_dev;
  file->inode = status.st_ino;
  file->changed_ns =
      is_folder ? 0 : status.st_ctim.tv_sec * NS_PER_S + status.st_ctim.tv_nsec;
  return 0;
}

int pool_welcome_make(const char *state_dir, unsigned missing,
                      struct pool_welcome *welcome, struct error **err)
{
  *welcome = (struct pool_welcome){.missing = missing};
  if (identify("/proc/self/exe", false, &welcome->program, err) < 0)
    return -1;
  return identify(state_dir, true, &welcome->store, err);
}

static bool is_same(const struct pool_file *one, const struct pool_file *other)
{
  return one->device == other->device && one->inode == other->inode &&
         one->changed_ns == other->changed_ns;
}

bool pool_welcome_fits(const struct pool_welcome *ours,
                       const struct pool_welcome *theirs)
{
  return is_same(&ours->program, &theirs->program) &&
         is_same(&ours->store, &theirs->store);
}

static void put(struct message *message, const void *bytes, size_t count)
{
  memcpy(message->text, bytes, count);
  message->text_count = count;
}

static int get(const struct message *message, void *bytes, size_t count,
               struct error **err)
{
  if (message->text_count != count)
    return error_make(err, EPROTO,
                      "message %d has a text of %zu bytes, not %zu",
                      message->kind, message->text_count, count);
  memcpy(bytes, message->text, count);
  return 0;
}

static bool is_text(const char *text, size_t size)
{
  return memchr(text, '\0', size) != NULL;
}

void pool_put_welcome(struct message *message,
                      const struct pool_welcome *welcome)
{
  put(message, welcome, sizeof *welcome);
}

int pool_get_welcome(const struct message *message,
                     struct pool_welcome *welcome, struct error **err)
{
  return get(message, welcome, sizeof *welcome, err);
}

void pool_put_want(struct message *message, const struct pool_want *want)
{
  put(message, want, sizeof *want);
}

int pool_get_want(const struct message *message, struct pool_want *want,
                  struct error **err)
{
  if (get(message, want, sizeof *want, err) < 0)
    return -1;
  if (!is_text(want->library_set, sizeof want->library_set) ||
      !is_text(want->library_lock, sizeof want->library_lock) ||
      !is_text(want->size, sizeof want->size))
    return error_make(err, EPROTO, "what is wanted has no end");
  return 0;
}

void pool_put_cell(struct message *message, const struct cell *cell)
{
  const struct sandbox *sandbox = &cell->sandbox;
  const int fds[CELL_FDS] = {
      sandbox->keeper_pidfd, sandbox->keeper_fd, sandbox->job_fd,
      sandbox->stdout_fd,    sandbox->stderr_fd, sandbox->report_fd,
      cell->lease_fd,
  };
  struct taken taken;
  memset(&taken, 0, sizeof taken); /* padding travels, too */
  taken.keeper_pid = sandbox->keeper_pid;
  taken.job_pid = sandbox->job_pid;
  taken.root_uid = cell->ids.root_uid;
  taken.root_gid = cell->ids.root_gid;
  taken.job_uid = cell->ids.job_uid;
  taken.job_gid = cell->ids.job_gid;
  taken.own_ids = cell->ids.own;
  taken.missing = cell->missing;
  taken.has_scratch = cell->scratch_fd >= 0;
  memcpy(taken.lease, cell->lease, sizeof taken.lease);
  memcpy(taken.python_version, cell->python_version,
         sizeof taken.python_version);
  memcpy(message->fds, fds, sizeof fds);
  message->fd_count = CELL_FDS;
  if (taken.has_scratch)
    message->fds[message->fd_count++] = cell->scratch_fd;
  message->fd_count += cgroup_share(cell->cgroup, &taken.cgroup,
                                    message->fds + message->fd_count);
  put(message, &taken, sizeof taken);
}

static void take_fds(const int *fds, const struct taken *taken,
                     struct cell *cell)
{
  struct sandbox *sandbox = &cell->sandbox;
  int *const to[CELL_FDS] = {
      &sandbox->keeper_pidfd, &sandbox->keeper_fd, &sandbox->job_fd,
      &sandbox->stdout_fd,    &sandbox->stderr_fd, &sandbox->report_fd,
      &cell->lease_fd,
  };
  for (size_t i = 0; i < CELL_FDS; i++)
    *to[i] = fds[i];
  if (taken->has_scratch)
    cell->scratch_fd = fds[CELL_FDS];
}

int pool_get_cell(struct message *message, struct cell *cell,
                  struct error **err)
{
  struct taken taken = {0};
  if (get(message, &taken, sizeof taken, err) < 0)
    return -1;
  size_t first = CELL_FDS + (taken.has_scratch != 0);
  if (message->fd_count < first || !is_text(taken.lease, sizeof taken.lease) ||
      !is_text(taken.python_version, sizeof taken.python_version))
    return error_make(err, EPROTO, "a cell came damaged");
  cell->cgroup = cgroup_of_share(&taken.cgroup, message->fds + first,
                                 message->fd_count - first, err);
  if (cell->cgroup == NULL)
    return -1;
  take_fds(message->fds, &taken, cell);
  message->fd_count = 0;
  cell->sandbox.keeper_pid = taken.keeper_pid;
  cell->sandbox.job_pid = taken.job_pid;
  cell->ids = (struct namespace_ids){
      .root_uid = taken.root_uid,
      .root_gid = taken.root_gid,
      .job_uid = taken.job_uid,
      .job_gid = taken.job_gid,
      .own = taken.own_ids != 0,
  };
  cell->missing = taken.missing;
  memcpy(cell->lease, taken.lease, sizeof cell->lease);
  memcpy(cell->python_version, taken.python_version,
         sizeof cell->python_version);
  return 0;
}
