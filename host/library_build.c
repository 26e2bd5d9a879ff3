#include "config.h"

#include "host/library_build.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/sha256.h"
#include "host/library_lock.h"
#include "host/library_pip.h"
#include "host/library_store.h"
#include "host/named.h"
#include "runtime/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REPORT_FILE "report.json"

struct build {
  const struct library_order *order;
  struct library_store store;
  struct library_pip pip;
  struct library_set *set;
  char *lock; /* text of the lock file */
  char *work; /* .work, a path */
  char *folder;
};

static void release_build(struct build *build)
{
  library_store_release(&build->store);
  free(build->lock);
  free(build->work);
  free(build->folder);
}

/* A folder of the builder's; root's is given away. */
static int make_folder(const struct build *build, const char *name, mode_t mode,
                       struct error **err)
{
  int sets = build->store.dir_fd;
  if (mkdirat(sets, name, mode) < 0)
    return error_errno(err, "make %s/%s", build->store.dir, name);
  if (geteuid() == 0 && fchownat(sets, name, build->pip.uid, build->pip.gid,
                                 AT_SYMLINK_NOFOLLOW) < 0)
    return error_errno(err, "give %s/%s away", build->store.dir, name);
  return 0;
}

/* The id that pip gets is unique while this process lives: see
 * namespace_ids_of_pid. */
static int make_work(struct build *build, struct error **err)
{
  struct namespace_ids ids = namespace_ids_of_pid(getpid());
  build->work = xasprintf("%s/" LIBRARY_STORE_WORK, build->store.dir);
  build->pip = (struct library_pip){.home = build->work,
                                    .lock_fd = build->store.lock_fd,
                                    .uid = ids.job_uid,
                                    .gid = ids.job_gid};
  /* Options may hold the password of an index. */
  return make_folder(build, LIBRARY_STORE_WORK, 0700, err);
}

static int put_file(const char *path, const char *text, struct error **err)
{
  cleanup_fd int fd =
      open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (fd < 0)
    return error_errno(err, "make %s", path);
  if (fd_write_all(fd, text, strlen(text), err) < 0)
    return error_wrap(err, "%s", path);
  return 0;
}

static int read_text(const char *path, char **text, struct error **err)
{
  size_t count;
  if (named_read(path, LIBRARY_LOCK_MAX_BYTES, text, &count, err) < 0)
    return -1;
  if (strlen(*text) != count)
    return error_make(err, EINVAL, "%s holds a NUL byte", path);
  return 0;
}

static const char *or_empty(const char *text)
{
  return text != NULL ? text : "";
}

/* With what only pip is to know before it. */
static int put_requirements(const struct build *build, const char *path,
                            const char *text, struct error **err)
{
  const char *options = or_empty(build->order->options);
  cleanup_free char *all = xasprintf("%s%s", options, text);
  int result = put_file(path, all, err);
  explicit_bzero(all, strlen(all));
  return result;
}

static int read_report(struct build *build, struct error **err)
{
  enum { REPORT_MAX_BYTES = 64 << 20 };
  cleanup_free char *report = NULL;
  size_t count;
  cleanup_fd int work = open(build->work, O_PATH | O_DIRECTORY | O_CLOEXEC);
  cleanup_fd int fd = fd_open_beneath(work, REPORT_FILE, O_RDONLY, 0, err);
  if (fd < 0 || fd_read_all(fd, REPORT_MAX_BYTES, &report, &count, err) < 0)
    return error_wrap(err, "pip's report");
  return library_lock_from_report(report, count, &build->lock, err);
}

/* Has pip say what it would install, and keeps that with its hashes. What comes
 * on top of a set is resolved by that set's python, which sees its packages and
 * no others; else pip is to overlook those of the machine. */
static int resolve(struct build *build, const char *wanted, struct error **err)
{
  const struct library_set *base = build->order->base;
  cleanup_free char *file = xasprintf("%s/requirements.txt", build->work);
  cleanup_free char *report = xasprintf("%s/" REPORT_FILE, build->work);
  cleanup_free char *python = base != NULL
                                  ? xasprintf("%s/bin/python", base->dir)
                                  : xstrdup(library_pip_python);
  const char *const argv[] = {python,
                              "-I",
                              LIBRARY_PIP_RUNNER,
                              "install",
                              "--dry-run",
                              "-q",
                              "-r",
                              file,
                              "--report",
                              report,
                              "--only-binary",
                              ":all:",
                              base != NULL ? NULL : "--ignore-installed",
                              NULL};
  if (put_requirements(build, file, wanted, err) < 0 ||
      library_pip_run(&build->pip, argv, err) < 0)
    return -1;
  return read_report(build, err);
}

