#include "config.h"

#include "host/spec.h"

#include "runtime/launch.h"
#include "sandbox/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Arguments and environment are bytes, JSON is Unicode: each byte goes as the
 * character of that number, and python.c turns it back. */
static json_t *bytes_to_json(const char *bytes)
{
  cleanup_free char *text = xcalloc(2 * strlen(bytes) + 1, 1);
  char *end = text;
  for (const unsigned char *byte = (const unsigned char *)bytes; *byte != '\0';
       byte++) {
    if (*byte >= 0x80)
      *end++ = (char)(0xC0 | *byte >> 6);
    *end++ = (char)(*byte >= 0x80 ? 0x80 | (*byte & 0x3F) : *byte);
  }
  return json_string(text);
}

static json_t *make_arguments(const struct request *request)
{
  json_t *list = json_array();
  for (size_t i = 0; i < request->argument_count; i++)
    json_array_append_new(list, bytes_to_json(request->arguments[i]));
  return list;
}

/* A secret is text to the environment where it can be: no NUL in it. One
 * newline at its end, which editors add, is no part of the value there. */
static void add_secret_env(json_t *env, const struct request_secret *secret)
{
  if (strlen(secret->bytes) != secret->count)
    return;
  cleanup_free char *value = xstrdup(secret->bytes);
  if (secret->count > 0 && value[secret->count - 1] == '\n')
    value[secret->count - 1] = '\0';
  json_object_set_new(env, secret->name, bytes_to_json(value));
  explicit_bzero(value, secret->count);
}

/* A CPU that is begun counts as one. */
static int64_t count_cpus(const struct size *size)
{
  return (size->cpu_milli + 999) / 1000;
}

/* Numerical libraries start a thread for each CPU that they see: that is the
 * machine's, not the job's. */
static void add_thread_counts(json_t *env, const struct size *size)
{
  static const char *const names[] = {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS",
                                      "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"};
  char count[24];
  snprintf(count, sizeof count, "%" PRId64, count_cpus(size));
  for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
    json_object_set_new(env, names[i], json_string(count));
}

static json_t *make_env(const struct request *request)
{
  static const struct request_env always[] = {
      {(char *)"PATH", (char *)"/usr/local/bin:/usr/bin:/bin"},
      {(char *)"HOME", (char *)"/tmp"},
      {(char *)"USER", (char *)"job"},
      {(char *)"LOGNAME", (char *)"job"},
      {(char *)"LANG", (char *)"C.UTF-8"},
  };
  json_t *env = json_object();
  for (size_t i = 0; i < ARRAY_LENGTH(always); i++)
    json_object_set_new(env, always[i].name, bytes_to_json(always[i].value));
  add_thread_counts(env, request->size);
  for (size_t i = 0; i < request->env_count; i++)
    json_object_set_new(env, request->env[i].name,
                        bytes_to_json(request->env[i].value));
  for (size_t i = 0; i < request->secret_count; i++)
    add_secret_env(env, &request->secrets[i]);
  return env;
}

static json_t *make_packages(const struct request *request)
{
  const struct library_set *sets[REQUEST_SETS_MAX];
  size_t count = request_sets(request, sets);
  json_t *list = json_array();
  for (size_t i = 0; i < count; i++) {
    cleanup_free char *packages = library_set_packages(sets[i]);
    json_array_append_new(list, bytes_to_json(packages));
  }
  return list;
}

static json_t *make_python(const struct request *request)
{
  json_t *libs = json_array();
  for (size_t i = 0; i < request->lib_count; i++)
    json_array_append_new(libs, json_pack("{s:o,s:i}", "name",
                                          bytes_to_json(request->libs[i].name),
                                          "file", (int)i + 1));
  return json_pack("{s:o,s:o,s:o,s:i,s:o,s:i,s:o}", "argv",
                   make_arguments(request), "env", make_env(request), "name",
                   bytes_to_json(request->script.name), "script", 0, "libs",
                   libs, "files", (int)request->lib_count + 1, "packages",
                   make_packages(request));
}

