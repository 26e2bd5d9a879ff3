#include "config.h"

#include "runtime/thread_counts.h"

#include "base/mem.h"

#include <dlfcn.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Each takes an int. numpy's and scipy's wheels bring an OpenBLAS each, whose
 * names have a prefix, and a suffix where its integers have 64 bits. */
static const struct {
  const char *library; /* a part of its file's name */
  const char *function;
  const char *variable;
} controls[] = {
    {"openblas", "scipy_openblas_set_num_threads64_", "OPENBLAS_NUM_THREADS"},
    {"openblas", "scipy_openblas_set_num_threads", "OPENBLAS_NUM_THREADS"},
    {"openblas", "openblas_set_num_threads", "OPENBLAS_NUM_THREADS"},
    {"libgomp", "omp_set_num_threads", "OMP_NUM_THREADS"},
};

/* Not more than the machine has CPUs, as OpenBLAS has it, too. 0: nothing that
 * makes sense. */
static int count_of(const json_t *env, const char *variable)
{
  const char *text = json_string_value(json_object_get(env, variable));
  char *end;
  long count = text != NULL ? strtol(text, &end, 10) : 0;
  long cpus = sysconf(_SC_NPROCESSORS_ONLN);
  if (count <= 0 || *end != '\0')
    return 0;
  return (int)(count < cpus ? count : cpus);
}

static void apply_to(const char *path, const json_t *env)
{
  const char *slash = strrchr(path, '/');
  const char *name = slash != NULL ? slash + 1 : path;
  for (size_t i = 0; i < ARRAY_LENGTH(controls); i++) {
    int count = count_of(env, controls[i].variable);
    if (count == 0 || strstr(name, controls[i].library) == NULL)
      continue;
    void *library = dlopen(path, RTLD_LAZY | RTLD_NOLOAD);
    void (*set)(int) = NULL;
    if (library != NULL)
      *(void **)&set = dlsym(library, controls[i].function);
    if (set != NULL)
      set(count);
    if (library != NULL)
      dlclose(library); /* what dlopen counted */
  }
}

void thread_counts_apply(const json_t *env)
{
  struct link_map *map = NULL;
  void *program = dlopen(NULL, RTLD_LAZY);
  if (program == NULL || dlinfo(program, RTLD_DI_LINKMAP, &map) < 0)
    return;
  for (; map != NULL; map = map->l_next)
    apply_to(map->l_name, env);
}
