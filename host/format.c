#include "config.h"

#include "host/format.h"

#include "base/clock.h"
#include "base/mem.h"
#include "jobs/utf8.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *not_known(char text[FORMAT_SIZE])
{
  memcpy(text, "-", 2);
  return text;
}

/* value / unit, rounded half up; value isn't negative. */
static int64_t divide_rounded(int64_t value, int64_t unit)
{
  return value / unit + (value % unit >= unit - value % unit);
}

const char *format_bytes(int64_t bytes, char text[FORMAT_SIZE])
{
  static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB"};
  if (bytes < 0)
    return not_known(text);
  if (bytes < 1024) {
    snprintf(text, FORMAT_SIZE, "%" PRId64 " B", bytes);
    return text;
  }
  size_t at = 0;
  int64_t unit = 1024;
  /* Rounded first, so that just below 1 MiB is "1.0 MiB", not "1024 KiB". */
  while (at + 1 < ARRAY_LENGTH(units) && divide_rounded(bytes, unit) >= 1024) {
    unit *= 1024;
    at++;
  }
  int64_t tenths = bytes / unit * 10 + divide_rounded(bytes % unit * 10, unit);
  if (tenths < 100)
    snprintf(text, FORMAT_SIZE, "%" PRId64 ".%" PRId64 " %s", tenths / 10,
             tenths % 10, units[at]);
  else
    snprintf(text, FORMAT_SIZE, "%" PRId64 " %s", divide_rounded(bytes, unit),
             units[at]);
  return text;
}

const char *format_seconds(int64_t duration_ns, char text[FORMAT_SIZE])
{
  if (duration_ns < 0)
    return not_known(text);
  /* Three digits: as many decimals as leave the rounded number below 1000. */
  int decimals = 3;
  int64_t per_second = 1000;
  while (decimals > 0 &&
         divide_rounded(duration_ns, NS_PER_S / per_second) >= 1000) {
    decimals--;
    per_second /= 10;
  }
  int64_t rounded = divide_rounded(duration_ns, NS_PER_S / per_second);
  if (decimals == 0)
    snprintf(text, FORMAT_SIZE, "%" PRId64 " s", rounded);
  else
    snprintf(text, FORMAT_SIZE, "%" PRId64 ".%0*" PRId64 " s",
             rounded / per_second, decimals, rounded % per_second);
  return text;
}

const char *format_dpu_seconds(int64_t micro_dpu_seconds,
                               char text[FORMAT_SIZE])
{
  enum { MICRO = 1000000, DECIMALS = 6, DECIMALS_KEPT = 2 };
  if (micro_dpu_seconds < 0)
    return not_known(text);
  int length =
      snprintf(text, FORMAT_SIZE, "%" PRId64 ".%0*" PRId64,
               micro_dpu_seconds / MICRO, DECIMALS, micro_dpu_seconds % MICRO);
  int least = length - (DECIMALS - DECIMALS_KEPT);
  while (length > least && text[length - 1] == '0')
    text[--length] = '\0';
  return text;
}

const char *format_time(int64_t realtime_ns, char text[FORMAT_SIZE])
{
  enum { DATE_AND_TIME = 19, DATE = 10 };
  if (realtime_ns <= 0)
    return not_known(text);
  char full[CLOCK_TEXT_SIZE];
  clock_format(realtime_ns, full);
  snprintf(text, FORMAT_SIZE, "%.*s", DATE_AND_TIME, full);
  if (strlen(text) > DATE)
    text[DATE] = ' ';
  return text;
}

/* Decodes the character at *next, which is well-formed, and steps over it. */
static uint32_t next_character(const unsigned char **next)
{
  const unsigned char *at = *next;
  size_t length = at[0] < 0x80 ? 1 : at[0] < 0xE0 ? 2 : at[0] < 0xF0 ? 3 : 4;
  uint32_t point = length == 1 ? at[0] : at[0] & (0x7Fu >> length);
  for (size_t i = 1; i < length; i++)
    point = point << 6 | (at[i] & 0x3Fu);
  *next += length;
  return point;
}

/* Unicode's Cc, its separators of lines, and its marks of direction (UAX #9),
 * with which a text could be shown in another order than it has. */
static bool is_unsafe(uint32_t point)
{
  static const struct {
    uint32_t first;
    uint32_t last;
  } ranges[] = {
      {0x00, 0x1F},     {0x7F, 0x9F},     {0x061C, 0x061C}, {0x200E, 0x200F},
      {0x2028, 0x202E}, {0x2066, 0x2069}, {0xFEFF, 0xFEFF},
  };
  for (size_t i = 0; i < ARRAY_LENGTH(ranges); i++)
    if (point >= ranges[i].first && point <= ranges[i].last)
      return true;
  return false;
}

static char *make_safe(const char *text, const char *kept)
{
  enum { ESCAPE_MAX = 6 }; /* "\u202e" for a character of a byte or more */
  cleanup_free char *clean = utf8_clean(text, strlen(text));
  char *safe = xreallocarray(NULL, strlen(clean) + 1, ESCAPE_MAX);
  char *to = safe;
  const unsigned char *next = (const unsigned char *)clean;
  while (*next != '\0') {
    const unsigned char *from = next;
    uint32_t point = next_character(&next);
    if (!is_unsafe(point) || (point < 0x80 && strchr(kept, (int)point))) {
      memcpy(to, from, (size_t)(next - from));
      to += next - from;
    } else {
      to += snprintf(to, ESCAPE_MAX + 1,
                     point < 0x100 ? "\\x%02" PRIx32 : "\\u%04" PRIx32, point);
    }
  }
  *to = '\0';
  return safe;
}

char *format_safe(const char *text)
{
  return make_safe(text, "");
}

char *format_safe_lines(const char *text)
{
  return make_safe(text, "\n\t");
}

size_t format_width(const char *text)
{
  size_t width = 0;
  for (; *text != '\0'; text++)
    width += ((unsigned char)*text & 0xC0) != 0x80;
  return width;
}

void format_print_padded(const char *text, int width)
{
  int blanks = abs(width) - (int)format_width(text);
  if (blanks < 0)
    blanks = 0;
  if (width < 0)
    printf("%*s%s", blanks, "", text);
  else
    printf("%s%*s", text, blanks, "");
}

int format_flush(struct error **err)
{
  if (fflush(stdout) != 0 || ferror(stdout))
    return error_errno(err, "write to standard output");
  return 0;
}
