#include "config.h"

#include "base/error.h"

#include <errno.h>
#include <string.h>

static int set_error(struct error **err, int code, char *text)
{
  *err = xmalloc(sizeof **err);
  (*err)->code = code;
  (*err)->text = text;
  return -1;
}

int error_make(struct error **err, int code, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  char *text = xvasprintf(format, args);
  va_end(args);
  return set_error(err, code, text);
}

int error_errno(struct error **err, const char *format, ...)
{
  int code = errno;
  va_list args;
  va_start(args, format);
  cleanup_free char *what = xvasprintf(format, args);
  va_end(args);
  return set_error(err, code, xasprintf("%s: %s", what, strerror(code)));
}

int error_wrap(struct error **err, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  cleanup_free char *prefix = xvasprintf(format, args);
  va_end(args);
  char *text = xasprintf("%s: %s", prefix, (*err)->text);
  free((*err)->text);
  (*err)->text = text;
  return -1;
}

void error_free(struct error *err)
{
  if (err == NULL)
    return;
  free(err->text);
  free(err);
}

void error_clear(struct error **err)
{
  error_free(*err);
  *err = NULL;
}
