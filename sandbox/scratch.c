#include "config.h"

#include "sandbox/scratch.h"

#include "base/fd.h"
#include "sandbox/rootfs_table.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define MKFS "/sbin/mkfs.ext4"

/* Runs mkfs.ext4 on an open file. lazy_itable_init and nodiscard leave all but
 * the metadata sparse; without backups of the superblock and with the groups'
 * bitmaps side by side (-G) that is in few places. */
static int run_mkfs(int image_fd, struct error **err)
{
  char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", image_fd);
  const char *argv[] = {
      MKFS,
      "-q",
      "-F",
      "-m",
      "0",
      "-G",
      "256",
      "-O",
      "^has_journal,^resize_inode,sparse_super2",
      "-E",
      "num_backup_sb=0,lazy_itable_init=1,nodiscard,root_owner=0:0",
      path,
      NULL};
  pid_t child = vfork();
  if (child < 0)
    return error_errno(err, "start " MKFS);
  if (child == 0) {
    fcntl(image_fd, F_SETFD, 0);
    execv(MKFS, (char **)argv);
    _exit(127);
  }
  int status;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR)
      return error_errno(err, "wait for " MKFS);
  if (status != 0)
    return error_make(err, EIO, MKFS " failed (status %d); install e2fsprogs",
                      WEXITSTATUS(status));
  return 0;
}

static int open_unnamed(int dir_fd, uint64_t size_bytes, struct error **err)
{
  cleanup_fd int fd = openat(dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0)
    return error_errno(err, "make an unnamed scratch image");
  if (ftruncate(fd, (off_t)size_bytes) < 0)
    return error_errno(err, "size a scratch image to %" PRIu64 " bytes",
                       size_bytes);
  return steal_fd(&fd);
}

static int mount_image(int image_fd, struct error **err);

/* What every scratch would otherwise do at its start: lost+found is of no use
 * in what is never repaired, and the first new folder takes 2 ms, in which the
 * kernel looks for a free block in all groups (see SCRATCH_SPARE). */
static int clear_template(int image_fd, struct error **err)
{
  cleanup_fd int mount_fd = mount_image(image_fd, err);
  if (mount_fd < 0)
    return -1;
  cleanup_fd int root =
      openat(mount_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (root < 0 || unlinkat(root, "lost+found", AT_REMOVEDIR) < 0 ||
      mkdirat(root, SCRATCH_SPARE, 0700) < 0 || fchmod(root, 01777) < 0 ||
      /* The mount may outlive its descriptor: a process forked meanwhile has
       * one, too. What is copied must be in the image by then. */
      syncfs(root) < 0)
    return error_errno(err, "prepare the scratch template");
  return 0;
}

/* The template gets its name only once it is whole; of two makers at once, one
 * names his and both have a good one. */
static int make_template(int dir_fd, const char *name, uint64_t size_bytes,
                         struct error **err)
{
  cleanup_fd int fd = open_unnamed(dir_fd, size_bytes, err);
  if (fd < 0 || run_mkfs(fd, err) < 0 || clear_template(fd, err) < 0)
    return -1;
  char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  if (linkat(AT_FDCWD, path, dir_fd, name, AT_SYMLINK_FOLLOW) < 0 &&
      errno != EEXIST)
    return error_errno(err, "keep the scratch template");
  return steal_fd(&fd);
}

/* The number in the name goes up when what is made of it changes. */
static int open_template(int dir_fd, uint64_t size_bytes, struct error **err)
{
  char name[64];
  snprintf(name, sizeof name, "template-2-%" PRIu64 ".ext4", size_bytes);
  cleanup_fd int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT)
    return make_template(dir_fd, name, size_bytes, err);
  if (fd < 0)
    return error_errno(err, "open the scratch template");
  struct stat status;
  if (fstat(fd, &status) < 0 || status.st_uid != 0 ||
      status.st_size != (off_t)size_bytes)
    return error_make(err, EINVAL,
                      "%s in the state directory isn't what wafer made; "
                      "remove it",
                      name);
  return steal_fd(&fd);
}

