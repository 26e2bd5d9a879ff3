#include "config.h"

#include "host/named.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { LINKS_MAX = 40 }; /* as the kernel has it: path_resolution(7) */

/* On its way along a path, a part at a time. */
struct walk {
  const char *path; /* as it was given */
  int at;           /* O_PATH */
  char *rest;       /* the parts that are left */
  int links;
  bool to_write;
  bool is_led;  /* by a link of somebody else's: */
  uid_t leader; /* what is at the end must be his */
};

static void walk_release(struct walk *walk)
{
  fd_close(&walk->at);
  free(walk->rest);
}

#define cleanup_walk __attribute__((cleanup(walk_release)))

static int move_to(struct walk *walk, int fd, struct error **err)
{
  if (fd < 0)
    return error_errno(err, "%s", walk->path);
  fd_close(&walk->at);
  walk->at = fd;
  return 0;
}

static int start_at(struct walk *walk, const char *folder, struct error **err)
{
  return move_to(walk, open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC), err);
}

static int note_leader(struct walk *walk, uid_t owner, struct error **err)
{
  if (owner == 0 || owner == geteuid())
    return 0;
  if (walk->is_led && walk->leader != owner)
    return error_make(err, EPERM, "%s leads through links of several users",
                      walk->path);
  walk->is_led = true;
  walk->leader = owner;
  return 0;
}

/* /proc/self, /proc/self/fd/3: no job could have made them. */
static bool is_magic(int link)
{
  struct statfs system;
  return fstatfs(link, &system) == 0 && system.f_type == PROC_SUPER_MAGIC;
}

/* A link in place of what is to be written, which a job may have left in a
 * folder of the caller's own; those in /dev are the system's. */
static bool is_in_place_of_output(const struct walk *walk)
{
  return walk->to_write && walk->rest[0] == '\0' &&
         strncmp(walk->path, "/dev/", strlen("/dev/")) != 0;
}

static int follow(struct walk *walk, int link, const char *part,
                  struct error **err)
{
  char target[PATH_MAX];
  struct stat status;
  if (is_in_place_of_output(walk))
    return error_make(err, ELOOP, "%s is a link; name the file itself",
                      walk->path);
  if (walk->links++ == LINKS_MAX)
    return error_make(err, ELOOP, "%s: %s", walk->path, strerror(ELOOP));
  if (is_magic(link))
    return move_to(walk, openat(walk->at, part, O_PATH | O_CLOEXEC), err);
  ssize_t length = readlinkat(link, "", target, sizeof target - 1);
  if (length < 0 || fstat(link, &status) < 0)
    return error_errno(err, "%s", walk->path);
  if (note_leader(walk, status.st_uid, err) < 0)
    return -1;
  target[length] = '\0';
  char *rest = xasprintf("%s%s", target, walk->rest);
  free(walk->rest);
  walk->rest = rest;
  return target[0] == '/' ? start_at(walk, "/", err) : 0;
}

/* The next part, or NULL at the end: the caller frees it. A slash at the end
 * asks for a folder, as it does in the kernel. */
static char *take_part(struct walk *walk)
{
  const char *part = walk->rest + strspn(walk->rest, "/");
  if (walk->rest[0] == '\0')
    return NULL;
  size_t length = strcspn(part, "/");
  char *taken = length > 0 ? xstrndup(part, length) : xstrdup(".");
  char *rest = xstrdup(part + length);
  free(walk->rest);
  walk->rest = rest;
  return taken;
}

/* A folder on the way is entered by "PART/.", so that one which is mounted when
 * it is first entered (autofs) is. */
