/* Memory, and the cleanup attributes that give it back.
 *
 * Running out of memory ends the process, in one place (mem_exhausted): every
 * x* function below returns a usable pointer. A variable that owns something
 * is declared with a cleanup attribute and initialised in its declaration;
 * steal_pointer hands the ownership out. */
#ifndef WAFER_BASE_MEM_H
#define WAFER_BASE_MEM_H

#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))

void *xmalloc(size_t size_bytes) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t count, size_t size_bytes)
    __attribute__((malloc, returns_nonnull));
void *xreallocarray(void *old, size_t count, size_t size_bytes)
    __attribute__((returns_nonnull));
char *xstrdup(const char *text) __attribute__((malloc, returns_nonnull));
char *xstrndup(const char *text, size_t max_bytes)
    __attribute__((malloc, returns_nonnull));
char *xasprintf(const char *format, ...)
    __attribute__((malloc, returns_nonnull)) PRINTF_LIKE(1, 2);
char *xvasprintf(const char *format, va_list args)
    __attribute__((malloc, returns_nonnull)) PRINTF_LIKE(1, 0);

/* free () through a pointer to the owning variable. */
static inline void cleanup_freep(void *owner)
{
  free(*(void **)owner);
}

static inline void *steal_pointer_(void *owner)
{
  void *held = *(void **)owner;
  *(void **)owner = NULL;
  return held;
}

#define cleanup_free         __attribute__((cleanup(cleanup_freep)))
#define steal_pointer(owner) ((__typeof__(*(owner)))steal_pointer_(owner))
#define ARRAY_LENGTH(array)  (sizeof(array) / sizeof((array)[0]))

#endif
