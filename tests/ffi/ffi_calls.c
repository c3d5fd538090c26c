/* ffi_calls.c - nigh's functions called as foreign-function interfaces do: name, kinds, libffi
 * layer T; uses: ffi_calls
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Nothing here knows a signature: all comes from descriptors.h, which is generated. */
#define _GNU_SOURCE /* RTLD_NOLOAD */
#include "ffi_calls.h"

#include <dlfcn.h>
#include <ffi.h>
#include <stdlib.h>
#include <string.h>

#include "descriptors.h"
#include "t.h"

enum { FUNCTIONS = sizeof functions / sizeof functions[0] };
enum { CALLBACKS = sizeof callbacks / sizeof callbacks[0] };

/* A closure must find its types as long as it may be called. */
typedef struct closure {
    struct closure *next;
    ffi_closure *memory;
    ffi_cif cif;
    ffi_type *types[DESCRIPTOR_MAX];
    const descriptor *kinds;
    callback_body *body;
} closure;

static unsigned successes[FUNCTIONS], closure_calls[CALLBACKS];
static closure *closures;

static ffi_type *type_of(char kind) {
    switch (kind) {
    case 'u':
        return &ffi_type_uint32;
    case 'i':
        return &ffi_type_sint32;
    case 'U':
        return &ffi_type_uint64;
    case 'f':
        return &ffi_type_float;
    case 'p':
        return &ffi_type_pointer;
    default:
        t_assert(kind == 'v');
        return &ffi_type_void;
    }
}

static void prepare(ffi_cif *cif, ffi_type **types, const descriptor *kinds) {
    for (unsigned i = 0; i < kinds->count; i++) {
        types[i] = type_of(kinds->arguments[i]);
    }
    t_eq(ffi_prep_cif(cif, FFI_DEFAULT_ABI, kinds->count, type_of(kinds->returns), types), FFI_OK);
}

static const descriptor *find(const descriptor *all, unsigned count, const char *name) {
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(all[i].name, name) == 0) {
            return &all[i];
        }
    }
    t_failf("there is no descriptor of %s", name);
}

/* libffi widens what is returned and is smaller than a register. */
static value returned(char kind, const void *result) {
    value got = {.kind = kind};
    ffi_arg whole = 0;
    memcpy(&whole, result, sizeof whole);
    switch (kind) {
    case 'u':
        got.u = (uint32_t)whole;
        break;
    case 'i':
        got.i = (int32_t)whole;
        break;
    case 'p':
        memcpy(&got.p, result, sizeof got.p);
        break;
    default:
        t_failf("a function that returns %c", kind);
    }
    return got;
}

static value ffi_by_name(const char *name, const value *arguments, unsigned count) {
    const descriptor *kinds = find(functions, FUNCTIONS, name);
    ffi_type *types[DESCRIPTOR_MAX];
    void *places[DESCRIPTOR_MAX];
    union {
        ffi_arg word;
        uint64_t wide;
        void *pointer;
    } result = {0};
    ffi_cif cif;
    t_eq(count, kinds->count);
    for (unsigned i = 0; i < count; i++) {
        if (arguments[i].kind != kinds->arguments[i]) {
            t_failf("%s: argument %u is %c, the descriptor says %c", name, i, arguments[i].kind,
                    kinds->arguments[i]);
        }
        places[i] = (void *)(uintptr_t)&arguments[i].u; /* all members begin there */
    }
    prepare(&cif, types, kinds);
    ffi_call(&cif, kinds->address, &result, places);
    value got = returned(kinds->returns, &result);
    successes[kinds - functions] += got.kind != 'i' || got.i == NIGH_OK;
    return got;
}

static void enter(ffi_cif *cif, void *result, void **arguments, void *user) {
    const closure *own = user;
    value values[DESCRIPTOR_MAX];
    t_eq(cif->nargs, own->kinds->count);
    for (unsigned i = 0; i < own->kinds->count; i++) {
        values[i].kind = own->kinds->arguments[i];
        values[i].U = 0;
        memcpy(&values[i].u, arguments[i], own->types[i]->size);
    }
    closure_calls[own->kinds - callbacks]++;
    value got = own->body(values[0].p, values + 1);
    t_eq(got.kind, own->kinds->returns);
    if (got.kind == 'i') {
        *(ffi_sarg *)result = got.i;
    } else if (got.kind == 'U') {
        *(uint64_t *)result = got.U;
    } else if (got.kind == 'f') {
        *(float *)result = got.f;
    }
}

static void *ffi_callback_of(const char *name, callback_body *body) {
    closure *own = calloc(1, sizeof *own);
    void *code = NULL;
    t_assert(own != NULL);
    own->kinds = find(callbacks, CALLBACKS, name);
    own->body = body;
    own->memory = ffi_closure_alloc(sizeof *own->memory, &code);
    t_assert(own->memory != NULL);
    own->next = closures;
    closures = own;
    prepare(&own->cif, own->types, own->kinds);
    t_eq(ffi_prep_closure_loc(own->memory, &own->cif, enter, own, code), FFI_OK);
    return code;
}

void ffi_free_closures(void) {
    while (closures != NULL) {
        closure *next = closures->next;
        ffi_closure_free(closures->memory);
        free(closures);
        closures = next;
    }
}

const char *ffi_function(unsigned at, unsigned *count, const char **kinds) {
    if (at >= FUNCTIONS) {
        return NULL;
    }
    *count = functions[at].count;
    *kinds = functions[at].arguments;
    return functions[at].name;
}

const char *ffi_callback(unsigned at) { return at < CALLBACKS ? callbacks[at].name : NULL; }

unsigned ffi_successes(const char *name) {
    return successes[find(functions, FUNCTIONS, name) - functions];
}

unsigned ffi_closure_calls(const char *name) {
    return closure_calls[find(callbacks, CALLBACKS, name) - callbacks];
}

void ffi_same_library(void) {
    void *library = dlopen("libnigh.so." NIGH_MAJOR_TEXT, RTLD_NOW | RTLD_NOLOAD);
    if (library == NULL) {
        t_failf("libnigh.so is not loaded: %s", dlerror());
    }
    for (unsigned i = 0; i < FUNCTIONS; i++) {
        void *found = dlsym(library, functions[i].name);
        t_assert(found != NULL);
        t_bytes(&found, &functions[i].address, sizeof found);
    }
    t_eq(dlclose(library), 0);
}

const caller through_libffi = {ffi_by_name, ffi_callback_of};
