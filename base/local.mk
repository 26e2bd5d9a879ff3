noinst_LIBRARIES += libbase.a
libbase_a_SOURCES = \
  base/clock.c base/clock.h \
  base/error.c base/error.h \
  base/fd.c base/fd.h \
  base/hmac.c base/hmac.h \
  base/mask.c base/mask.h \
  base/mem.c base/mem.h \
  base/sha256.c base/sha256.h
