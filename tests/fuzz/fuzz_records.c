/* What is read back of a run: the keeper's record, the heartbeat, the store's
 * JSON, and what the job itself said on the report pipe. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include "base/fd.h"
#include "host/format.h"
#include "host/heartbeat.h"
#include "host/report.h"
#include "jobs/run.h"
#include "runtime/result.h"

#include <string.h>
#include <unistd.h>

/* What is taken is byte for byte what would be written. */
static void check_result(const uint8_t *bytes, size_t count)
{
  struct result result;
  struct error *err = NULL;
  cleanup_free char *text = xmalloc(count);
  memcpy(text, bytes, count);
  int status = result_parse(text, count, &result, &err);
  if (status == 0) {
    cleanup_fd int fd = fuzz_file("", 0);
    cleanup_free char *again = xcalloc(count, 1);
    cleanup_error struct error *ignored = NULL;
    FUZZ_REQUIRE(result_write(fd, &result, &ignored) == 0);
    FUZZ_REQUIRE(lseek(fd, 0, SEEK_END) == (off_t)count);
    FUZZ_REQUIRE(pread(fd, again, count, 0) == (ssize_t)count);
    FUZZ_REQUIRE(memcmp(again, bytes, count) == 0);
  }
  fuzz_count(status == 0, &err);
}

static void check_heartbeat(const uint8_t *bytes, size_t count)
{
  struct heartbeat heartbeat;
  struct error *err = NULL;
  cleanup_fd int fd = fuzz_file(bytes, count);
  int status = heartbeat_read(fd, &heartbeat, &err);
  FUZZ_REQUIRE(status < 0 || heartbeat.seen_ns >= heartbeat.released_ns);
  FUZZ_REQUIRE(status < 0 || heartbeat.cpu_ns >= -1);
  fuzz_count(status == 0, &err);
}

void fuzz_result(const uint8_t *bytes, size_t count)
{
  check_result(bytes, count);
  check_heartbeat(bytes, count);
}

/* Text of a record, and of the record that is read from that. */
static char *write_and_read(const struct run *run)
{
  cleanup_free char *text = run_to_text(run);
  cleanup_run struct run again;
  cleanup_error struct error *err = NULL;
  run_init(&again);
  FUZZ_REQUIRE(run_from_text(text, &again, &err) == 0);
  char *second = run_to_text(&again);
  FUZZ_REQUIRE(strcmp(text, second) == 0);
  return second;
}

void fuzz_record(const uint8_t *bytes, size_t count)
{
  cleanup_free char *text = fuzz_text_of(bytes, count);
  cleanup_run struct run run;
  struct error *err = NULL;
  run_init(&run);
  int status = run_from_text(text, &run, &err);
  if (status == 0)
    free(write_and_read(&run));
  else
    FUZZ_REQUIRE(run.name == NULL && run.tag_count == 0);
  fuzz_count(status == 0, &err);
}

/* Nothing in it steers a terminal. */
static void check_safe(const char *text, const char *kept)
{
  for (; text != NULL && *text != '\0'; text++) {
    unsigned char byte = (unsigned char)*text;
    FUZZ_REQUIRE((byte >= 0x20 && byte != 0x7F) || strchr(kept, byte) != NULL);
  }
}

void fuzz_report(const uint8_t *bytes, size_t count)
{
  cleanup_free char *text = xmalloc(count);
  memcpy(text, bytes, count);
  cleanup_run struct run run;
  run_init(&run);
  report_read(text, count, &run.reason);
  const char *stack = run.reason.python_stack;
  const struct run_exception *exception = &run.reason.exception;
  if (stack != NULL) {
    cleanup_free char *safe = format_safe_lines(stack);
    FUZZ_REQUIRE(strlen(stack) <= count);
    FUZZ_REQUIRE(strstr(stack, "wafer_bootstrap.py\"") == NULL);
    check_safe(safe, "\n\t");
  }
  /* All of it is there, or nothing. */
  FUZZ_REQUIRE((exception->type == NULL) == (exception->message == NULL));
  FUZZ_REQUIRE((exception->type == NULL) == (exception->file == NULL));
  free(write_and_read(&run));
  fuzz_count(stack != NULL || exception->type != NULL, NULL);
}
