/* SHA-256 (FIPS 180-4). */
#ifndef WAFER_BASE_SHA256_H
#define WAFER_BASE_SHA256_H

#include <stddef.h>

enum { SHA256_TEXT_SIZE = 65 };

/* Writes the digest as 64 hexadecimal digits. Can't fail. */
void sha256_text(const void *bytes, size_t count, char text[SHA256_TEXT_SIZE]);

#endif
