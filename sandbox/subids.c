#include "config.h"

#include "sandbox/subids.h"

#include "base/fd.h"
#include "sandbox/namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SUBID_FILE_MAX_BYTES = 1 << 20 };

/* Digits alone, up to `end`; strtoul takes a sign and blanks as well. */
static bool parse_id(const char *text, char end, uint32_t *id,
                     const char **next)
{
  uint64_t number = 0;
  size_t digits = strspn(text, "0123456789");
  for (size_t i = 0; i < digits && number <= UINT32_MAX; i++)
    number = number * 10 + (uint64_t)(text[i] - '0');
  *id = (uint32_t)number;
  *next = text + digits + 1;
  return digits > 0 && number <= UINT32_MAX && text[digits] == end;
}

bool subids_parse(const char *line, struct subids *subids)
{
  const char *next = line + strcspn(line, ":");
  *subids =
      (struct subids){.owner = line, .owner_length = (size_t)(next - line)};
  return *next == ':' && parse_id(next + 1, ':', &subids->first, &next) &&
         parse_id(next, '\0', &subids->count, &next) && subids->count > 0 &&
         subids->count <= UINT32_MAX - subids->first;
}

static bool is_owner(const struct subids *subids, const char *name)
{
  return strlen(name) == subids->owner_length &&
         strncmp(name, subids->owner, subids->owner_length) == 0;
}

/* Finds the first range of two or more ids in `file` that belongs to `user`,
 * named or by number. */
static int find_range(const char *file, const struct passwd *user,
                      struct subids *range, struct error **err)
{
  cleanup_free char *text = NULL;
  size_t count;
  if (fd_read_file(AT_FDCWD, file, SUBID_FILE_MAX_BYTES, &text, &count, err) <
      0)
    return -1;
  char number[16];
  snprintf(number, sizeof number, "%u", user->pw_uid);
  char *rest = text;
  for (char *line = strsep(&rest, "\n"); line != NULL;
       line = strsep(&rest, "\n"))
    if (subids_parse(line, range) && range->count >= 2 &&
        (is_owner(range, user->pw_name) || is_owner(range, number)))
      return 0;
  return error_make(err, ENOENT, "%s gives user %s no ids", file,
                    user->pw_name);
}

static int find_ranges(struct subids *uids, struct subids *gids,
                       struct error **err)
{
  const struct passwd *user = getpwuid(getuid());
  if (user == NULL)
    return error_make(err, ENOENT, "uid %u has no name", getuid());
  if (find_range("/etc/subuid", user, uids, err) < 0 ||
      find_range("/etc/subgid", user, gids, err) < 0)
    return -1;
  return 0;
}

static unsigned pick(const struct subids *range, pid_t pid)
{
  unsigned pairs = range->count >= 2 ? range->count / 2 : 1;
  return range->first + 2U * ((unsigned)pid % pairs);
}

int namespace_ids_of_user(pid_t pid, bool own, struct namespace_ids *ids,
                          struct error **err)
{
  if (own) {
    *ids = (struct namespace_ids){
        .root_uid = getuid(),
        .root_gid = getgid(),
        .job_uid = getuid(),
        .job_gid = getgid(),
        .own = true,
    };
    return 0;
  }
  struct subids uids = {0}, gids = {0};
  if (find_ranges(&uids, &gids, err) < 0)
    return -1;
  *ids = (struct namespace_ids){
      .root_uid = pick(&uids, pid),
      .root_gid = pick(&gids, pid),
      .job_uid = pick(&uids, pid) + 1,
      .job_gid = pick(&gids, pid) + 1,
  };
  return 0;
}

bool namespace_has_subordinate_ids(const char **why)
{
  const char *reason = NULL;
  cleanup_error struct error *err = NULL;
  struct subids uids, gids;
  if (access("/usr/bin/newuidmap", X_OK) != 0 ||
      access("/usr/bin/newgidmap", X_OK) != 0)
    reason = "newuidmap and newgidmap are not installed";
  else if (find_ranges(&uids, &gids, &err) < 0)
    reason = "/etc/subuid or /etc/subgid gives this user no range";
  if (why != NULL)
    *why = reason;
  return reason == NULL;
}
