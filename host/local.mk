# Everything but main, so that the tests link the same objects.
noinst_LIBRARIES += libhost.a
libhost_a_SOURCES = \
  host/background.c host/background.h \
  host/books.c host/books.h \
  host/caps.c host/caps.h \
  host/cell.c host/cell.h \
  host/cmd_doctor.c host/cmd_library_set.c host/cmd_logs.c \
  host/cmd_run.c host/cmd_runs.c \
  host/cmd_serve.c host/cmd_show.c \
  host/egress.c host/egress.h \
  host/execute.c host/execute.h \
  host/explain.c \
  host/forker.c host/forker.h \
  host/format.c host/format.h \
  host/heartbeat.c host/heartbeat.h \
  host/lease.c host/lease.h \
  host/library_build.c host/library_build.h \
  host/library_lock.c host/library_lock.h \
  host/library_modules.c host/library_modules.h \
  host/library_pip.c host/library_pip.h \
  host/library_sets.c host/library_sets.h \
  host/library_store.c host/library_store.h \
  host/named.c host/named.h \
  host/options.c host/options.h \
  host/pool.c host/pool.h \
  host/pool_client.c host/pool_client.h \
  host/pool_message.c host/pool_message.h \
  host/process.c host/process.h \
  host/recover.c host/recover.h \
  host/report.c host/report.h \
  host/request.c host/request.h host/request_mount.c \
  host/resolv_conf.c host/resolv_conf.h \
  host/resolver.c host/resolver.h \
  host/scratch_maker.c host/scratch_maker.h \
  host/seccomp_log.c host/seccomp_log.h \
  host/serve.c host/serve.h \
  host/settings.c host/settings.h \
  host/spec.c host/spec.h \
  host/start.c \
  host/stream.c host/stream.h \
  host/summary.c host/supervise.c \
  host/table.c host/table.h \
  host/usage.c host/usage.h \
  host/wall_probe.c host/wall_tables.c host/wall_tables.h \
  host/walls.c host/walls.h
libhost_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(SQLITE_CFLAGS) \
  $(EVENT_CFLAGS)

# Its libraries are linked in, and libc with them, but for the sanitizers, which
# can't be: what the dynamic linker would take of each start is told in
# docs/ARCHITECTURE.md.
bin_PROGRAMS += wafer
wafer_SOURCES = host/main.c
wafer_LDADD = libhost.a libjobs.a libruntime.a libsandbox.a libbase.a
if SANITIZERS
wafer_LDADD += $(STATIC_HOST_LIBS) -lm
else
wafer_LDFLAGS = $(AM_LDFLAGS) -static-pie
wafer_LDADD += $(EVENT_LIBS) $(SQLITE_LIBS) $(CRYPTO_LIBS) $(JANSSON_LIBS) -lm
endif

dist_man_MANS += docs/wafer.1
library_setsdir = $(pkgdatadir)/library-sets
dist_library_sets_DATA = \
  library-sets/analytics.lock library-sets/none.lock
EXTRA_DIST += README.md docs/ARCHITECTURE.md docs/SECURITY.md examples scripts/fetch-example-data \
  library-sets/analytics.in library-sets/none.in scripts/lock-library-sets
