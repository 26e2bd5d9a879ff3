# `make fuzzers`, where configured with --enable-fuzzers CC=clang-14: one
# program with all fuzz targets (README.md). Nothing else builds it.
EXTRA_PROGRAMS += tests/fuzz/fuzz
tests_fuzz_fuzz_SOURCES = \
  tests/fuzz/fuzz.c tests/fuzz/fuzz.h \
  tests/fuzz/fuzz_command.c \
  tests/fuzz/fuzz_kernel.c \
  tests/fuzz/fuzz_library.c \
  tests/fuzz/fuzz_messages.c \
  tests/fuzz/fuzz_network.c \
  tests/fuzz/fuzz_records.c \
  tests/fuzz/fuzz_text.c \
  runtime/spec.c
tests_fuzz_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_LDADD = libhost.a libjobs.a libruntime.a libsandbox.a \
  libbase.a $(EVENT_LIBS) $(SQLITE_LIBS) $(CRYPTO_LIBS) $(JANSSON_LIBS) -lm
tests_fuzz_fuzz_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)

.PHONY: fuzzers
fuzzers: $(BUILT_SOURCES)
	$(MAKE) $(AM_MAKEFLAGS) tests/fuzz/fuzz$(EXEEXT)

EXTRA_DIST += tests/fuzz/README.md tests/fuzz/corpus tests/fuzz/regressions \
  tests/fuzz/run
