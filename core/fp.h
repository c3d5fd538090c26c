/* fp.h - the float rules: no contraction, IEEE binary32 only, default rounding mode
 * layer L1; uses: base
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Every core file that computes floats includes this before any intrinsics header, so that the
 * pragmas cover those too. A user's flags cannot be trusted (cgo refuses -ffp-contract=off), so:
 *   gcc honours its pragma even under -ffp-contract=fast.
 *   clang ignores every pragma under -ffp-contract=fast, because its backend then fuses whatever it
 *   sees. A product that is added to something is therefore pinned: nighi_fp_mul, or
 *   NIGHI_FP_PIN(product) in vector code. The pin is no instruction, and exists only for clang on
 *   targets that can fuse.
 * What cannot be seen while compiling is left to nighi_fp_selftest. */
#ifndef NIGHI_FP_H
#define NIGHI_FP_H
#include "base.h"

#if defined(__FAST_MATH__)
#error "nigh must not be compiled with -ffast-math: results would differ between builds"
#endif
#if defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__ != 0
#error "nigh must not be compiled with -ffinite-math-only"
#endif
#if defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__) || defined(__NO_SIGNED_ZEROS__)
#error "nigh must not be compiled with -fassociative-math, -freciprocal-math, -fno-signed-zeros"
#endif
/* 16: only _Float16 is evaluated in its own type; float still is too. */
#if defined(__FLT_EVAL_METHOD__) && __FLT_EVAL_METHOD__ != 0 && __FLT_EVAL_METHOD__ != 16
#error "nigh needs float arithmetic in float precision: on 32-bit x86 use -msse2 -mfpmath=sse"
#endif

#if defined(__clang__)
/* clang has no macro for -funsafe-math-optimizations and its parts; these take them back. The first
 * one also allows contraction, so it comes first. */
#if defined(__x86_64__) || defined(__i386__) || defined(__aarch64__) || defined(__riscv)
#pragma float_control(precise, on)
#endif
#pragma STDC FP_CONTRACT OFF
#pragma clang fp contract(off) reassociate(off)
#if __clang_major__ >= 18
#pragma clang fp reciprocal(off)
#endif
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif

#if defined(__SSE__)
/* xmmintrin.h would pull in stdlib.h through mm_malloc.h: pretend that it was seen already. */
#ifndef _MM_MALLOC_H_INCLUDED
#define _MM_MALLOC_H_INCLUDED /* gcc */
#endif
#ifndef __MM_MALLOC_H
#define __MM_MALLOC_H /* clang */
#endif
#include <xmmintrin.h>
#endif

/* NIGHI_FP_PIN: makes a product opaque, so that it cannot become half of a fused operation. */
#if !defined(__clang__)
#define NIGHI_FP_PIN(product) ((void)0)
#elif defined(__FMA__) || defined(__AVX512F__)
#define NIGHI_FP_PIN(product) __asm__("" : "+x"(product))
#elif defined(__aarch64__)
#define NIGHI_FP_PIN(product) __asm__("" : "+w"(product))
#elif defined(__ARM_FEATURE_FMA) && defined(__ARM_FP)
#define NIGHI_FP_PIN(product) __asm__("" : "+t"(product))
#elif defined(__riscv_flen)
#define NIGHI_FP_PIN(product) __asm__("" : "+f"(product))
#else
#define NIGHI_FP_PIN(product) ((void)0)
#endif

/* a * b rounded to float, whatever is done with it next. */
NIGHI_INLINE float nighi_fp_mul(float a, float b) {
    float product = a * b;
    NIGHI_FP_PIN(product);
    return product;
}

/* The float control word: x86 MXCSR, AArch64 FPCR, ARM FPSCR. nighi_fp_enter sets the default mode
 * if it finds another (a library linked with -ffast-math sets flush-to-zero for the whole process)
 * and returns the word as it was; nighi_fp_leave puts that back. About 6 ns in default mode.
 * NIGHI_FP_BITS are those that change results or raise traps; sticky flags are not among them. */
