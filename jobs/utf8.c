#include "config.h"

#include "jobs/utf8.h"

#include "base/mem.h"

#include <stdint.h>
#include <string.h>

static const char replacement[] = "\xEF\xBF\xBD";

/* The length of the well-formed character at the start of `bytes`, or 0. */
static size_t character_length(const unsigned char *bytes, size_t count)
{
  /* The least code point of each length: anything below is overlong. */
  static const uint32_t least[] = {0, 1, 0x80, 0x800, 0x10000};
  unsigned char first = bytes[0];
  size_t length = first < 0x80             ? 1
                  : (first & 0xE0) == 0xC0 ? 2
                  : (first & 0xF0) == 0xE0 ? 3
                  : (first & 0xF8) == 0xF0 ? 4
                                           : 0;
  if (length == 0 || length > count)
    return 0;
  uint32_t point = length == 1 ? first : first & (0x7Fu >> length);
  for (size_t i = 1; i < length; i++) {
    if ((bytes[i] & 0xC0) != 0x80)
      return 0;
    point = point << 6 | (bytes[i] & 0x3Fu);
  }
  if (point < least[length] || (point >= 0xD800 && point <= 0xDFFF) ||
      point > 0x10FFFF)
    return 0;
  return length;
}

char *utf8_clean(const char *bytes, size_t count)
{
  const unsigned char *from = (const unsigned char *)bytes;
  size_t growth = sizeof replacement - 1;
  /* The last one is for the NUL. */
  char *clean = xreallocarray(NULL, count + 1, growth);
  char *to = clean;
  for (size_t i = 0; i < count;) {
    size_t length = character_length(from + i, count - i);
    if (length > 0) {
      memcpy(to, from + i, length);
      to += length;
      i += length;
    } else {
      memcpy(to, replacement, growth);
      to += growth;
      i++;
    }
  }
  *to = '\0';
  return clean;
}
