/* The ledger's key: 32 random bytes, as 64 hexadecimal digits in a file.
 *
 * It lives outside the store (home_config_dir), so that whoever gets to write
 * the store, or a copy of it, can't forge the ledger without it. */
#ifndef WAFER_JOBS_LEDGER_KEY_H
#define WAFER_JOBS_LEDGER_KEY_H

#include "base/error.h"

#include <stdbool.h>

enum { LEDGER_KEY_BYTES = 32 };
#define LEDGER_KEY_FILE "ledger.key"

struct ledger_key {
  unsigned char bytes[LEDGER_KEY_BYTES];
};

/* Reads dir/ledger.key. Where it is missing: with `create`, makes it (0600,
 * durable before this returns; of two processes at once both get one key);
 * else ENOENT. A file that isn't a regular one of our own with mode 0600 or
 * narrower, or is no key, is refused (EPERM, EINVAL), and so is a symlink. */
int ledger_key_load(const char *dir, bool create, struct ledger_key *key,
                    struct error **err);

/* Wipes it from memory. */
void ledger_key_clear(struct ledger_key *key);

#endif