static int resolve_file(struct build *build, struct error **err)
{
  cleanup_free char *wanted = NULL;
  if (read_text(build->order->requirements, &wanted, err) < 0 ||
      resolve(build, wanted, err) < 0)
    return -1;
  if (build->lock[0] == '\0')
    return error_make(err, EINVAL, "%s names no package",
                      build->order->requirements);
  return 0;
}

static int find_lock(struct build *build, struct error **err)
{
  const struct library_order *order = build->order;
  if (order->text != NULL)
    return resolve(build, order->text, err);
  if (order->requirements != NULL)
    return resolve_file(build, err);
  if (order->lock != NULL)
    return read_text(order->lock, &build->lock, err);
  cleanup_free char *builtin = library_lock_builtin(order->name);
  if (builtin == NULL)
    return error_make(err, ENOENT,
                      "no set called %s comes with wafer: give --requirements "
                      "FILE or --lock FILE",
                      order->name);
  return read_text(builtin, &build->lock, err);
}

static int describe(struct build *build, struct error **err)
{
  struct library_set *set = build->set;
  set->name = xstrdup(build->order->name);
  set->lock_sha256 = xcalloc(SHA256_TEXT_SIZE, 1);
  sha256_text(build->lock, strlen(build->lock), set->lock_sha256);
  set->made_realtime_ns = clock_realtime_ns();
  build->folder = library_store_folder(set->name, set->lock_sha256);
  return build->order->preload != NULL
             ? library_lock_add_preload(build->order->preload, set, err)
             : library_lock_read_preload(build->lock, set, err);
}

static int make_environment(const struct build *build, const char *dir,
                            struct error **err)
{
  const char *const argv[] = {library_pip_python, "-I", "-m", "venv",
                              "--without-pip",    dir,  NULL};
  if (make_folder(build, build->folder, 0755, err) < 0)
    return -1;
  return library_pip_run(&build->pip, argv, err);
}

/* By the environment's own python, so that this is where pip installs to. All
 * that a set had to add may be nothing. */
static int install(const struct build *build, const char *dir,
                   struct error **err)
{
  cleanup_free char *python = xasprintf("%s/bin/python", dir);
  cleanup_free char *lock = xasprintf("%s/" LIBRARY_SET_LOCK, build->work);
  const char *const argv[] = {python,    "-I",           LIBRARY_PIP_RUNNER,
                              "install", "-q",           "-r",
                              lock,      "--no-compile", "--only-binary",
                              ":all:",   "--no-deps",    "--require-hashes",
                              NULL};
  if (build->lock[0] == '\0')
    return 0;
  if (put_requirements(build, lock, build->lock, err) < 0)
    return -1;
  return library_pip_run(&build->pip, argv, err);
}

/* No job can write a .pyc there; and none asks whether its source changed.
 * What can't be compiled (a test's or another Python's) isn't meant to be. */
static void compile_all(const struct build *build, const char *dir)
{
  cleanup_error struct error *ignored = NULL;
  cleanup_free char *python = xasprintf("%s/bin/python", dir);
  cleanup_free char *packages =
      xasprintf("%s/lib/python" PYTHON_VERSION "/site-packages", dir);
  const char *const argv[] = {
      python,   "-I", "-m", "compileall",          "-q",
      "-q",     "-j", "0",  "--invalidation-mode", "unchecked-hash",
      packages, NULL};
  library_pip_run(&build->pip, argv, &ignored);
}

/* nftw (3) has no argument to hand on. */
static int64_t counted_bytes;

/* Takes a file over from the builder, whose id another process may have once
 * this one is gone; it may be a link to nobody else's. */
