#include "config.h"

#include "host/report.h"

#include <stdlib.h>
#include <string.h>

/* "E", type, file, line, message. A line with fewer parts isn't one. */
static void read_exception(char *line, struct run_exception *exception)
{
  enum { PARTS = 5 };
  char *parts[PARTS];
  size_t count = 0;
  for (; count + 1 < PARTS && line != NULL; count++)
    parts[count] = strsep(&line, "\x1f");
  if (line != NULL)
    parts[count++] = line;
  if (count < PARTS)
    return;
  run_set_text(&exception->type, parts[1]);
  run_set_text(&exception->file, parts[2]);
  exception->line = strtoll(parts[3], NULL, 10);
  run_set_text(&exception->message, parts[4]);
}

static bool begins_with(const char *line, const char *beginning)
{
  return strncmp(line, beginning, strlen(beginning)) == 0;
}

struct dump {
  char *text; /* as large as the whole input */
  size_t used;
  bool open; /* the line before belonged to it */
  bool gap;  /* it was the blank one that follows each thread but the last */
};

/* A dump begins with its first thread: a new one replaces an older. */
static void read_dump(const char *line, struct dump *dump)
{
  bool thread =
      begins_with(line, "Thread 0x") || begins_with(line, "Current thread 0x");
  bool frame = begins_with(line, "  File ");
  if (thread && !dump->gap)
    dump->used = 0;
  dump->gap = dump->open && *line == '\0';
  dump->open = thread || frame;
  if (!dump->open || strstr(line, "wafer_bootstrap.py\"") != NULL)
    return;
  size_t length = strlen(line);
  if (dump->used > 0)
    dump->text[dump->used++] = '\n';
  memcpy(dump->text + dump->used, line, length);
  dump->used += length;
  dump->text[dump->used] = '\0';
}

void report_read(const char *text, size_t count, struct run_reason *reason)
{
  cleanup_free char *copy = xstrndup(text, count);
  cleanup_free char *room = xcalloc(count + 1, 1);
  struct dump dump = {.text = room};
  char *rest = copy;
  for (char *line = strsep(&rest, "\n"); line != NULL;
       line = strsep(&rest, "\n")) {
    if (begins_with(line, "E\x1f"))
      read_exception(line, &reason->exception);
    else
      read_dump(line, &dump);
  }
  if (dump.used > 0)
    run_set_text(&reason->python_stack, dump.text);
}
