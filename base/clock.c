#include "config.h"

#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
  struct timespec now;
  clock_gettime(id, &now);
  return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t clock_monotonic_ns(void)
{
  return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_realtime_ns(void)
{
  return read_clock(CLOCK_REALTIME);
}

void clock_format(int64_t realtime_ns, char text[CLOCK_TEXT_SIZE])
{
  time_t seconds = (time_t)(realtime_ns / NS_PER_S);
  unsigned millis = (unsigned)(realtime_ns % NS_PER_S / NS_PER_MS);
  struct tm utc;
  char date[24] = "";
  if (gmtime_r(&seconds, &utc) != NULL)
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc);
  snprintf(text, CLOCK_TEXT_SIZE, "%s.%03uZ", date, millis % 1000);
}
