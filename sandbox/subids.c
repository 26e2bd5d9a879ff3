#include "config.h"

#include "sandbox/namespace.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Subordinate ids of a plain user: /etc/subuid and /etc/subgid, subuid(5). */

struct id_range {
  unsigned first;
  unsigned count;
};

enum { SUBID_FILE_MAX_BYTES = 1 << 20 };

/* Finds the first range of two or more ids in `file` that belongs to `user`,
 * named or by number. */
static int find_range(const char *file, const struct passwd *user,
                      struct id_range *range, struct error **err)
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
       line = strsep(&rest, "\n")) {
    const char *owner = strsep(&line, ":");
    if (line == NULL ||
        (strcmp(owner, user->pw_name) != 0 && strcmp(owner, number) != 0))
      continue;
    if (sscanf(line, "%u:%u", &range->first, &range->count) == 2 &&
        range->count >= 2)
      return 0;
  }
  return error_make(err, ENOENT, "%s gives user %s no ids", file,
                    user->pw_name);
}

static int find_ranges(struct id_range *uids, struct id_range *gids,
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

static unsigned pick(const struct id_range *range, pid_t pid)
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
  struct id_range uids = {0}, gids = {0};
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
  struct id_range uids, gids;
  if (access("/usr/bin/newuidmap", X_OK) != 0 ||
      access("/usr/bin/newgidmap", X_OK) != 0)
    reason = "newuidmap and newgidmap are not installed";
  else if (find_ranges(&uids, &gids, &err) < 0)
    reason = "/etc/subuid or /etc/subgid gives this user no range";
  if (why != NULL)
    *why = reason;
  return reason == NULL;
}