static json_t *make_limits(const struct request *request,
                           const struct namespace_ids *ids, bool has_cgroup)
{
  const struct size *size = request->size;
  /* For want of a cgroup: what the size's CPUs, one at least, can give until
   * the timeout and its grace are over. */
  int64_t cpu_s = (request->timeout_ms / 1000 + 10) * count_cpus(size);
  return json_pack("{s:I,s:I,s:I,s:I,s:b,s:b}", "memory_bytes",
                   (json_int_t)size->memory_bytes, "scratch_bytes",
                   (json_int_t)size->scratch_bytes, "pids_max",
                   (json_int_t)size->pids_max, "cpu_s", (json_int_t)cpu_s,
                   "has_cgroup", has_cgroup, "own_ids", ids->own);
}

/* The tree that a mount of real root's is: a clone in which the source's owner
 * and the job are one id, so that what the job writes belongs to him (Linux
 * 5.12, MOUNT_ATTR_IDMAP). For reading, a file system that can't is good
 * enough without. */
static int clone_mount(const struct request_mount *mount,
                       const struct namespace_ids *ids, struct error **err)
{
  char source[32];
  snprintf(source, sizeof source, "/proc/self/fd/%d", mount->source_fd);
  cleanup_fd int tree = rootfs_clone(source, mount->read_only, err);
  if (tree < 0)
    return error_wrap(err, "--mount %s", mount->text);
  cleanup_fd int map = namespace_for_idmap(mount->uid, mount->gid, ids->job_uid,
                                           ids->job_gid, err);
  if (map < 0)
    return -1;
  struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP,
                            .userns_fd = (unsigned)map};
  if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof attr) <
          0 &&
      !mount->read_only)
    return error_errno(err,
                       "--mount %s: its file system can't be id-mapped, so "
                       "what the job writes would not belong to the folder's "
                       "owner; mount it :ro, or copy it to ext4, xfs or btrfs",
                       mount->text);
  return steal_fd(&tree);
}

static int add_trees(const struct request *request,
                     const struct namespace_ids *ids,
                     struct spec_bundle *bundle, struct error **err)
{
  for (size_t i = 0; geteuid() == 0 && i < request->mount_count; i++) {
    int tree = clone_mount(&request->mounts[i], ids, err);
    if (tree < 0)
      return -1;
    bundle->fds[bundle->fd_count++] = tree;
    bundle->owned_count++;
  }
  return 0;
}

/* They belong to the machine, whose files a job reads as everybody may. */
static int add_libraries(const struct request *request,
                         struct spec_bundle *bundle, struct error **err)
{
  const struct library_set *sets[REQUEST_SETS_MAX];
  size_t count = geteuid() == 0 ? request_sets(request, sets) : 0;
  for (size_t i = 0; i < count; i++) {
    cleanup_free char *packages = library_set_packages(sets[i]);
    int tree = rootfs_clone(packages, true, err);
    if (tree < 0)
      return error_wrap(err, "library set %s", sets[i]->name);
    bundle->fds[bundle->fd_count++] = tree;
    bundle->owned_count++;
  }
  return 0;
}

static int add_secrets(const struct request *request,
                       struct spec_bundle *bundle, struct error **err)
{
  for (size_t i = 0; i < request->secret_count; i++) {
    int fd = fd_sealed_memory("wafer-secret", request->secrets[i].bytes,
                              request->secrets[i].count, err);
    if (fd < 0)
      return -1;
    bundle->fds[bundle->fd_count++] = fd;
    bundle->owned_count++;
  }
  return 0;
}

/* The first tree of a sandbox's list is wafer's package: runtime/protocol.h. */
static int add_mount(json_t *list, const char *path, bool is_file,
                     bool read_only)
{
  int tree = (int)json_array_size(list) + 1;
  json_t *item = json_pack("{s:i,s:s,s:b,s:b}", "tree", tree, "path", path,
                           "is_file", is_file, "read_only", read_only);
  return json_array_append_new(list, item);
}

