/* UTF-8 from bytes that may be none (a job's output, say). */
#ifndef WAFER_JOBS_UTF8_H
#define WAFER_JOBS_UTF8_H

#include <stddef.h>

/* A NUL-terminated copy of `count` bytes in which every byte that is no part
 * of well-formed UTF-8 (RFC 3629: no overlong form, no surrogate, nothing
 * beyond U+10FFFF), and every NUL, has become U+FFFD. The caller frees it. */
char *utf8_clean(const char *bytes, size_t count);

#endif
