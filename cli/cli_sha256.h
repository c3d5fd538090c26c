/* cli_sha256.h - SHA-256 (FIPS 180-4)
 * layer C; uses: nothing
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGH_CLI_SHA256_H
#define NIGH_CLI_SHA256_H
#include <stddef.h>
#include <stdint.h>

typedef struct cli_sha256 {
    uint32_t state[8];
    uint64_t bytes;
    uint8_t block[64];
} cli_sha256;

void cli_sha256_begin(cli_sha256 *sha);
void cli_sha256_add(cli_sha256 *sha, const void *bytes, size_t count);
/* 64 lower-case hexadecimal digits and a NUL. */
void cli_sha256_end(cli_sha256 *sha, char text[65]);

#endif /* NIGH_CLI_SHA256_H */
