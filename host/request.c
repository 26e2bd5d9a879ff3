#include "config.h"

#include "host/request.h"

#include "host/library_sets.h"
#include "host/named.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SCRIPT_MAX_BYTES = 64 << 20 };

/* A zeroed one holds nothing, whatever its descriptor's number. */
static void release_file(struct request_file *file)
{
  if (file->name != NULL)
    fd_close(&file->fd);
  free(file->name);
  file->name = NULL;
}

static void release_secret(struct request_secret *secret)
{
  explicit_bzero(secret->bytes, secret->count);
  free(secret->bytes);
  free(secret->name);
}

void request_release(struct request *request)
{
  release_file(&request->script);
  for (size_t i = 0; i < request->lib_count; i++)
    release_file(&request->libs[i]);
  for (size_t i = 0; i < request->env_count; i++) {
    explicit_bzero(request->env[i].value, strlen(request->env[i].value));
    free(request->env[i].name);
    free(request->env[i].value);
  }
  for (size_t i = 0; i < request->secret_count; i++)
    release_secret(&request->secrets[i]);
  for (size_t i = 0; i < request->mount_count; i++)
    request_release_mount(&request->mounts[i]);
  if (request->report_is_ours)
    fd_close(&request->report_fd);
  text_list_release(&request->tags);
  free(request->allowed_networks);
  free(request->libs);
  free(request->env);
  free(request->secrets);
  free(request->mounts);
  free(request->name);
  free(request->library_set);
  library_modules_release(&request->modules);
  text_list_release(&request->modules_lock);
  library_set_release(&request->libraries);
  library_set_release(&request->modules_set);
  free(request->script_path);
  *request = (struct request){0};
}

int request_set_size(struct request *request, const char *value,
                     struct error **err)
{
  return size_find(value, &request->size, err);
}

int request_set_timeout(struct request *request, const char *value,
                        struct error **err)
{
  enum { LIMIT_MINUTES = 7 * 24 * 60 };
  char *end;
  double minutes = strtod(value, &end);
  if (end == value || *end != '\0' || !isfinite(minutes) || minutes <= 0 ||
      minutes >= LIMIT_MINUTES)
    return error_make(err, EINVAL,
                      "\"%s\" isn't a number of minutes above 0 and below %d",
                      value, LIMIT_MINUTES);
  request->timeout_ms = (int64_t)ceil(minutes * 60 * 1000);
  return 0;
}

