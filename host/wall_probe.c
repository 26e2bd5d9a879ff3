/* What this machine can give, and what to do where it can't. A fix is what to
 * type, wherever that can be said. */
#include "config.h"

#include "host/walls.h"

#include "base/fd.h"
#include "sandbox/cgroup.h"
#include "sandbox/landlock.h"
#include "sandbox/namespace.h"
#include "sandbox/scratch.h"
#include "sandbox/seccomp.h"
#include "sandbox/subids.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void stands(struct wall_state *state, char *detail)
{
  state->stands = true;
  state->detail = detail;
}

static void lacks(struct wall_state *state, const char *why, char *fix)
{
  state->why = xstrdup(why);
  state->fix = fix;
}

/* A setting of the kernel that is one number; -1 where there is none. */
static long read_number(const char *path)
{
  cleanup_error struct error *err = NULL;
  cleanup_free char *text = NULL;
  size_t count;
  if (fd_read_file(AT_FDCWD, path, 64, &text, &count, &err) < 0)
    return -1;
  return strtol(text, NULL, 10);
}

/* A sysctl that forbids user namespaces to plain users where it has `bad`. */
struct user_namespace_sysctl {
  const char *path;
  long bad;
  const char *fix;
};

static const struct user_namespace_sysctl user_namespace_sysctls[] = {
    {"/proc/sys/user/max_user_namespaces", 0,
     "sysctl -w user.max_user_namespaces=15000"},
    {"/proc/sys/kernel/unprivileged_userns_clone", 0,
     "sysctl -w kernel.unprivileged_userns_clone=1"},
    {"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 1,
     "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"},
};

static void probe_namespaces(struct wall_state *state)
{
  cleanup_error struct error *err = NULL;
  if (namespace_probe(&err) == 0) {
    stands(state, xstrdup("user, pid, mount, ipc, uts, net"));
    return;
  }
  for (size_t i = 0; i < ARRAY_LENGTH(user_namespace_sysctls); i++) {
    const struct user_namespace_sysctl *row = &user_namespace_sysctls[i];
    if (read_number(row->path) == row->bad) {
      lacks(state, err->text, xasprintf("as root: %s", row->fix));
      return;
    }
  }
  lacks(state, err->text,
        xstrdup("in a container, allow it user namespaces (docker run "
                "--privileged); elsewhere boot a kernel with CONFIG_USER_NS"));
}

static void probe_seccomp(struct wall_state *state)
{
  cleanup_error struct error *err = NULL;
  bool listener = false;
  if (seccomp_probe(&listener, &err) < 0)
    lacks(state, err->text,
          xstrdup("boot a kernel with CONFIG_SECCOMP_FILTER (Linux 4.14)"));
  else if (listener)
    stands(state, xstrdup("filter; refused calls are named"));
  else
    stands(state, xstrdup("filter; refused calls aren't named (Linux 5.0)"));
}

static char *landlock_fix(void)
{
  cleanup_error struct error *err = NULL;
  cleanup_free char *modules = NULL;
  size_t count;
  if (fd_read_file(AT_FDCWD, "/sys/kernel/security/lsm", 4096, &modules, &count,
                   &err) < 0)
    modules = xstrdup("lockdown,capability,yama,apparmor");
  return xasprintf("boot Linux 5.13 or later with lsm=landlock,%s on the "
                   "kernel's command line (Debian: GRUB_CMDLINE_LINUX in "
                   "/etc/default/grub, then update-grub)",
                   modules);
}

static void probe_landlock(struct wall_state *state)
{
  cleanup_error struct error *err = NULL;
  int abi = landlock_abi(&err);
  if (abi > 0)
    stands(state, xasprintf("Landlock ABI %d", abi));
  else
    lacks(state, err->text, landlock_fix());
}

/* The end of the last range in a file of subuid(5), or 0. */
static unsigned long ranges_end(const char *path)
{
  cleanup_error struct error *err = NULL;
  cleanup_free char *text = NULL;
  size_t count;
  if (fd_read_file(AT_FDCWD, path, 1 << 20, &text, &count, &err) < 0)
    return 0;
  unsigned long last = 0;
  char *rest = text;
  for (char *line = strsep(&rest, "\n"); line != NULL;
       line = strsep(&rest, "\n")) {
    struct subids range;
    if (subids_parse(line, &range) &&
        (unsigned long)range.first + range.count > last)
      last = (unsigned long)range.first + range.count;
  }
  return last;
}

/* Two users with one range could signal each other's jobs: so a free one. */
static char *uid_fix(void)
{
  enum { FIRST = 100000, COUNT = 65536 };
  unsigned long uids = ranges_end("/etc/subuid");
  unsigned long gids = ranges_end("/etc/subgid");
  unsigned long first = uids > gids ? uids : gids;
  if (first < FIRST)
    first = FIRST;
  const struct passwd *user = getpwuid(getuid());
  return xasprintf(
      "as root: apt-get install uidmap; usermod --add-subuids %lu-%lu "
      "--add-subgids %lu-%lu %s; or run wafer as root",
      first, first + COUNT - 1, first, first + COUNT - 1,
      user != NULL ? user->pw_name : "USER");
}

static void probe_uid(struct wall_state *state)
{
  const char *why = NULL;
  if (geteuid() == 0)
    stands(state, xasprintf("two for each run, from %d", NAMESPACE_UID_BASE));
  else if (namespace_has_subordinate_ids(&why))
    stands(state, xstrdup("subordinate ids, by newuidmap"));
  else
    lacks(state, why, uid_fix());
}

static void probe_cgroup(struct wall_state *state)
{
  __attribute__((cleanup(cgroup_probe_release))) struct cgroup_probe probe = {
      0};
  cgroup_probe(NULL, &probe);
  if (probe.limits)
    stands(state, steal_pointer(&probe.detail));
  else
    lacks(state, probe.why, steal_pointer(&probe.fix));
}

static void probe_scratch(struct wall_state *state)
{
  const char *why = NULL;
  if (scratch_probe(&why))
    stands(state, xstrdup("ext4 image on a loop device"));
  else if (geteuid() != 0)
    lacks(state, why, xstrdup("run wafer as root (sudo)"));
  else
    lacks(state, why,
          xstrdup("as root: modprobe loop; "
                  "apt-get install e2fsprogs"));
}

void wall_probe(enum wall wall, struct wall_state *state)
{
  static void (*const probes[WALL_COUNT])(struct wall_state * state) = {
      [WALL_NAMESPACES] = probe_namespaces, [WALL_SECCOMP] = probe_seccomp,
      [WALL_LANDLOCK] = probe_landlock,     [WALL_UID] = probe_uid,
      [WALL_CGROUP] = probe_cgroup,         [WALL_SCRATCH] = probe_scratch,
  };
  *state = (struct wall_state){0};
  probes[wall](state);
}
