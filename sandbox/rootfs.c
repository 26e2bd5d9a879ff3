#include "config.h"

#include "sandbox/rootfs.h"

#include "base/fd.h"
#include "sandbox/rootfs_table.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

/* glibc 2.36 has no wrappers for some of these and <sys/mount.h> clashes with
 * <linux/mount.h>, so the mount calls are made by number. */
static int sys_open_tree(const char *path, unsigned flags)
{
  return (int)syscall(SYS_open_tree, AT_FDCWD, path, flags);
}

static int sys_move_mount(int mount_fd, int dir_fd, const char *path)
{
  return (int)syscall(SYS_move_mount, mount_fd, "", dir_fd, path,
                      MOVE_MOUNT_F_EMPTY_PATH);
}

static int sys_mount_setattr(int mount_fd, unsigned flags, uint64_t set)
{
  struct mount_attr attr = {.attr_set = set};
  return (int)syscall(SYS_mount_setattr, mount_fd, "", AT_EMPTY_PATH | flags,
                      &attr, sizeof attr);
}

/* Where the tree is put together: a folder that every Linux system has, and
 * that no row of the table comes from. Only this mount namespace sees it. */
#define STAGE "/sys"

static int make_file(int root_fd, const char *path, const char *text,
                     struct error **err)
{
  cleanup_fd int fd =
      openat(root_fd, path,
             O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (fd < 0)
    return error_errno(err, "make /%s", path);
  return fd_write_all(fd, text, strlen(text), err);
}

/* Binds the host's /path. */
static int bind_host(int root_fd, const struct rootfs_row *row,
                     struct error **err)
{
  char source[PATH_MAX];
  snprintf(source, sizeof source, "/%s", row->path);
  cleanup_fd int tree =
      sys_open_tree(source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
  if (tree < 0)
    return error_errno(err, "open %s to bind it", source);
  if (sys_mount_setattr(tree, AT_RECURSIVE, rootfs_attributes(row->kind)) < 0)
    return error_errno(err, "restrict the mount of %s", source);
  if (sys_move_mount(tree, root_fd, row->path) < 0)
    return error_errno(err, "mount %s", source);
  return 0;
}

static int make_folder(int root_fd, const char *path, struct error **err)
{
  if (mkdirat(root_fd, path, 0755) < 0)
    return error_errno(err, "make /%s", path);
  return 0;
}

static int make_link(int root_fd, const char *path, const char *target,
                     struct error **err)
{
  if (symlinkat(target, root_fd, path) < 0)
    return error_errno(err, "make /%s", path);
  return 0;
}

/* A system folder that is a link on the host (a merged /usr) is the same link
 * inside. */
static int make_system(int root_fd, const struct rootfs_row *row,
                       struct error **err)
{
  char source[PATH_MAX], target[PATH_MAX];
  snprintf(source, sizeof source, "/%s", row->path);
  ssize_t length = readlink(source, target, sizeof target - 1);
  if (length > 0) {
    target[length] = '\0';
    return make_link(root_fd, row->path, target, err);
  }
  if (make_folder(root_fd, row->path, err) < 0)
    return -1;
  return bind_host(root_fd, row, err);
}

/* Sets each "name=value" of the options, which are separated by commas. */
static int set_options(int fs, const char *type, const char *options,
                       struct error **err)
{
  char copy[128];
  snprintf(copy, sizeof copy, "%s", options);
  char *rest = copy;
  for (char *name = strsep(&rest, ","); name != NULL;
       name = strsep(&rest, ",")) {
    char *value = strchr(name, '=');
    *value++ = '\0';
    if (syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, name, value, 0) < 0)
      return error_errno(err, "%s: %s=%s", type, name, value);
  }
  return 0;
}

/* A new file system of `type`, as a detached mount. */
static int new_mount(const char *type, const char *options, uint64_t attributes,
                     struct error **err)
{
  cleanup_fd int fs = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
  if (fs < 0)
    return error_errno(err, "fsopen %s", type);
  if (options != NULL && set_options(fs, type, options, err) < 0)
    return -1;
  if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
    return error_errno(err, "make a %s file system", type);
  int mount_fd =
      (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, (unsigned)attributes);
  if (mount_fd < 0)
    return error_errno(err, "mount a %s file system", type);
  return mount_fd;
}

/* Puts a detached mount at a folder that is made for it. */
static int place_mount(int root_fd, const char *path, int mount_fd,
                       struct error **err)
{
  if (make_folder(root_fd, path, err) < 0)
    return -1;
  if (sys_move_mount(mount_fd, root_fd, path) < 0)
    return error_errno(err, "mount /%s", path);
  return 0;
}

static int make_file_system(int root_fd, const struct rootfs_row *row,
                            const char *type, const char *options,
                            struct error **err)
{
  cleanup_fd int mount_fd =
      new_mount(type, options, rootfs_attributes(row->kind), err);
  return mount_fd < 0 ? -1 : place_mount(root_fd, row->path, mount_fd, err);
}

uint64_t rootfs_memory_tmp_bytes(uint64_t scratch_bytes)
{
  struct sysinfo info;
  sysinfo(&info);
  uint64_t half = (uint64_t)info.totalram * info.mem_unit / 2;
  return half < scratch_bytes ? half : scratch_bytes;
}

/* A scratch of the host's is attached later. */
static int make_scratch(int root_fd, const struct rootfs_row *row,
                        const struct rootfs_options *options,
                        struct error **err)
{
  if (options->has_scratch)
    return make_folder(root_fd, row->path, err);
  char text[64];
  snprintf(text, sizeof text, "%s,size=%" PRIu64, row->text,
           rootfs_memory_tmp_bytes(options->scratch_bytes));
  return make_file_system(root_fd, row, "tmpfs", text, err);
}

static bool is_wanted(const struct rootfs_row *row, enum network_mode network)
{
  char source[PATH_MAX];
  struct stat status;
  if (row->when == ROOTFS_ALWAYS)
    return true;
  if (row->when == ROOTFS_IF_EGRESS)
    return network == NETWORK_EGRESS;
  if (row->when == ROOTFS_IF_ASKED ||
      (row->when == ROOTFS_IF_NETWORK && network != NETWORK_HOST))
    return false;
  snprintf(source, sizeof source, "/%s", row->path);
  return lstat(source, &status) == 0;
}

static int make_row(int root_fd, const struct rootfs_row *row,
                    const struct rootfs_options *options, struct error **err)
{
  switch (row->kind) {
  case ROOTFS_FOLDER:
    return make_folder(root_fd, row->path, err);
  case ROOTFS_TEXT:
    return make_file(root_fd, row->path,
                     row->text != NULL ? row->text : options->resolv_conf, err);
  case ROOTFS_LINK:
    return make_link(root_fd, row->path, row->text, err);
  case ROOTFS_SYSTEM:
    return make_system(root_fd, row, err);
  case ROOTFS_FILE:
  case ROOTFS_DEVICE:
    if (make_file(root_fd, row->path, "", err) < 0)
      return -1;
    return bind_host(root_fd, row, err);
  case ROOTFS_PROC:
    return make_file_system(root_fd, row, "proc", row->text, err);
  case ROOTFS_MEMORY:
    return make_file_system(root_fd, row, "tmpfs", row->text, err);
  case ROOTFS_SCRATCH:
    return make_scratch(root_fd, row, options, err);
  case ROOTFS_TREE_RO:
    return place_mount(root_fd, row->path, options->python_tree, err);
  case ROOTFS_ROOT:
  case ROOTFS_TREE_RW:
  case ROOTFS_KIND_COUNT:
  default:
    return error_make(err, EINVAL, "no way to make /%s", row->path);
  }
}

/* It is sealed when all is in it: rootfs_seal. */
static int mount_root(const struct rootfs_row *row, struct error **err)
{
  cleanup_fd int mount_fd =
      new_mount("tmpfs", row->text,
                rootfs_attributes(row->kind) & ~MOUNT_ATTR_RDONLY, err);
  if (mount_fd < 0)
    return -1;
  if (sys_move_mount(mount_fd, AT_FDCWD, STAGE) < 0)
    return error_errno(err, "mount the sandbox's root on " STAGE);
  int root_fd = open(STAGE, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (root_fd < 0)
    return error_errno(err, "open " STAGE);
  return root_fd;
}

int rootfs_clone(const char *path, bool read_only, struct error **err)
{
  cleanup_fd int tree =
      sys_open_tree(path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  if (tree < 0)
    return error_errno(err, "mount %s", path);
  enum rootfs_kind kind = read_only ? ROOTFS_TREE_RO : ROOTFS_TREE_RW;
  if (sys_mount_setattr(tree, 0, rootfs_attributes(kind)) < 0)
    return error_errno(err, "restrict the mount of %s", path);
  return steal_fd(&tree);
}

int rootfs_build(const struct rootfs_options *options, struct error **err)
{
  /* First: nothing mounted from here on may spread to the host, nor anything
   * that the host mounts later into here. */
  struct mount_attr private = {.propagation = 1UL << 18 /* MS_PRIVATE */};
  if (syscall(SYS_mount_setattr, AT_FDCWD, "/", AT_RECURSIVE, &private,
              sizeof private) < 0)
    return error_errno(err, "make the sandbox's mounts private");
  cleanup_fd int root_fd = mount_root(&rootfs_rows[0], err);
  if (root_fd < 0)
    return -1;
  for (size_t i = 1; i < rootfs_rows_count; i++)
    if (is_wanted(&rootfs_rows[i], options->network) &&
        make_row(root_fd, &rootfs_rows[i], options, err) < 0)
      return -1;
  return 0;
}

/* pivot_root(".", ".") stacks the old root over the new one at the same place
 * and umount2 takes it off again: no folder for it is needed (pivot_root(2),
 * NOTES). */
int rootfs_enter(struct error **err)
{
  enum { LAZY = 2 /* MNT_DETACH */ };
  if (chdir(STAGE) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
      syscall(SYS_umount2, ".", LAZY) < 0 || chdir("/") < 0)
    return error_errno(err, "enter the sandbox's root");
  return 0;
}

/* mkdir -p, by descriptors: each part is opened beneath the one before and may
 * not be a link. Returns the folder's descriptor. */
static int make_folders(const char *path, struct error **err)
{
  cleanup_fd int dir = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  cleanup_free char *copy = xstrdup(path);
  char *rest = copy;
  for (char *part = strsep(&rest, "/"); part != NULL;
       part = strsep(&rest, "/")) {
    if (*part == '\0')
      continue;
    if (mkdirat(dir, part, 0755) < 0 && errno != EEXIST)
      return error_errno(err, "make the mount point %s", path);
    int next = fd_open_beneath(dir, part, O_PATH | O_DIRECTORY, 0, err);
    if (next < 0)
      return error_wrap(err, "mount point %s", path);
    fd_close(&dir);
    dir = next;
  }
  return steal_fd(&dir);
}

/* Makes and opens the file at `path`, in folders that are made as well. */
static int make_mount_file(const char *path, struct error **err)
{
  const char *name = strrchr(path, '/') + 1;
  cleanup_free char *parent = xstrndup(path, (size_t)(name - path));
  cleanup_fd int dir = make_folders(parent, err);
  if (dir < 0)
    return -1;
  cleanup_fd int made =
      openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (made < 0 && errno != EEXIST)
    return error_errno(err, "make the mount point %s", path);
  return fd_open_beneath(dir, name, O_PATH, 0, err);
}

int rootfs_attach(int mount_fd, const char *path, bool is_file,
                  struct error **err)
{
  cleanup_fd int target =
      is_file ? make_mount_file(path, err) : make_folders(path, err);
  if (target < 0)
    return -1;
  if (syscall(SYS_move_mount, mount_fd, "", target, "",
              MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
    return error_errno(err, "mount at %s", path);
  return 0;
}

int rootfs_add_secret(const char *name, const void *bytes, size_t count,
                      uid_t uid, gid_t gid, struct error **err)
{
  cleanup_fd int dir =
      open("/run/secrets", O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  if (dir < 0)
    return error_errno(err, "open /run/secrets");
  cleanup_fd int fd = openat(
      dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400);
  if (fd < 0 || fchown(fd, uid, gid) < 0)
    return error_errno(err, "make /run/secrets/%s", name);
  if (fd_write_all(fd, bytes, count, err) < 0)
    return error_wrap(err, "/run/secrets/%s", name);
  return 0;
}

int rootfs_seal(struct error **err)
{
  cleanup_fd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (root < 0 || sys_mount_setattr(root, 0, MOUNT_ATTR_RDONLY) < 0)
    return error_errno(err, "make the sandbox's root read-only");
  return 0;
}
