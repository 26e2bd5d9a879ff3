#include "config.h"

#include "runtime/spec.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

enum { SPEC_MAX_BYTES = 4 << 20 };

static int damaged(struct error **err)
{
  return error_make(err, EPROTO, "the spec is damaged");
}

static int read_mounts(const json_t *list, struct spec *spec,
                       struct error **err)
{
  size_t i;
  json_t *item;
  json_array_foreach(list, i, item)
  {
    struct spec_mount *mount = &spec->mounts[spec->mount_count];
    const char *path = json_string_value(json_object_get(item, "path"));
    if (path == NULL || path[0] != '/' || ++spec->mount_count >= FD_MESSAGE_MAX)
      return damaged(err);
    *mount = (struct spec_mount){
        .tree = (size_t)json_integer_value(json_object_get(item, "tree")),
        .path = path,
        .is_file = json_is_true(json_object_get(item, "is_file")),
        .read_only = json_is_true(json_object_get(item, "read_only")),
    };
  }
  return 0;
}

static int read_secrets(const json_t *list, struct spec *spec,
                        struct error **err)
{
  size_t i;
  json_t *item;
  json_array_foreach(list, i, item)
  {
    const char *name = json_string_value(item);
    if (name == NULL || spec->secret_count == FD_MESSAGE_MAX)
      return damaged(err);
    spec->secrets[spec->secret_count++] =
        (struct spec_secret){.name = name, .fd = -1};
  }
  return 0;
}

static void read_limits(const json_t *object, struct spec_limits *limits)
{
  *limits = (struct spec_limits){
      .memory_bytes =
          (uint64_t)json_integer_value(json_object_get(object, "memory_bytes")),
      .scratch_bytes = (uint64_t)json_integer_value(
          json_object_get(object, "scratch_bytes")),
      .pids_max =
          (uint64_t)json_integer_value(json_object_get(object, "pids_max")),
      .cpu_s = (uint64_t)json_integer_value(json_object_get(object, "cpu_s")),
      .has_cgroup = json_is_true(json_object_get(object, "has_cgroup")),
      .own_ids = json_is_true(json_object_get(object, "own_ids")),
  };
}

/* The descriptors come in the order: spec, trees, secrets, files. */
static int share_out(const struct message *message, struct spec *spec,
                     struct error **err)
{
  size_t next = 1;
  size_t trees =
      (size_t)json_integer_value(json_object_get(spec->root, "tree_count"));
  /* Apart, since a number that makes no sense could make the sum wrap. */
  size_t others = message->fd_count - next;
  if (trees > others || spec->secret_count > others - trees)
    return damaged(err);
  for (size_t i = 0; i < trees; i++)
    spec->trees[spec->tree_count++] = message->fds[next++];
  for (size_t i = 0; i < spec->secret_count; i++)
    spec->secrets[i].fd = message->fds[next++];
  while (next < message->fd_count) {
    int fd = message->fds[next++];
    spec->files[spec->file_count++] = fd;
    if (fd >= spec->fd_end)
      spec->fd_end = fd + 1;
  }
  return 0;
}

int spec_read(const struct message *message, struct spec *spec,
              struct error **err)
{
  if (message->fd_count < 2)
    return damaged(err);
  cleanup_fd int text_fd = message->fds[0];
  cleanup_free char *text = NULL;
  size_t count;
  if (fd_read_all(text_fd, SPEC_MAX_BYTES, &text, &count, err) < 0)
    return error_wrap(err, "read the spec");
  spec->root = json_loadb(text, count, 0, NULL);
  explicit_bzero(text, count);
  spec->python = json_object_get(spec->root, "python");
  spec->landlock = json_is_true(json_object_get(spec->root, "landlock"));
  spec->seccomp_log = json_is_true(json_object_get(spec->root, "seccomp_log"));
  if (!json_is_object(spec->python))
    return damaged(err);
  read_limits(json_object_get(spec->root, "limits"), &spec->limits);
  if (read_mounts(json_object_get(spec->root, "mounts"), spec, err) < 0 ||
      read_secrets(json_object_get(spec->root, "secrets"), spec, err) < 0)
    return -1;
  return share_out(message, spec, err);
}
