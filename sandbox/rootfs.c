#include "config.h"

#include "sandbox/rootfs.h"

#include "base/fd.h"

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
 * that no entry below comes from. Only this mount namespace sees it. */
#define STAGE "/sys"

enum entry_kind {
  ENTRY_DIR,    /* an empty folder */
  ENTRY_SYSTEM, /* the host's folder, bound read-only; its link, if it is one */
  ENTRY_FILE,   /* the host's file, bound read-only */
  ENTRY_DEVICE, /* the host's device, bound */
  ENTRY_TEXT,   /* a file with this text */
  ENTRY_LINK,   /* a symbolic link to this text */
};

enum entry_when { ALWAYS, IF_THERE, IF_NETWORK };

struct entry {
  enum entry_kind kind;
  enum entry_when when;
  const char *path; /* relative to the root; the source is the same */
  const char *text;
};

/* All that a job sees of the machine, apart from /proc, /tmp and its mounts. */
static const struct entry entries[] = {
    {ENTRY_DIR, ALWAYS, "usr", NULL},
    {ENTRY_DIR, ALWAYS, "usr/share", NULL},
    {ENTRY_DIR, ALWAYS, "etc", NULL},
    {ENTRY_DIR, ALWAYS, "etc/ssl", NULL},
    {ENTRY_DIR, ALWAYS, "dev", NULL},
    {ENTRY_DIR, ALWAYS, "dev/shm", NULL},
    {ENTRY_DIR, ALWAYS, "proc", NULL},
    {ENTRY_DIR, ALWAYS, "tmp", NULL},
    {ENTRY_DIR, ALWAYS, "run", NULL},
    {ENTRY_DIR, ALWAYS, "run/secrets", NULL},
    {ENTRY_DIR, ALWAYS, "opt", NULL},
    {ENTRY_DIR, ALWAYS, "opt/wafer", NULL},
    {ENTRY_DIR, ALWAYS, "opt/wafer/python", NULL},
    {ENTRY_DIR, ALWAYS, "var", NULL},
    {ENTRY_LINK, ALWAYS, "var/tmp", "../tmp"},
    /* programs, and the libraries of both them and Python */
    {ENTRY_SYSTEM, ALWAYS, "usr/bin", NULL},
    {ENTRY_SYSTEM, ALWAYS, "usr/lib", NULL},
    {ENTRY_SYSTEM, IF_THERE, "usr/lib64", NULL},
    {ENTRY_SYSTEM, IF_THERE, "bin", NULL},
    {ENTRY_SYSTEM, IF_THERE, "lib", NULL},
    {ENTRY_SYSTEM, IF_THERE, "lib64", NULL},
    {ENTRY_FILE, IF_THERE, "etc/ld.so.cache", NULL},
    /* links in /usr/bin point through it */
    {ENTRY_SYSTEM, IF_THERE, "etc/alternatives", NULL},
    /* zoneinfo, and the certificates that ssl.create_default_context loads */
    {ENTRY_SYSTEM, IF_THERE, "usr/share/zoneinfo", NULL},
    {ENTRY_SYSTEM, IF_THERE, "etc/ssl/certs", NULL},
    {ENTRY_FILE, IF_THERE, "etc/ssl/openssl.cnf", NULL},
    {ENTRY_SYSTEM, IF_THERE, "usr/share/ca-certificates", NULL},
    /* getpwuid, getgrgid, localhost */
    {ENTRY_TEXT, ALWAYS, "etc/passwd",
     "root:x:0:0:root:/root:/usr/sbin/nologin\n"
     "job:x:1000:1000:job:/tmp:/bin/sh\n"
     "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"},
    {ENTRY_TEXT, ALWAYS, "etc/group",
     "root:x:0:\njob:x:1000:\nnogroup:x:65534:\n"},
    {ENTRY_TEXT, ALWAYS, "etc/hosts",
     "127.0.0.1 localhost wafer\n::1 localhost\n"},
    {ENTRY_TEXT, ALWAYS, "etc/nsswitch.conf",
     "passwd: files\ngroup: files\nhosts: files dns\n"},
    {ENTRY_FILE, IF_NETWORK, "etc/resolv.conf", NULL},
    /* no terminal, no disk, no kernel interface */
    {ENTRY_DEVICE, ALWAYS, "dev/null", NULL},
    {ENTRY_DEVICE, ALWAYS, "dev/zero", NULL},
    {ENTRY_DEVICE, ALWAYS, "dev/full", NULL},
    {ENTRY_DEVICE, ALWAYS, "dev/random", NULL},
    {ENTRY_DEVICE, ALWAYS, "dev/urandom", NULL},
    {ENTRY_LINK, ALWAYS, "dev/fd", "/proc/self/fd"},
    {ENTRY_LINK, ALWAYS, "dev/stdin", "/proc/self/fd/0"},
    {ENTRY_LINK, ALWAYS, "dev/stdout", "/proc/self/fd/1"},
    {ENTRY_LINK, ALWAYS, "dev/stderr", "/proc/self/fd/2"},
};

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

