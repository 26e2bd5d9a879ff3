/* The system-call policy as data: an allow-list, a reason a row.
 *
 * The rows are read by people and, when the project is built, by
 * seccomp_gen.c, which has libseccomp compile them. At run time only the
 * compiled filter is left (seccomp.h).
 *
 * seccomp_calls decides by the call alone, one row a call. seccomp_arguments
 * holds the calls whose arguments matter: such a call is allowed if any of its
 * rows matches, and a row matches if all of its tests do; otherwise the call
 * is refused. A call is in one of the two tables, never in both. Only what
 * lies in a register can be tested: what a pointer points to can change
 * between the test and the call, and so a call whose dangerous argument is in
 * memory is not allowed at all (clone3, openat2).
 *
 * What is in neither table, a call newer than the policy say, gets ENOSYS: a
 * libc then falls back to an older call. Another architecture (int 0x80) and
 * the x32 numbers kill the process, as the numbers there mean other calls. Of
 * 335 and 336, by which its own probes return (Linux 6.14 and 6.18), the kernel
 * asks no filter; from anywhere else they give SIGILL and ENXIO. */
#ifndef WAFER_SANDBOX_SECCOMP_TABLE_H
#define WAFER_SANDBOX_SECCOMP_TABLE_H

#include <stddef.h>
#include <stdint.h>

enum seccomp_action {
  SECCOMP_ALLOW,
  SECCOMP_REFUSE, /* EPERM, and the host learns the call's name */
  SECCOMP_QUIET,  /* EPERM without a word: libraries try it in passing, and do
                     without, so that naming it would only mislead */
  SECCOMP_ABSENT, /* ENOSYS, as if the kernel were older */
};

struct seccomp_call {
  const char *call; /* as libseccomp spells it */
  enum seccomp_action action;
  const char *reason;
};

extern const struct seccomp_call seccomp_calls[];
extern const size_t seccomp_calls_count;

/* (argument & mask) == value, on the low 32 bits: the kernel takes each tested
 * argument as an int, so a test of all 64 would be evaded by setting a high
 * bit. A mask of 0 ends the list: there is no such test. */
struct seccomp_test {
  unsigned argument; /* 0 to 5; the tests of a row have different ones */
  uint32_t mask;
  uint32_t value;
};

enum { SECCOMP_TESTS_MAX = 3 };

/* The action is SECCOMP_ALLOW or SECCOMP_QUIET. Rows of one call that differ
 * in it must exclude each other, so that their order says nothing. */
struct seccomp_argument {
  const char *call;
  enum seccomp_action action;
  struct seccomp_test tests[SECCOMP_TESTS_MAX];
  const char *reason;
};

extern const struct seccomp_argument seccomp_arguments[];
extern const size_t seccomp_arguments_count;

#endif
