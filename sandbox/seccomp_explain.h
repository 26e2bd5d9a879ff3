/* The policy in words: what the filter does to a call, why, and what to do
 * without it. By the same tables that the filter is compiled of
 * (seccomp_table.h), so for the host alone: no job needs it. */
#ifndef WAFER_SANDBOX_SECCOMP_EXPLAIN_H
#define WAFER_SANDBOX_SECCOMP_EXPLAIN_H

#include "sandbox/seccomp_table.h"

enum { SECCOMP_ARGUMENTS_MAX = 6 };

/* "allow", "refuse", "quiet", "absent". Static. */
const char *seccomp_action_name(enum seccomp_action action);

/* The errno of a call that an action keeps from the kernel; 0 of ALLOW. */
int seccomp_action_errno(enum seccomp_action action);

/* A row's tests: "a0 = 0x2, a1 & 0xf = 0x1". The caller frees it. */
char *seccomp_tests_text(const struct seccomp_argument *row);

/* What becomes of a call, and why. Texts are static. */
struct seccomp_verdict {
  enum seccomp_action action;
  const char *reason;
  const char *instead; /* what a script can do; NULL: nothing is known */
};

/* The verdict on a call by its name (NULL: a number that has none) and its six
 * arguments, of which the low 32 bits count. */
struct seccomp_verdict
seccomp_judge(const char *call,
              const uint32_t arguments[SECCOMP_ARGUMENTS_MAX]);

/* Which arguments the rows of a call test: bit n is argument n. 0 where the
 * call alone decides. */
unsigned seccomp_tested_arguments(const char *call);

#endif
