/* sha256.h - SHA-256 (FIPS 180-4) for golden digests
 * layer T; uses: nothing
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGH_TEST_SHA256_H
#define NIGH_TEST_SHA256_H
#include <stdint.h>

typedef struct sha256 {
    uint32_t h[8];
    uint64_t bytes;
    uint8_t block[64];
} sha256;

void sha256_begin(sha256 *s);
void sha256_add(sha256 *s, const void *data, uint64_t count);
/* Lower-case hexadecimal, 64 characters and a final 0. */
void sha256_end(sha256 *s, char text[65]);
#endif
