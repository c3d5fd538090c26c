/* ffi_calls.h - nigh's functions called by name: through libffi, or directly to compare with
 * layer T; uses: nothing
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGH_TEST_FFI_CALLS_H
#define NIGH_TEST_FFI_CALLS_H
#include <stdint.h>

/* An argument or result; `kind` is that of descriptors.h: u uint32_t, i int32_t, U uint64_t,
 * f float, p pointer, v void. */
typedef struct value {
    char kind;
    union {
        uint32_t u;
        int32_t i;
        uint64_t U;
        float f;
        void *p;
    };
} value;

static inline value val_u(uint32_t u) { return (value){'u', .u = u}; }
static inline value val_i(int32_t i) { return (value){'i', .i = i}; }
static inline value val_U(uint64_t U) { return (value){'U', .U = U}; }
static inline value val_f(float f) { return (value){'f', .f = f}; }
static inline value val_p(const void *p) { return (value){'p', .p = (void *)(uintptr_t)p}; }

/* A callback as the test sees it, whoever calls it. */
typedef value callback_body(void *user, const value *arguments);

/* Two ways to do the same. */
typedef struct caller {
    value (*call)(const char *name, const value *arguments, unsigned count);
    /* A function pointer of type `name` (nigh_fetch_fn, ...) that calls `body`. */
    void *(*callback)(const char *name, callback_body *body);
} caller;

extern const caller through_libffi;
extern const caller direct;

/* The kinds of arguments of function number `at`, in the header's order; NULL: no more. */
const char *ffi_function(unsigned at, unsigned *count, const char **kinds);
/* Calls of this function through libffi that returned something else than an error, and how often a
 * closure of this type was called. */
unsigned ffi_successes(const char *name);
unsigned ffi_closure_calls(const char *name);
const char *ffi_callback(unsigned at);
/* Fails unless every address in descriptors.h is what the loader finds in libnigh.so. */
void ffi_same_library(void);
void ffi_free_closures(void);
#endif
