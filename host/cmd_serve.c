#include "config.h"

#include "host/options.h"
#include "host/pool_client.h"
#include "host/serve.h"
#include "host/settings.h"

static int set_socket(void *target, const char *value, struct error **err)
{
  (void)err;
  ((struct serve_options *)target)->socket_path = value;
  return 0;
}

static const struct option_row options[] = {
    {"socket", "PATH", "where to listen, in place of the usual", set_socket},
};

static int run_serve(void *target, const struct command_line *line,
                     struct error **err)
{
  (void)line;
  struct serve_options *wanted = target;
  cleanup_settings struct settings settings = SETTINGS_INIT;
  cleanup_free char *usual = NULL;
  if (settings_load(&settings, err) < 0)
    return -1;
  if (wanted->socket_path == NULL) {
    if (pool_socket_path(&usual, err) < 0)
      return -1;
    wanted->socket_path = usual;
  }
  wanted->library_sets = settings.pool_library_sets; /* still the settings' */
  wanted->pool_size = settings.pool_size;
  wanted->pool_memory_bytes = settings.pool_memory_bytes;
  return serve(wanted, err);
}

const struct command command_serve = {
    .name = "serve",
    .usage = "[--socket PATH]",
    .summary = "Keep sandboxes ready, so that runs start at once",
    .options = options,
    .option_count = ARRAY_LENGTH(options),
    .target_bytes = sizeof(struct serve_options),
    .run = run_serve,
};
