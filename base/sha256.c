/* By the plain functions, for the reason that base/hmac.c gives. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "config.h"

#include "base/sha256.h"

#include <openssl/sha.h>
#include <stdio.h>

void sha256_text(const void *bytes, size_t count, char text[SHA256_TEXT_SIZE])
{
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256_CTX context;
  SHA256_Init(&context);
  SHA256_Update(&context, bytes, count);
  SHA256_Final(digest, &context);
  for (size_t i = 0; i < sizeof digest; i++)
    snprintf(text + 2 * i, 3, "%02x", digest[i]);
}