static int step(struct walk *walk, const char *part, struct error **err)
{
  struct stat status;
  cleanup_fd int next = openat(walk->at, part, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (next < 0 || fstat(next, &status) < 0)
    return error_errno(err, "%s", walk->path);
  if (S_ISLNK(status.st_mode))
    return follow(walk, next, part, err);
  if (!S_ISDIR(status.st_mode) || walk->rest[0] == '\0' ||
      strcmp(part, "..") == 0)
    return move_to(walk, steal_fd(&next), err);
  cleanup_free char *inside = xasprintf("%s/.", part);
  int entered = fd_open_beneath(walk->at, inside, O_PATH, 0, err);
  if (entered < 0)
    return error_wrap(err, "%s", walk->path);
  return move_to(walk, entered, err);
}

static int check_leader(const struct walk *walk, struct error **err)
{
  struct stat status;
  if (fstat(walk->at, &status) < 0)
    return error_errno(err, "%s", walk->path);
  if (walk->is_led && status.st_uid != walk->leader)
    return error_make(err, EPERM,
                      "%s: a link of another user (uid %u) leads to what isn't "
                      "his; name the file itself",
                      walk->path, (unsigned)walk->leader);
  return 0;
}

/* Makes the last part, in the folder where the walk stands. */
static int create(const struct walk *walk, const char *part, struct error **err)
{
  if (check_leader(walk, err) < 0)
    return -1;
  int fd = openat(walk->at, part,
                  O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (fd < 0)
    return error_errno(err, "%s", walk->path);
  return fd;
}

/* Walks to the end. Returns 0; or, where only the last part isn't there and
 * `created` isn't NULL, 1 with a new file in *created. */
static int walk_path(struct walk *walk, const char *path, int *created,
                     struct error **err)
{
  *walk = (struct walk){.path = path,
                        .at = -1,
                        .rest = xstrdup(path),
                        .to_write = created != NULL};
  if (path[0] == '\0')
    return error_make(err, ENOENT, "%s", strerror(ENOENT));
  if (start_at(walk, path[0] == '/' ? "/" : ".", err) < 0)
    return -1;
  for (;;) {
    cleanup_error struct error *failure = NULL;
    cleanup_free char *part = take_part(walk);
    if (part == NULL)
      return check_leader(walk, err);
    if (step(walk, part, &failure) == 0)
      continue;
    if (failure->code != ENOENT || created == NULL || walk->rest[0] != '\0') {
      *err = steal_pointer(&failure);
      return -1;
    }
    *created = create(walk, part, err);
    return *created < 0 ? -1 : 1;
  }
}

/* pipe(2) makes inodes of a file system that has no names. */
static int refuse_fifo(int fd, const char *path, struct error **err)
{
  struct stat status;
  struct statfs system;
  if (fstat(fd, &status) < 0 || fstatfs(fd, &system) < 0)
    return error_errno(err, "%s", path);
  if (S_ISFIFO(status.st_mode) && system.f_type != PIPEFS_MAGIC)
    return error_make(err, EINVAL,
                      "%s is a FIFO, which might be waited for in vain; give "
                      "what comes out of it as <(cat %s), or put in a file",
                      path, path);
  return 0;
}

static int open_found(const struct walk *walk, int flags, struct error **err)
{
  char found[32];
  if (refuse_fifo(walk->at, walk->path, err) < 0)
    return -1;
  snprintf(found, sizeof found, "/proc/self/fd/%d", walk->at);
  int fd = open(found, flags | O_CLOEXEC | O_NOCTTY);
  if (fd < 0)
    return error_errno(err, "%s", walk->path);
  return fd;
}

int named_open(const char *path, struct error **err)
{
  cleanup_walk struct walk walk;
  if (walk_path(&walk, path, NULL, err) < 0)
    return -1;
  return open_found(&walk, O_RDONLY, err);
}

int named_create(const char *path, struct error **err)
{
  cleanup_walk struct walk walk;
  int created = -1;
  int walked = walk_path(&walk, path, &created, err);
  if (walked != 0)
    return created;
  return open_found(&walk, O_WRONLY, err);
}

int named_find(const char *path, struct error **err)
{
  cleanup_walk struct walk walk;
  if (walk_path(&walk, path, NULL, err) < 0)
    return -1;
  return steal_fd(&walk.at);
}

int named_read(const char *path, size_t max_bytes, char **bytes, size_t *count,
               struct error **err)
{
  cleanup_fd int fd = named_open(path, err);
  if (fd < 0)
    return -1;
  if (fd_read_all(fd, max_bytes, bytes, count, err) < 0)
    return error_wrap(err, "%s", path);
  return 0;
}
