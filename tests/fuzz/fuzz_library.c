/* What a library set is made of: its manifest, pip's report, a lock file, and
 * what a job asks for beyond it. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include "host/library_lock.h"
#include "host/library_modules.h"

#include <string.h>

/* What is taken is the same once it is written and read again. */
static void check_manifest(const char *bytes, size_t count)
{
  cleanup_library_set struct library_set set = {0}, again = {0};
  struct error *err = NULL;
  int status = library_set_parse(bytes, count, &set, &err);
  if (status == 0) {
    cleanup_free char *text = library_set_to_text(&set);
    cleanup_error struct error *ignored = NULL;
    FUZZ_REQUIRE(library_set_parse(text, strlen(text), &again, &ignored) == 0);
    cleanup_free char *twice = library_set_to_text(&again);
    FUZZ_REQUIRE(strcmp(text, twice) == 0);
    FUZZ_REQUIRE(library_set_check_name(set.name, &ignored) == 0);
  } else {
    FUZZ_REQUIRE(set.name == NULL && set.preload_count == 0);
  }
  fuzz_count(status == 0, &err);
}

/* Each line is one package: no option and no second requirement gets in. */
static void check_report(const char *bytes, size_t count)
{
  cleanup_free char *lock = NULL;
  struct error *err = NULL;
  int status = library_lock_from_report(bytes, count, &lock, &err);
  for (char *line = lock; status == 0 && *line != '\0';
       line = strchr(line, '\n') + 1) {
    size_t length = strcspn(line, "\n");
    FUZZ_REQUIRE(line[0] != '-' && line[length] == '\n');
    FUZZ_REQUIRE(strcspn(line, " ") + 1 + strlen("--hash=sha256:") +
                     LIBRARY_SET_HASH_LENGTH ==
                 length);
  }
  fuzz_count(status == 0, &err);
}

static void check_preload(const char *lock)
{
  cleanup_library_set struct library_set set = {0};
  struct error *err = NULL;
  int status = library_lock_read_preload(lock, &set, &err);
  fuzz_count(status == 0, &err);
}

/* None of them becomes an option, another line, or a path. */
static void check_modules(const char *text)
{
  struct library_modules modules = {0};
  struct error *err = NULL;
  int status = library_modules_add_names(&modules, text, &err);
  for (size_t i = 0; i < modules.names.count; i++) {
    const char *name = modules.names.items[i];
    FUZZ_REQUIRE(name[0] != '-' && strpbrk(name, "\n/@") == NULL);
  }
  fuzz_count(status == 0, &err);
  status = library_modules_add_options(&modules, text, &err);
  for (size_t i = 0; i < modules.options.count; i++)
    FUZZ_REQUIRE(strncmp(modules.options.items[i], "--", 2) == 0 &&
                 strchr(modules.options.items[i], '\n') == NULL);
  fuzz_count(status == 0, &err);
  library_modules_release(&modules);
}

void fuzz_library(const uint8_t *bytes, size_t count)
{
  cleanup_free char *text = fuzz_text_of(bytes, count);
  cleanup_free char *copy = xmalloc(count);
  memcpy(copy, bytes, count);
  check_manifest(copy, count);
  check_report(copy, count);
  check_preload(text);
  check_modules(text);
}