static int copy_extent(int from, int to, off_t start, off_t end,
                       struct error **err)
{
  off_t in = start, out = start;
  while (in < end) {
    ssize_t copied =
        copy_file_range(from, &in, to, &out, (size_t)(end - in), 0);
    if (copied < 0)
      return error_errno(err, "copy the scratch template");
    if (copied == 0)
      return error_make(err, EIO, "the scratch template is cut short");
  }
  return 0;
}

static int copy_sparse(int from, int to, struct error **err)
{
  off_t end = 0;
  for (;;) {
    off_t start = lseek(from, end, SEEK_DATA);
    if (start < 0 && errno == ENXIO)
      return 0;
    if (start < 0)
      return error_errno(err, "read the scratch template");
    end = lseek(from, start, SEEK_HOLE);
    if (end < 0)
      return error_errno(err, "read the scratch template");
    if (copy_extent(from, to, start, end, err) < 0)
      return -1;
  }
}

/* Another process may take the free device between the two calls. */
static int attach_loop(int image_fd, char path[32], struct error **err)
{
  cleanup_fd int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
  if (control < 0)
    return error_errno(err, "open /dev/loop-control");
  struct loop_config config = {
      .fd = (unsigned)image_fd,
      .block_size = 4096,
      .info = {.lo_flags = LO_FLAGS_AUTOCLEAR},
  };
  for (;;) {
    int number = ioctl(control, LOOP_CTL_GET_FREE);
    if (number < 0)
      return error_errno(err, "get a free loop device");
    snprintf(path, 32, "/dev/loop%d", number);
    cleanup_fd int loop = open(path, O_RDWR | O_CLOEXEC);
    if (loop < 0)
      return error_errno(err, "open %s", path);
    if (ioctl(loop, LOOP_CONFIGURE, &config) == 0)
      return steal_fd(&loop);
    if (errno != EBUSY)
      return error_errno(err, "attach a scratch image to %s", path);
  }
}

static int mount_ext4(const char *device, struct error **err)
{
  cleanup_fd int fs = (int)syscall(SYS_fsopen, "ext4", FSOPEN_CLOEXEC);
  if (fs < 0)
    return error_errno(err, "fsopen ext4");
  /* block_validity guards against images that somebody else wrote to; without
   * it, a mount takes 0.38 ms in place of 0.45. */
  const char *flags[] = {"nobarrier", "noinit_itable", "noauto_da_alloc",
                         "noblock_validity"};
  if (syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "source", device, 0) < 0)
    return error_errno(err, "scratch: source %s", device);
  for (size_t i = 0; i < ARRAY_LENGTH(flags); i++)
    if (syscall(SYS_fsconfig, fs, FSCONFIG_SET_FLAG, flags[i], NULL, 0) < 0)
      return error_errno(err, "scratch: mount option %s", flags[i]);
  if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
    return error_errno(err, "scratch: mount %s", device);
  int mount_fd = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC,
                              (unsigned)rootfs_attributes(ROOTFS_SCRATCH));
  if (mount_fd < 0)
    return error_errno(err, "scratch: fsmount");
  return mount_fd;
}

static int mount_image(int image_fd, struct error **err)
{
  char device[32];
  cleanup_fd int loop = attach_loop(image_fd, device, err);
  if (loop < 0)
    return error_wrap(err, "scratch");
  return mount_ext4(device, err);
}

/* Has ext4 put the folders in `dir_fd` far from each other (chattr(1), +T). One
 * without a journal passes over all inodes near a folder that were freed in the
 * last minutes, when it makes one there: what a run makes in its own folder
 * would wait for the scratches of the runs before, 0.3 ms of 100 runs. */
