#include "config.h"

#include "sandbox/rootfs_table.h"

#include "base/mem.h"

#include <linux/mount.h>
#include <string.h>

#define ALWAYS     ROOTFS_ALWAYS
#define IF_THERE   ROOTFS_IF_THERE
#define IF_NETWORK ROOTFS_IF_NETWORK
#define IF_EGRESS  ROOTFS_IF_EGRESS
#define IF_ASKED   ROOTFS_IF_ASKED

#define ROOT      ROOTFS_ROOT
#define FOLDER    ROOTFS_FOLDER
#define TEXT      ROOTFS_TEXT
#define LINK      ROOTFS_LINK
#define SYSTEM    ROOTFS_SYSTEM
#define HOST_FILE ROOTFS_FILE
#define DEVICE    ROOTFS_DEVICE
#define PROC      ROOTFS_PROC
#define MEMORY    ROOTFS_MEMORY
#define SCRATCH   ROOTFS_SCRATCH
#define TREE_RO   ROOTFS_TREE_RO
#define TREE_RW   ROOTFS_TREE_RW

#define PASSWD                                                                 \
  "root:x:0:0:root:/root:/usr/sbin/nologin\n"                                  \
  "job:x:1000:1000:job:/tmp:/bin/sh\n"                                         \
  "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
#define GROUP    "root:x:0:\njob:x:1000:\nnogroup:x:65534:\n"
#define HOSTS    "127.0.0.1 localhost wafer\n::1 localhost\n"
#define NSSWITCH "passwd: files\ngroup: files\nhosts: files dns\n"

const struct rootfs_row rootfs_rows[] = {
    {ROOT, ALWAYS, "", "mode=755,size=4m,nr_inodes=1024",
     "nothing of the host's but what follows; sealed before the job"},
    {FOLDER, ALWAYS, "usr", NULL, "holds what follows"},
    {FOLDER, ALWAYS, "usr/share", NULL, "holds what follows"},
    {FOLDER, ALWAYS, "etc", NULL, "holds what follows"},
    {FOLDER, ALWAYS, "etc/ssl", NULL, "holds what follows"},
    {FOLDER, ALWAYS, "dev", NULL, "holds what follows"},
    {FOLDER, ALWAYS, "run", NULL, "holds what follows"},
    {FOLDER, ALWAYS, "run/secrets", NULL, "--secret puts a file each here"},
    {FOLDER, ALWAYS, "opt", NULL, "holds what follows"},
    {FOLDER, ALWAYS, "opt/wafer", NULL, "holds what follows"},
    {FOLDER, ALWAYS, "var", NULL, "holds what follows"},
    {LINK, ALWAYS, "var/tmp", "../tmp", "where tempfile looks second"},

    {SYSTEM, ALWAYS, "usr/bin", NULL, "programs that a script may run"},
    {SYSTEM, ALWAYS, "usr/lib", NULL, "their libraries, and Python's"},
    {SYSTEM, IF_THERE, "usr/lib64", NULL, "the dynamic linker"},
    {SYSTEM, IF_THERE, "bin", NULL, "#!/bin/sh; a link in a merged /usr"},
    {SYSTEM, IF_THERE, "lib", NULL, "the same"},
    {SYSTEM, IF_THERE, "lib64", NULL, "the same, and the dynamic linker"},
    {HOST_FILE, IF_THERE, "etc/ld.so.cache", NULL, "where libraries are"},
    {SYSTEM, IF_THERE, "etc/alternatives", NULL,
     "links in /usr/bin point through it"},
    {SYSTEM, IF_THERE, "usr/share/zoneinfo", NULL, "time zones: zoneinfo"},
    {SYSTEM, IF_THERE, "etc/ssl/certs", NULL,
     "what ssl.create_default_context trusts"},
    {HOST_FILE, IF_THERE, "etc/ssl/openssl.cnf", NULL, "the same"},
    {SYSTEM, IF_THERE, "usr/share/ca-certificates", NULL,
     "links in /etc/ssl/certs point there"},

    {TEXT, ALWAYS, "etc/passwd", PASSWD, "getpwuid; no user of the host's"},
    {TEXT, ALWAYS, "etc/group", GROUP, "getgrgid; no group of the host's"},
    {TEXT, ALWAYS, "etc/hosts", HOSTS, "localhost"},
    {TEXT, ALWAYS, "etc/nsswitch.conf", NSSWITCH, "files, then DNS; no module"},
    {HOST_FILE, IF_THERE, "etc/services", NULL, "getaddrinfo, getservbyname"},
    {HOST_FILE, IF_THERE, "etc/protocols", NULL, "getprotobyname"},
    {HOST_FILE, IF_NETWORK, "etc/resolv.conf", NULL, "the host's name servers"},
    {TEXT, IF_EGRESS, "etc/resolv.conf", NULL, "what stands for them inside"},

    /* No terminal, no disk, no interface of the kernel's. */
    {DEVICE, ALWAYS, "dev/null", NULL, "swallows"},
    {DEVICE, ALWAYS, "dev/zero", NULL, "gives zeros"},
    {DEVICE, ALWAYS, "dev/full", NULL, "a disk without room, for tests"},
    {DEVICE, ALWAYS, "dev/random", NULL, "random bytes"},
    {DEVICE, ALWAYS, "dev/urandom", NULL, "random bytes"},
    {LINK, ALWAYS, "dev/fd", "/proc/self/fd", "shells: <(command)"},
    {LINK, ALWAYS, "dev/stdin", "/proc/self/fd/0", "a file's name for it"},
    {LINK, ALWAYS, "dev/stdout", "/proc/self/fd/1", "a file's name for it"},
    {LINK, ALWAYS, "dev/stderr", "/proc/self/fd/2", "a file's name for it"},

    {PROC, ALWAYS, "proc", NULL,
     "this sandbox's processes alone; whole, since psutil reads meminfo"},
    {MEMORY, ALWAYS, "dev/shm", "mode=1777,size=50%",
     "shared memory and semaphores (shm_overview(7)); the job's memory"},
    {TREE_RO, ALWAYS, "opt/wafer/python", NULL, "the awsglue package"},
    {SCRATCH, ALWAYS, "tmp", "mode=1777", "the one place to write, and HOME"},
    {TREE_RO, IF_ASKED, "--mount …:ro", NULL, "what the user shows"},
    {TREE_RW, IF_ASKED, "--mount …:rw", NULL, "what the user lends"},
};

