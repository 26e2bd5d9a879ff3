/* The digest is libcrypto's by its plain functions, which OpenSSL 3.0 calls
 * deprecated in favour of EVP. EVP first starts a provider and looks the digest
 * up in it: 1.3 ms of a process that needs it three times. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "config.h"

#include "base/hmac.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <string.h>

static void digest(const unsigned char block[SHA256_CBLOCK],
                   const void *message, size_t count,
                   unsigned char result[HMAC_BYTES])
{
  SHA256_CTX context;
  SHA256_Init(&context);
  SHA256_Update(&context, block, SHA256_CBLOCK);
  SHA256_Update(&context, message, count);
  SHA256_Final(result, &context);
}

void hmac_sha256(const void *key, size_t key_count, const void *message,
                 size_t count, unsigned char mac[HMAC_BYTES])
{
  unsigned char inner[SHA256_CBLOCK] = {0}, outer[SHA256_CBLOCK];
  if (key_count <= sizeof inner) {
    memcpy(inner, key, key_count);
  } else {
    SHA256_CTX context;
    SHA256_Init(&context);
    SHA256_Update(&context, key, key_count);
    SHA256_Final(inner, &context);
  }
  for (size_t i = 0; i < sizeof inner; i++) {
    outer[i] = inner[i] ^ 0x5C;
    inner[i] ^= 0x36;
  }
  digest(inner, message, count, mac);
  digest(outer, mac, HMAC_BYTES, mac);
  OPENSSL_cleanse(inner, sizeof inner);
  OPENSSL_cleanse(outer, sizeof outer);
}