static void spread_folders(int dir_fd)
{
  int flags;
  if (ioctl(dir_fd, FS_IOC_GETFLAGS, &flags) < 0)
    return;
  flags |= FS_TOPDIR_FL;
  ioctl(dir_fd, FS_IOC_SETFLAGS, &flags);
}

static int open_folder(int dir_fd, struct error **err)
{
  static const char name[] = "scratch";
  int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  cleanup_fd int fd = openat(dir_fd, name, flags);
  if (fd < 0 && errno == ENOENT) {
    spread_folders(dir_fd);
    if (mkdirat(dir_fd, name, 0700) < 0 && errno != EEXIST)
      return error_errno(err, "make a folder for scratch images");
    fd = openat(dir_fd, name, flags);
  }
  if (fd < 0)
    return error_errno(err, "open the folder for scratch images");
  return steal_fd(&fd);
}

int scratch_create(int dir_fd, uint64_t size_bytes, struct error **err)
{
  cleanup_fd int folder = open_folder(dir_fd, err);
  if (folder < 0)
    return error_wrap(err, "scratch");
  cleanup_fd int template = open_template(folder, size_bytes, err);
  if (template <0)
    return error_wrap(err, "scratch");
  cleanup_fd int image = open_unnamed(folder, size_bytes, err);
  if (image < 0 || copy_sparse(template, image, err) < 0)
    return error_wrap(err, "scratch");
  return mount_image(image, err);
}

int scratch_give(int mount_fd, uid_t uid, gid_t gid, struct error **err)
{
  if (fchownat(mount_fd, "", uid, gid, AT_EMPTY_PATH) < 0 ||
      fchownat(mount_fd, SCRATCH_SPARE, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
    return error_errno(err, "give the scratch directory to the job");
  return 0;
}

/* ext4 warns of each write that its disk refused, and counts its warnings
 * (fs/ext4/page-io.c, ext4_end_bio). 0 where that can't be read. */
static int64_t read_count(const char *device, const char *counter)
{
  enum { COUNT_MAX_BYTES = 64 };
  cleanup_error struct error *ignored = NULL;
  cleanup_free char *path = xasprintf("/sys/fs/ext4/%s/%s", device, counter);
  cleanup_free char *text = NULL;
  size_t length;
  if (fd_read_file(AT_FDCWD, path, COUNT_MAX_BYTES, &text, &length, &ignored) <
      0)
    return 0;
  return strtoll(text, NULL, 10);
}

static int64_t read_faults(dev_t number)
{
  char path[48], target[128];
  snprintf(path, sizeof path, "/sys/dev/block/%u:%u", major(number),
           minor(number));
  ssize_t length = readlink(path, target, sizeof target - 1);
  if (length < 0)
    return 0;
  target[length] = '\0';
  const char *slash = strrchr(target, '/');
  const char *device = slash != NULL ? slash + 1 : target;
  return read_count(device, "warning_count") +
         read_count(device, "errors_count");
}

int scratch_read_usage(int mount_fd, struct scratch_usage *usage,
                       struct error **err)
{
  struct statfs space;
  struct stat status;
  if (fstatfs(mount_fd, &space) < 0 || fstat(mount_fd, &status) < 0)
    return error_errno(err, "look at the scratch");
  *usage = (struct scratch_usage){
      .bytes_total = (int64_t)space.f_blocks * space.f_bsize,
      .bytes_free = (int64_t)space.f_bavail * space.f_bsize,
      .files_free = (int64_t)space.f_ffree,
      .faults = read_faults(status.st_dev),
  };
  return 0;
}

bool scratch_probe(const char **why)
{
  const char *reason = NULL;
  if (geteuid() != 0)
    reason = "only root can mount a scratch image";
  else if (access("/dev/loop-control", R_OK | W_OK) != 0)
    reason = "there is no /dev/loop-control (modprobe loop)";
  else if (access(MKFS, X_OK) != 0)
    reason = MKFS " is not installed (apt-get install e2fsprogs)";
  if (why != NULL)
    *why = reason;
  return reason == NULL;
}