static const char *last_part(const char *path)
{
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

/* A pipe or a device has no contents to come back to: it is read whole. */
static int take_snapshot(int *fd, struct error **err)
{
  cleanup_free char *bytes = NULL;
  size_t count;
  if (fd_read_all(*fd, SCRIPT_MAX_BYTES, &bytes, &count, err) < 0)
    return -1;
  int memory = fd_sealed_memory("wafer-script", bytes, count, err);
  if (memory < 0)
    return -1;
  fd_close(fd);
  *fd = memory;
  return 0;
}

static int open_input(const char *path, struct request_file *file,
                      struct error **err)
{
  cleanup_fd int fd = named_open(path, err);
  if (fd < 0)
    return -1;
  struct stat status;
  if (fstat(fd, &status) < 0)
    return error_errno(err, "%s", path);
  if (S_ISDIR(status.st_mode))
    return error_make(err, EISDIR,
                      "%s is a folder; make it one file: python3 -m zipapp %s",
                      path, path);
  if (!S_ISREG(status.st_mode) && take_snapshot(&fd, err) < 0)
    return error_wrap(err, "%s", path);
  file->name = xstrdup(last_part(path));
  file->fd = steal_fd(&fd);
  return 0;
}

static int add_lib(struct request *request, const char *path,
                   struct error **err)
{
  static const char *const endings[] = {".py", ".zip", ".whl", ".egg"};
  const char *dot = strrchr(last_part(path), '.');
  bool known = false;
  for (size_t i = 0; dot != NULL && i < ARRAY_LENGTH(endings); i++)
    known = known || strcmp(dot, endings[i]) == 0;
  if (!known)
    return error_make(err, EINVAL, "%s isn't a .py, .zip, .whl or .egg", path);
  struct request_file file = {.fd = -1};
  if (open_input(path, &file, err) < 0)
    return -1;
  request->libs = xreallocarray(request->libs, request->lib_count + 1,
                                sizeof *request->libs);
  request->libs[request->lib_count++] = file;
  return 0;
}

int request_add_libs(struct request *request, const char *value,
                     struct error **err)
{
  cleanup_free char *copy = xstrdup(value);
  char *rest = copy;
  for (char *path = strsep(&rest, ","); path != NULL; path = strsep(&rest, ","))
    if (*path != '\0' && add_lib(request, path, err) < 0)
      return -1;
  return 0;
}

/* A name that a shell would take for a variable's. */
static int check_name(const char *name, size_t length, struct error **err)
{
  bool good = length > 0 && !isdigit((unsigned char)name[0]);
  for (size_t i = 0; i < length; i++)
    good = good && (isalnum((unsigned char)name[i]) || name[i] == '_');
  if (!good)
    return error_make(err, EINVAL,
                      "\"%.*s\" isn't a name (letters, digits and _, no digit "
                      "first)",
                      (int)length, name);
  return 0;
}

static void set_env(struct request *request, char *name, const char *value)
{
  for (size_t i = 0; i < request->env_count; i++)
    if (strcmp(request->env[i].name, name) == 0) {
      free(name);
      explicit_bzero(request->env[i].value, strlen(request->env[i].value));
      free(request->env[i].value);
      request->env[i].value = xstrdup(value);
      return;
    }
  request->env =
      xreallocarray(request->env, request->env_count + 1, sizeof *request->env);
  request->env[request->env_count++] =
      (struct request_env){.name = name, .value = xstrdup(value)};
}

int request_add_env(struct request *request, const char *value,
                    struct error **err)
{
  size_t length = strcspn(value, "=");
  if (check_name(value, length, err) < 0)
    return -1;
  cleanup_free char *name = xstrndup(value, length);
  const char *text = value[length] == '=' ? value + length + 1 : getenv(name);
  if (text == NULL)
    return error_make(err, ENOENT, "%s isn't set here; give %s=VALUE", name,
                      name);
  set_env(request, steal_pointer(&name), text);
  return 0;
}

int request_add_env_file(struct request *request, const char *path,
                         struct error **err)
{
  enum { ENV_FILE_MAX_BYTES = 1 << 20 };
  cleanup_free char *text = NULL;
  size_t count;
  if (named_read(path, ENV_FILE_MAX_BYTES, &text, &count, err) < 0)
    return -1;
  if (strlen(text) != count)
    return error_make(err, EINVAL, "%s holds a NUL byte", path);
  char *rest = text;
  int number = 0;
  for (char *line = strsep(&rest, "\n"); line != NULL;
       line = strsep(&rest, "\n")) {
    number++;
    size_t length = strlen(line);
    if (length > 0 && line[length - 1] == '\r')
      line[length - 1] = '\0';
    if (line[0] == '\0' || line[0] == '#')
      continue;
    if (strchr(line, '=') == NULL)
      return error_make(err, EINVAL, "%s:%d: a line is K=V", path, number);
    if (request_add_env(request, line, err) < 0)
      return error_wrap(err, "%s:%d", path, number);
  }
  return 0;
}

int request_add_secret(struct request *request, const char *value,
                       struct error **err)
{
  size_t length = strcspn(value, "=");
  if (value[length] != '=' || value[length + 1] == '\0')
    return error_make(err, EINVAL,
                      "give NAME=FILE: a secret's value is read from a file");
  if (check_name(value, length, err) < 0)
    return -1;
  const char *path = value + length + 1;
  struct request_secret secret = {0};
  if (named_read(path, REQUEST_SECRET_MAX_BYTES, &secret.bytes, &secret.count,
                 err) < 0)
    return -1;
  secret.name = xstrndup(value, length);
  request->secrets = xreallocarray(request->secrets, request->secret_count + 1,
                                   sizeof *request->secrets);
  for (size_t i = 0; i < request->secret_count; i++)
    if (strcmp(request->secrets[i].name, secret.name) == 0) {
      error_make(err, EEXIST, "%s is given twice", secret.name);
      release_secret(&secret);
      return -1;
    }
  request->secrets[request->secret_count++] = secret;
  return 0;
}

int request_add_tag(struct request *request, const char *value,
                    struct error **err)
{
  size_t length = strcspn(value, "=");
  if (length == 0 || value[length] != '=')
    return error_make(err, EINVAL, "\"%s\" isn't K=V", value);
  text_list_add(&request->tags, value);
  return 0;
}

int request_set_network(struct request *request, const char *value,
                        struct error **err)
{
  return network_mode_find(value, &request->network, err);
}

static int allow_network(struct request *request, const char *text,
                         struct error **err)
{
  struct network_prefix prefix;
  if (network_prefix_parse(text, &prefix, err) < 0 ||
      network_prefix_check_allowed(&prefix, err) < 0)
    return -1;
  if (request->allowed_network_count == NETWORK_ALLOWED_MAX)
    return error_make(err, E2BIG, "there are more than %d networks",
                      NETWORK_ALLOWED_MAX);
  request->allowed_networks = xreallocarray(request->allowed_networks,
                                            request->allowed_network_count + 1,
                                            sizeof *request->allowed_networks);
  request->allowed_networks[request->allowed_network_count++] = prefix;
  return 0;
}

int request_allow_networks(struct request *request, const char *value,
                           struct error **err)
{
  cleanup_free char *copy = xstrdup(value);
  char *rest = copy;
  for (char *text = strsep(&rest, ","); text != NULL;
       text = strsep(&rest, ",")) {
    text += strspn(text, " \t");
    text[strcspn(text, " \t")] = '\0';
    if (allow_network(request, text, err) < 0)
      return -1;
  }
  return 0;
}

int request_set_library_set(struct request *request, const char *value,
                            struct error **err)
{
  if (library_set_check_name(value, err) < 0)
    return -1;
  free(request->library_set);
  request->library_set = xstrdup(value);
  return 0;
}

int request_add_modules(struct request *request, const char *value,
                        struct error **err)
{
  return library_modules_add_names(&request->modules, value, err);
}

int request_add_installer_options(struct request *request, const char *value,
                                  struct error **err)
{
  return library_modules_add_options(&request->modules, value, err);
}

size_t request_sets(const struct request *request,
                    const struct library_set *sets[REQUEST_SETS_MAX])
{
  size_t count = 0;
  if (request->modules_set.dir != NULL)
    sets[count++] = &request->modules_set;
  if (request->libraries.dir != NULL)
    sets[count++] = &request->libraries;
  return count;
}

static int check_sets(const struct request *request, struct error **err)
{
  const struct library_set *sets[REQUEST_SETS_MAX];
  size_t count = request_sets(request, sets);
  for (size_t i = 0; i < count; i++) {
    cleanup_free char *path = library_set_path_inside(sets[i]);
    if (request_check_mounts(request, path, err) < 0)
      return -1;
  }
  return 0;
}

int request_choose_libraries(struct request *request, struct error **err)
{
  if (request->library_set == NULL)
    request->library_set = xstrdup(LIBRARY_SET_NONE);
  if (library_sets_choose(request->library_set, &request->libraries, err) < 0)
    return -1;
  if (request->modules.names.count > 0 &&
      (library_modules_open(&request->modules, &request->libraries,
                            &request->modules_set, err) < 0 ||
       library_modules_list(&request->modules_set, &request->modules_lock,
                            err) < 0))
    return -1;
  return check_sets(request, err);
}

int request_set_name(struct request *request, const char *value,
                     struct error **err)
{
  enum { NAME_MAX_BYTES = 255 };
  size_t length = strlen(value);
  bool good = length > 0 && length <= NAME_MAX_BYTES;
  for (size_t i = 0; i < length; i++)
    good = good && !iscntrl((unsigned char)value[i]);
  if (!good)
    return error_make(err, EINVAL, "a name is one line of 1 to %d bytes",
                      NAME_MAX_BYTES);
  free(request->name);
  request->name = xstrdup(value);
  return 0;
}

int request_set_report(struct request *request, const char *value,
                       struct error **err)
{
  if (request->has_report)
    return error_make(err, EINVAL, "it is given twice");
  bool number =
      value[0] != '\0' && strspn(value, "0123456789") == strlen(value);
  if (number) {
    request->report_fd = (int)strtol(value, NULL, 10);
    if (strlen(value) > 6 || fcntl(request->report_fd, F_GETFD) < 0)
      return error_make(err, EBADF, "descriptor %s isn't open", value);
    fcntl(request->report_fd, F_SETFD, FD_CLOEXEC);
  } else {
    request->report_fd = named_create(value, err);
    if (request->report_fd < 0)
      return -1;
    request->report_is_ours = true;
  }
  request->has_report = true;
  return 0;
}

int request_open_script(struct request *request, const char *path,
                        struct error **err)
{
  request->script_path = xstrdup(path);
  if (strcmp(path, "-") != 0)
    return open_input(path, &request->script, err);
  int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
  if (fd < 0)
    return error_errno(err, "standard input");
  request->script =
      (struct request_file){.name = xstrdup("stdin.py"), .fd = fd};
  if (take_snapshot(&request->script.fd, err) < 0)
    return error_wrap(err, "standard input");
  return 0;
}
