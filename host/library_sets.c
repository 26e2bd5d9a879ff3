#include "config.h"

#include "host/library_sets.h"

#include "jobs/home.h"

#include <errno.h>
#include <string.h>

int library_sets_dir(char **dir, struct error **err)
{
  cleanup_free char *state = NULL;
  if (home_state_dir(&state, err) < 0)
    return -1;
  *dir = xasprintf("%s/library-sets", state);
  return 0;
}

static int open_set(const char *name, struct library_set *set,
                    struct error **err)
{
  cleanup_free char *dir = NULL;
  if (library_sets_dir(&dir, err) < 0 ||
      library_set_open(dir, name, set, err) < 0)
    return -1;
  if (library_set_check_python(set, err) == 0)
    return 0;
  library_set_release(set);
  return -1;
}

int library_sets_choose(const char *name, struct library_set *set,
                        struct error **err)
{
  if (library_set_check_name(name, err) < 0)
    return -1;
  if (open_set(name, set, err) == 0)
    return 0;
  if ((*err)->code != ENOENT)
    return -1;
  error_clear(err);
  if (strcmp(name, LIBRARY_SET_NONE) == 0)
    return 0;
  return error_make(err, ENOENT,
                    "there is no library set %s here: wafer library-set add "
                    "%s makes it, wafer library-set list shows those there are",
                    name, name);
}
