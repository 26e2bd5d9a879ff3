/* Resource limits of a job's processes: the wall behind the cgroup. */
#ifndef WAFER_SANDBOX_RLIMITS_H
#define WAFER_SANDBOX_RLIMITS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* RLIMITS_KEEP in a field leaves that limit as it was inherited. */
#define RLIMITS_KEEP UINT64_MAX

struct rlimits {
  uint64_t open_files_max; /* hard; the soft one is at most
                              RLIMITS_OPEN_FILES_SOFT */
  uint64_t file_bytes_max; /* largest file that may be written: the scratch's
                              size. It holds in rw mounts too */
  uint64_t processes_max;  /* of the job's uid; before Linux 5.14 counted over
                              all user namespaces, so meant for a uid of its
                              own */
  bool has_cgroup;         /* the cgroup caps memory and CPU, precisely; the
                              two below are then not used */
  uint64_t memory_bytes;   /* address space of a process, for want of better */
  uint64_t cpu_s;          /* CPU seconds of a process, then SIGXCPU, and
                              SIGKILL soon after */
};

enum { RLIMITS_OPEN_FILES_SOFT = 1024, RLIMITS_OPEN_FILES_DEFAULT = 4096 };

/* Which member of struct rlimits bounds a limit beside the row's own values. */
enum rlimits_member {
  RLIMITS_NONE,
  RLIMITS_OPEN_FILES,
  RLIMITS_FILE_BYTES,
  RLIMITS_PROCESSES,
  RLIMITS_MEMORY, /* with no cgroup */
  RLIMITS_CPU,    /* with no cgroup */
};

struct rlimits_row {
  const char *name;
  int resource; /* RLIMIT_…, setrlimit(2) */
  enum rlimits_member member;
  uint64_t soft;
  uint64_t hard;
  const char *reason;
};

extern const struct rlimits_row rlimits_rows[];
extern const size_t rlimits_rows_count;

/* What a row comes to. RLIMITS_KEEP lowers nothing. */
uint64_t rlimits_soft(const struct rlimits_row *row,
                      const struct rlimits *wanted);
uint64_t rlimits_hard(const struct rlimits_row *row,
                      const struct rlimits *wanted);

/* Sets every limit of the calling process; children inherit them. A limit is
 * only ever lowered: where the inherited hard limit is below the wanted one,
 * it stays. On failure some may be set. */
int rlimits_apply(const struct rlimits *wanted, struct error **err);

#endif
