/* Errors: one type, one rule.
 *
 * A function that can fail takes `struct error **err` last and returns an int:
 * 0 or more is success and leaves *err alone; -1 is failure and sets *err
 * once. The makers below return -1, so that a failure is one line:
 *
 *   if (fd < 0)
 *     return error_errno (err, "open %s", path);
 *
 * The text names the object and says what went wrong; a layer above may only
 * wrap it. `err` must not be NULL and *err must be NULL when it is passed.
 * Only main and a child before exec may exit. */
#ifndef WAFER_BASE_ERROR_H
#define WAFER_BASE_ERROR_H

#include "base/mem.h"

struct error {
  int code;   /* an errno value; 0 where none fits */
  char *text; /* one line, no newline at its end */
};

/* Makes an error of `code`; strerror is not added. Returns -1. */
int error_make(struct error **err, int code, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* Makes an error of errno, and appends ": " and its strerror. Returns -1. */
int error_errno(struct error **err, const char *format, ...) PRINTF_LIKE(2, 3);

/* Puts a prefix and ": " before the text of *err. Returns -1. */
int error_wrap(struct error **err, const char *format, ...) PRINTF_LIKE(2, 3);

void error_free(struct error *err);

/* Frees *err and sets it to NULL: the failure was dealt with. */
void error_clear(struct error **err);

static inline void cleanup_errorp(struct error **err)
{
  error_free(*err);
}

#define cleanup_error __attribute__((cleanup(cleanup_errorp)))

#endif
