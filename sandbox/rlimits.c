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

#define KEEP RLIMITS_KEEP

const struct rlimits_row rlimits_rows[] = {
    {"core", RLIMIT_CORE, RLIMITS_NONE, 0, 0,
     "a core dump holds secrets, and is as large as the job"},
    {"nofile", RLIMIT_NOFILE, RLIMITS_OPEN_FILES, RLIMITS_OPEN_FILES_SOFT, KEEP,
     "what select can take; a script may raise it to the hard one"},
    {"fsize", RLIMIT_FSIZE, RLIMITS_FILE_BYTES, KEEP, KEEP,
     "a sparse petabyte takes no block, but who copies it pays"},
    {"nproc", RLIMIT_NPROC, RLIMITS_PROCESSES, KEEP, KEEP,
     "fork bombs, behind the cgroup, or where there is none"},
    {"msgqueue", RLIMIT_MSGQUEUE, RLIMITS_NONE, QUEUE_BYTES, QUEUE_BYTES,
     "queues are kernel memory; ten of the default size, as ever"},
    {"memlock", RLIMIT_MEMLOCK, RLIMITS_NONE, LOCKED_BYTES, LOCKED_BYTES,
     "locked pages can't be reclaimed; ssl and gpg lock a page or two"},
    {"rtprio", RLIMIT_RTPRIO, RLIMITS_NONE, 0, 0,
     "a real-time process would starve the machine"},
    {"nice", RLIMIT_NICE, RLIMITS_NONE, 0, 0,
     "20 - 0: no nice value below 0, and none back down"},
    {"stack", RLIMIT_STACK, RLIMITS_NONE, STACK_BYTES, KEEP,
     "the default, whatever the caller had: threads' stacks follow it"},
    {"as", RLIMIT_AS, RLIMITS_MEMORY, KEEP, KEEP,
     "with no cgroup: a process's address space, for want of better"},
    {"cpu", RLIMIT_CPU, RLIMITS_CPU, KEEP, KEEP,
     "with no cgroup: what the size's CPUs give until the timeout"},
};

const size_t rlimits_rows_count = ARRAY_LENGTH(rlimits_rows);

static uint64_t smaller(uint64_t one, uint64_t other)
{
  return one < other ? one : other;
}

static uint64_t bound(enum rlimits_member member, const struct rlimits *wanted)
{
  switch (member) {
  case RLIMITS_OPEN_FILES:
    return wanted->open_files_max;
  case RLIMITS_FILE_BYTES:
    return wanted->file_bytes_max;
  case RLIMITS_PROCESSES:
    /* A fork looks at this one first, but the cgroup counts: so one more. */
    return wanted->has_cgroup && wanted->processes_max != KEEP
               ? wanted->processes_max + 1
               : wanted->processes_max;
  case RLIMITS_MEMORY:
    return wanted->has_cgroup || !CAN_LIMIT_ADDRESS_SPACE
               ? KEEP
               : wanted->memory_bytes;
  case RLIMITS_CPU:
    return wanted->has_cgroup ? KEEP : wanted->cpu_s;
  case RLIMITS_NONE:
  default:
    return KEEP;
  }
}

uint64_t rlimits_soft(const struct rlimits_row *row,
                      const struct rlimits *wanted)
{
  return smaller(row->soft, bound(row->member, wanted));
}

uint64_t rlimits_hard(const struct rlimits_row *row,
                      const struct rlimits *wanted)
{
  uint64_t most = bound(row->member, wanted);
  /* After the soft one, whose signal tells what it was: SIGXCPU. */
  if (row->member == RLIMITS_CPU && most != KEEP)
    most += CPU_GRACE_S;
  return smaller(row->hard, most);
}

/* RLIMITS_KEEP is RLIM_INFINITY, so that it lowers nothing. */
static int lower(const struct rlimits_row *row, const struct rlimits *wanted,
                 struct error **err)
{
  struct rlimit now;
  if (getrlimit(row->resource, &now) < 0)
    return error_errno(err, "getrlimit %s", row->name);
  now.rlim_max = smaller(now.rlim_max, rlimits_hard(row, wanted));
  now.rlim_cur =
      smaller(smaller(now.rlim_cur, rlimits_soft(row, wanted)), now.rlim_max);
  if (setrlimit(row->resource, &now) < 0)
    return error_errno(err, "setrlimit %s", row->name);
  return 0;
}

int rlimits_apply(const struct rlimits *wanted, struct error **err)
{
  for (size_t i = 0; i < rlimits_rows_count; i++)
    if (lower(&rlimits_rows[i], wanted, err) < 0)
      return -1;
  return 0;
}
