#include "config.h"

#include "sandbox/privileges.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

const struct privileges_bit privileges_bits[] = {
    {"noroot", SECBIT_NOROOT | SECBIT_NOROOT_LOCKED,
     "uid 0 gains nothing by exec"},
    {"no_setuid_fixup", SECBIT_NO_SETUID_FIXUP | SECBIT_NO_SETUID_FIXUP_LOCKED,
     "ids and capabilities are independent: a change of one gives no other"},
    {"keep_caps off", SECBIT_KEEP_CAPS_LOCKED,
     "no capability outlives a change of ids"},
    {"no_cap_ambient_raise",
     SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED,
     "no capability is handed on by exec"},
};

const size_t privileges_bits_count = ARRAY_LENGTH(privileges_bits);

enum { CAPABILITIES_MAX = 64 }; /* the sets are 64 bits wide in the kernel */

/* capget and capset split each set in two words. */
struct capability_sets {
  struct __user_cap_data_struct words[_LINUX_CAPABILITY_U32S_3];
};

static int read_sets(struct capability_sets *sets, struct error **err)
{
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  if (syscall(SYS_capget, &header, sets->words) < 0)
    return error_errno(err, "capget");
  return 0;
}

/* Makes the three sets `kept`, and looks that they are. */
static int write_sets(uint64_t kept, struct error **err)
{
  struct capability_sets wanted, now;
  for (size_t i = 0; i < ARRAY_LENGTH(wanted.words); i++) {
    uint32_t word = (uint32_t)(kept >> (32 * i));
    wanted.words[i] = (struct __user_cap_data_struct){word, word, word};
  }
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  if (syscall(SYS_capset, &header, wanted.words) < 0)
    return error_errno(err, "capset");
  if (read_sets(&now, err) < 0)
    return -1;
  if (memcmp(&now, &wanted, sizeof now) != 0)
    return error_make(err, EPERM, "capabilities are left after capset");
  return 0;
}

/* The kernel answers EINVAL beyond its last capability. */
static int limit_bounding_set(uint64_t kept, struct error **err)
{
  for (int number = 0; number < CAPABILITIES_MAX; number++) {
    int present = prctl(PR_CAPBSET_READ, number, 0, 0, 0);
    if (present < 0 && errno == EINVAL)
      return 0;
    if (present < 0)
      return error_errno(err, "read capability %d's bound", number);
    if (present == 0 || (kept >> number & 1))
      continue;
    if (prctl(PR_CAPBSET_DROP, number, 0, 0, 0) < 0)
      return error_errno(err, "drop capability %d from the bounding set",
                         number);
  }
  return 0;
}

static int lock_securebits(struct error **err)
{
  int wanted = 0;
  for (size_t i = 0; i < privileges_bits_count; i++)
    wanted |= (int)privileges_bits[i].bits;
  int now = prctl(PR_GET_SECUREBITS, 0, 0, 0, 0);
  if (now < 0)
    return error_errno(err, "read the securebits");
  if ((now & (wanted | SECBIT_KEEP_CAPS)) == wanted)
    return 0;
  if (prctl(PR_SET_SECUREBITS, wanted, 0, 0, 0) < 0)
    return error_errno(err, "lock the securebits");
  return 0;
}

static int clear_ambient(struct error **err)
{
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
    return error_errno(err, "clear the ambient capabilities");
  return 0;
}

static bool setgroups_is_denied(void)
{
  cleanup_error struct error *err = NULL;
  cleanup_free char *text = NULL;
  size_t count;
  if (fd_read_file(AT_FDCWD, "/proc/self/setgroups", 16, &text, &count, &err) <
      0)
    return false;
  return strcmp(text, "deny\n") == 0;
}

static int drop_groups(struct error **err)
{
  int count = getgroups(0, NULL);
  if (count < 0)
    return error_errno(err, "getgroups");
  if (count == 0)
    return 0;
  if (setgroups(0, NULL) == 0)
    return 0;
  if (errno == EPERM && setgroups_is_denied())
    return 0;
  return error_errno(err, "drop the supplementary groups");
}

static int change_ids(uid_t uid, gid_t gid, struct error **err)
{
  /* The groups first: a process without CAP_SETGID can't change them. */
  if (drop_groups(err) < 0)
    return -1;
  if (setresgid(gid, gid, gid) < 0)
    return error_errno(err, "become gid %u", gid);
  if (setresuid(uid, uid, uid) < 0)
    return error_errno(err, "become uid %u", uid);

  gid_t gids[3];
  uid_t uids[3];
  if (getresgid(&gids[0], &gids[1], &gids[2]) < 0 ||
      getresuid(&uids[0], &uids[1], &uids[2]) < 0)
    return error_errno(err, "read the ids back");
  for (size_t i = 0; i < 3; i++) {
    if (gids[i] != gid || uids[i] != uid)
      return error_make(err, EPERM, "the ids are not %u and %u", uid, gid);
  }
  return 0;
}

/* The bounding set and securebits come first, as they need CAP_SETPCAP; the
 * securebits then keep the capabilities over the change of ids, which is fine
 * as the last step clears them and looks. */
int privileges_drop(uid_t uid, gid_t gid, struct error **err)
{
  if (limit_bounding_set(0, err) < 0)
    return -1;
  if (clear_ambient(err) < 0)
    return -1;
  if (lock_securebits(err) < 0)
    return -1;
  if (change_ids(uid, gid, err) < 0)
    return -1;
  return write_sets(0, err);
}

int privileges_keep_only(const int *capabilities, size_t count,
                         struct error **err)
{
  uint64_t kept = 0;
  for (size_t i = 0; i < count; i++) {
    if (capabilities[i] < 0 || capabilities[i] >= CAPABILITIES_MAX)
      return error_make(err, EINVAL, "no capability %d", capabilities[i]);
    kept |= (uint64_t)1 << capabilities[i];
  }
  if (limit_bounding_set(kept, err) < 0 || clear_ambient(err) < 0)
    return -1;

  /* A capability can be made ambient once it is inheritable, and the lock on
   * that needs CAP_SETPCAP; so the sets shrink last, and what shrinks out of
   * them leaves the ambient set too. */
  struct capability_sets sets;
  if (read_sets(&sets, err) < 0)
    return -1;
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  for (size_t i = 0; i < ARRAY_LENGTH(sets.words); i++)
    sets.words[i].inheritable = (uint32_t)(kept >> (32 * i));
  if (syscall(SYS_capset, &header, sets.words) < 0)
    return error_errno(err, "make capabilities inheritable");
  for (size_t i = 0; i < count; i++) {
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capabilities[i], 0, 0) < 0)
      return error_errno(err, "keep capability %d over exec", capabilities[i]);
  }
  if (lock_securebits(err) < 0)
    return -1;
  return write_sets(kept, err);
}

int privileges_no_new(struct error **err)
{
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
    return error_errno(err, "set no_new_privs");
  return 0;
}

int privileges_set_dumpable(struct error **err)
{
  if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
    return error_errno(err, "become dumpable");
  return 0;
}
