/* A run's usage, put together from the cgroup and the keeper. */
#ifndef WAFER_HOST_USAGE_H
#define WAFER_HOST_USAGE_H

#include "jobs/run.h"
#include "runtime/result.h"
#include "sandbox/cgroup.h"

/* What the cgroup counted; `source` names its backend. */
void usage_set_cgroup(struct run_usage *usage,
                      const struct cgroup_usage *counted, const char *source);

/* What wait4(2) told the keeper: the largest process, and where no cgroup
 * counted, CPU time and (as the peak) that process's size. */
void usage_add_result(struct run_usage *usage, const struct result *result);

#endif
