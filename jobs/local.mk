noinst_LIBRARIES += libjobs.a
libjobs_a_SOURCES = \
  jobs/db.c jobs/db.h \
  jobs/home.c jobs/home.h \
  jobs/ledger.c jobs/ledger.h \
  jobs/ledger_key.c jobs/ledger_key.h \
  jobs/price.c jobs/price.h \
  jobs/reserve.c jobs/reserve.h \
  jobs/run.c jobs/run.h \
  jobs/run_json.c \
  jobs/size.c jobs/size.h \
  jobs/state.c jobs/state.h \
  jobs/store.c jobs/store.h \
  jobs/store_read.c jobs/store_private.h \
  jobs/store_schema.c \
  jobs/text_list.c jobs/text_list.h \
  jobs/utf8.c jobs/utf8.h
libjobs_a_CPPFLAGS = $(AM_CPPFLAGS) $(SQLITE_CFLAGS) $(JANSSON_CFLAGS) \
  $(CRYPTO_CFLAGS)
