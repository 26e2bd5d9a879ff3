#include "config.h"

#include "sandbox/cgroup_backend.h"

#include <errno.h>

/* The backend of machines that give us no cgroup: nothing is limited, and
 * nothing counted. Limits of single processes stand in (sandbox/rlimits.h). */

static int open_group(const struct cgroup_env *env, struct cgroup *cgroup,
                      bool make, struct error **err)
{
  (void)env;
  (void)cgroup;
  (void)make;
  (void)err;
  return 0;
}

static int limit(struct cgroup *cgroup, const struct limits *limits,
                 struct error **err)
{
  (void)cgroup;
  (void)limits;
  (void)err;
  return 0;
}

static int watch(struct cgroup *cgroup, struct error **err)
{
  (void)cgroup;
  (void)err;
  return 0;
}

static int watch_read(struct cgroup *cgroup, unsigned *seen, struct error **err)
{
  (void)cgroup;
  (void)seen;
  (void)err;
  return 0;
}

static int usage(struct cgroup *cgroup, struct cgroup_usage *result,
                 struct error **err)
{
  (void)cgroup;
  (void)result;
  return error_make(err, ENOTSUP, "there is no cgroup that counts");
}

static void kill_nothing(struct cgroup *cgroup)
{
  (void)cgroup;
}

const struct cgroup_backend cgroup_none = {
    .source = "none",
    .entry = NULL,
    .open = open_group,
    .limit = limit,
    .watch = watch,
    .watch_read = watch_read,
    .usage = usage,
    .kill = kill_nothing,
};
