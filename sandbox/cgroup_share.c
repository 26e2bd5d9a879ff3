#include "config.h"

#include "sandbox/cgroup.h"

#include "base/fd.h"
#include "sandbox/cgroup_backend.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The slots of a group in the order of a share's bits and descriptors: first
 * all parents, then all groups. */
enum { SLOT_COUNT = CGROUP_SHARE_FDS };
_Static_assert((int)SLOT_COUNT == 2 * (int)CONTROLLER_COUNT, "all slots");

static int *slot_of(struct cgroup *cgroup, int i)
{
  return i < CONTROLLER_COUNT ? &cgroup->parent_dirs[i]
                              : &cgroup->dirs[i - CONTROLLER_COUNT];
}

size_t cgroup_share(const struct cgroup *cgroup, struct cgroup_share *share,
                    int fds[CGROUP_SHARE_FDS])
{
  size_t count = 0;
  *share = (struct cgroup_share){.memory_bytes = cgroup->memory_bytes};
  snprintf(share->source, sizeof share->source, "%s", cgroup->backend->source);
  snprintf(share->name, sizeof share->name, "%s", cgroup->name);
  for (int i = 0; i < SLOT_COUNT; i++) {
    int fd = *slot_of((struct cgroup *)cgroup, i);
    if (fd < 0)
      continue;
    share->fds_of |= 1U << i;
    fds[count++] = fd;
  }
  return count;
}

static const struct cgroup_backend *find_backend(const char *source)
{
  static const struct cgroup_backend *const all[] = {&cgroup_v2, &cgroup_v1,
                                                     &cgroup_none};
  for (size_t i = 0; i < ARRAY_LENGTH(all); i++)
    if (strcmp(all[i]->source, source) == 0)
      return all[i];
  return NULL;
}

static bool is_text(const char *text, size_t size)
{
  return memchr(text, '\0', size) != NULL;
}

struct cgroup *cgroup_of_share(const struct cgroup_share *share, const int *fds,
                               size_t fd_count, struct error **err)
{
  const struct cgroup_backend *backend = NULL;
  if (is_text(share->source, sizeof share->source))
    backend = find_backend(share->source);
  if (backend == NULL || !is_text(share->name, sizeof share->name) ||
      !cgroup_name_is_good(share->name) || share->fds_of >> SLOT_COUNT != 0 ||
      (size_t)__builtin_popcount(share->fds_of) != fd_count) {
    error_make(err, EPROTO, "a cgroup came damaged");
    return NULL;
  }
  struct cgroup *cgroup = cgroup_new(backend, share->name);
  cgroup->memory_bytes = share->memory_bytes;
  for (int i = 0; i < SLOT_COUNT; i++)
    if (share->fds_of & 1U << i)
      *slot_of(cgroup, i) = *fds++;
  return cgroup;
}
