#include "config.h"

#include "runtime/python.h"

#include "runtime/python_module.h"
#include "runtime/zygote_fds.h"

#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>

/* NULL: no interpreter is started. */
static const struct python_module *module;

/* Extension modules find libpython's symbols among the global ones, as they do
 * in python3, which they are part of. */
static const struct python_module *load(struct error **err)
{
  char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", ZYGOTE_PYTHON_FD);
  void *library = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
  const struct python_module *loaded =
      library != NULL ? dlsym(library, PYTHON_MODULE_SYMBOL) : NULL;
  if (loaded == NULL)
    error_make(err, 0, "load Python: %s", dlerror());
  close(ZYGOTE_PYTHON_FD);
  return loaded;
}

int python_start(struct error **err)
{
  const struct python_module *loaded = load(err);
  if (loaded == NULL || loaded->start(err) < 0)
    return -1;
  module = loaded;
  return 0;
}

int python_preload(const char *packages, const char *module_name,
                   struct error **err)
{
  return module->preload(packages, module_name, err);
}

int python_freeze(struct error **err)
{
  return module->freeze(err);
}

bool python_is_started(void)
{
  return module != NULL;
}

const char *python_version(void)
{
  return module != NULL ? module->version() : "";
}

void python_before_fork(void)
{
  if (module != NULL)
    module->before_fork();
}

void python_after_fork_parent(void)
{
  if (module != NULL)
    module->after_fork_parent();
}

void python_after_fork_child(void)
{
  if (module != NULL)
    module->after_fork_child();
}

int python_rehearse(int report_fd, struct error **err)
{
  return module->rehearse(report_fd, err);
}

int python_renew(struct error **err)
{
  return module != NULL ? module->renew(err) : 0;
}

int python_run(const json_t *job, const int *fds, int report_fd)
{
  return module->run(job, fds, report_fd);
}
