#include "config.h"

#include "host/usage.h"

#include <stdio.h>

void usage_set_cgroup(struct run_usage *usage,
                      const struct cgroup_usage *counted, const char *source)
{
  snprintf(usage->source, sizeof usage->source, "%s", source);
  usage->cpu_ns = counted->cpu_ns;
  usage->memory_peak_bytes = counted->memory_peak_bytes;
  usage->throttled_ns = counted->throttled_ns;
  usage->throttled_periods = counted->throttled_periods;
  usage->oom_kills = counted->oom_kills;
  usage->pids_refused = counted->pids_refused;
  usage->read_bytes = counted->read_bytes;
  usage->write_bytes = counted->write_bytes;
}

void usage_add_result(struct run_usage *usage, const struct result *result)
{
  usage->max_rss_bytes = result->max_rss_kib * 1024;
  if (usage->cpu_ns >= 0)
    return;
  snprintf(usage->source, sizeof usage->source, "rusage");
  usage->cpu_ns = result->cpu_us * 1000;
  usage->memory_peak_bytes = usage->max_rss_bytes;
}
