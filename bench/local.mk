# `make bench`: the table of figures, of the installed wafer and its peers; see
# bench/run. BENCH_FLAGS are options of that.
EXTRA_PROGRAMS += bench/client
CLEANFILES += bench/client
bench_client_SOURCES = bench/client.c
bench_client_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(SQLITE_CFLAGS) \
  $(EVENT_CFLAGS)
# What wafer itself is linked with, in the same way.
bench_client_LDADD = $(wafer_LDADD)
if !SANITIZERS
bench_client_LDFLAGS = $(wafer_LDFLAGS)
endif

.PHONY: bench
bench: bench/client
	$(srcdir)/bench/run --wafer $(bindir)/wafer \
	  --client $(abs_builddir)/bench/client $(BENCH_FLAGS)

EXTRA_DIST += bench/README.md bench/network bench/run bench/start \
  bench/figures.py bench/forkserver.py bench/harness.py bench/limits.py \
  bench/peers.py bench/processes.py bench/serving.py bench/table.py \
  bench/ways.py
