/* reference.h - what the kernel tests share: levels of this machine, data, guarded memory
 * layer T; uses: cpu, num
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGH_REFERENCE_H
#define NIGH_REFERENCE_H
#if defined(__unix__)
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#endif
#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

#include "cpu.h"
#include "num.h"

typedef struct ref_level {
    const char *name;
    uint32_t features;
} ref_level;

static const ref_level ref_levels[] = {
    {"scalar", 1},
#if defined(__x86_64__) || defined(__i386__)
    {"sse41", 3},
    {"avx2", 7},
    {"avx512", 15},
    {"avx512+vnni", 31},
    {"avx512+vnni+vpopcnt", 63},
#elif defined(__aarch64__)
    {"neon", 1 + NIGH_CPU_NEON},
    {"neon+dotprod", 1 + NIGH_CPU_NEON + NIGH_CPU_DOTPROD},
#elif defined(__wasm_simd128__)
    {"simd128", 1 + NIGH_CPU_SIMD128},
#endif
};
#define REF_LEVELS ((int)(sizeof ref_levels / sizeof ref_levels[0]))

static inline uint32_t ref_machine(void) {
    uint32_t features = nighi_cpu_detect();
#if defined(__aarch64__) && defined(__linux__)
    if ((getauxval(AT_HWCAP) & (1u << 20)) != 0) { /* HWCAP_ASIMDDP */
        features |= NIGH_CPU_DOTPROD;
    }
#endif
    return features;
}

#if defined(__unix__)
/* Can this machine run level `i`? Says so when it cannot. */
static inline __attribute__((unused)) int ref_runs(int i) {
    if ((ref_levels[i].features & ~ref_machine()) != 0) {
        printf("  skipped: %s\n", ref_levels[i].name);
        return 0;
    }
    return 1;
}
#endif

static inline __attribute__((unused)) uint64_t ref_random(uint64_t *state) {
    return nighi_mix64((*state)++);
}

/* In (-1, 1), never 0. */
static inline __attribute__((unused)) float ref_unit(uint64_t *state) {
    return ((float)(ref_random(state) >> 41) - 4194303.5f) / 4194304.0f;
}

/* Patterns of float data. 0 repeats with a prime period, so that swapped lanes show; the last two
 * are what a hostile image may hold. */
enum { REF_PAINT, REF_RANDOM, REF_TINY, REF_SUBNORMAL, REF_HUGE, REF_MIXED, REF_ZEROS, REF_BITS,
       REF_INFINITE, REF_PATTERNS };

static inline __attribute__((unused)) uint32_t ref_word(int pattern, uint32_t i, uint64_t *state) {
    float unit = ref_unit(state);
    uint64_t bits = ref_random(state);
    switch (pattern) {
    case REF_PAINT:
        return nighi_f32_bits((float)((int32_t)(i % 251) - 125) * 0.37f + unit * 0.0f);
    case REF_RANDOM:
        return nighi_f32_bits(unit);
    case REF_TINY:
        return nighi_f32_bits(unit * 1e-22f);
    case REF_SUBNORMAL:
        return (uint32_t)bits & 0x800fffffu;
    case REF_HUGE:
        return nighi_f32_bits(unit * 1e19f);
    case REF_MIXED:
        return ((uint32_t)bits & 0x807fffffu) | (uint32_t)(100 + bits % 50) << 23;
    case REF_ZEROS:
        return i % 3 == 0 ? nighi_f32_bits(unit) : (uint32_t)bits & 0x80000000u;
    case REF_BITS:
        return (uint32_t)(bits >> 32);
    default:
        if (i % 13 != 5) {
            return nighi_f32_bits(unit);
        }
        return bits % 3 == 0 ? 0x7fc00000u : 0x7f800000u ^ (uint32_t)(bits & 1) << 31;
    }
}

#if defined(__unix__)
/* `bytes` of memory that end (or begin) at a page that must not be touched. */
typedef struct ref_guarded {
    uint8_t *map;
    size_t inner;
    size_t page;
} ref_guarded;

static inline __attribute__((unused)) ref_guarded ref_guard(size_t bytes_max) {
    ref_guarded g;
    g.page = (size_t)sysconf(_SC_PAGESIZE);
    g.inner = (bytes_max + g.page - 1) / g.page * g.page;
    void *map = mmap(NULL, g.inner + 2 * g.page, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) {
        abort();
    }
    g.map = (uint8_t *)map;
    if (mprotect(g.map, g.page, PROT_NONE) != 0 ||
        mprotect(g.map + g.page + g.inner, g.page, PROT_NONE) != 0) {
        abort();
    }
    return g;
}

static inline __attribute__((unused)) void *ref_place(const ref_guarded *g, size_t bytes,
                                                      int at_end) {
    return g->map + g->page + (at_end ? g->inner - bytes : 0);
}
#endif

#endif
