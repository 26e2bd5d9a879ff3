#include "config.h"

#include "host/request.h"

#include "host/named.h"
#include "jobs/utf8.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Folders of the sandbox's own, which a mount may not touch. Those that a
 * mount may be placed in are made on a root that is otherwise empty. */
static const char *const system_folders[] = {
    "/bin",  "/dev", "/etc",  "/lib", "/lib64", "/opt/wafer",
    "/proc", "/run", "/sbin", "/sys", "/usr",   "/var",
};

static bool is_at_or_below(const char *path, const char *folder)
{
  size_t length = strlen(folder);
  return strncmp(path, folder, length) == 0 &&
         (path[length] == '\0' || path[length] == '/');
}

/* "/a//b/" becomes "/a/b"; "." and ".." are refused: NULL. */
static char *normalize(const char *path, struct error **err)
{
  cleanup_free char *copy = xstrdup(path);
  cleanup_free char *clean = xcalloc(strlen(path) + 2, 1);
  char *end = clean, *rest = copy;
  for (char *part = strsep(&rest, "/"); part != NULL;
       part = strsep(&rest, "/")) {
    if (*part == '\0')
      continue;
    if (strcmp(part, ".") == 0 || strcmp(part, "..") == 0) {
      error_make(err, EINVAL, "%s: . and .. have no place in it", path);
      return NULL;
    }
    *end++ = '/';
    end = stpcpy(end, part);
  }
  return steal_pointer(&clean);
}

/* The spec carries it as JSON. */
static int check_utf8(const char *target, struct error **err)
{
  cleanup_free char *clean = utf8_clean(target, strlen(target));
  if (strcmp(clean, target) != 0)
    return error_make(err, EILSEQ, "%s isn't UTF-8", clean);
  return 0;
}

int request_check_mounts(const struct request *request, const char *path,
                         struct error **err)
{
  for (size_t i = 0; i < request->mount_count; i++)
    if (is_at_or_below(path, request->mounts[i].target) ||
        is_at_or_below(request->mounts[i].target, path))
      return error_make(err, EINVAL, "%s and %s lie in one another", path,
                        request->mounts[i].target);
  return 0;
}

static int check_target(const struct request *request, const char *target,
                        struct error **err)
{
  if (target[0] == '\0' || strcmp(target, "/tmp") == 0)
    return error_make(err, EINVAL,
                      "the sandbox's own root and /tmp can't be mounted over");
  for (size_t i = 0; i < ARRAY_LENGTH(system_folders); i++)
    if (is_at_or_below(target, system_folders[i]) ||
        is_at_or_below(system_folders[i], target))
      return error_make(err, EINVAL,
                        "%s and the sandbox's own %s lie in one another; take "
                        "/data, say",
                        target, system_folders[i]);
  return request_check_mounts(request, target, err);
}

/* A zeroed one holds nothing, whatever its descriptor's number. */
void request_release_mount(struct request_mount *mount)
{
  if (mount->source != NULL)
    fd_close(&mount->source_fd);
  free(mount->text);
  free(mount->source);
  free(mount->target);
}

static int find_source(struct request_mount *mount, const char *path,
                       struct error **err)
{
  struct stat status;
  char link[32], source[PATH_MAX];
  cleanup_fd int fd = named_find(path, err);
  if (fd < 0)
    return -1;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, source, sizeof source - 1);
  if (length < 0 || fstat(fd, &status) < 0)
    return error_errno(err, "%s can't be mounted", path);
  if (!S_ISDIR(status.st_mode) && !S_ISREG(status.st_mode))
    return error_make(err, EINVAL, "%s is neither a folder nor a file", path);
  source[length] = '\0';
  mount->source = xstrdup(source);
  mount->source_fd = steal_fd(&fd);
  mount->is_file = S_ISREG(status.st_mode);
  mount->uid = status.st_uid;
  mount->gid = status.st_gid;
  return 0;
}

static bool cut_ending(char *text, const char *ending)
{
  size_t length = strlen(text), cut = strlen(ending);
  if (length < cut || strcmp(text + length - cut, ending) != 0)
    return false;
  text[length - cut] = '\0';
  return true;
}

static int read_mount(const struct request *request, const char *value,
                      struct request_mount *mount, struct error **err)
{
  cleanup_free char *copy = xstrdup(value);
  mount->read_only = !cut_ending(copy, ":rw");
  if (mount->read_only)
    cut_ending(copy, ":ro");
  char *colon = strrchr(copy, ':');
  if (colon == NULL || colon == copy || colon[1] != '/')
    return error_make(err, EINVAL,
                      "\"%s\" isn't SRC:DST[:ro|rw] with an absolute DST",
                      value);
  *colon = '\0';
  if (check_utf8(colon + 1, err) < 0)
    return -1;
  mount->target = normalize(colon + 1, err);
  if (mount->target == NULL || check_target(request, mount->target, err) < 0 ||
      find_source(mount, copy, err) < 0)
    return -1;
  mount->text = xasprintf("%s:%s:%s", mount->source, mount->target,
                          mount->read_only ? "ro" : "rw");
  return 0;
}

int request_add_mount(struct request *request, const char *value,
                      struct error **err)
{
  struct request_mount mount = {0};
  if (read_mount(request, value, &mount, err) < 0) {
    request_release_mount(&mount);
    return -1;
  }
  request->mounts = xreallocarray(request->mounts, request->mount_count + 1,
                                  sizeof *request->mounts);
  request->mounts[request->mount_count++] = mount;
  return 0;
}
