#include "config.h"

#include "host/library_store.h"

#include "base/fd.h"
#include "host/library_sets.h"
#include "jobs/home.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_FILE     ".lock"
#define CHOICE_FILE   ".choice"
#define MANIFEST_FILE LIBRARY_SET_MANIFEST ".new"

/* Only what is named and meant to be reached is: all else in the state folder
 * is 0600 and 0700 by itself. */
static int open_to_zygotes(int state_fd, const char *state, struct error **err)
{
  if (geteuid() == 0 && fchmod(state_fd, 0711) < 0)
    return error_errno(err, "chmod 711 %s", state);
  return 0;
}

static int make_dir(struct library_store *store, struct error **err)
{
  cleanup_free char *state = NULL, *dir = NULL;
  if (home_state_dir(&state, err) < 0 || library_sets_dir(&dir, err) < 0)
    return -1;
  cleanup_fd int state_fd = home_make_dir(state, err);
  if (state_fd < 0 || open_to_zygotes(state_fd, state, err) < 0)
    return -1;
  store->dir_fd = home_make_dir(dir, err);
  if (store->dir_fd < 0)
    return -1;
  store->dir = realpath(dir, NULL);
  if (store->dir == NULL || fchmod(store->dir_fd, 0755) < 0)
    return error_errno(err, "%s", dir);
  return 0;
}

static int take_lock(struct library_store *store, struct error **err)
{
  store->lock_fd =
      openat(store->dir_fd, LOCK_FILE,
             O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);
  if (store->lock_fd < 0)
    return error_errno(err, "open %s/" LOCK_FILE, store->dir);
  if (flock(store->lock_fd, LOCK_EX | LOCK_NB) == 0)
    return 0;
  fprintf(stderr,
          "wafer: another wafer changes the library sets in %s: this "
          "one waits for it\n",
          store->dir);
  while (flock(store->lock_fd, LOCK_EX) < 0)
    if (errno != EINTR)
      return error_errno(err, "lock %s", store->dir);
  return 0;
}

static int remove_entry(const char *path, const struct stat *status, int kind,
                        struct FTW *place)
{
  (void)status;
  (void)place;
  return kind == FTW_DP ? rmdir(path) : unlink(path);
}

int library_store_remove_tree(const struct library_store *store,
                              const char *entry, struct error **err)
{
  enum { OPEN_FOLDERS = 32 };
  cleanup_free char *path = xasprintf("%s/%s", store->dir, entry);
  if (nftw(path, remove_entry, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS) == 0 ||
      errno == ENOENT)
    return 0;
  return error_errno(err, "remove %s", path);
}

/* Unless somebody has it open. Its manifest first: what is left of it, should
 * this process be killed now, is half a set and looks it. */
static int remove_set(const struct library_store *store, const char *folder,
                      struct error **err)
{
  cleanup_fd int fd = openat(store->dir_fd, folder,
                             O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
    return error_errno(err, "%s/%s", store->dir, folder);
  if (unlinkat(fd, LIBRARY_SET_MANIFEST, 0) < 0 && errno != ENOENT)
    return error_errno(err, "remove %s/%s", store->dir, folder);
  return library_store_remove_tree(store, folder, err);
}

static bool is_chosen(const struct library_store *store, const char *folder,
                      size_t name_length)
{
  cleanup_free char *name = xstrndup(folder, name_length);
  cleanup_free char *chosen = library_set_chosen(store->dir_fd, name);
  return chosen != NULL && strcmp(chosen, folder) == 0;
}

void library_store_sweep(const struct library_store *store)
{
  cleanup_error struct error *ignored = NULL;
  struct dirent **entries;
  size_t name_length;
  library_store_remove_tree(store, LIBRARY_STORE_WORK, &ignored);
  unlinkat(store->dir_fd, CHOICE_FILE, 0);
  int count = scandir(store->dir, &entries, NULL, NULL);
  for (int i = 0; i < count; i++) {
    const char *name = entries[i]->d_name;
    error_clear(&ignored);
    if (library_set_is_folder(name, &name_length) &&
        !is_chosen(store, name, name_length))
      remove_set(store, name, &ignored);
    free(entries[i]);
  }
  if (count >= 0)
    free(entries);
}

int library_store_open(struct library_store *store, struct error **err)
{
  if (make_dir(store, err) < 0 || take_lock(store, err) < 0)
    return -1;
  library_store_sweep(store);
  return 0;
}

void library_store_release(struct library_store *store)
{
  fd_close(&store->lock_fd);
  fd_close(&store->dir_fd);
  free(store->dir);
  store->dir = NULL;
}

char *library_store_folder(const char *name, const char *lock_sha256)
{
  return xasprintf("%s-%.*s", name, LIBRARY_SET_HEX_LENGTH, lock_sha256);
}

static int write_manifest(int dir, const char *text, struct error **err)
{
  cleanup_fd int fd =
      openat(dir, MANIFEST_FILE,
             O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (fd < 0)
    return error_errno(err, "make " MANIFEST_FILE);
  if (fd_write_all(fd, text, strlen(text), err) < 0)
    return -1;
  /* All of the set first, then its manifest's name. */
  if (syncfs(dir) < 0 ||
      renameat(dir, MANIFEST_FILE, dir, LIBRARY_SET_MANIFEST) < 0 ||
      fsync(dir) < 0)
    return error_errno(err, "write " LIBRARY_SET_MANIFEST);
  return 0;
}

int library_store_finish(const struct library_store *store, const char *folder,
                         const struct library_set *set, struct error **err)
{
  cleanup_free char *text = library_set_to_text(set);
  cleanup_fd int dir =
      fd_open_beneath(store->dir_fd, folder, O_RDONLY | O_DIRECTORY, 0, err);
  if (dir < 0 || write_manifest(dir, text, err) < 0)
    return error_wrap(err, "%s/%s", store->dir, folder);
  return 0;
}

int library_store_choose(const struct library_store *store, const char *name,
                         const char *folder, struct error **err)
{
  if (symlinkat(folder, store->dir_fd, CHOICE_FILE) < 0 ||
      renameat(store->dir_fd, CHOICE_FILE, store->dir_fd, name) < 0 ||
      fsync(store->dir_fd) < 0)
    return error_errno(err, "make %s/%s the set that is used", store->dir,
                       folder);
  return 0;
}

int library_store_remove(const struct library_store *store, const char *name,
                         bool *in_use, struct error **err)
{
  cleanup_free char *folder = library_set_chosen(store->dir_fd, name);
  if (folder == NULL)
    return error_make(err, ENOENT,
                      "there is no library set %s here; wafer library-set list "
                      "shows those there are",
                      name);
  if (unlinkat(store->dir_fd, name, 0) < 0 || fsync(store->dir_fd) < 0)
    return error_errno(err, "remove %s/%s", store->dir, name);
  library_store_sweep(store);
  *in_use = faccessat(store->dir_fd, folder, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
  return 0;
}
