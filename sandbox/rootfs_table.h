/* What a job sees of the machine, as data: a row an object, a reason a row.
 *
 * The rows are what rootfs_build makes, in this order, and what `wafer doctor
 * --explain` prints. A path is relative to the sandbox's root; what comes from
 * the host has the same path there. What a kind is mounted with is the kind's,
 * not the row's, so that no row can be laxer than another of its kind. */
#ifndef WAFER_SANDBOX_ROOTFS_TABLE_H
#define WAFER_SANDBOX_ROOTFS_TABLE_H

#include <stddef.h>
#include <stdint.h>

enum rootfs_kind {
  ROOTFS_ROOT,    /* the first row: a file system in memory, made by `text` */
  ROOTFS_FOLDER,  /* an empty folder */
  ROOTFS_TEXT,    /* a file with this text; NULL: what comes with the run */
  ROOTFS_LINK,    /* a symbolic link to this text */
  ROOTFS_SYSTEM,  /* the host's folder, bound; its link, if it is one */
  ROOTFS_FILE,    /* the host's file, bound */
  ROOTFS_DEVICE,  /* the host's device, bound */
  ROOTFS_PROC,    /* proc(5) of the sandbox's pid namespace */
  ROOTFS_MEMORY,  /* a file system in memory, made by `text` */
  ROOTFS_SCRATCH, /* the run's scratch; without one, in memory, by `text` */
  ROOTFS_TREE_RO, /* a detached mount that is given to the sandbox */
  ROOTFS_TREE_RW,
  ROOTFS_KIND_COUNT,
};

enum rootfs_when {
  ROOTFS_ALWAYS,
  ROOTFS_IF_THERE,   /* the host has it */
  ROOTFS_IF_NETWORK, /* the run has the host's network */
  ROOTFS_IF_EGRESS,  /* it has --network egress */
  ROOTFS_IF_ASKED,   /* it comes with the run: rootfs_attach, add_secret */
  ROOTFS_WHEN_COUNT,
};

struct rootfs_row {
  enum rootfs_kind kind;
  enum rootfs_when when;
  const char *path;
  const char *text; /* options of a file system are "mode=755,size=4m" */
  const char *reason;
};

extern const struct rootfs_row rootfs_rows[];
extern const size_t rootfs_rows_count;

/* MOUNT_ATTR_… (linux/mount.h) of a kind; 0 of one that is no mount. */
uint64_t rootfs_attributes(enum rootfs_kind kind);

/* "ro,nosuid,nodev", as /proc/self/mountinfo has it; "" of one that is no
 * mount. */
struct rootfs_options_text {
  char text[48];
};
struct rootfs_options_text rootfs_options_text(enum rootfs_kind kind);

/* A kind and a condition in a word or two. Static. */
const char *rootfs_kind_name(enum rootfs_kind kind);
const char *rootfs_when_name(enum rootfs_when when);

#endif
