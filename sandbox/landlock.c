#include "config.h"

#include "sandbox/landlock.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Newer than the oldest headers that the project builds with. */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#  define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14) /* Linux 6.2 */
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#  define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15) /* Linux 6.10 */
#endif
#ifndef LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET
#  define LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET (1ULL << 0) /* Linux 6.12 */
#  define LANDLOCK_SCOPE_SIGNAL               (1ULL << 1) /* Linux 6.12 */
#endif

/* struct landlock_ruleset_attr as of Linux 6.12. An older kernel takes it as
 * long as what it does not know is zero. */
struct ruleset_attr {
  uint64_t handled_access_fs;
  uint64_t handled_access_net;
  uint64_t scoped;
};

#define FS_READ  (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_WRITE (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE)
#define FS_MAKE                                                                \
  (LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |                 \
   LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |               \
   LANDLOCK_ACCESS_FS_MAKE_SYM)
#define FS_REMOVE                                                              \
  (LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE)

/* The rights that mean something on a file; the kernel refuses a rule that
 * grants others on one. */
#define FS_OF_FILE                                                             \
  (LANDLOCK_ACCESS_FS_EXECUTE | FS_WRITE | LANDLOCK_ACCESS_FS_READ_FILE |      \
   LANDLOCK_ACCESS_FS_IOCTL_DEV)

static const uint64_t access_rights[] = {
    [LANDLOCK_READ] = FS_READ,
    [LANDLOCK_READ_EXEC] = FS_READ | LANDLOCK_ACCESS_FS_EXECUTE,
    [LANDLOCK_DEVICE] = FS_READ | FS_WRITE,
    [LANDLOCK_READ_WRITE] = FS_READ | FS_WRITE | LANDLOCK_ACCESS_FS_EXECUTE |
                            FS_MAKE | FS_REMOVE | LANDLOCK_ACCESS_FS_REFER,
};

struct landlock_text landlock_access_text(enum landlock_access access)
{
  static const struct {
    uint64_t rights;
    const char *word;
  } words[] = {
      {LANDLOCK_ACCESS_FS_READ_FILE, "read "},
      {LANDLOCK_ACCESS_FS_READ_DIR, "list "},
      {LANDLOCK_ACCESS_FS_EXECUTE, "execute "},
      {LANDLOCK_ACCESS_FS_WRITE_FILE, "write "},
      {LANDLOCK_ACCESS_FS_TRUNCATE, "truncate "},
      {FS_MAKE, "make "},
      {FS_REMOVE, "remove "},
      {LANDLOCK_ACCESS_FS_REFER, "move "},
      {LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK, "mknod "},
      {LANDLOCK_ACCESS_FS_IOCTL_DEV, "ioctl "},
  };
  struct landlock_text made = {""};
  char *to = made.text;
  for (size_t i = 0; i < ARRAY_LENGTH(words); i++)
    if (access_rights[access] & words[i].rights)
      to = stpcpy(to, words[i].word);
  if (to != made.text)
    to[-1] = '\0';
  return made;
}

/* Every right that an ABI knows: bits 0 to 12 came with the first. */
static uint64_t rights_of_abi(int abi)
{
  uint64_t rights = LANDLOCK_ACCESS_FS_REFER - 1;
  if (abi >= 2)
    rights |= LANDLOCK_ACCESS_FS_REFER;
  if (abi >= 3)
    rights |= LANDLOCK_ACCESS_FS_TRUNCATE;
  if (abi >= 5)
    rights |= LANDLOCK_ACCESS_FS_IOCTL_DEV;
  return rights;
}

static uint64_t scopes_of_abi(int abi)
{
  if (abi < 6)
    return 0;
  return LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | LANDLOCK_SCOPE_SIGNAL;
}

int landlock_abi(struct error **err)
{
  long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
                     LANDLOCK_CREATE_RULESET_VERSION);
  if (abi < 0 && errno == EOPNOTSUPP)
    return error_make(err, EOPNOTSUPP,
                      "Landlock is off: add it to lsm= on the kernel's "
                      "command line");
  if (abi < 0)
    return error_errno(err, "Landlock");
  return (int)abi;
}

static int add_rule(int ruleset_fd, const struct landlock_rule *rule,
                    uint64_t handled, struct error **err)
{
  cleanup_fd int fd = open(rule->path, O_PATH | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT && rule->optional)
    return 0;
  if (fd < 0)
    return error_errno(err, "Landlock: open %s", rule->path);
  struct stat status;
  if (fstat(fd, &status) < 0)
    return error_errno(err, "Landlock: stat %s", rule->path);

  uint64_t rights = access_rights[rule->access] & handled;
  if (!S_ISDIR(status.st_mode))
    rights &= FS_OF_FILE;
  struct landlock_path_beneath_attr attr = {.allowed_access = rights,
                                            .parent_fd = fd};
  if (syscall(SYS_landlock_add_rule, ruleset_fd, LANDLOCK_RULE_PATH_BENEATH,
              &attr, 0) < 0)
    return error_errno(err, "Landlock: rule for %s", rule->path);
  return 0;
}

int landlock_apply(const struct landlock_rule *rules, size_t count,
                   struct error **err)
{
  int abi = landlock_abi(err);
  if (abi < 0)
    return -1;
  struct ruleset_attr attr = {.handled_access_fs = rights_of_abi(abi),
                              .scoped = scopes_of_abi(abi)};
  cleanup_fd int fd =
      (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
  if (fd < 0)
    return error_errno(err, "Landlock: make a rule set");
  for (size_t i = 0; i < count; i++) {
    if (add_rule(fd, &rules[i], attr.handled_access_fs, err) < 0)
      return -1;
  }
  if (syscall(SYS_landlock_restrict_self, fd, 0) < 0)
    return error_errno(err, "Landlock: restrict");
  return 0;
}
