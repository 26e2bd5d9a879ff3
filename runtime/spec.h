/* The spec of a run as a job receives it: protocol.h has its keys. */
#ifndef WAFER_RUNTIME_SPEC_H
#define WAFER_RUNTIME_SPEC_H

#include "base/fd.h"
#include "runtime/protocol.h"

#include <jansson.h>
#include <stdbool.h>

struct spec_mount {
  size_t tree;
  const char *path;
  bool is_file;
  bool read_only;
};

struct spec_secret {
  const char *name;
  int fd;
};

struct spec_limits {
  uint64_t memory_bytes;
  uint64_t scratch_bytes;
  uint64_t pids_max;
  uint64_t cpu_s;
  bool has_cgroup;
  bool own_ids;
};

/* Texts belong to `root`, which lives as long as the process. */
struct spec {
  json_t *root;
  const json_t *python;
  bool landlock;
  bool seccomp_log;
  struct spec_limits limits;
  struct spec_mount mounts[FD_MESSAGE_MAX];
  size_t mount_count;
  struct spec_secret secrets[FD_MESSAGE_MAX];
  size_t secret_count;
  int trees[FD_MESSAGE_MAX]; /* descriptors of those that came along */
  size_t tree_count;
  int files[FD_MESSAGE_MAX]; /* the script and libraries: python's own list */
  size_t file_count;
  int fd_end; /* no file's number is this or above */
};

/* Takes over the descriptors of a SPEC message. */
int spec_read(const struct message *message, struct spec *spec,
              struct error **err);

#endif
