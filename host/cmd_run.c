#include "config.h"

#include "host/execute.h"
#include "host/options.h"
#include "host/settings.h"
#include "host/walls.h"

#include <errno.h>
#include <stdio.h>

static int set_quiet(void *target, const char *value, struct error **err)
{
  (void)value;
  (void)err;
  ((struct request *)target)->quiet = true;
  return 0;
}

static int set_no_server(void *target, const char *value, struct error **err)
{
  (void)value;
  (void)err;
  ((struct request *)target)->no_server = true;
  return 0;
}

static int set_socket(void *target, const char *value, struct error **err)
{
  (void)err;
  ((struct request *)target)->socket_path = value;
  return 0;
}

static int set_seccomp_log(void *target, const char *value, struct error **err)
{
  (void)value;
  (void)err;
  ((struct request *)target)->seccomp_log = true;
  return 0;
}

static int allow_missing(void *target, const char *value, struct error **err)
{
  return walls_parse(value, &((struct request *)target)->allowed_missing, err);
}

/* The table's functions take any command's target; request.h's take its own. */
#define TAKE(function)                                                         \
  static int take_##function(void *target, const char *value,                  \
                             struct error **err)                               \
  {                                                                            \
    return request_##function(target, value, err);                             \
  }

TAKE(set_size)
TAKE(set_timeout)
TAKE(set_library_set)
TAKE(add_modules)
TAKE(add_installer_options)
TAKE(set_network)
TAKE(allow_networks)
TAKE(set_name)
TAKE(set_report)
TAKE(add_libs)
TAKE(add_env)
TAKE(add_env_file)
TAKE(add_secret)
TAKE(add_mount)
TAKE(add_tag)

static const struct option_row options[] = {
    {"max-capacity", "DPU", "size: 0.0625 (the default) or 1", take_set_size},
    {"timeout", "MINUTES", "end it after this long (2880)", take_set_timeout},
    {"library-set", "NAME", "packages to import from: none, analytics …",
     take_set_library_set},
    {"additional-python-modules", "NAME,…", "packages from an index, beyond it",
     take_add_modules},
    {"python-modules-installer-option", "OPTIONS", "pip's: which index, say",
     take_add_installer_options},
    {"extra-py-files", "PATH,…", ".py, .zip, .whl, .egg to import from",
     take_add_libs},
    {"env", "K=V|K", "set a variable, or pass the caller's on", take_add_env},
    {"env-file", "FILE", "a line K=V each", take_add_env_file},
    {"secret", "NAME=FILE", "as $NAME and /run/secrets/NAME, never logged",
     take_add_secret},
    {"mount", "SRC:DST[:ro|rw]", "show a folder or file inside (ro)",
     take_add_mount},
    {"network", "none|egress|host",
     "none (the default), the internet alone, or the machine's own",
     take_set_network},
    {"allow-network", "CIDR,…", "a private network that egress may reach",
     take_allow_networks},
    {"name", "NAME", "the run's name (the script's)", take_set_name},
    {"tag", "K=V", "a label, for the bill", take_add_tag},
    {"report", "FILE|FD", "write the whole record as JSON", take_set_report},
    {"quiet", NULL, "no line at the end", set_quiet},
    {"seccomp-log", NULL, "say which system calls it would need",
     set_seccomp_log},
    {"no-server", NULL, "make its sandbox alone", set_no_server},
    {"socket", "PATH", "that of wafer serve, if not the usual", set_socket},
    {"allow-missing", "WALL,…", "accept: uid, cgroup, scratch, landlock",
     allow_missing},
};

static void set_defaults(struct request *request,
                         const struct command_line *line)
{
  if (request->size == NULL)
    request->size = size_default();
  if (request->timeout_ms == 0)
    request->timeout_ms = REQUEST_TIMEOUT_DEFAULT_MS;
  request->arguments = line->rest;
  request->argument_count = line->rest_count;
}

/* What the settings allow every run is for those with egress; what the command
 * line allows asks for it. */
static int take_networks(struct request *request,
                         const struct settings *settings, struct error **err)
{
  bool egress = request->network == NETWORK_EGRESS;
  if (!egress && request->allowed_network_count > 0)
    return error_make(err, EINVAL,
                      "--allow-network is for --network egress; this run has "
                      "--network %s",
                      network_mode_name(request->network));
  if (!egress || settings->allow_network == NULL)
    return 0;
  return request_allow_networks(request, settings->allow_network, err);
}

static int refuse_script(const struct error *err)
{
  bool missing = err->code == ENOENT || err->code == ENOTDIR;
  fprintf(stderr, "wafer: %s%s\n", err->text,
          missing ? "; give the path of a Python script, or - for standard "
                    "input"
                  : "");
  return missing ? EXIT_MISSING : EXIT_UNREADABLE;
}

static int run_run(void *target, const struct command_line *line,
                   struct error **err)
{
  struct request *request = target;
  cleanup_settings struct settings settings = SETTINGS_INIT;
  cleanup_error struct error *no_script = NULL;
  set_defaults(request, line);
  if (settings_load(&settings, err) < 0)
    return -1;
  request->allowed_missing |= settings.allow_missing;
  if (take_networks(request, &settings, err) < 0 ||
      request_choose_libraries(request, err) < 0)
    return -1;
  if (request_open_script(request, line->words[0], &no_script) < 0)
    return refuse_script(no_script);
  return execute(request, err);
}

static void release_run(void *target)
{
  request_release(target);
}

const struct command command_run = {
    .name = "run",
    .usage = "SCRIPT [options] [-- ARGUMENTS…]",
    .summary = "Run a Python script in a sandbox, metered and billed",
    .options = options,
    .option_count = ARRAY_LENGTH(options),
    .words_min = 1,
    .words_max = 1,
    .takes_rest = true,
    .target_bytes = sizeof(struct request),
    .run = run_run,
    .release = release_run,
};