#if !NIGHI_HAS_FLOATS
#define NIGHI_FP_BITS 0u
#define NIGHI_FP_DEFAULT 0u
NIGHI_INLINE uint32_t nighi_fp_control(void) { return 0; }
NIGHI_INLINE void nighi_fp_set_control(uint32_t word) { (void)word; }
#elif defined(__SSE__)
#define NIGHI_FP_BITS 0xffc0u
#define NIGHI_FP_DEFAULT 0x1f80u /* round to nearest, all exceptions masked, no FTZ, no DAZ */
NIGHI_INLINE uint32_t nighi_fp_control(void) { return _mm_getcsr(); }
NIGHI_INLINE void nighi_fp_set_control(uint32_t word) { _mm_setcsr(word); }
#elif defined(__aarch64__)
#define NIGHI_FP_BITS 0x07c89f07u /* AHP DN FZ RMode FZ16, trap enables, NEP AH FIZ */
#define NIGHI_FP_DEFAULT 0u
NIGHI_INLINE uint32_t nighi_fp_control(void) {
    uint64_t word;
    __asm__ volatile("mrs %0, fpcr" : "=r"(word) : : "memory");
    return (uint32_t)word;
}
NIGHI_INLINE void nighi_fp_set_control(uint32_t word) {
    uint64_t wide = word;
    __asm__ volatile("msr fpcr, %0" : : "r"(wide) : "memory");
}
#elif defined(__arm__) && defined(__ARM_FP)
#define NIGHI_FP_BITS 0x07c09f00u /* AHP DN FZ RMode, trap enables */
#define NIGHI_FP_DEFAULT 0u
NIGHI_INLINE uint32_t nighi_fp_control(void) {
    uint32_t word;
    __asm__ volatile("vmrs %0, fpscr" : "=r"(word) : : "memory");
    return word;
}
NIGHI_INLINE void nighi_fp_set_control(uint32_t word) {
    __asm__ volatile("vmsr fpscr, %0" : : "r"(word) : "memory");
}
#else
#define NIGHI_FP_BITS 0u
#define NIGHI_FP_DEFAULT 0u
NIGHI_INLINE uint32_t nighi_fp_control(void) { return 0; }
NIGHI_INLINE void nighi_fp_set_control(uint32_t word) { (void)word; }
#endif

NIGHI_INLINE uint32_t nighi_fp_enter(void) {
    uint32_t saved = nighi_fp_control();
    if (NIGHI_UNLIKELY((saved & NIGHI_FP_BITS) != NIGHI_FP_DEFAULT)) {
        nighi_fp_set_control((saved & ~NIGHI_FP_BITS) | NIGHI_FP_DEFAULT);
    }
    return saved;
}

NIGHI_INLINE void nighi_fp_leave(uint32_t saved) {
    if (NIGHI_UNLIKELY((saved & NIGHI_FP_BITS) != NIGHI_FP_DEFAULT)) {
        nighi_fp_set_control(saved);
    }
}

/* Does this build on this machine, in its present mode, compute as it must? Inputs are volatile so
 * that the answer is the machine's and not the compiler's. */
static inline __attribute__((unused)) bool nighi_fp_selftest(void) {
    if (!NIGHI_HAS_FLOATS) {
        return true;
    }
    volatile float a = 1.000244140625f; /* 1 + 2^-12; its square needs 2^-24, half a last place */
    volatile float c = -1.00048828125f; /* -(1 + 2^-11) */
    volatile float even = 16777216.0f;  /* 2^24: neighbours are 2 apart above it */
    volatile float one = 1.0f;
    volatile float three = 3.0f;
    volatile float tiny = 1.17549435e-38f; /* the smallest normal number */
    volatile float half = 0.5f;
    float fused = nighi_fp_mul(a, a) + c;
    if (fused != 0.0f) {
        return false;
    }
    if (even + one != 16777216.0f || even + three != 16777220.0f) {
        return false;
    }
    if (-even - one != -16777216.0f || -even - three != -16777220.0f) {
        return false;
    }
    volatile float subnormal = tiny * half;      /* 0 when results are flushed */
    volatile float back = subnormal + subnormal; /* 0 when inputs are */
    union {
        float f;
        uint32_t u;
    } word = {subnormal};
    return word.u == 0x00400000u && back == tiny;
}

#endif
