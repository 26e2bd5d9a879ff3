/* What a user asks of one run: the command line of `wafer run`, checked.
 *
 * Everything that can be wrong with a request is found here, before anything
 * is started or stored. It holds secrets: request_release wipes them. */
#ifndef WAFER_HOST_REQUEST_H
#define WAFER_HOST_REQUEST_H

#include "base/fd.h"
#include "host/library_modules.h"
#include "jobs/size.h"
#include "jobs/text_list.h"
#include "runtime/library_set.h"
#include "sandbox/network.h"
#include "sandbox/network_rules.h"

#include <stdbool.h>
#include <sys/types.h>

enum {
  REQUEST_TIMEOUT_DEFAULT_MS = 48 * 60 * 60 * 1000, /* Glue's: 2880 minutes */
  REQUEST_SECRET_MAX_BYTES = 1 << 20,
};

struct request_file {
  char *name; /* its last part */
  int fd;
};

struct request_env {
  char *name;
  char *value;
};

struct request_secret {
  char *name;
  char *bytes; /* NUL-terminated beyond count */
  size_t count;
};

struct request_mount {
  char *text;    /* "SRC:DST:rw" as it is recorded */
  char *source;  /* absolute, without links */
  int source_fd; /* what it was when it was looked for (O_PATH) */
  char *target;  /* absolute, inside */
  bool read_only;
  bool is_file;
  uid_t uid; /* the source's owner */
  gid_t gid;
};

struct request {
  const struct size *size; /* NULL until set: the default */
  int64_t timeout_ms;      /* 0 until set: the default */
  char *name;
  char *library_set; /* its name; NULL: "none" */
  struct library_modules modules;
  /* What it gets, once request_choose_libraries has found it. */
  struct library_set libraries;
  struct library_set modules_set;
  struct text_list modules_lock; /* what that is made of */
  enum network_mode network;
  struct network_prefix *allowed_networks; /* with egress */
  size_t allowed_network_count;
  bool quiet;
  bool seccomp_log;
  bool no_server;
  const char *socket_path; /* the server's, argv's own; NULL: the usual */
  int report_fd;           /* where the record goes; see has_report */
  bool has_report;
  bool report_is_ours; /* a file that was opened for it: close it */
  unsigned allowed_missing;
  struct text_list tags; /* "K=V" */
  char *script_path;     /* as given */
  struct request_file script;
  struct request_file *libs;
  size_t lib_count;
  struct request_env *env;
  size_t env_count;
  struct request_secret *secrets;
  size_t secret_count;
  struct request_mount *mounts;
  size_t mount_count;
  char **arguments; /* argv's own */
  size_t argument_count;
};

void request_release(struct request *request);
void request_release_mount(struct request_mount *mount);

/* Whether no mount lies in what is to be at `path` inside, nor that in one. */
int request_check_mounts(const struct request *request, const char *path,
                         struct error **err);

/* Each takes the value of an option. */
int request_set_size(struct request *request, const char *value,
                     struct error **err);
/* Minutes, fractions allowed; more than 0 and less than 7 days. */
int request_set_timeout(struct request *request, const char *value,
                        struct error **err);
/* Paths separated by commas: .py, .zip, .whl, .egg. */
int request_add_libs(struct request *request, const char *value,
                     struct error **err);
/* "K=V", or "K" for the caller's own value. A later one replaces. */
int request_add_env(struct request *request, const char *value,
                    struct error **err);
/* A file of "K=V" lines; blank ones and those that begin with # are passed
 * over, and so is a CR at a line's end. Nothing is unquoted. */
int request_add_env_file(struct request *request, const char *path,
                         struct error **err);
/* "NAME=FILE". */
int request_add_secret(struct request *request, const char *value,
                       struct error **err);
/* "SRC:DST[:ro|rw]"; ro unless said. */
int request_add_mount(struct request *request, const char *value,
                      struct error **err);
/* "K=V". */
int request_add_tag(struct request *request, const char *value,
                    struct error **err);
int request_set_network(struct request *request, const char *value,
                        struct error **err);
/* Private networks separated by commas, which --network egress may reach:
 * "10.1.0.0/16,192.168.7.1". */
int request_allow_networks(struct request *request, const char *value,
                           struct error **err);
/* Requirements that go beyond the set, and where pip finds them. */
int request_add_modules(struct request *request, const char *value,
                        struct error **err);
int request_add_installer_options(struct request *request, const char *value,
                                  struct error **err);
/* The name of a library set. */
int request_set_library_set(struct request *request, const char *value,
                            struct error **err);
int request_set_name(struct request *request, const char *value,
                     struct error **err);
/* A file's path, or the number of an open descriptor. */
int request_set_report(struct request *request, const char *value,
                       struct error **err);

/* Finds the library set that is asked for, or "none"; has the modules installed
 * that go beyond it. EINVAL: a mount is in the way of one. */
int request_choose_libraries(struct request *request, struct error **err);

/* Those that the run has, in the order of sys.path: returns how many. */
enum { REQUEST_SETS_MAX = 2 };
size_t request_sets(const struct request *request,
                    const struct library_set *sets[REQUEST_SETS_MAX]);

/* Opens the script: a path, or "-" for standard input. On failure errors have
 * code ENOENT or ENOTDIR (there is none) or any other (it can't be read). */
int request_open_script(struct request *request, const char *path,
                        struct error **err);

#endif
