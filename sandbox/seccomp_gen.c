/* Compiles the system-call policy (seccomp_table.h) when the project is built.
 *
 *   seccomp_gen filter > seccomp_filter.inc   three programs for seccomp (2)
 *   seccomp_gen names > seccomp_names.inc     system-call names by number
 *
 * libseccomp writes the programs; its default action is to refuse, since what
 * a conditional row does not match must be refused. What it can't say is that
 * a number newer than the policy is not refused but absent (ENOSYS), as the
 * numbers have no end: six instructions of ours come before its own and say
 * so. Numbers between known ones that have no row get a rule each. */
#include "config.h"

#include "base/fd.h"
#include "sandbox/seccomp_table.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
  CALLS_MAX = 1024,     /* room; x86_64 has fewer than 500 */
  X32_BIT = 0x40000000, /* of the x32 numbers, asm/unistd.h */
  API_LEVEL = 6,        /* libseccomp may use user notification, whatever
                           the kernel of the building machine has */
  OPTIMIZE_AS_TREE = 2, /* binary search over call numbers */
  PROGRAM_BYTES_MAX = BPF_MAXINSNS * 8,
};

struct policy {
  scmp_filter_ctx filter;
  uint32_t refuse;       /* libseccomp's action of a refused call */
  bool logs;             /* it is that of any call that isn't allowed */
  bool known[CALLS_MAX]; /* has a row */
  int highest;           /* number that has a row */
};

static void release_filter(scmp_filter_ctx *filter)
{
  if (*filter != NULL)
    seccomp_release(*filter);
}

#define cleanup_filter __attribute__((cleanup(release_filter)))

static uint32_t action_of(const struct policy *policy,
                          enum seccomp_action action)
{
  if (policy->logs && action != SECCOMP_ALLOW)
    return policy->refuse;
  switch (action) {
  case SECCOMP_ALLOW:
    return SCMP_ACT_ALLOW;
  case SECCOMP_QUIET:
    return SCMP_ACT_ERRNO(EPERM);
  case SECCOMP_ABSENT:
    return SCMP_ACT_ERRNO(ENOSYS);
  case SECCOMP_REFUSE:
  default:
    return policy->refuse;
  }
}

/* The default action needs no rule, and libseccomp takes none. */
static int add_rule(struct policy *policy, uint32_t action, int number,
                    unsigned count, const struct scmp_arg_cmp *tests)
{
  if (action == policy->refuse)
    return 0;
  return seccomp_rule_add_array(policy->filter, action, number, count, tests);
}

/* The call's number, or -1 where this libseccomp knows none. */
static int resolve(struct policy *policy, const char *call)
{
  int number = seccomp_syscall_resolve_name_arch(SCMP_ARCH_X86_64, call);
  if (number < 0 || number >= CALLS_MAX)
    return -1;
  policy->known[number] = true;
  if (number > policy->highest)
    policy->highest = number;
  return number;
}

static int add_call(struct policy *policy, const struct seccomp_call *row,
                    struct error **err)
{
  int number = resolve(policy, row->call);
  if (number < 0 && row->action == SECCOMP_ABSENT)
    return 0; /* newer than this libseccomp, and so absent anyway */
  if (number < 0)
    return error_make(err, ENOENT, "no system call %s", row->call);
  int failed =
      add_rule(policy, action_of(policy, row->action), number, 0, NULL);
  if (failed != 0)
    return error_make(err, -failed, "%s: %s", row->call, strerror(-failed));
  return 0;
}

static int add_argument(struct policy *policy,
                        const struct seccomp_argument *row, struct error **err)
{
  int number = resolve(policy, row->call);
  if (number < 0)
    return error_make(err, ENOENT, "no system call %s", row->call);
  struct scmp_arg_cmp tests[SECCOMP_TESTS_MAX];
  unsigned count = 0;
  while (count < SECCOMP_TESTS_MAX && row->tests[count].mask != 0) {
    const struct seccomp_test *test = &row->tests[count];
    tests[count++] =
        SCMP_CMP64(test->argument, SCMP_CMP_MASKED_EQ, test->mask, test->value);
  }
  uint32_t action = action_of(policy, row->action);
  int failed = add_rule(policy, action, number, count, tests);
  if (failed != 0)
    return error_make(err, -failed, "%s, %s: %s", row->call, row->reason,
                      strerror(-failed));
  return 0;
}

static int add_gaps(struct policy *policy, struct error **err)
{
  for (int number = 0; number < policy->highest; number++) {
    if (policy->known[number])
      continue;
    int failed =
        add_rule(policy, action_of(policy, SECCOMP_ABSENT), number, 0, NULL);
    if (failed != 0)
      return error_make(err, -failed, "number %d: %s", number,
                        strerror(-failed));
  }
  return 0;
}

