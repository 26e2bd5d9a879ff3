/* wafer-scope PID: has the caller's systemd user manager make a scope that is
 * delegated to him and has the process PID in it (see cgroup_scope.h). Ends
 * with 0 once it is there, else with 1 and one line on its standard output.
 *
 * It is what `systemd-run --user --scope --property=Delegate=yes` does, for a
 * process that runs already. */
#include "config.h"

#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-id128.h>
#include <unistd.h>

#define SYSTEMD      "org.freedesktop.systemd1"
#define MANAGER_PATH "/org/freedesktop/systemd1"
#define MANAGER      SYSTEMD ".Manager"

enum { WAIT_US = 60 * 1000 * 1000 };

struct job {
  const char *path;
  char *result; /* NULL while it isn't done */
};

/* The path as an address has it (D-Bus specification, "Server Addresses"). */
static char *escape(const char *path)
{
  static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_/.";
  char *escaped = xstrdup("");
  for (const char *from = path; *from != '\0'; from++) {
    cleanup_free char *before = escaped;
    escaped = strchr(plain, *from) != NULL
                  ? xasprintf("%s%c", before, *from)
                  : xasprintf("%s%%%02x", before, (unsigned char)*from);
  }
  return escaped;
}

/* To the manager itself: there need be no bus. */
static int open_manager(sd_bus **bus)
{
  const char *runtime = getenv("XDG_RUNTIME_DIR");
  cleanup_free char *usual = xasprintf("/run/user/%u", getuid());
  cleanup_free char *folder = escape(runtime != NULL ? runtime : usual);
  cleanup_free char *address =
      xasprintf("unix:path=%s/systemd/private", folder);
  int result = sd_bus_new(bus);
  if (result >= 0)
    result = sd_bus_set_address(*bus, address);
  return result >= 0 ? sd_bus_start(*bus) : result;
}

static int when_job_removed(sd_bus_message *message, void *data,
                            sd_bus_error *error)
{
  struct job *job = data;
  const char *path, *unit, *result;
  uint32_t id;
  (void)error;
  int read = sd_bus_message_read(message, "uoss", &id, &path, &unit, &result);
  if (read >= 0 && job->result == NULL && strcmp(path, job->path) == 0)
    job->result = xstrdup(result);
  return read;
}

/* Asks for the scope; the reply names the job that makes it. */
static int ask(sd_bus *bus, unsigned pid, sd_bus_message **reply,
               sd_bus_error *error)
{
  sd_id128_t unique;
  int result = sd_id128_randomize(&unique);
  if (result < 0)
    return result;
  cleanup_free char *name = xasprintf("wafer-" SD_ID128_FORMAT_STR ".scope",
                                      SD_ID128_FORMAT_VAL(unique));
  return sd_bus_call_method(bus, SYSTEMD, MANAGER_PATH, MANAGER,
                            "StartTransientUnit", error, reply,
                            "ssa(sv)a(sa(sv))", name, "fail", 4, "Description",
                            "s", "wafer run", "Delegate", "b", 1, "CollectMode",
                            "s", "inactive-or-failed", "PIDs", "au", 1, pid, 0);
}

static int await(sd_bus *bus, const struct job *job)
{
  while (job->result == NULL) {
    int result = sd_bus_process(bus, NULL);
    if (result == 0)
      result = sd_bus_wait(bus, WAIT_US);
    if (result < 0)
      return result;
    if (result == 0)
      return -ETIMEDOUT;
  }
  return 0;
}

static int fail(const char *what, int result, const sd_bus_error *error)
{
  const char *why = error != NULL ? error->message : NULL;
  printf("%s: %s", what, why != NULL ? why : strerror(-result));
  return 1;
}

static int make_scope(sd_bus *bus, unsigned pid)
{
  __attribute__((cleanup(sd_bus_error_free))) sd_bus_error error =
      SD_BUS_ERROR_NULL;
  __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message *reply = NULL;
  struct job job = {0};
  int result = sd_bus_match_signal(bus, NULL, NULL, MANAGER_PATH, MANAGER,
                                   "JobRemoved", when_job_removed, &job);
  if (result < 0)
    return fail("listen to the user manager", result, NULL);
  result = ask(bus, pid, &reply, &error);
  if (result >= 0)
    result = sd_bus_message_read(reply, "o", &job.path);
  if (result < 0)
    return fail("the user manager makes none", result, &error);
  result = await(bus, &job);
  cleanup_free char *outcome = job.result;
  if (result < 0)
    return fail("wait for the user manager", result, NULL);
  if (strcmp(outcome, "done") == 0)
    return 0;
  printf("the user manager's job is %s", outcome);
  return 1;
}

int main(int argc, char **argv)
{
  __attribute__((cleanup(sd_bus_unrefp))) sd_bus *bus = NULL;
  unsigned long pid = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
  if (pid == 0 || pid > INT32_MAX) {
    fputs("usage: wafer-scope PID\n", stderr);
    return 2;
  }
  int result = open_manager(&bus);
  if (result < 0)
    return fail("reach the user manager", result, NULL);
  return make_scope(bus, (unsigned)pid);
}
