/* Figures and texts as people read them.
 *
 * Each of the first group writes into the caller's buffer of FORMAT_SIZE bytes
 * and returns it. A negative figure is one that isn't known (jobs/run.h) and
 * becomes "-". Rounding is half up. */
#ifndef WAFER_HOST_FORMAT_H
#define WAFER_HOST_FORMAT_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum { FORMAT_SIZE = 48 };

/* "512 B", "1.0 GiB", "48 MiB": one decimal below ten. */
const char *format_bytes(int64_t bytes, char text[FORMAT_SIZE]);

/* "0.004 s", "1.23 s", "61.2 s", "3600 s". */
const char *format_seconds(int64_t duration_ns, char text[FORMAT_SIZE]);

/* "3.75", "60.00", "3.8125": exact, with two decimals at least. */
const char *format_dpu_seconds(int64_t micro_dpu_seconds,
                               char text[FORMAT_SIZE]);

/* "2018-11-26 09:30:05", in UTC; "-" for 0, which is "not yet". */
const char *format_time(int64_t realtime_ns, char text[FORMAT_SIZE]);

/* A copy that can't change how a terminal shows what is around it: control
 * characters (C0, DEL, C1), line separators and marks of direction become
 * "\x1b" or "\u202e", bytes that are no UTF-8 become U+FFFD. It is for reading,
 * not to be undone: a backslash stays one. The caller frees it. */
char *format_safe(const char *text);

/* The same for a text of several lines: newlines and tabs stay. */
char *format_safe_lines(const char *text);

/* How many UTF-8 characters a text has: its columns, but for wide ones. */
size_t format_width(const char *text);

/* Prints a text to stdout, and blanks after it to fill `width` columns; before
 * it where `width` is negative. */
void format_print_padded(const char *text, int width);

/* Ends what was printed to stdout: an error where it couldn't be written. */
int format_flush(struct error **err);

#endif
