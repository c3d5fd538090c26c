/* cli_sha256.c - SHA-256 (FIPS 180-4), portable
 * layer C; uses: cli_sha256.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "cli_sha256.h"

#include <string.h>

/* Fractions of the cube roots of the first 64 primes. */
static const uint32_t rounds[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t x, uint32_t by) { return x >> by | x << (32 - by); }

static void spread(uint32_t w[64], const uint8_t *block) {
    for (uint32_t i = 0; i < 16; i++) {
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
               (uint32_t)block[4 * i + 2] << 8 | (uint32_t)block[4 * i + 3];
    }
    for (uint32_t i = 16; i < 64; i++) {
        uint32_t a = w[i - 15];
        uint32_t b = w[i - 2];
        w[i] = w[i - 16] + w[i - 7] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) +
               (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
    }
}

static void mix(uint32_t state[8], const uint8_t *block) {
    uint32_t w[64];
    uint32_t s[8];
    spread(w, block);
    memcpy(s, state, sizeof s);
    for (uint32_t i = 0; i < 64; i++) {
        uint32_t e1 = rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25);
        uint32_t choice = (s[4] & s[5]) ^ (~s[4] & s[6]);
        uint32_t one = s[7] + e1 + choice + rounds[i] + w[i];
        uint32_t e0 = rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22);
        uint32_t majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
        s[7] = s[6];
        s[6] = s[5];
        s[5] = s[4];
        s[4] = s[3] + one;
        s[3] = s[2];
        s[2] = s[1];
        s[1] = s[0];
        s[0] = one + e0 + majority;
    }
    for (uint32_t i = 0; i < 8; i++) {
        state[i] += s[i];
    }
}

void cli_sha256_begin(cli_sha256 *sha) {
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memset(sha, 0, sizeof *sha);
    memcpy(sha->state, start, sizeof start);
}

void cli_sha256_add(cli_sha256 *sha, const void *bytes, size_t count) {
    const uint8_t *from = bytes;
    size_t held = (size_t)(sha->bytes % 64);
    sha->bytes += count;
    if (held != 0) {
        size_t take = count < 64 - held ? count : 64 - held;
        memcpy(sha->block + held, from, take);
        from += take;
        count -= take;
        if (held + take < 64) {
            return;
        }
        mix(sha->state, sha->block);
    }
    for (; count >= 64; count -= 64, from += 64) {
        mix(sha->state, from);
    }
    if (count != 0) {
        memcpy(sha->block, from, count);
    }
}

void cli_sha256_end(cli_sha256 *sha, char text[65]) {
    static const char digits[] = "0123456789abcdef";
    uint8_t tail[72] = {0x80};
    uint64_t bits = sha->bytes * 8;
    size_t zeros = (size_t)((119 - sha->bytes % 64) % 64); /* up to 8 bytes before a block's end */
    for (uint32_t i = 0; i < 8; i++) {
        tail[1 + zeros + i] = (uint8_t)(bits >> (56 - 8 * i));
    }
    cli_sha256_add(sha, tail, 1 + zeros + 8);
    for (uint32_t i = 0; i < 32; i++) {
        uint8_t byte = (uint8_t)(sha->state[i / 4] >> (24 - 8 * (i % 4)));
        text[2 * i] = digits[byte >> 4];
        text[2 * i + 1] = digits[byte & 15];
    }
    text[64] = 0;
}
