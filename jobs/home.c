#include "config.h"

#include "jobs/home.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A kind of folder: how it is found, in this order. */
struct place {
  const char *variable; /* overrides all */
  const char *root_dir;
  const char *xdg_variable;
  const char *below_home; /* NULL: where the state is */
};

static const char *set_value(const char *variable)
{
  const char *value = getenv(variable);
  return value != NULL && value[0] != '\0' ? value : NULL;
}

static int find_dir(const struct place *place, char **dir, struct error **err)
{
  const char *asked = set_value(place->variable);
  if (asked != NULL) {
    *dir = xstrdup(asked);
    return 0;
  }
  if (geteuid() == 0) {
    *dir = xstrdup(place->root_dir);
    return 0;
  }
  const char *xdg = set_value(place->xdg_variable);
  if (xdg != NULL && xdg[0] == '/') {
    *dir = xasprintf("%s/wafer", xdg);
    return 0;
  }
  if (place->below_home == NULL)
    return home_state_dir(dir, err);
  const char *home = set_value("HOME");
  if (home == NULL || home[0] != '/')
    return error_make(err, ENOENT,
                      "HOME isn't set to a folder: set it, or set %s",
                      place->variable);
  *dir = xasprintf("%s/%s/wafer", home, place->below_home);
  return 0;
}

int home_state_dir(char **dir, struct error **err)
{
  static const struct place place = {"WAFER_STATE_DIR", "/var/lib/wafer",
                                     "XDG_STATE_HOME", ".local/state"};
  return find_dir(&place, dir, err);
}

int home_config_dir(char **dir, struct error **err)
{
  static const struct place place = {"WAFER_CONFIG_DIR", "/etc/wafer",
                                     "XDG_CONFIG_HOME", ".config"};
  return find_dir(&place, dir, err);
}

int home_runtime_dir(char **dir, struct error **err)
{
  static const struct place place = {"WAFER_RUNTIME_DIR", "/run/wafer",
                                     "XDG_RUNTIME_DIR", NULL};
  return find_dir(&place, dir, err);
}

int home_open_dir(const char *dir, struct error **err)
{
  struct stat status;
  cleanup_fd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &status) < 0)
    return error_errno(err, "open the folder %s", dir);
  if (status.st_uid != geteuid())
    return error_make(err, EPERM,
                      "the folder %s belongs to uid %u, not to uid %u, who "
                      "runs this: use another",
                      dir, status.st_uid, geteuid());
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return error_make(err, EPERM,
                      "others may write to the folder %s: chmod 700 it", dir);
  return steal_fd(&fd);
}

static int make_one(const char *dir, struct error **err)
{
  if (mkdir(dir, 0700) < 0 && errno != EEXIST)
    return error_errno(err, "make the folder %s", dir);
  return 0;
}

int home_make_dir(const char *dir, struct error **err)
{
  /* The common case, in one system call. */
  if (access(dir, F_OK) == 0)
    return home_open_dir(dir, err);
  cleanup_free char *path = xstrdup(dir);
  for (char *slash = strchr(path + 1, '/'); path[0] != '\0' && slash != NULL;
       slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    if (make_one(path, err) < 0)
      return -1;
    *slash = '/';
  }
  if (make_one(dir, err) < 0)
    return -1;
  return home_open_dir(dir, err);
}
