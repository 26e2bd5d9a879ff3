/* One program with all targets; WAFER_FUZZ names the one that runs. The rest
 * is libFuzzer's: its main, its options. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include "base/fd.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static const struct {
  const char *name;
  fuzz_target *function;
} targets[] = {
    {"cgroup", fuzz_cgroup},   {"library", fuzz_library},
    {"mask", fuzz_mask},       {"message", fuzz_message},
    {"network", fuzz_network}, {"options", fuzz_options},
    {"pool", fuzz_pool},       {"proc", fuzz_proc},
    {"record", fuzz_record},   {"report", fuzz_report},
    {"result", fuzz_result},   {"settings", fuzz_settings},
    {"spec", fuzz_spec},       {"text", fuzz_text},
    {"values", fuzz_values},
};

static fuzz_target *target;
static unsigned long taken, refused;

static int first_free_fd(void)
{
  int fd = dup(STDERR_FILENO);
  close(fd);
  return fd;
}

static void print_counts(void)
{
  fprintf(stderr, "fuzz: %lu taken, %lu refused\n", taken, refused);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
  (void)argc;
  (void)argv;
  const char *name = getenv("WAFER_FUZZ");
  for (size_t i = 0; i < ARRAY_LENGTH(targets); i++)
    if (name == NULL)
      puts(targets[i].name);
    else if (strcmp(targets[i].name, name) == 0)
      target = targets[i].function;
  if (target == NULL) {
    fputs("fuzz: set WAFER_FUZZ to the name of a target\n", stderr);
    exit(2);
  }
  atexit(print_counts);
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
  int before = first_free_fd();
  target(bytes, count);
  FUZZ_REQUIRE(first_free_fd() == before);
  return 0;
}

void fuzz_count(bool is_taken, struct error **err)
{
  taken += is_taken;
  refused += !is_taken;
  if (err == NULL)
    return;
  FUZZ_REQUIRE(is_taken == (*err == NULL));
  FUZZ_REQUIRE(is_taken || (*err)->text[0] != '\0');
  error_clear(err);
}

void fuzz_fail(const char *condition, const char *file, int line)
{
  fprintf(stderr, "%s:%d: it doesn't hold that %s\n", file, line, condition);
  abort();
}

char *fuzz_text_of(const uint8_t *bytes, size_t count)
{
  char *text = xmalloc(count + 1);
  memcpy(text, bytes, count);
  text[count] = '\0';
  size_t length = strlen(text) + 1;
  return xreallocarray(text, length, 1);
}

int fuzz_file(const void *bytes, size_t count)
{
  int fd = memfd_create("fuzz", MFD_CLOEXEC);
  FUZZ_REQUIRE(fd >= 0 && pwrite(fd, bytes, count, 0) == (ssize_t)count);
  return fd;
}
