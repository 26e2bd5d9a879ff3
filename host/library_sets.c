#include "config.h"

#include "host/library_sets.h"

#include "jobs/home.h"

#include <dirent.h>
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

/* A name is a link; all else there is a set's folder, or wafer's own. */
static int is_name(const struct dirent *entry)
{
  cleanup_error struct error *ignored = NULL;
  return (entry->d_type == DT_LNK || entry->d_type == DT_UNKNOWN) &&
         library_set_check_name(entry->d_name, &ignored) == 0;
}

int library_sets_list(struct text_list *names, struct error **err)
{
  cleanup_free char *dir = NULL;
  struct dirent **entries;
  if (library_sets_dir(&dir, err) < 0)
    return -1;
  int count = scandir(dir, &entries, is_name, alphasort);
  if (count < 0)
    return errno == ENOENT ? 0 : error_errno(err, "list %s", dir);
  for (int i = 0; i < count; i++) {
    text_list_add(names, entries[i]->d_name);
    free(entries[i]);
  }
  free(entries);
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