const size_t rootfs_rows_count = ARRAY_LENGTH(rootfs_rows);

#define NOSUID  MOUNT_ATTR_NOSUID
#define NODEV   MOUNT_ATTR_NODEV
#define NOEXEC  MOUNT_ATTR_NOEXEC
#define NOATIME MOUNT_ATTR_NOATIME
#define RDONLY  MOUNT_ATTR_RDONLY

/* nosuid everywhere: no program gives its caller another id. nodev everywhere
 * but on the devices themselves, each of which is bound by itself. */
static const struct {
  const char *name;
  uint64_t attributes;
} kinds[ROOTFS_KIND_COUNT] = {
    [ROOTFS_ROOT] = {"memory", RDONLY | NOSUID | NODEV},
    [ROOTFS_FOLDER] = {"folder", 0},
    [ROOTFS_TEXT] = {"text", 0},
    [ROOTFS_LINK] = {"link", 0},
    [ROOTFS_SYSTEM] = {"host's folder", RDONLY | NOSUID | NODEV},
    [ROOTFS_FILE] = {"host's file", RDONLY | NOSUID | NODEV},
    [ROOTFS_DEVICE] = {"host's device", NOSUID | NOEXEC},
    [ROOTFS_PROC] = {"proc", NOSUID | NODEV | NOEXEC},
    [ROOTFS_MEMORY] = {"memory", NOSUID | NODEV | NOEXEC},
    [ROOTFS_SCRATCH] = {"scratch", NOSUID | NODEV | NOATIME},
    [ROOTFS_TREE_RO] = {"mount", RDONLY | NOSUID | NODEV},
    [ROOTFS_TREE_RW] = {"mount", NOSUID | NODEV},
};

uint64_t rootfs_attributes(enum rootfs_kind kind)
{
  return kinds[kind].attributes;
}

const char *rootfs_kind_name(enum rootfs_kind kind)
{
  return kinds[kind].name;
}

const char *rootfs_when_name(enum rootfs_when when)
{
  static const char *const names[ROOTFS_WHEN_COUNT] = {
      [ROOTFS_ALWAYS] = "always",
      [ROOTFS_IF_THERE] = "if the host has it",
      [ROOTFS_IF_NETWORK] = "--network host",
      [ROOTFS_IF_EGRESS] = "--network egress",
      [ROOTFS_IF_ASKED] = "as asked",
  };
  return names[when];
}

struct rootfs_options_text rootfs_options_text(enum rootfs_kind kind)
{
  static const struct {
    uint64_t attribute;
    const char *word;
  } words[] = {
      {NOSUID, ",nosuid"},
      {NODEV, ",nodev"},
      {NOEXEC, ",noexec"},
      {NOATIME, ",noatime"},
  };
  struct rootfs_options_text made = {""};
  uint64_t attributes = kinds[kind].attributes;
  if (attributes == 0)
    return made;
  char *to = stpcpy(made.text, attributes & RDONLY ? "ro" : "rw");
  for (size_t i = 0; i < ARRAY_LENGTH(words); i++)
    if (attributes & words[i].attribute)
      to = stpcpy(to, words[i].word);
  return made;
}
