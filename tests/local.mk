# `make check`: the unit tests, then the checks of the source tree.
#
# Unit tests are cmocka programs, one file each, of the same objects as what is
# installed. The system tests (pytest) need an installed wafer and two more
# users: scripts/check runs them.

if HAVE_CMOCKA
check_PROGRAMS += \
  tests/unit/test_caps \
  tests/unit/test_cgroup \
  tests/unit/test_cgroup_kernel \
  tests/unit/test_cgroup_read \
  tests/unit/test_cgroup_v2 \
  tests/unit/test_clock \
  tests/unit/test_error \
  tests/unit/test_fd \
  tests/unit/test_fd_message \
  tests/unit/test_format \
  tests/unit/test_heartbeat \
  tests/unit/test_hmac \
  tests/unit/test_landlock \
  tests/unit/test_lease \
  tests/unit/test_ledger \
  tests/unit/test_library_lock \
  tests/unit/test_library_modules \
  tests/unit/test_library_set \
  tests/unit/test_mask \
  tests/unit/test_mem \
  tests/unit/test_named \
  tests/unit/test_namespace \
  tests/unit/test_netlink \
  tests/unit/test_network_rules \
  tests/unit/test_options \
  tests/unit/test_pool_message \
  tests/unit/test_price \
  tests/unit/test_privileges \
  tests/unit/test_process \
  tests/unit/test_protocol \
  tests/unit/test_report \
  tests/unit/test_request \
  tests/unit/test_request_files \
  tests/unit/test_request_mount \
  tests/unit/test_resolv_conf \
  tests/unit/test_result \
  tests/unit/test_run \
  tests/unit/test_seccomp \
  tests/unit/test_seccomp_filter \
  tests/unit/test_seccomp_programs \
  tests/unit/test_seccomp_table \
  tests/unit/test_settings \
  tests/unit/test_size \
  tests/unit/test_spec \
  tests/unit/test_state \
  tests/unit/test_store \
  tests/unit/test_store_faults \
  tests/unit/test_wall_tables \
  tests/unit/test_walls
endif

# The sources of a test not named here are its own one file.
CGROUP_FOLDER = tests/unit/cgroup_folder.c tests/unit/cgroup_folder.h
tests_unit_test_cgroup_SOURCES = tests/unit/test_cgroup.c $(CGROUP_FOLDER)
tests_unit_test_cgroup_v2_SOURCES = tests/unit/test_cgroup_v2.c $(CGROUP_FOLDER)
SECCOMP_CHILD = tests/unit/seccomp_child.c tests/unit/seccomp_child.h
tests_unit_test_ledger_SOURCES = tests/unit/test_ledger.c tests/unit/books.h
tests_unit_test_seccomp_SOURCES = tests/unit/test_seccomp.c $(SECCOMP_CHILD)
tests_unit_test_seccomp_programs_SOURCES = \
  tests/unit/test_seccomp_programs.c $(SECCOMP_CHILD)
tests_unit_test_seccomp_table_SOURCES = \
  tests/unit/test_seccomp_table.c $(SECCOMP_CHILD)
tests_unit_test_store_SOURCES = tests/unit/test_store.c tests/unit/books.h
tests_unit_test_store_faults_SOURCES = \
  tests/unit/test_store_faults.c tests/unit/books.h

# wafer with a warm zygote, for the system tests: `make install-for-tests` puts
# it beside the others.
EXTRA_PROGRAMS += tests/system/warm
tests_system_warm_SOURCES = tests/system/warm.c $(wafer_SOURCES)
tests_system_warm_LDADD = $(wafer_LDADD)
tests_system_warm_LDFLAGS = $(AM_LDFLAGS) \
  -Wl,--wrap=main,--wrap=zygote_start,--wrap=zygote_stop,--wrap=zygote_end
.PHONY: install-for-tests
install-for-tests: install
	$(MAKE) $(AM_MAKEFLAGS) tests/system/warm$(EXEEXT)
	$(INSTALL_PROGRAM) tests/system/warm \
	  $(DESTDIR)$(pkglibexecdir)/wafer-warm

# What most of the others include.
EXTRA_DIST += tests/unit/check.h

# For each program that names no libraries, which is these tests.
LDADD = libhost.a libjobs.a libruntime.a libsandbox.a libbase.a \
  $(EVENT_LIBS) $(SQLITE_LIBS) $(CRYPTO_LIBS) $(JANSSON_LIBS) -lm \
  $(CMOCKA_LIBS)

CHECKS_OF_THE_SOURCE = \
  tests/lint/banned.py \
  tests/lint/built.py \
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
dist_check_SCRIPTS += $(CHECKS_OF_THE_SOURCE) tests/unit/tap
EXTRA_DIST += tests/lint/tree.py .clang-format .clang-tidy .codespellrc

if LINT
TESTS += $(CHECKS_OF_THE_SOURCE)
check_DATA = tests/lint/cppflags
endif

# What the C files are compiled with, one flag a line.
CLEANFILES += tests/lint/cppflags
tests/lint/cppflags: Makefile
	$(AM_V_GEN)$(MKDIR_P) tests/lint && \
	printf '%s\n' -I$(abs_top_srcdir) -I$(abs_top_builddir) \
	  $(DEFS) $(AM_CPPFLAGS) $(wafer_python_so_CPPFLAGS) $(CPPFLAGS) \
	  $(SECCOMP_CFLAGS) $(JANSSON_CFLAGS) $(SQLITE_CFLAGS) \
	  $(CRYPTO_CFLAGS) $(SYSTEMD_CFLAGS) $(EVENT_CFLAGS) $(CMOCKA_CFLAGS) >$@

TEST_EXTENSIONS = .py
PY_LOG_COMPILER = /usr/bin/python3.11
AM_PY_LOG_FLAGS = -B
LOG_DRIVER = $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
LOG_COMPILER = $(srcdir)/tests/unit/tap
AM_TESTS_ENVIRONMENT = \
  LINT_CPPFLAGS='$(abs_top_builddir)/tests/lint/cppflags'; \
  export LINT_CPPFLAGS;

EXTRA_DIST += tests/python tests/system tests/vm \
  scripts/check scripts/lib.sh scripts/setup scripts/tally scripts/try
dist-hook:
	find $(distdir) -name __pycache__ -prune -exec rm -rf {} +