static int settle_entry(const char *path, const struct stat *status, int kind,
                        struct FTW *place)
{
  enum { BLOCK_BYTES = 512 };
  (void)place;
  if (S_ISREG(status->st_mode) && status->st_nlink != 1) {
    errno = EMLINK;
    return -1;
  }
  counted_bytes += status->st_blocks * BLOCK_BYTES;
  if (geteuid() == 0 && lchown(path, 0, 0) < 0)
    return -1;
  mode_t mode = status->st_mode & 0755;
  return kind == FTW_SL ? 0 : chmod(path, mode | (kind == FTW_D ? 0755 : 0444));
}

static int settle(struct build *build, const char *dir, struct error **err)
{
  enum { OPEN_FOLDERS = 32 };
  counted_bytes = 0;
  if (nftw(dir, settle_entry, OPEN_FOLDERS, FTW_PHYS) != 0)
    return error_errno(err, "take %s over", dir);
  build->set->bytes = counted_bytes;
  cleanup_free char *lock = xasprintf("%s/" LIBRARY_SET_LOCK, dir);
  return put_file(lock, build->lock, err);
}

/* What venv noted: "version = 3.11.2". */
static int read_version(struct build *build, const char *dir,
                        struct error **err)
{
  static const char key[] = "\nversion = ";
  cleanup_free char *path = xasprintf("%s/pyvenv.cfg", dir);
  cleanup_free char *text = NULL;
  if (read_text(path, &text, err) < 0)
    return -1;
  const char *line = strstr(text, key);
  if (line == NULL)
    return error_make(err, EINVAL, "%s names no version", path);
  line += strlen(key);
  build->set->python_version = xstrndup(line, strcspn(line, "\n"));
  return 0;
}

/* As a warm zygote will do it; and it says which Python is embedded. */
static int try_preload(const struct build *build, const char *dir,
                       struct error **err)
{
  struct library_set *set = build->set;
  struct zygote zygote = ZYGOTE_INIT;
  char version[PYTHON_VERSION_SIZE];
  set->dir = (char *)dir; /* lent */
  int result = zygote_start(&zygote, err);
  if (result == 0)
    result = zygote_warm(&zygote, set, version, err);
  zygote_end(&zygote);
  set->dir = NULL;
  if (result < 0)
    return error_wrap(err, "import its modules ahead (--preload)");
  if (strcmp(version, set->python_version) != 0)
    return error_make(err, EINVAL,
                      "%s is %s, and the embedded Python %s: install both from "
                      "one version of Debian's packages",
                      library_pip_python, set->python_version, version);
  return 0;
}

static int make(struct build *build, const char *dir, struct error **err)
{
  fprintf(stderr, "wafer: building the library set %s …\n", build->set->name);
  if (make_environment(build, dir, err) < 0 || install(build, dir, err) < 0)
    return -1;
  compile_all(build, dir);
  if (settle(build, dir, err) < 0)
    return -1;
  return read_version(build, dir, err);
}

/* One that is there is whole: sweeping left it. */
static int make_or_keep(struct build *build, const char *dir,
                        struct error **err)
{
  if (access(dir, F_OK) < 0)
    return make(build, dir, err);
  cleanup_library_set struct library_set old = {0};
  if (library_set_open(build->store.dir, build->set->name, &old, err) < 0)
    return -1;
  build->set->bytes = old.bytes;
  build->set->python_version = xstrdup(old.python_version);
  return 0;
}

static int build_and_choose(struct build *build, struct error **err)
{
  if (library_store_open(&build->store, err) < 0 || make_work(build, err) < 0 ||
      find_lock(build, err) < 0 || describe(build, err) < 0)
    return -1;
  cleanup_free char *dir = xasprintf("%s/%s", build->store.dir, build->folder);
  if (make_or_keep(build, dir, err) < 0 || try_preload(build, dir, err) < 0 ||
      library_store_finish(&build->store, build->folder, build->set, err) < 0)
    return -1;
  return library_store_choose(&build->store, build->set->name, build->folder,
                              err);
}

int library_build(const struct library_order *order, struct library_set *set,
                  struct error **err)
{
  __attribute__((cleanup(release_build))) struct build build = {
      .order = order, .store = LIBRARY_STORE_INIT, .set = set};
  if (library_set_check_name(order->name, err) < 0 ||
      library_pip_check(err) < 0)
    return -1;
  int result = build_and_choose(&build, err);
  if (build.store.lock_fd >= 0)
    library_store_sweep(&build.store);
  if (result == 0)
    return 0;
  library_set_release(set);
  return error_wrap(err, "library set %s", order->name);
}
