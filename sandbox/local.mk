noinst_LIBRARIES += libsandbox.a
libsandbox_a_SOURCES = \
  sandbox/cgroup.c sandbox/cgroup.h sandbox/cgroup_backend.h \
  sandbox/cgroup_none.c sandbox/cgroup_read.c \
  sandbox/cgroup_scope.c sandbox/cgroup_scope.h sandbox/cgroup_share.c \
  sandbox/cgroup_v1.c sandbox/cgroup_v2.c \
  sandbox/landlock.c sandbox/landlock.h \
  sandbox/landlock_table.c sandbox/landlock_table.h \
  sandbox/limits.h \
  sandbox/namespace.c sandbox/namespace.h \
  sandbox/netlink.c sandbox/netlink.h \
  sandbox/network.c sandbox/network.h \
  sandbox/network_filter.c sandbox/network_filter.h \
  sandbox/network_rules.c sandbox/network_rules.h \
  sandbox/nft.c sandbox/nft.h \
  sandbox/pasta.c sandbox/pasta.h \
  sandbox/privileges.c sandbox/privileges.h \
  sandbox/rlimits.c sandbox/rlimits.h \
  sandbox/rootfs.c sandbox/rootfs.h \
  sandbox/rootfs_table.c sandbox/rootfs_table.h \
  sandbox/scratch.c sandbox/scratch.h \
  sandbox/seccomp.c sandbox/seccomp.h \
  sandbox/seccomp_arguments.c sandbox/seccomp_calls.c sandbox/seccomp_table.h \
  sandbox/seccomp_explain.c sandbox/seccomp_explain.h \
  sandbox/seccomp_notify.c sandbox/seccomp_notify.h \
  sandbox/subids.c sandbox/subids.h \
  sandbox/veth.c sandbox/veth.h
nodist_libsandbox_a_SOURCES = \
  sandbox/seccomp_filter.inc sandbox/seccomp_names.inc

# By a program of its own, so that no other loads libsystemd.
pkglibexec_PROGRAMS += wafer-scope
wafer_scope_SOURCES = sandbox/scope.c
wafer_scope_CPPFLAGS = $(AM_CPPFLAGS) $(SYSTEMD_CFLAGS)
wafer_scope_LDADD = libbase.a $(SYSTEMD_LIBS)

# The system-call policy is compiled by libseccomp here, once, so that no
# program that runs needs the library.
noinst_PROGRAMS += sandbox/seccomp_gen
sandbox_seccomp_gen_SOURCES = \
  sandbox/seccomp_arguments.c sandbox/seccomp_calls.c \
  sandbox/seccomp_gen.c sandbox/seccomp_table.h
sandbox_seccomp_gen_CPPFLAGS = $(AM_CPPFLAGS) $(SECCOMP_CFLAGS)
sandbox_seccomp_gen_LDADD = libbase.a $(SECCOMP_LIBS)

BUILT_SOURCES += sandbox/seccomp_filter.inc sandbox/seccomp_names.inc
CLEANFILES += sandbox/seccomp_filter.inc sandbox/seccomp_names.inc
sandbox/seccomp_filter.inc: sandbox/seccomp_gen$(EXEEXT)
	$(AM_V_GEN)sandbox/seccomp_gen filter >$@.tmp && mv $@.tmp $@
sandbox/seccomp_names.inc: sandbox/seccomp_gen$(EXEEXT)
	$(AM_V_GEN)sandbox/seccomp_gen names >$@.tmp && mv $@.tmp $@
