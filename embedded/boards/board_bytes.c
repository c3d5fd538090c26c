/* board_bytes.c - the four functions that a compiler calls on its own
 * layer E; uses: nothing
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Compiled with -fno-tree-loop-distribute-patterns, else each loop would become a call of itself.
 * Copies and fills go by words where both ends allow. */
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *to, const void *from, size_t count);
void *memmove(void *to, const void *from, size_t count);
void *memset(void *to, int byte, size_t count);
int memcmp(const void *a, const void *b, size_t count);

typedef uint32_t __attribute__((may_alias)) board_word;

void *memcpy(void *to, const void *from, size_t count) {
    uint8_t *t = to;
    const uint8_t *f = from;
    if ((((uintptr_t)t | (uintptr_t)f) & 3) == 0) {
        for (; count >= 4; count -= 4, t += 4, f += 4) {
            *(board_word *)t = *(const board_word *)f;
        }
    }
    while (count-- > 0) {
        *t++ = *f++;
    }
    return to;
}

void *memmove(void *to, const void *from, size_t count) {
    uint8_t *t = to;
    const uint8_t *f = from;
    if (t <= f || t >= f + count) {
        return memcpy(to, from, count);
    }
    while (count-- > 0) {
        t[count] = f[count];
    }
    return to;
}

void *memset(void *to, int byte, size_t count) {
    uint8_t *t = to;
    if (((uintptr_t)t & 3) == 0) {
        const uint32_t word = (uint8_t)byte * 0x01010101u;
        for (; count >= 4; count -= 4, t += 4) {
            *(board_word *)t = word;
        }
    }
    while (count-- > 0) {
        *t++ = (uint8_t)byte;
    }
    return to;
}

int memcmp(const void *a, const void *b, size_t count) {
    const uint8_t *x = a;
    const uint8_t *y = b;
    for (; count > 0; count--, x++, y++) {
        if (*x != *y) {
            return *x - *y;
        }
    }
    return 0;
}