/* In the order of the trees. NULL where a path isn't UTF-8. */
static json_t *make_mounts(const struct request *request)
{
  const struct library_set *sets[REQUEST_SETS_MAX];
  size_t set_count = request_sets(request, sets);
  json_t *list = json_array();
  int result = 0;
  for (size_t i = 0; result == 0 && i < request->mount_count; i++) {
    const struct request_mount *mount = &request->mounts[i];
    result = add_mount(list, mount->target, mount->is_file, mount->read_only);
  }
  for (size_t i = 0; result == 0 && i < set_count; i++) {
    cleanup_free char *inside = library_set_path_inside(sets[i]);
    result = add_mount(list, inside, false, true);
  }
  if (result == 0)
    return list;
  json_decref(list);
  return NULL;
}

static json_t *make_secret_names(const struct request *request)
{
  json_t *list = json_array();
  for (size_t i = 0; i < request->secret_count; i++)
    json_array_append_new(list, json_string(request->secrets[i].name));
  return list;
}

int spec_make(const struct request *request, const struct namespace_ids *ids,
              bool landlock, bool has_cgroup, struct spec_bundle *bundle,
              struct error **err)
{
  const struct library_set *sets[REQUEST_SETS_MAX];
  size_t fds = request->mount_count + request->secret_count +
               request->lib_count + request_sets(request, sets) + 1;
  if (fds >= FD_MESSAGE_MAX)
    return error_make(err, E2BIG,
                      "%zu files, mounts and secrets are more than the %d that "
                      "a run may have",
                      fds, FD_MESSAGE_MAX - 1);
  if (add_trees(request, ids, bundle, err) < 0 ||
      add_libraries(request, bundle, err) < 0 ||
      add_secrets(request, bundle, err) < 0)
    return -1;
  size_t trees = bundle->owned_count - request->secret_count;
  bundle->fds[bundle->fd_count++] = request->script.fd;
  for (size_t i = 0; i < request->lib_count; i++)
    bundle->fds[bundle->fd_count++] = request->libs[i].fd;
  bundle->json = json_pack(
      "{s:i,s:o,s:o,s:o,s:b,s:b,s:o}", "tree_count", (int)trees, "mounts",
      make_mounts(request), "secrets", make_secret_names(request), "limits",
      make_limits(request, ids, has_cgroup), "landlock", landlock,
      "seccomp_log", request->seccomp_log, "python", make_python(request));
  if (bundle->json == NULL)
    return error_make(err, EILSEQ, "a mount's path isn't UTF-8");
  return 0;
}

void spec_bundle_release(struct spec_bundle *bundle)
{
  for (size_t i = 0; i < bundle->owned_count; i++)
    fd_close(&bundle->fds[i]);
  json_decref(bundle->json);
  *bundle = (struct spec_bundle){0};
}

static void append_path(char **text, size_t *count, char kind, const char *path)
{
  size_t length = strlen(path) + 2;
  *text = xreallocarray(*text, *count + length, 1);
  (*text)[*count] = kind;
  memcpy(*text + *count + 1, path, length - 1);
  *count += length;
}

char *spec_tree_paths(const struct request_mount *mounts, size_t mount_count,
                      const struct library_set *const sets[], size_t set_count,
                      size_t *count)
{
  char *text = NULL;
  *count = 0;
  append_path(&text, count, 'r', launch_python_dir());
  for (size_t i = 0; i < mount_count; i++)
    append_path(&text, count, mounts[i].read_only ? 'r' : 'w',
                mounts[i].source);
  for (size_t i = 0; i < set_count; i++) {
    cleanup_free char *packages = library_set_packages(sets[i]);
    append_path(&text, count, 'r', packages);
  }
  return text;
}
