#include "config.h"

#include "host/caps.h"

#include "host/format.h"
#include "sandbox/rlimits.h"
#include "sandbox/rootfs.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* Whether a cap stands in this run, and how it was met: by a counter of the
 * kernel's, a signal, an errno in the exception's message ("[Errno 28] …", as
 * OSError has it), or words in its type or message. */
struct cap {
  bool (*stands)(const struct caps_end *end);  /* NULL: always */
  bool (*counted)(const struct caps_end *end); /* NULL: nothing counts it */
  int error;
  int signal;
  const char *words;
  enum reason_kind kind;
  char *(*tell)(const struct caps_end *end);
};

static bool has_no_cgroup(const struct caps_end *end)
{
  return !end->has_cgroup;
}

/* See job.c: with the user's own id his other processes would count, too. */
static bool counts_by_user(const struct caps_end *end)
{
  return !end->has_cgroup && !end->own_ids;
}

static bool has_scratch(const struct caps_end *end)
{
  return end->scratch->bytes_total > 0;
}

static bool refused_processes(const struct caps_end *end)
{
  return end->run->usage.pids_refused > 0;
}

/* Less than any file system leaves unused on purpose. */
static bool scratch_is_full(const struct caps_end *end)
{
  enum { FULL_BYTES = 1 << 20 };
  return has_scratch(end) && end->scratch->bytes_free < FULL_BYTES;
}

static bool scratch_has_no_inode(const struct caps_end *end)
{
  return has_scratch(end) && end->scratch->files_free == 0;
}

const char *caps_larger_size(const struct size *size)
{
  const struct size *largest = size_at(0), *next;
  for (size_t i = 1; (next = size_at(i)) != NULL; i++)
    if (next->micro_dpu > largest->micro_dpu)
      largest = next;
  return size->micro_dpu < largest->micro_dpu ? ", or take --max-capacity 1"
                                              : "";
}

static char *tell_addresses(const struct caps_end *end)
{
  char limit[FORMAT_SIZE];
  return xasprintf("without the cgroup wall each process may have %s of "
                   "addresses, its libraries' and threads' among them. Read "
                   "the input in smaller parts%s",
                   format_bytes(end->size->memory_bytes, limit),
                   caps_larger_size(end->size));
}

static char *tell_processes(const struct caps_end *end)
{
  return xasprintf("it may have %" PRId64 " processes and threads at once, "
                   "and was refused more. Start fewer%s",
                   end->size->pids_max, caps_larger_size(end->size));
}

static char *tell_scratch(const struct caps_end *end)
{
  char limit[FORMAT_SIZE];
  return xasprintf("/tmp is full: it holds %s",
                   format_bytes(end->scratch->bytes_total, limit));
}

static char *tell_inodes(const struct caps_end *end)
{
  (void)end;
  return xstrdup("/tmp has room, but for no more files: pack them, or put "
                 "them in a mount");
}

/* What was full may have been emptied on the way out, or was a mount. */
static char *tell_no_space(const struct caps_end *end)
{
  char limit[FORMAT_SIZE];
  int64_t bytes = end->size->scratch_bytes;
  if (!has_scratch(end))
    bytes = (int64_t)rootfs_memory_tmp_bytes((uint64_t)bytes);
  return xasprintf("/tmp holds %s, and a mount what its disk has left",
                   format_bytes(bytes, limit));
}

static char *tell_open_files(const struct caps_end *end)
{
  (void)end;
  return xasprintf("a process may have %d files open at once, or %d where it "
                   "raises its limit (resource.setrlimit)",
                   RLIMITS_OPEN_FILES_SOFT, RLIMITS_OPEN_FILES_DEFAULT);
}

static char *tell_file_size(const struct caps_end *end)
{
  char limit[FORMAT_SIZE];
  return xasprintf("a file may have %s at most, in a mount, too",
                   format_bytes(end->size->scratch_bytes, limit));
}

static char *tell_cpu_time(const struct caps_end *end)
{
  (void)end;
  return xstrdup("without the cgroup wall a process's CPU time is limited, to "
                 "its timeout for each CPU of its size");
}

/* The first that fits is told: what the failure says of itself comes before
 * what the kernel counted in all the time that the run took. */
static const struct cap caps[] = {
    {.stands = scratch_is_full,
     .error = ENOSPC,
     .words = "disk is full",
     .tell = tell_scratch},
    {.stands = scratch_has_no_inode, .error = ENOSPC, .tell = tell_inodes},
    {.error = ENOSPC, .words = "disk is full", .tell = tell_no_space},
    {.error = EMFILE, .tell = tell_open_files},
    {.error = EFBIG,
     .signal = SIGXFSZ,
     .words = "SIGXFSZ",
     .tell = tell_file_size},
    {.stands = has_no_cgroup, .signal = SIGXCPU, .tell = tell_cpu_time},
    {.stands = has_no_cgroup,
     .error = ENOMEM,
     .words = "MemoryError",
     .kind = REASON_OUT_OF_MEMORY,
     .tell = tell_addresses},
    {.stands = counts_by_user,
     .error = EAGAIN,
     .words = "can't start new thread",
     .tell = tell_processes},
    {.counted = refused_processes, .tell = tell_processes},
    {.counted = scratch_is_full, .tell = tell_scratch},
    {.counted = scratch_has_no_inode, .tell = tell_inodes},
};

static bool has_words(const char *text, const char *words)
{
  return text != NULL && words != NULL && strstr(text, words) != NULL;
}

static bool says_error(const char *message, int error)
{
  char words[32];
  snprintf(words, sizeof words, "[Errno %d]", error);
  return error != 0 && has_words(message, words);
}

static bool is_met(const struct cap *cap, const struct caps_end *end)
{
  const struct run_exception *exception = &end->run->reason.exception;
  if (cap->stands != NULL && !cap->stands(end))
    return false;
  return (cap->counted != NULL && cap->counted(end)) ||
         (cap->signal != 0 && end->run->signal == cap->signal) ||
         says_error(exception->message, cap->error) ||
         has_words(exception->type, cap->words) ||
         has_words(exception->message, cap->words);
}

bool caps_find(const struct caps_end *end, struct caps_finding *finding)
{
  for (size_t i = 0; i < ARRAY_LENGTH(caps); i++)
    if (is_met(&caps[i], end)) {
      *finding = (struct caps_finding){.kind = caps[i].kind,
                                       .text = caps[i].tell(end)};
      return true;
    }
  return false;
}
