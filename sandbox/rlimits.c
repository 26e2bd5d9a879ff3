#include "config.h"

#include "sandbox/rlimits.h"

#include <sys/resource.h>

enum {
  STACK_BYTES = 8 << 20,
  LOCKED_BYTES = 64 << 10,
  QUEUE_BYTES = 800 << 10,
  CPU_GRACE_S = 5,
};

/* AddressSanitizer reserves terabytes of address space for its shadow, so that
 * a build with it could map nothing more under RLIMIT_AS. */
#ifdef __SANITIZE_ADDRESS__
enum { CAN_LIMIT_ADDRESS_SPACE = 0 };
#else
enum { CAN_LIMIT_ADDRESS_SPACE = 1 };
#endif

struct limit {
  int resource;
  const char *name;
  uint64_t soft;
  uint64_t hard;
};

static uint64_t smaller(uint64_t one, uint64_t other)
{
  return one < other ? one : other;
}

/* RLIMITS_KEEP is RLIM_INFINITY, so that it lowers nothing. */
static int lower(const struct limit *limit, struct error **err)
{
  struct rlimit now;
  if (getrlimit(limit->resource, &now) < 0)
    return error_errno(err, "getrlimit %s", limit->name);
  now.rlim_max = smaller(now.rlim_max, limit->hard);
  now.rlim_cur = smaller(smaller(now.rlim_cur, limit->soft), now.rlim_max);
  if (setrlimit(limit->resource, &now) < 0)
    return error_errno(err, "setrlimit %s", limit->name);
  return 0;
}

int rlimits_apply(const struct rlimits *wanted, struct error **err)
{
  uint64_t files = wanted->open_files_max;
  uint64_t cpu_s = RLIMITS_KEEP, cpu_end_s = RLIMITS_KEEP;
  uint64_t memory = RLIMITS_KEEP;
  if (!wanted->has_cgroup) {
    cpu_s = wanted->cpu_s;
    cpu_end_s = cpu_s + CPU_GRACE_S;
    if (CAN_LIMIT_ADDRESS_SPACE)
      memory = wanted->memory_bytes;
  }
  const struct limit limits[] = {
      /* A core dump holds secrets, and is as large as the job. */
      {RLIMIT_CORE, "core", 0, 0},
      /* 1024 is what select can take; a script may raise it to the hard one. */
      {RLIMIT_NOFILE, "nofile", smaller(files, RLIMITS_OPEN_FILES_SOFT), files},
      /* A sparse petabyte takes no block, but who copies it pays. */
      {RLIMIT_FSIZE, "fsize", wanted->file_bytes_max, wanted->file_bytes_max},
      /* Fork bombs, where the cgroup does not count pids. */
      {RLIMIT_NPROC, "nproc", wanted->processes_max, wanted->processes_max},
      /* Queues are kernel memory; ten of the default size, as ever. */
      {RLIMIT_MSGQUEUE, "msgqueue", QUEUE_BYTES, QUEUE_BYTES},
      /* Locked pages can't be reclaimed; ssl and gpg lock a page or two. */
      {RLIMIT_MEMLOCK, "memlock", LOCKED_BYTES, LOCKED_BYTES},
      /* A real-time process would starve the machine. */
      {RLIMIT_RTPRIO, "rtprio", 0, 0},
      /* 20 − 0: no nice value below 0, and none back down. */
      {RLIMIT_NICE, "nice", 0, 0},
      /* The default, whatever the caller had: threads' stacks follow it. */
      {RLIMIT_STACK, "stack", STACK_BYTES, RLIMITS_KEEP},
      {RLIMIT_AS, "as", memory, memory},
      /* The soft one first: its signal tells what it was. */
      {RLIMIT_CPU, "cpu", cpu_s, cpu_end_s},
  };
  for (size_t i = 0; i < ARRAY_LENGTH(limits); i++) {
    if (lower(&limits[i], err) < 0)
      return -1;
  }
  return 0;
}
