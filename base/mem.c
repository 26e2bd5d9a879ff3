#include "config.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

static void mem_exhausted(void)
{
  fputs("wafer: out of memory\n", stderr);
  abort();
}

static void *checked(void *memory)
{
  if (memory == NULL)
    mem_exhausted();
  return memory;
}

void *xmalloc(size_t size_bytes)
{
  return checked(malloc(size_bytes ? size_bytes : 1));
}

void *xcalloc(size_t count, size_t size_bytes)
{
  return checked(calloc(count ? count : 1, size_bytes ? size_bytes : 1));
}

void *xreallocarray(void *old, size_t count, size_t size_bytes)
{
  if (count == 0 || size_bytes == 0)
    count = size_bytes = 1;
  return checked(reallocarray(old, count, size_bytes));
}

char *xstrdup(const char *text)
{
  return checked(strdup(text));
}

char *xstrndup(const char *text, size_t max_bytes)
{
  return checked(strndup(text, max_bytes));
}

char *xvasprintf(const char *format, va_list args)
{
  char *text = NULL;
  if (vasprintf(&text, format, args) < 0)
    mem_exhausted();
  return checked(text);
}

char *xasprintf(const char *format, ...)
{
  va_list args;
  va_start(args, format);
  char *text = xvasprintf(format, args);
  va_end(args);
  return text;
}
