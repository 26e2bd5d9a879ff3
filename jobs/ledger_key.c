#include "config.h"

#include "jobs/ledger_key.h"

#include "base/fd.h"
#include "jobs/home.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEW_FILE LEDGER_KEY_FILE ".new"
enum { HEX_LENGTH = 2 * LEDGER_KEY_BYTES };

void ledger_key_clear(struct ledger_key *key)
{
  OPENSSL_cleanse(key, sizeof *key);
}

static int check_file(int fd, const char *dir, struct error **err)
{
  struct stat status;
  if (fstat(fd, &status) < 0)
    return error_errno(err, "%s/" LEDGER_KEY_FILE, dir);
  if (!S_ISREG(status.st_mode))
    return error_make(err, EPERM, "%s/" LEDGER_KEY_FILE " is no regular file",
                      dir);
  if (status.st_uid != geteuid())
    return error_make(err, EPERM,
                      "%s/" LEDGER_KEY_FILE " belongs to uid %u, not to uid "
                      "%u, who runs this",
                      dir, status.st_uid, geteuid());
  if ((status.st_mode & 07177) != 0)
    return error_make(err, EPERM,
                      "%s/" LEDGER_KEY_FILE " has mode %04o: others may have "
                      "read it; if not, chmod 600 it",
                      dir, status.st_mode & 07777);
  return 0;
}

static int hex_value(char digit)
{
  if (digit >= '0' && digit <= '9')
    return digit - '0';
  return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static bool decode(const char *text, size_t count, struct ledger_key *key)
{
  if (count != HEX_LENGTH + 1 || text[HEX_LENGTH] != '\n')
    return false;
  for (size_t i = 0; i < LEDGER_KEY_BYTES; i++) {
    int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);
    if (high < 0 || low < 0)
      return false;
    key->bytes[i] = (unsigned char)(high << 4 | low);
  }
  return true;
}

/* Reads up to `room` bytes without a buffer on the heap, where the key would
 * stay. Returns how many, or -1 with errno. */
static ssize_t read_some(int fd, char *text, size_t room)
{
  size_t used = 0;
  while (used < room) {
    ssize_t got = read(fd, text + used, room - used);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      return got < 0 ? -1 : (ssize_t)used;
    used += (size_t)got;
  }
  return (ssize_t)used;
}

/* 1: read; 0: there is none. */
static int read_key(int dir_fd, const char *dir, struct ledger_key *key,
                    struct error **err)
{
  cleanup_fd int fd =
      openat(dir_fd, LEDGER_KEY_FILE,
             O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT)
    return 0;
  if (fd < 0)
    return error_errno(err, "open %s/" LEDGER_KEY_FILE, dir);
  if (check_file(fd, dir, err) < 0)
    return -1;
  /* One more, so that a longer file shows. */
  char text[HEX_LENGTH + 2];
  ssize_t count = read_some(fd, text, sizeof text);
  if (count < 0)
    return error_errno(err, "read %s/" LEDGER_KEY_FILE, dir);
  bool good = decode(text, (size_t)count, key);
  OPENSSL_cleanse(text, sizeof text);
  if (!good)
    return error_make(err, EINVAL,
                      "%s/" LEDGER_KEY_FILE " is no key (%d hexadecimal "
                      "digits and a newline): restore it from a copy",
                      dir, HEX_LENGTH);
  return 1;
}

static int write_new_file(int dir_fd, struct error **err)
{
  unsigned char bytes[LEDGER_KEY_BYTES];
  /* Up to 256 bytes come whole and aren't interrupted (getrandom (2)). */
  if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
    return error_errno(err, "getrandom");
  char text[HEX_LENGTH + 2];
  for (size_t i = 0; i < sizeof bytes; i++)
    snprintf(text + 2 * i, 3, "%02x", bytes[i]);
  text[HEX_LENGTH] = '\n';
  cleanup_fd int fd =
      openat(dir_fd, NEW_FILE,
             O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  int status = -1;
  if (fd < 0)
    error_errno(err, "make " NEW_FILE);
  else
    status = fd_write_all(fd, text, HEX_LENGTH + 1, err);
  OPENSSL_cleanse(bytes, sizeof bytes);
  OPENSSL_cleanse(text, sizeof text);
  if (status == 0 && fsync(fd) < 0)
    return error_errno(err, "fsync " NEW_FILE);
  return status;
}

/* The file gets its name only when it is whole and on disk, and under a lock
 * that keeps a second process from making another; a new file that a crash
 * left behind was never anybody's key. */
static int make_key(int dir_fd, const char *dir, struct ledger_key *key,
                    struct error **err)
{
  if (flock(dir_fd, LOCK_EX) < 0)
    return error_errno(err, "lock %s", dir);
  int found = read_key(dir_fd, dir, key, err);
  if (found != 0)
    return found;
  if (unlinkat(dir_fd, NEW_FILE, 0) < 0 && errno != ENOENT)
    return error_errno(err, "remove %s/" NEW_FILE, dir);
  if (write_new_file(dir_fd, err) < 0)
    return error_wrap(err, "make the ledger's key in %s", dir);
  if (renameat(dir_fd, NEW_FILE, dir_fd, LEDGER_KEY_FILE) < 0 ||
      fsync(dir_fd) < 0)
    return error_errno(err, "make %s/" LEDGER_KEY_FILE, dir);
  return read_key(dir_fd, dir, key, err);
}

int ledger_key_load(const char *dir, bool create, struct ledger_key *key,
                    struct error **err)
{
  cleanup_fd int dir_fd =
      create ? home_make_dir(dir, err) : home_open_dir(dir, err);
  if (dir_fd < 0)
    return -1;
  int found = read_key(dir_fd, dir, key, err);
  if (found == 0 && create)
    found = make_key(dir_fd, dir, key, err);
  if (found == 0)
    return error_make(err, ENOENT, "there is no %s/" LEDGER_KEY_FILE, dir);
  return found < 0 ? -1 : 0;
}
