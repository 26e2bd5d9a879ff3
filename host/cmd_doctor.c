/* wafer doctor: what this machine can give, and what to do where it can't. */
#include "config.h"

#include "base/fd.h"
#include "host/egress.h"
#include "host/format.h"
#include "host/library_modules.h"
#include "host/library_sets.h"
#include "host/options.h"
#include "host/settings.h"
#include "host/wall_tables.h"
#include "host/walls.h"
#include "jobs/home.h"
#include "runtime/launch.h"
#include "sandbox/cgroup.h"
#include "sandbox/cgroup_scope.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* One line of the table. */
struct finding {
  const char *name;
  const char *purpose; /* NULL: the name says it */
  struct wall_state state;
  bool optional; /* all is well without it, too */
};

enum { FINDINGS_MAX = 16 };

struct findings {
  const char *title; /* a member of the JSON, too */
  struct finding items[FINDINGS_MAX];
  size_t count;
};

static void release_findings(struct findings *findings)
{
  for (size_t i = 0; i < findings->count; i++)
    wall_state_release(&findings->items[i].state);
}

#define cleanup_findings __attribute__((cleanup(release_findings)))

static struct finding *add(struct findings *findings, const char *name)
{
  if (findings->count == FINDINGS_MAX)
    abort();
  struct finding *finding = &findings->items[findings->count++];
  *finding = (struct finding){.name = name};
  return finding;
}

/* `detail` becomes the finding's. */
static void add_good(struct findings *findings, const char *name, char *detail)
{
  struct finding *finding = add(findings, name);
  finding->state.stands = true;
  finding->state.detail = detail;
}

/* `fix` becomes the finding's. */
static void add_bad(struct findings *findings, const char *name,
                    const char *why, char *fix)
{
  struct finding *finding = add(findings, name);
  finding->state.why = xstrdup(why);
  finding->state.fix = fix;
}

/* As a run does it; what it gives then shows in the walls. */
static void find_scope(struct findings *findings)
{
  cleanup_error struct error *err = NULL;
  if (cgroup_join_scope(&err) < 0)
    add_bad(findings, "systemd", err->text,
            xstrdup("systemctl --user status says how the user manager is"));
}

static void find_walls(struct findings *findings)
{
  for (enum wall wall = 0; wall < WALL_COUNT; wall++) {
    struct finding *finding = add(findings, wall_name(wall));
    finding->purpose = wall_purpose(wall);
    wall_probe(wall, &finding->state);
  }
}

static void find_kernel(struct findings *findings)
{
  struct utsname name;
  if (uname(&name) == 0)
    add_good(findings, "kernel",
             xasprintf("%s %s, %s", name.sysname, name.release, name.machine));
}

static void find_cgroup(struct findings *findings)
{
  __attribute__((cleanup(cgroup_probe_release))) struct cgroup_probe probe = {
      0};
  cgroup_probe(NULL, &probe);
  if (probe.limits)
    add_good(findings, "cgroup backend", steal_pointer(&probe.detail));
  else
    add_good(findings, "cgroup backend",
             xstrdup("none: usage by wait4(2), limits of each process alone"));
}

/* By starting the interpreter as a run does: a version that was compiled in
 * would say nothing of what is installed. */
static void find_python(struct findings *findings)
{
  cleanup_error struct error *err = NULL;
  struct zygote zygote = ZYGOTE_INIT;
  char version[PYTHON_VERSION_SIZE];
  if (zygote_start(&zygote, &err) == 0 &&
      zygote_warm(&zygote, NULL, version, &err) == 0)
    add_good(findings, "Python", xasprintf("%s, embedded", version));
  else
    add_bad(findings, "Python", err->text,
            xstrdup("install wafer again, and libpython3.11 (apt-get install "
                    "libpython3.11)"));
  zygote_stop(&zygote);
}

/* Adds "NAME (Python 3.11.2, lock 0123456789abcdef)" to a text. */
static int add_set(char **text, const char *name, struct error **err)
{
  cleanup_library_set struct library_set set = {0};
  if (library_sets_choose(name, &set, err) < 0)
    return error_wrap(err, "%s", name);
  char *longer = xasprintf(
      "%s%s%s (Python %s, lock %.*s)", *text, (*text)[0] != '\0' ? ", " : "",
      name, set.python_version, LIBRARY_SET_HEX_LENGTH, set.lock_sha256);
  free(*text);
  *text = longer;
  return 0;
}

