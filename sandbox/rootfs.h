/* The file system that a job sees.
 *
 * A read-only tree on a small tmpfs: the host's system folders that Python
 * needs, bound read-only; five devices; /proc of the sandbox's own; /tmp, the
 * scratch; what the run mounts. Everything here runs inside the sandbox's
 * mount namespace, as its root (or, where it has none, as its only user),
 * before any capability is dropped.
 *
 *   rootfs_build → rootfs_enter → (release) → rootfs_attach … → rootfs_seal
 *
 * rootfs_clone comes before all of them, where the sources of a plain user's
 * mounts can only be reached with his own id. */
#ifndef WAFER_SANDBOX_ROOTFS_H
#define WAFER_SANDBOX_ROOTFS_H

#include "base/error.h"
#include "sandbox/network.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Where wafer's own Python package is seen inside. */
#define ROOTFS_PYTHON_DIR "/opt/wafer/python"

struct rootfs_options {
  int python_tree;  /* a detached mount for ROOTFS_PYTHON_DIR */
  bool has_scratch; /* rootfs_attach will put one at /tmp; else that is in
                       memory, as large as rootfs_memory_tmp_bytes has it
                       (the wall is missing) */
  uint64_t scratch_bytes;
  enum network_mode network; /* with one, what name resolution needs */
  const char *resolv_conf;   /* egress: the text of /etc/resolv.conf */
};

/* How large a /tmp in memory is: `scratch_bytes`, or half of what the machine
 * has, if that is less. */
uint64_t rootfs_memory_tmp_bytes(uint64_t scratch_bytes);

/* A detached, nosuid, nodev copy of the mount at `path`, without what is
 * mounted below it (open_tree(2), Linux 5.2); read-only where asked for.
 * Returns its descriptor or -1. */
int rootfs_clone(const char *path, bool read_only, struct error **err);

/* Builds the tree at a mount point of its own, out of sight of the host. */
int rootfs_build(const struct rootfs_options *options, struct error **err);

/* Makes it the root (pivot_root(2)) and lets go of the host's. */
int rootfs_enter(struct error **err);

/* Attaches a detached mount at `path`, an absolute path that is made where it
 * doesn't exist (as a folder, or a file where is_file). It must not be a
 * system folder or below one. */
int rootfs_attach(int mount_fd, const char *path, bool is_file,
                  struct error **err);

/* Puts a file at /run/secrets/NAME, mode 0400, that belongs to uid and gid
 * (as seen inside). Its bytes are kept in memory, at most the root's 4 MiB. */
int rootfs_add_secret(const char *name, const void *bytes, size_t count,
                      uid_t uid, gid_t gid, struct error **err);

/* Makes the root read-only. */
int rootfs_seal(struct error **err);

#endif