static int add_tables(struct policy *policy, struct error **err)
{
  for (size_t i = 0; i < seccomp_calls_count; i++) {
    if (add_call(policy, &seccomp_calls[i], err) < 0)
      return -1;
  }
  for (size_t i = 0; i < seccomp_arguments_count; i++) {
    if (add_argument(policy, &seccomp_arguments[i], err) < 0)
      return -1;
  }
  return add_gaps(policy, err);
}

static int configure(scmp_filter_ctx filter, struct error **err)
{
  int failed = 0;
  if (seccomp_arch_native() != SCMP_ARCH_X86_64)
    failed = seccomp_arch_add(filter, SCMP_ARCH_X86_64);
  if (failed == 0)
    failed = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH,
                              SCMP_ACT_KILL_PROCESS);
  if (failed == 0)
    failed =
        seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, OPTIMIZE_AS_TREE);
  if (failed != 0)
    return error_make(err, -failed, "libseccomp: %s", strerror(-failed));
  return 0;
}

static void print_instruction(const struct sock_filter *instruction)
{
  printf("    {0x%02x, %u, %u, 0x%08x},\n", instruction->code, instruction->jt,
         instruction->jf, instruction->k);
}

/* Another architecture and the x32 numbers are left to libseccomp's part,
 * which kills. A jump counts from the next instruction; END is libseccomp's
 * first. */
static void print_prologue(const struct policy *policy)
{
  enum { END = 6 };
  const struct sock_filter prologue[END] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, END - 2),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, END - 4, 0),
      BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, (uint32_t)policy->highest, 0,
               END - 5),
      BPF_STMT(BPF_RET | BPF_K, policy->logs ? SECCOMP_RET_USER_NOTIF
                                             : SECCOMP_RET_ERRNO | ENOSYS),
  };
  for (size_t i = 0; i < END; i++)
    print_instruction(&prologue[i]);
}

static int print_program(const struct policy *policy, const char *name,
                         struct error **err)
{
  cleanup_fd int fd = memfd_create(name, MFD_CLOEXEC);
  if (fd < 0)
    return error_errno(err, "memfd_create");
  int failed = seccomp_export_bpf(policy->filter, fd);
  if (failed != 0)
    return error_make(err, -failed, "export: %s", strerror(-failed));
  cleanup_free char *bytes = NULL;
  size_t count;
  if (lseek(fd, 0, SEEK_SET) < 0)
    return error_errno(err, "lseek");
  if (fd_read_all(fd, PROGRAM_BYTES_MAX, &bytes, &count, err) < 0)
    return error_wrap(err, "the program of %s", name);

  printf("static const struct sock_filter %s[] = {\n", name);
  print_prologue(policy);
  struct sock_filter instruction;
  for (size_t at = 0; at + sizeof instruction <= count;
       at += sizeof instruction) {
    memcpy(&instruction, bytes + at, sizeof instruction);
    print_instruction(&instruction);
  }
  printf("};\n");
  return 0;
}

static int compile(const char *name, uint32_t refuse, bool logs,
                   struct error **err)
{
  struct policy policy = {.refuse = refuse, .logs = logs};
  cleanup_filter scmp_filter_ctx filter = seccomp_init(refuse);
  if (filter == NULL)
    return error_make(err, EINVAL, "libseccomp made no filter for %s", name);
  policy.filter = filter;
  if (configure(filter, err) < 0 || add_tables(&policy, err) < 0)
    return -1;
  return print_program(&policy, name, err);
}

static int print_filters(struct error **err)
{
  int failed = seccomp_api_set(API_LEVEL);
  if (failed != 0)
    return error_make(err, -failed, "libseccomp is older than 2.5");
  if (compile("filter_with_listener", SCMP_ACT_NOTIFY, false, err) < 0 ||
      compile("filter_with_log", SCMP_ACT_NOTIFY, true, err) < 0)
    return -1;
  return compile("filter_alone", SCMP_ACT_ERRNO(EPERM), false, err);
}

static void print_names(void)
{
  printf("static const char *const call_names[] = {\n");
  for (int number = 0; number < CALLS_MAX; number++) {
    char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, number);
    if (name != NULL)
      printf("    [%d] = \"%s\",\n", number, name);
    free(name);
  }
  printf("};\n");
}

int main(int argc, char **argv)
{
  cleanup_error struct error *err = NULL;
  if (argc == 2 && strcmp(argv[1], "names") == 0) {
    print_names();
  } else if (argc != 2 || strcmp(argv[1], "filter") != 0) {
    fputs("usage: seccomp_gen filter|names\n", stderr);
    return 2;
  } else if (print_filters(&err) < 0) {
    fprintf(stderr, "seccomp_gen: %s\n", err->text);
    return 1;
  }
  if (fflush(stdout) != 0) {
    perror("seccomp_gen");
    return 1;
  }
  return 0;
}
