/* What the fuzz targets share (README.md).
 *
 * A target takes any bytes, hands them to one parser or one kind of parsers,
 * and requires what must hold of the outcome. It says of each input whether
 * the parser took it: a corpus in which all are taken, or none is, tests half
 * of the parser only, and its replay fails. */
#ifndef WAFER_TESTS_FUZZ_H
#define WAFER_TESTS_FUZZ_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef void fuzz_target(const uint8_t *bytes, size_t count);

fuzz_target fuzz_cgroup, fuzz_library, fuzz_mask, fuzz_message, fuzz_network,
    fuzz_options, fuzz_pool, fuzz_proc, fuzz_record, fuzz_report, fuzz_result,
    fuzz_settings, fuzz_spec, fuzz_text, fuzz_values;

/* Counts an input, or a part of one, as taken or refused. A refusal has an
 * error of one line, which is freed; err is NULL where there is none to have.
 */
void fuzz_count(bool taken, struct error **err);

/* Ends the process where a property doesn't hold: a finding. */
#define FUZZ_REQUIRE(condition)                                                \
  ((condition) ? (void)0 : fuzz_fail(#condition, __FILE__, __LINE__))
void fuzz_fail(const char *condition, const char *file, int line)
    __attribute__((noreturn));

/* The bytes as a text, up to a NUL, in as much memory as it takes. */
char *fuzz_text_of(const uint8_t *bytes, size_t count);

/* A memory file that holds the bytes; its offset is 0. */
int fuzz_file(const void *bytes, size_t count);

#endif
