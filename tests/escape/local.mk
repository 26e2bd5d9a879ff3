# The escape suite (README.md, beside this): it needs an installed wafer, and
# scripts/check runs it. For its test of itself there is a zygote whose walls
# can be taken away; `make tests/escape/weak` makes it, and nothing else does.
EXTRA_PROGRAMS += tests/escape/weak
CLEANFILES += $(EXTRA_PROGRAMS)

tests_escape_weak_SOURCES = tests/escape/weak.c $(wafer_zygote_SOURCES)
tests_escape_weak_CPPFLAGS = $(wafer_zygote_CPPFLAGS)
tests_escape_weak_LDFLAGS = $(AM_LDFLAGS) \
  -Wl,--wrap=close_range,--wrap=fd_write_all,--wrap=landlock_apply \
  -Wl,--wrap=namespace_vfork,--wrap=privileges_drop,--wrap=rlimits_apply \
  -Wl,--wrap=rootfs_enter,--wrap=rootfs_seal,--wrap=seccomp_load \
  -Wl,--wrap=sethostname,--wrap=syscall,--wrap=unshare
tests_escape_weak_LDADD = $(wafer_zygote_LDADD)

# Folders that hold sources alone: what is built here lies beside them.
EXTRA_DIST += tests/escape/README.md tests/escape/inside tests/escape/lacks \
  tests/escape/manifest tests/escape/payloads tests/escape/rows.py \
  tests/escape/run tests/escape/runner
