# `make check`: the unit tests, then the checks of the source tree.
#
# Unit tests are cmocka programs that speak TAP, one file each, of the same
# objects as what is installed. The system tests (pytest) need an installed
# wafer and two more users: scripts/check runs them.

UNIT_TESTS = \
  tests/unit/test_landlock \
  tests/unit/test_privileges \
  tests/unit/test_seccomp \
  tests/unit/test_seccomp_programs
UNIT_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
UNIT_LIBS = $(CMOCKA_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += $(UNIT_TESTS)
endif

CHECKS_OF_THE_SOURCE = \
  tests/lint/banned.py \
  tests/lint/clang_tidy.py \
  tests/lint/cppcheck.py \
  tests/lint/headers.py \
  tests/lint/includes.py \
  tests/lint/layout.py \
  tests/lint/manual.py \
  tests/lint/python.py \
  tests/lint/selftest.py \
  tests/lint/shell.py \
  tests/lint/sizes.py \
  tests/lint/spelling.py \
  tests/lint/text_only.py
dist_check_SCRIPTS += $(CHECKS_OF_THE_SOURCE)
EXTRA_DIST += tests/lint/tree.py .clang-format .clang-tidy .codespellrc
EXTRA_DIST += tests/python tests/system bench/start
EXTRA_DIST += scripts/check scripts/fetch-example-data scripts/lib.sh \
  scripts/setup scripts/tally scripts/try
dist-hook:
	find $(distdir) -name __pycache__ -prune -exec rm -rf {} +

if LINT
TESTS += $(CHECKS_OF_THE_SOURCE)
check_DATA = tests/lint/cppflags
endif

# What the C files are compiled with, one flag a line.
CLEANFILES += tests/lint/cppflags
tests/lint/cppflags: Makefile
	$(AM_V_GEN)$(MKDIR_P) tests/lint && \
	printf '%s\n' -I$(abs_top_srcdir) -I$(abs_top_builddir) \
	  $(DEFS) $(AM_CPPFLAGS) $(CPPFLAGS) $(PYTHON_CFLAGS) \
	  $(SECCOMP_CFLAGS) $(JANSSON_CFLAGS) $(SQLITE_CFLAGS) \
	  $(CRYPTO_CFLAGS) $(EVENT_CFLAGS) $(CMOCKA_CFLAGS) >$@

TEST_EXTENSIONS = .py
PY_LOG_COMPILER = /usr/bin/python3.11
AM_PY_LOG_FLAGS = -B
LOG_DRIVER = $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
AM_TESTS_ENVIRONMENT = \
  CMOCKA_MESSAGE_OUTPUT=TAP; export CMOCKA_MESSAGE_OUTPUT; \
  LINT_CPPFLAGS='$(abs_top_builddir)/tests/lint/cppflags'; \
  export LINT_CPPFLAGS;