static void find_libraries(struct findings *findings)
{
  static const char what[] = "library sets";
  cleanup_error struct error *err = NULL;
  cleanup_free char *text = xstrdup("");
  __attribute__((cleanup(text_list_release))) struct text_list names = {0};
  bool has_none = false;
  int result = library_sets_list(&names, &err);
  for (size_t i = 0; result == 0 && i < names.count; i++) {
    has_none = has_none || strcmp(names.items[i], LIBRARY_SET_NONE) == 0;
    if (!library_modules_own(names.items[i]))
      result = add_set(&text, names.items[i], &err);
  }
  if (result < 0)
    add_bad(findings, what, err->text,
            xstrdup("wafer library-set remove NAME, then add NAME"));
  else if (has_none)
    add_good(findings, what, steal_pointer(&text));
  else
    add_good(findings, what,
             xasprintf("%s%snone is the standard library alone (wafer "
                       "library-set add none adds boto3)",
                       text, text[0] != '\0' ? "; " : ""));
}

/* A folder that isn't there is made at the first run, if its first ancestor
 * that is there allows it. */
static int check_folder(const char *dir, const char **remark,
                        struct error **err)
{
  if (access(dir, F_OK) == 0) {
    cleanup_fd int fd = home_open_dir(dir, err);
    if (fd < 0)
      return -1;
    if (faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) < 0)
      return error_errno(err, "write to %s", dir);
    return 0;
  }
  if (errno != ENOENT)
    return error_errno(err, "%s", dir);
  *remark = ", made at the first run";
  cleanup_free char *path = xstrdup(dir);
  for (char *slash = strrchr(path, '/'); slash != NULL;
       slash = strrchr(path, '/')) {
    slash[slash == path] = '\0';
    if (faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) == 0)
      return 0;
    if (errno != ENOENT || slash == path)
      return error_errno(err, "make folders in %s", path);
  }
  return 0;
}

static void find_networks(struct findings *findings)
{
  add_good(findings, "network", xstrdup("none, host"));
  struct finding *egress = add(findings, "network egress");
  egress->optional = true;
  egress_probe(&egress->state);
}

static void find_folder(struct findings *findings, const char *name,
                        const char *variable,
                        int (*find)(char **dir, struct error **err))
{
  cleanup_error struct error *err = NULL;
  cleanup_free char *dir = NULL;
  const char *remark = "";
  if (find(&dir, &err) < 0 || check_folder(dir, &remark, &err) < 0)
    add_bad(findings, name, err->text,
            xasprintf("set %s to a folder of your own", variable));
  else
    add_good(findings, name, xasprintf("%s%s", dir, remark));
}

static void find_settings(struct findings *findings)
{
  cleanup_error struct error *err = NULL;
  cleanup_settings struct settings settings = SETTINGS_INIT;
  if (settings_load(&settings, &err) < 0)
    add_bad(findings, "wafer.conf", err->text, xstrdup("correct that line"));
  else if (settings.allow_missing == 0)
    add_good(findings, "wafer.conf", xstrdup("accepts no missing wall"));
  else
    add_good(findings, "wafer.conf",
             xasprintf("allow_missing = %s",
                       walls_text(settings.allow_missing).text));
}

/* A program that some wall needs; for whom it isn't needed, it may lack. */
struct helper {
  const char *name;
  const char *path;
  const char *package;
  bool for_root;
};

static const struct helper helpers[] = {
    {"newuidmap", "/usr/bin/newuidmap", "uidmap", false},
    {"newgidmap", "/usr/bin/newgidmap", "uidmap", false},
    {"mkfs.ext4", "/sbin/mkfs.ext4", "e2fsprogs", true},
};

static void find_helpers(struct findings *findings)
{
  bool root = geteuid() == 0;
  for (size_t i = 0; i < ARRAY_LENGTH(helpers); i++) {
    const struct helper *helper = &helpers[i];
    if (access(helper->path, X_OK) == 0)
      add_good(findings, helper->name, xstrdup(helper->path));
    else if (helper->for_root != root)
      add_good(findings, helper->name,
               xasprintf("not installed; only %s it",
                         root ? "plain users need" : "root needs"));
    else
      add_bad(findings, helper->name, "it is not installed",
              xasprintf("as root: apt-get install %s", helper->package));
  }
}

static bool all_well(const struct findings *findings)
{
  for (size_t i = 0; i < findings->count; i++)
    if (!findings->items[i].state.stands && !findings->items[i].optional)
      return false;
  return true;
}

/* no-color.org: set and not empty. */
static bool wants_color(void)
{
  const char *no_color = getenv("NO_COLOR");
  return isatty(STDOUT_FILENO) && (no_color == NULL || no_color[0] == '\0');
}

enum { NAME_WIDTH = 16, MARK_WIDTH = 9, COLOR_MARK_WIDTH = 3 };

static void print_mark(bool stands, bool color)
{
  if (color)
    printf("  \033[%sm%s\033[0m  ", stands ? "32" : "31", stands ? "✓" : "✗");
  else
    format_print_padded(stands ? "  ok" : "  missing", MARK_WIDTH + 2);
}

