#include "config.h"

#include "jobs/size.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define GIB (INT64_C(1) << 30)

static const struct size sizes[] = {
    {
        .name = "0.0625",
        .micro_dpu = 62500,
        .cpu_milli = 250,
        .memory_bytes = 1 * GIB,
        .pids_max = 128,
        .scratch_bytes = 20 * GIB,
    },
    {
        .name = "1",
        .micro_dpu = 1000000,
        .cpu_milli = 4000,
        .memory_bytes = 16 * GIB,
        .pids_max = 1024,
        .scratch_bytes = 20 * GIB,
    },
};

const struct size *size_default(void)
{
  return &sizes[0];
}

const struct size *size_at(size_t index)
{
  return index < ARRAY_LENGTH(sizes) ? &sizes[index] : NULL;
}

/* Whole DPUs of more digits than this are in no table. */
enum { WHOLE_DIGITS_MAX = 6, MICRO_DIGITS = 6 };

/* The grammar of a JSON number without sign and exponent. What is finer than
 * a millionth makes it no size. */
static bool parse_micro_dpu(const char *text, int64_t *micro_dpu)
{
  size_t digits = strspn(text, "0123456789");
  if (digits == 0 || digits > WHOLE_DIGITS_MAX ||
      (text[0] == '0' && digits > 1))
    return false;
  int64_t micro = 0;
  for (size_t i = 0; i < digits; i++)
    micro = micro * 10 + (text[i] - '0');
  const char *rest = text + digits;
  if (*rest == '.' && !isdigit((unsigned char)*++rest))
    return false;
  for (int i = 0; i < MICRO_DIGITS; i++)
    micro = micro * 10 + (isdigit((unsigned char)*rest) ? *rest++ - '0' : 0);
  rest += strspn(rest, "0");
  *micro_dpu = micro;
  return *rest == '\0';
}

static char *list_names(void)
{
  char *list = xstrdup(sizes[0].name);
  for (size_t i = 1; i < ARRAY_LENGTH(sizes); i++) {
    char *longer = xasprintf("%s, %s", list, sizes[i].name);
    free(list);
    list = longer;
  }
  return list;
}

int size_find(const char *max_capacity, const struct size **size,
              struct error **err)
{
  int64_t micro_dpu;
  if (parse_micro_dpu(max_capacity, &micro_dpu))
    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++)
      if (sizes[i].micro_dpu == micro_dpu) {
        *size = &sizes[i];
        return 0;
      }
  cleanup_free char *names = list_names();
  return error_make(err, EINVAL, "no size \"%s\": use one of %s DPU",
                    max_capacity, names);
}
