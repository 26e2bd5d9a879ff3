/* What wafer-python.so gives to the program that loads it. */
#ifndef WAFER_RUNTIME_PYTHON_MODULE_H
#define WAFER_RUNTIME_PYTHON_MODULE_H

#include "base/error.h"

#include <jansson.h>

/* The functions of runtime/python.h, where it says what they do. */
struct python_module {
  int (*start)(struct error **err);
  int (*preload)(const char *packages, const char *module, struct error **err);
  int (*freeze)(struct error **err);
  const char *(*version)(void);
  void (*before_fork)(void);
  void (*after_fork_parent)(void);
  void (*after_fork_child)(void);
  int (*rehearse)(int report_fd, struct error **err);
  int (*renew)(struct error **err);
  int (*run)(const json_t *job, const int *fds, int report_fd);
};

#define PYTHON_MODULE_SYMBOL "wafer_python_module"
extern const struct python_module wafer_python_module;

#endif
