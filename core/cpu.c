/* cpu.c - cpuid and xgetbv on x86; elsewhere what the compiler was told
 * layer L1; uses: base, cpu
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * An AArch64 core cannot tell user code about its dot-product instructions (the ID registers are
 * privileged), so NIGH_CPU_DOTPROD is known only when the build assumes it. A caller who asked the
 * operating system may set the bit. */
#include "cpu.h"

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>

#define CPU_BIT(word, bit) ((((word) >> (bit)) & 1u) != 0)

/* Which register states the operating system saves: using others would lose them. */
static uint32_t cpu_saved_states(void) {
    uint32_t low;
    uint32_t high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    (void)high;
    return low;
}

uint32_t nighi_cpu_detect(void) {
    uint32_t features = NIGH_CPU_SCALAR;
    uint32_t a = 0;
    uint32_t b = 0;
    uint32_t c = 0;
    uint32_t d = 0;
    __cpuid(0, a, b, c, d);
    uint32_t leaf_max = a;
    if (leaf_max < 1) {
        return features;
    }
    __cpuid(1, a, b, c, d);
    if (CPU_BIT(c, 19) && CPU_BIT(c, 9)) { /* SSE4.1, SSSE3 */
        features |= NIGH_CPU_SSE41;
    }
    bool f16c = CPU_BIT(c, 29);
    if (!CPU_BIT(c, 27) || !CPU_BIT(c, 28) || leaf_max < 7) { /* OSXSAVE, AVX */
        return features;
    }
    uint32_t states = cpu_saved_states();
    __cpuid_count(7, 0, a, b, c, d);
    if ((states & 0x06u) != 0x06u || !CPU_BIT(b, 5) || !f16c) { /* XMM, YMM; AVX2 */
        return features;
    }
    features |= NIGH_CPU_AVX2;
    bool avx512 = CPU_BIT(b, 16) && CPU_BIT(b, 17) && CPU_BIT(b, 30) && CPU_BIT(b, 31);
    if ((states & 0xe0u) == 0xe0u && avx512) { /* opmask, ZMM; F, DQ, BW, VL */
        features |= NIGH_CPU_AVX512;
        features |= CPU_BIT(c, 11) ? NIGH_CPU_VNNI : 0u;
        features |= CPU_BIT(c, 14) ? NIGH_CPU_VPOPCNT : 0u;
    }
    return features;
}
#undef CPU_BIT

#else

uint32_t nighi_cpu_detect(void) {
    uint32_t features = NIGH_CPU_SCALAR;
#if defined(__aarch64__)
    features |= NIGH_CPU_NEON;
#if defined(__ARM_FEATURE_DOTPROD)
    features |= NIGH_CPU_DOTPROD;
#endif
#elif defined(__wasm_simd128__)
    features |= NIGH_CPU_SIMD128;
#elif defined(__ARM_FEATURE_MVE)
    features |= NIGH_CPU_MVE;
#elif defined(__arm__) && defined(__ARM_FEATURE_SIMD32)
    features |= NIGH_CPU_DSP;
#endif
    return features;
}

#endif
