#include "config.h"

#include "host/walls.h"

#include "host/settings.h"

#include <errno.h>
#include <string.h>

struct wall_row {
  const char *name;
  const char *purpose;
  bool waivable;
};

static const struct wall_row rows[WALL_COUNT] = {
    [WALL_NAMESPACES] = {"namespaces",
                         "processes, files, network and host name of its own",
                         false},
    [WALL_SECCOMP] = {"seccomp", "system calls by an allow-list", false},
    [WALL_LANDLOCK] = {"landlock", "files by an allow-list", true},
    [WALL_UID] = {"uid", "user and group ids of its own", true},
    [WALL_CGROUP] = {"cgroup", "limits for CPU, memory and processes", true},
    [WALL_SCRATCH] = {"scratch", "/tmp on disk, with a hard limit", true},
};

const char *wall_name(enum wall wall)
{
  return rows[wall].name;
}

const char *wall_purpose(enum wall wall)
{
  return rows[wall].purpose;
}

static unsigned waivable_set(void)
{
  unsigned set = 0;
  for (enum wall wall = 0; wall < WALL_COUNT; wall++)
    if (rows[wall].waivable)
      set |= 1U << wall;
  return set;
}

static int parse_name(const char *name, size_t length, unsigned *set,
                      struct error **err)
{
  for (enum wall wall = 0; wall < WALL_COUNT; wall++) {
    if (strlen(rows[wall].name) != length ||
        strncmp(rows[wall].name, name, length) != 0)
      continue;
    if (!rows[wall].waivable)
      return error_make(err, EINVAL,
                        "no run can do without %s; what may be missing: %s",
                        rows[wall].name, walls_text(waivable_set()).text);
    *set |= 1U << wall;
    return 0;
  }
  return error_make(err, EINVAL,
                    "there is no wall \"%.*s\"; what may be missing: %s",
                    (int)length, name, walls_text(waivable_set()).text);
}

int walls_parse(const char *list, unsigned *set, struct error **err)
{
  unsigned found = 0;
  for (const char *next = list; next != NULL;) {
    size_t blanks = strspn(next, " \t");
    const char *name = next + blanks;
    const char *comma = strchr(name, ',');
    size_t length = comma != NULL ? (size_t)(comma - name) : strlen(name);
    while (length > 0 && strchr(" \t", name[length - 1]) != NULL)
      length--;
    if (parse_name(name, length, &found, err) < 0)
      return -1;
    next = comma != NULL ? comma + 1 : NULL;
  }
  *set |= found;
  return 0;
}

struct walls_text walls_text(unsigned set)
{
  struct walls_text made = {""};
  char *to = made.text;
  for (enum wall wall = 0; wall < WALL_COUNT; wall++) {
    if ((set & 1U << wall) == 0)
      continue;
    /* The names of all walls fit. */
    if (to != made.text)
      *to++ = ',';
    to = stpcpy(to, rows[wall].name);
  }
  return made;
}

void wall_state_release(struct wall_state *state)
{
  free(state->detail);
  free(state->why);
  free(state->fix);
  *state = (struct wall_state){0};
}

unsigned walls_missing(void)
{
  unsigned missing = 0;
  for (enum wall wall = WALL_NAMESPACES + 1; wall < WALL_COUNT; wall++) {
    cleanup_wall_state struct wall_state state = {0};
    wall_probe(wall, &state);
    if (!state.stands)
      missing |= 1U << wall;
  }
  return missing;
}

/* "cgroup (no cgroup file system is mounted), uid (…)" */
static char *reasons(unsigned set)
{
  char *text = xstrdup("");
  for (enum wall wall = 0; wall < WALL_COUNT; wall++) {
    if ((set & 1U << wall) == 0)
      continue;
    cleanup_wall_state struct wall_state state = {0};
    wall_probe(wall, &state);
    cleanup_free char *before = text;
    text = xasprintf("%s%s%s (%s)", before, before[0] != '\0' ? ", " : "",
                     rows[wall].name,
                     state.why != NULL ? state.why : "missing a moment ago");
  }
  return text;
}

int walls_require(unsigned missing, unsigned allowed, struct error **err)
{
  unsigned vital = missing & ~waivable_set();
  unsigned refused = missing & (vital | ~allowed);
  if (refused == 0)
    return 0;
  cleanup_free char *why = reasons(vital != 0 ? vital : refused);
  if (vital != 0)
    return error_make(err, EPERM,
                      "no run can do without %s; \"wafer doctor\" says what to "
                      "do",
                      why);
  cleanup_error struct error *homeless = NULL;
  cleanup_free char *path = NULL;
  const struct walls_text flag = walls_text(missing);
  if (settings_path(&path, &homeless) < 0)
    path = xstrdup("wafer.conf");
  return error_make(err, EPERM,
                    "this machine lacks %s; \"wafer doctor\" says what to do; "
                    "to run without, put \"allow_missing = %s\" in %s, or give "
                    "--allow-missing=%s",
                    why, flag.text, path, flag.text);
}