static void print_more(const char *label, const char *text, bool color)
{
  cleanup_free char *safe = format_safe(text);
  int indent = (color ? COLOR_MARK_WIDTH : MARK_WIDTH) + 2;
  printf("%*s%s: %s\n", indent, "", label, safe);
}

static void print_finding(const struct finding *finding, bool color)
{
  const struct wall_state *state = &finding->state;
  const char *shown = state->stands ? state->detail : finding->purpose;
  cleanup_free char *safe = format_safe(shown != NULL ? shown : "");
  print_mark(state->stands, color);
  format_print_padded(finding->name, safe[0] != '\0' ? NAME_WIDTH : 0);
  puts(safe);
  if (state->stands)
    return;
  print_more("why", state->why, color);
  print_more("fix", state->fix, color);
}

static void print_findings(const struct findings *findings)
{
  bool color = wants_color();
  puts(findings->title);
  for (size_t i = 0; i < findings->count; i++)
    print_finding(&findings->items[i], color);
}

static void put_text(json_t *object, const char *key, const char *text)
{
  cleanup_free char *safe = format_safe(text != NULL ? text : "");
  json_object_set_new(object, key,
                      text != NULL ? json_string(safe) : json_null());
}

static json_t *findings_to_json(const struct findings *findings)
{
  json_t *all = json_object();
  for (size_t i = 0; i < findings->count; i++) {
    const struct finding *finding = &findings->items[i];
    json_t *object = json_object();
    json_object_set_new(object, "ok", json_boolean(finding->state.stands));
    put_text(object, "detail", finding->state.detail);
    put_text(object, "why", finding->state.why);
    put_text(object, "fix", finding->state.fix);
    json_object_set_new(all, finding->name, object);
  }
  return all;
}

static void print_json(const struct findings *walls,
                       const struct findings *machine)
{
  json_t *all = json_object();
  json_object_set_new(all, "ok",
                      json_boolean(all_well(walls) && all_well(machine)));
  json_object_set_new(all, walls->title, findings_to_json(walls));
  json_object_set_new(all, machine->title, findings_to_json(machine));
  json_dumpf(all, stdout, JSON_INDENT(2));
  puts("");
  json_decref(all);
}

struct doctor_options {
  bool json;
  unsigned explain; /* a set of tables, see wall_tables.h; 0: none */
};

static int take_json(void *target, const char *value, struct error **err)
{
  (void)value;
  (void)err;
  ((struct doctor_options *)target)->json = true;
  return 0;
}

static int take_explain(void *target, const char *value, struct error **err)
{
  return wall_tables_parse(value, &((struct doctor_options *)target)->explain,
                           err);
}

static const struct option_row options[] = {
    {"explain", "[=TABLE,…]", "what is enforced on a job, row by row, and why",
     take_explain},
    {"json", NULL, "the same as a JSON document", take_json},
};

static int explain_walls(const struct doctor_options *asked, struct error **err)
{
  if (asked->json) {
    json_t *tables = wall_tables_to_json(asked->explain);
    json_dumpf(tables, stdout, JSON_INDENT(2));
    puts("");
    json_decref(tables);
  } else {
    wall_tables_print(asked->explain);
  }
  return format_flush(err);
}

static int run_doctor(void *target, const struct command_line *line,
                      struct error **err)
{
  (void)line;
  const struct doctor_options *asked = target;
  if (asked->explain != 0)
    return explain_walls(asked, err);
  cleanup_findings struct findings walls = {.title = "walls"};
  cleanup_findings struct findings machine = {.title = "machine"};
  find_scope(&machine);
  find_walls(&walls);
  find_kernel(&machine);
  find_cgroup(&machine);
  find_python(&machine);
  find_libraries(&machine);
  find_networks(&machine);
  find_folder(&machine, "state", "WAFER_STATE_DIR", home_state_dir);
  find_folder(&machine, "configuration", "WAFER_CONFIG_DIR", home_config_dir);
  find_settings(&machine);
  find_helpers(&machine);
  if (asked->json) {
    print_json(&walls, &machine);
  } else {
    print_findings(&walls);
    puts("");
    print_findings(&machine);
  }
  if (format_flush(err) < 0)
    return -1;
  return all_well(&walls) && all_well(&machine) ? 0 : 1;
}

const struct command command_doctor = {
    .name = "doctor",
    .usage = "[--explain[=TABLE,…]] [--json]",
    .summary = "Say what this machine can give, and what to do where it can't; "
               "exits with 1 where something is missing",
    .options = options,
    .option_count = ARRAY_LENGTH(options),
    .target_bytes = sizeof(struct doctor_options),
    .run = run_doctor,
};
