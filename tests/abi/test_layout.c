/* test_layout.c - one layout on 32 and 64 bits, the version, the texts of all statuses
 * layer T; uses: nothing
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "t.h"

#include "ffi/layout.h"

TEST(version) {
    t_eq(nigh_version(), NIGH_VERSION_MAJOR << 16 | NIGH_VERSION_MINOR << 8 | NIGH_VERSION_PATCH);
}

TEST(features) {
    t_assert((nigh_features() & NIGH_CPU_SCALAR) != 0);
    t_eq(nigh_features(), nigh_features());
#if defined __x86_64__
    t_assert((nigh_features() & (NIGH_CPU_NEON | NIGH_CPU_DOTPROD | NIGH_CPU_SIMD128)) == 0);
#elif defined __aarch64__
    t_assert((nigh_features() & NIGH_CPU_NEON) != 0);
#endif
}

/* Every number has its own sentence; unknown ones have one too, and it is not a known one's. */
TEST(status_texts) {
    static const nigh_status all[] = {0,   -1,  -2,  -3,  -4,  -5,  -6,  -7,  -8,  -9,  -10,
                                      -11, -12, -13, -14, -15, -16, -17, -18, -19, -20, -1000};
    enum { COUNT = sizeof all / sizeof all[0] };
    for (int i = 0; i < COUNT; i++) {
        const char *text = nigh_status_text(all[i]);
        t_assert(text != NULL && strlen(text) >= 2);
        t_assert(text == nigh_status_text(all[i]));
        for (int j = 0; j < i; j++) {
            t_assert(strcmp(text, nigh_status_text(all[j])) != 0);
        }
        for (nigh_status unknown = 1; unknown < 3; unknown++) {
            t_assert(strcmp(text, nigh_status_text(unknown)) != 0);
        }
    }
    t_assert(nigh_status_text(-21) != NULL && strlen(nigh_status_text(-21)) >= 2);
    t_assert(strcmp(nigh_status_text(-999), nigh_status_text(-21)) == 0);
    t_assert(strcmp(nigh_status_text(-1001), nigh_status_text(-1000)) == 0);
    t_assert(strcmp(nigh_status_text(INT32_MIN), nigh_status_text(-1000)) == 0);
}

TEST(row_bytes) {
    static const struct {
        uint32_t dim, dtype;
        uint64_t bytes;
    } rows[] = {
        {1, NIGH_DTYPE_F32, 4}, {100, NIGH_DTYPE_F32, 400},  {65535, NIGH_DTYPE_F32, 262140},
        {3, NIGH_DTYPE_F16, 6}, {7, NIGH_DTYPE_BF16, 14},    {1, NIGH_DTYPE_I8, 12},
        {4, NIGH_DTYPE_I8, 12}, {5, NIGH_DTYPE_I8, 16},      {65535, NIGH_DTYPE_I8, 65544},
        {5, NIGH_DTYPE_U8, 5},  {1, NIGH_DTYPE_B1, 1},       {8, NIGH_DTYPE_B1, 1},
        {9, NIGH_DTYPE_B1, 2},  {65535, NIGH_DTYPE_B1, 8192}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t bytes = 0;
        t_ok(nigh_row_bytes(rows[i].dim, rows[i].dtype, &bytes));
        t_eq(bytes, rows[i].bytes);
    }
    uint64_t same = 77;
    t_is(nigh_row_bytes(0, NIGH_DTYPE_F32, &same), NIGH_E_INVALID);
    t_is(nigh_row_bytes(65536, NIGH_DTYPE_F32, &same), NIGH_E_INVALID);
    t_is(nigh_row_bytes(UINT32_MAX, NIGH_DTYPE_B1, &same), NIGH_E_INVALID);
    t_is(nigh_row_bytes(4, 0, &same), NIGH_E_INVALID);
    t_is(nigh_row_bytes(4, 7, &same), NIGH_E_INVALID);
    t_is(nigh_row_bytes(4, UINT32_MAX, &same), NIGH_E_INVALID);
    t_is(nigh_row_bytes(4, NIGH_DTYPE_F32, NULL), NIGH_E_INVALID);
    t_eq(same, 77);
}

SUITE {
    RUN(version);
    RUN(features);
    RUN(status_texts);
    RUN(row_bytes);
}
