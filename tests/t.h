/* t.h - the test harness: SUITE runs TESTs, a failed t_assert leaves its test, the last line counts
 * layer T; uses: nothing (nigh.h for the feature words)
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Environment: NIGH_TEST_SEED, NIGH_TEST_FEATURES (scalar sse4 avx2 avx512 neon all),
 * NIGH_TEST_ONLY (part of a test's name), NIGH_TEST_SCALE=small (qemu, sanitizers). */
#ifndef NIGH_T_H
#define NIGH_T_H
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nigh.h"

#define T_MAYBE static inline __attribute__((unused))
/* Set only in the main thread, while a test runs; one for all files of a program. */
__attribute__((weak)) _Thread_local jmp_buf *t_jump;
static int t_counts[2]; /* passed, failed */

#define TEST(name) static void name(void)
#define RUN(name) t_run(#name, name)
/* SUITE { RUN(a); RUN(b); } */
#define SUITE                                                                                      \
    static void t_suite(void);                                                                     \
    int main(void) {                                                                               \
        t_suite();                                                                                 \
        printf("%d passed, %d failed\n", t_counts[0], t_counts[1]);                                \
        return t_counts[1] != 0 || t_counts[0] == 0;                                               \
    }                                                                                              \
    static void t_suite(void)

#define t_assert(c) ((c) ? (void)0 : t_fail(__FILE__, __LINE__, "%s", #c))
#define t_eq(a, b) t_equal(__FILE__, __LINE__, #a " == " #b, (long long)(a), (long long)(b))
#define t_ok(call) t_status(__FILE__, __LINE__, #call, (call), NIGH_OK)
#define t_is(call, want) t_status(__FILE__, __LINE__, #call, (call), (want))
#define t_bytes(a, b, n) t_same(__FILE__, __LINE__, #a " == " #b, (a), (b), (size_t)(n))
#define t_failf(...) t_fail(__FILE__, __LINE__, __VA_ARGS__)

T_MAYBE uint64_t t_seed(void) {
    const char *text = getenv("NIGH_TEST_SEED");
    return text != NULL && *text != 0 ? strtoull(text, NULL, 0) : 1;
}

T_MAYBE int t_small(void) {
    const char *text = getenv("NIGH_TEST_SCALE");
    return text != NULL && strcmp(text, "small") == 0;
}

__attribute__((format(printf, 3, 4), noreturn, unused)) static void
t_fail(const char *file, int line, const char *format, ...) {
    va_list list;
    va_start(list, format);
    printf("%s:%d: ", file, line);
    vprintf(format, list);
    va_end(list);
    printf("  [NIGH_TEST_SEED=%" PRIu64 "]\n", t_seed());
    fflush(stdout);
    if (t_jump == NULL) {
        exit(1); /* outside of a test, or in another thread: nowhere to go back to */
    }
    longjmp(*t_jump, 1);
}

T_MAYBE void t_equal(const char *file, int line, const char *text, long long a, long long b) {
    if (a != b) {
        t_fail(file, line, "%s: %lld != %lld", text, a, b);
    }
}

T_MAYBE void t_status(const char *file, int line, const char *text, nigh_status got,
                      nigh_status want) {
    if (got != want) {
        t_fail(file, line, "%s: %d (%s), want %d", text, got, nigh_status_text(got), want);
    }
}

T_MAYBE void t_same(const char *file, int line, const char *text, const void *a, const void *b,
                    size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (((const uint8_t *)a)[i] != ((const uint8_t *)b)[i]) {
            t_fail(file, line, "%s: byte %zu of %zu: %02x != %02x", text, i, n,
                   ((const uint8_t *)a)[i], ((const uint8_t *)b)[i]);
        }
    }
}

T_MAYBE void t_run(const char *name, void (*test)(void)) {
    const char *only = getenv("NIGH_TEST_ONLY");
    jmp_buf jump;
    if (only != NULL && strstr(name, only) == NULL) {
        return;
    }
    t_jump = &jump;
    if (setjmp(jump) == 0) {
        test();
        t_counts[0]++;
    } else {
        printf("FAIL %s\n", name);
        t_counts[1]++;
    }
    t_jump = NULL;
    fflush(stdout);
}

/* The feature word that NIGH_TEST_FEATURES names, for nigh_options.features; ends the program (0)
 * when this machine lacks the level. */
T_MAYBE uint32_t t_features(void) {
    static const struct {
        const char *name;
        uint32_t word;
    } levels[] = {{"scalar", NIGH_CPU_SCALAR},
                  {"sse4", 3},
                  {"avx2", 7},
                  {"avx512", 15},
                  {"neon", NIGH_CPU_SCALAR | NIGH_CPU_NEON},
                  {"all", 0}};
    const char *text = getenv("NIGH_TEST_FEATURES");
    for (size_t i = 0; text != NULL && *text != 0 && i < sizeof levels / sizeof levels[0]; i++) {
        if (strcmp(text, levels[i].name) == 0) {
            if ((nigh_features() & levels[i].word) != levels[i].word) {
                printf("level %s is not on this machine\n", text);
                exit(0);
            }
            return levels[i].word;
        }
    }
    if (text != NULL && *text != 0) {
        printf("NIGH_TEST_FEATURES=%s: unknown level\n", text);
        exit(2);
    }
    return 0;
}
#endif