/* Binds the host's /path. MOUNT_ATTR_NODEV is left out for a device. */
static int bind_host(int root_fd, const struct entry *entry, struct error **err)
{
  char source[PATH_MAX];
  snprintf(source, sizeof source, "/%s", entry->path);
  cleanup_fd int tree =
      sys_open_tree(source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
  if (tree < 0)
    return error_errno(err, "open %s to bind it", source);
  uint64_t attributes = MOUNT_ATTR_NOSUID;
  attributes |= entry->kind == ENTRY_DEVICE
                    ? MOUNT_ATTR_NOEXEC
                    : MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV;
  if (sys_mount_setattr(tree, AT_RECURSIVE, attributes) < 0)
    return error_errno(err, "restrict the mount of %s", source);
  if (sys_move_mount(tree, root_fd, entry->path) < 0)
    return error_errno(err, "mount %s", source);
  return 0;
}

/* A system folder that is a link on the host (a merged /usr) is the same link
 * inside. */
static int make_system(int root_fd, const struct entry *entry,
                       struct error **err)
{
  char source[PATH_MAX], target[PATH_MAX];
  snprintf(source, sizeof source, "/%s", entry->path);
  ssize_t length = readlink(source, target, sizeof target - 1);
  if (length > 0) {
    target[length] = '\0';
    if (symlinkat(target, root_fd, entry->path) < 0)
      return error_errno(err, "make /%s", entry->path);
    return 0;
  }
  if (mkdirat(root_fd, entry->path, 0755) < 0)
    return error_errno(err, "make /%s", entry->path);
  return bind_host(root_fd, entry, err);
}

static bool entry_is_wanted(const struct entry *entry, bool host_network)
{
  char source[PATH_MAX];
  struct stat status;
  snprintf(source, sizeof source, "/%s", entry->path);
  if (entry->when == IF_NETWORK && !host_network)
    return false;
  return entry->when == ALWAYS || lstat(source, &status) == 0;
}

static int make_entry(int root_fd, const struct entry *entry,
                      struct error **err)
{
  switch (entry->kind) {
  case ENTRY_DIR:
    if (mkdirat(root_fd, entry->path, 0755) < 0)
      return error_errno(err, "make /%s", entry->path);
    return 0;
  case ENTRY_LINK:
    if (symlinkat(entry->text, root_fd, entry->path) < 0)
      return error_errno(err, "make /%s", entry->path);
    return 0;
  case ENTRY_TEXT:
    return make_file(root_fd, entry->path, entry->text, err);
  case ENTRY_SYSTEM:
    return make_system(root_fd, entry, err);
  case ENTRY_FILE:
  case ENTRY_DEVICE:
  default:
    if (make_file(root_fd, entry->path, "", err) < 0)
      return -1;
    return bind_host(root_fd, entry, err);
  }
}

/* A new file system of `type`, as a detached mount. */
static int new_mount(const char *type, const char *const options[][2],
                     uint64_t attributes, struct error **err)
{
  cleanup_fd int fs = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
  if (fs < 0)
    return error_errno(err, "fsopen %s", type);
  for (size_t i = 0; options != NULL && options[i][0] != NULL; i++)
    if (syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, options[i][0],
                options[i][1], 0) < 0)
      return error_errno(err, "%s: %s=%s", type, options[i][0], options[i][1]);
  if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
    return error_errno(err, "make a %s file system", type);
  int mount_fd =
      (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, (unsigned)attributes);
  if (mount_fd < 0)
    return error_errno(err, "mount a %s file system", type);
  return mount_fd;
}

static int place_mount(int root_fd, const char *path, int mount_fd,
                       struct error **err)
{
  if (sys_move_mount(mount_fd, root_fd, path) < 0)
    return error_errno(err, "mount /%s", path);
  return 0;
}

static int mount_memory_tmp(int root_fd, uint64_t scratch_bytes,
                            struct error **err)
{
  struct sysinfo info;
  char size[32];
  sysinfo(&info);
  uint64_t half = (uint64_t)info.totalram * info.mem_unit / 2;
  snprintf(size, sizeof size, "%" PRIu64,
           half < scratch_bytes ? half : scratch_bytes);
  const char *const options[][2] = {
      {"mode", "1777"}, {"size", size}, {NULL, NULL}};
  cleanup_fd int mount_fd =
      new_mount("tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, err);
  return mount_fd < 0 ? -1 : place_mount(root_fd, "tmp", mount_fd, err);
}

/* /proc shows this sandbox's processes alone: it is made in its pid namespace.
 * /dev/shm is where POSIX semaphores and shared memory live (shm_overview(7));
 * what is in it counts as the job's memory. */
static int mount_virtual(int root_fd, struct error **err)
{
  const char *const shm_options[][2] = {
      {"mode", "1777"}, {"size", "50%"}, {NULL, NULL}};
  uint64_t attributes =
      MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  cleanup_fd int proc = new_mount("proc", NULL, attributes, err);
  if (proc < 0 || place_mount(root_fd, "proc", proc, err) < 0)
    return -1;
  cleanup_fd int shm = new_mount("tmpfs", shm_options, attributes, err);
  return shm < 0 ? -1 : place_mount(root_fd, "dev/shm", shm, err);
}

static int mount_root(struct error **err)
{
  const char *const options[][2] = {
      {"mode", "755"}, {"size", "4m"}, {"nr_inodes", "1024"}, {NULL, NULL}};
  cleanup_fd int mount_fd =
      new_mount("tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, err);
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
  uint64_t attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  if (read_only)
    attributes |= MOUNT_ATTR_RDONLY;
  if (sys_mount_setattr(tree, 0, attributes) < 0)
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
  cleanup_fd int root_fd = mount_root(err);
  if (root_fd < 0)
    return -1;
  for (size_t i = 0; i < ARRAY_LENGTH(entries); i++)
    if (entry_is_wanted(&entries[i], options->host_network) &&
        make_entry(root_fd, &entries[i], err) < 0)
      return -1;
  if (mount_virtual(root_fd, err) < 0 ||
      place_mount(root_fd, ROOTFS_PYTHON_DIR + 1, options->python_tree, err) <
          0)
    return -1;
  return options->has_scratch
             ? 0
             : mount_memory_tmp(root_fd, options->scratch_bytes, err);
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
