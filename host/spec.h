/* The spec of a run, made from a request: runtime/protocol.h has its keys. */
#ifndef WAFER_HOST_SPEC_H
#define WAFER_HOST_SPEC_H

#include "base/mask.h"
#include "host/request.h"
#include "runtime/protocol.h"
#include "sandbox/namespace.h"

#include <jansson.h>
#include <stdbool.h>

struct spec_bundle {
  json_t *json;
  int fds[FD_MESSAGE_MAX];
  size_t fd_count;
  size_t owned_count; /* the first of fds are the bundle's to close */
};

/* Makes the spec and gathers its descriptors; for real root that includes an
 * id-mapped clone of each mount's source. */
int spec_make(const struct request *request, const struct namespace_ids *ids,
              bool landlock, bool has_cgroup, struct spec_bundle *bundle,
              struct error **err);

void spec_bundle_release(struct spec_bundle *bundle);

/* A plain user's list of paths to clone (struct park): wafer's package, the
 * mounts, and library sets; the caller frees it. */
char *spec_tree_paths(const struct request_mount *mounts, size_t mount_count,
                      const struct library_set *const sets[], size_t set_count,
                      size_t *count);

#endif
