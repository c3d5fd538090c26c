/* test_ffi.c - every function through libffi by its descriptor: alone with zeros, then in a whole
 * scenario with closures as callbacks, whose results are those of direct calls, bit by bit
 * layer T; uses: ffi_calls, ffi_steps
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Environment: NIGH_FFI_OUT, a folder for what direct calls gave (test_ffi.py compares others). */
#include <stdlib.h>
#include <string.h>

#include "ffi_calls.h"
#include "ffi_steps.h"
#include "nigh.h"
#include "t.h"

/* With nothing but zeros: the three that cannot fail answer, all others say NIGH_E_INVALID. */
TEST(zeros) {
    const char *name = NULL, *kinds = NULL;
    unsigned count = 0, refused = 0, answered = 0;
    for (unsigned at = 0; (name = ffi_function(at, &count, &kinds)) != NULL; at++) {
        value arguments[12];
        for (unsigned i = 0; i < count; i++) {
            arguments[i] = val_U(0);
            arguments[i].kind = kinds[i];
        }
        value got = through_libffi.call(name, arguments, count);
        if (strcmp(name, "nigh_version") == 0) {
            t_eq(got.u, NIGH_VERSION_MAJOR << 16 | NIGH_VERSION_MINOR << 8 | NIGH_VERSION_PATCH);
            answered++;
        } else if (strcmp(name, "nigh_status_text") == 0) {
            t_assert(got.p == nigh_status_text(NIGH_OK) && *(const char *)got.p != 0);
            answered++;
        } else if (strcmp(name, "nigh_features") == 0) {
            t_assert(got.u == nigh_features() && (got.u & NIGH_CPU_SCALAR) != 0);
            answered++;
        } else {
            if (got.kind != 'i' || got.i != NIGH_E_INVALID) {
                t_failf("%s(0, ...): %d, want NIGH_E_INVALID", name, got.i);
            }
            refused++;
        }
    }
    t_eq(answered, 3);
    t_assert(refused >= 40);
}

TEST(scenario) {
    steps direct_run, ffi_run;
    steps_run(&direct_run, &direct);
    steps_run(&ffi_run, &through_libffi);
    ffi_free_closures();
    t_eq(ffi_run.logged, direct_run.logged);
    t_bytes(ffi_run.log, direct_run.log, direct_run.logged);
    t_assert(direct_run.logged > 10000);
    if (getenv("NIGH_FFI_OUT") != NULL) {
        steps_write(&direct_run, getenv("NIGH_FFI_OUT"));
    }
    steps_drop(&direct_run);
    steps_drop(&ffi_run);
}

/* What the scenario left out would be unproven. */
TEST(nothing_is_left_out) {
    const char *name = NULL, *kinds = NULL;
    unsigned count = 0;
    for (unsigned at = 0; (name = ffi_function(at, &count, &kinds)) != NULL; at++) {
        if (ffi_successes(name) == 0) {
            t_failf("%s never succeeded through libffi", name);
        }
    }
    for (unsigned at = 0; (name = ffi_callback(at)) != NULL; at++) {
        if (ffi_closure_calls(name) == 0) {
            t_failf("no closure of type %s was called", name);
        }
    }
}

TEST(descriptors_name_the_library) { ffi_same_library(); }

SUITE {
    RUN(descriptors_name_the_library);
    RUN(zeros);
    RUN(scenario);
    RUN(nothing_is_left_out);
}
