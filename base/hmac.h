/* HMAC-SHA-256 (RFC 2104, FIPS 198-1). */
#ifndef WAFER_BASE_HMAC_H
#define WAFER_BASE_HMAC_H

#include <stddef.h>

enum { HMAC_BYTES = 32 };

/* The code of a message under a key of any length. Needs no setting up and
 * can't fail. */
void hmac_sha256(const void *key, size_t key_count, const void *message,
                 size_t count, unsigned char mac[HMAC_BYTES]);

#endif
