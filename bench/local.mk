EXTRA_PROGRAMS += bench/client
CLEANFILES += bench/client
bench_client_SOURCES = bench/client.c
bench_client_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(SQLITE_CFLAGS) \
  $(EVENT_CFLAGS)
# What wafer itself is linked with, in the same way.
bench_client_LDFLAGS = $(wafer_LDFLAGS)
bench_client_LDADD = $(wafer_LDADD)

EXTRA_DIST += bench/harness.py bench/network bench/start bench/warm
