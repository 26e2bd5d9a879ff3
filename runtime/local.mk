# The host's side: no Python.
noinst_LIBRARIES += libruntime.a
libruntime_a_SOURCES = \
  runtime/launch.c runtime/launch.h \
  runtime/library_set.c runtime/library_set.h \
  runtime/protocol.c runtime/protocol.h \
  runtime/result.c runtime/result.h \
  runtime/zygote_fds.h \
  runtime/zygote_warm.c
libruntime_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)

pkglibexec_PROGRAMS += wafer-zygote wafer-keeper
wafer_zygote_SOURCES = \
  runtime/fork.c runtime/fork.h \
  runtime/job.c runtime/job.h \
  runtime/python.h runtime/python_load.c \
  runtime/spec.c runtime/spec.h \
  runtime/zygote.c
wafer_zygote_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
wafer_zygote_LDADD = libruntime.a libsandbox.a libbase.a \
  $(JANSSON_LIBS) -lpthread -ldl

# A module of the zygote's, one a libpython.
pkglibexec_PROGRAMS += wafer-python.so
wafer_python_so_SOURCES = \
  base/error.c base/mem.c \
  runtime/python.c runtime/python_module.h \
  runtime/thread_counts.c runtime/thread_counts.h
nodist_wafer_python_so_SOURCES = runtime/frozen.inc
wafer_python_so_CPPFLAGS = $(AM_CPPFLAGS) $(PYTHON_CFLAGS) $(JANSSON_CFLAGS)
wafer_python_so_CFLAGS = $(AM_CFLAGS) -fPIC
wafer_python_so_LDFLAGS = $(AM_LDFLAGS) -shared \
  -Wl,-Bsymbolic,-z,pack-relative-relocs,--exclude-libs,libz.a:libexpat.a
wafer_python_so_LDADD = $(STATIC_PYTHON_LIBS) $(JANSSON_LIBS)

# Static, so that it needs nothing of the file system it wakes up in; and
# without sanitizers, which can't be linked statically.
wafer_keeper_SOURCES = runtime/keeper.c \
  base/clock.c base/error.c base/fd.c base/mem.c \
  runtime/protocol.c runtime/result.c
wafer_keeper_CFLAGS = -std=gnu11 $(WAFER_CFLAGS)
wafer_keeper_LDFLAGS = $(WAFER_LDFLAGS) -static
wafer_keeper_LDADD =

# What an interpreter imports to decode UTF-8, before all else.
FROZEN_MODULES = encodings encodings.aliases encodings.utf_8

# By the very version that will read it.
PYTHON_PROGRAM = /usr/bin/python$(PYTHON_VERSION)
EXTRA_DIST += runtime/freeze.py runtime/python/wafer_bootstrap.py
BUILT_SOURCES += runtime/frozen.inc
CLEANFILES += runtime/frozen.inc
runtime/frozen.inc: runtime/freeze.py \
    runtime/python/wafer_bootstrap.py
	$(AM_V_GEN)$(MKDIR_P) runtime && $(PYTHON_PROGRAM) -I \
	  $(srcdir)/runtime/freeze.py \
	  $(srcdir)/runtime/python/wafer_bootstrap.py $(FROZEN_MODULES) >$@.tmp && \
	mv $@.tmp $@

# What a job imports; compiled, as no job can write a .pyc there.
awsgluedir = $(pkgdatadir)/python/awsglue
dist_awsglue_DATA = \
  runtime/python/awsglue/__init__.py runtime/python/awsglue/utils.py
install-data-hook:
	$(PYTHON_PROGRAM) -I -m compileall -q --invalidation-mode checked-hash \
	  -d /opt/wafer/python/awsglue $(DESTDIR)$(awsgluedir)
uninstall-hook:
	rm -rf $(DESTDIR)$(awsgluedir)/__pycache__
