/* nighw.h - what a host of the WebAssembly modules sees beside nigh.h: memory, callbacks, saving
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A module exports `memory`, every function of nigh.h and the nighw_ functions below, and imports
 * one function, "nigh" "callback". Pointers and callbacks are u32 numbers, uint64_t is i64, structs
 * lie in memory as bindings/js/src/abi.ts and bindings/go/nighwasm/layout.go say. A module's
 * instance is used by one thread at a time: its atomics are plain loads and stores.
 *
 * nigh-mt.wasm is for threads: it also imports "env" "memory", a shared one of 2 pages at first,
 * and several instances run on it, each in a thread of its own. The host makes the first one, which
 * copies the data there, before any other; and before the first call of another one it stores the
 * end of a stack of that one's own (16-byte aligned, of 64 KiB, from nighw_alloc) into its global
 * __stack_pointer. nighw_ functions are for one thread at a time. Numbers of callbacks are the same
 * in all instances, but the import that they call is the thread's own. A view of a memory that grew
 * stays good, but it does not see what is new.
 *
 * Memory only grows, and nothing in it moves; but a host's view of it may be gone after any call of
 * nighw_alloc (a JavaScript ArrayBuffer is detached): take it anew then. */
#ifndef NIGHW_H
#define NIGHW_H
#include "nigh.h"

/* The host's: which of nigh.h's callbacks is meant, in the first argument of the import. */
enum {
    NIGHW_FETCH = 1,    /* a slots, b keys, c count, d scratch, e vectors; returns a status */
    NIGHW_PREFETCH = 2, /* a slots, b keys, c count; what it returns is not looked at */
    NIGHW_DISTANCE = 3, /* a one row, b the other, c dim; returns the bits of an f32 */
    NIGHW_FILTER = 4,   /* a slot, b key (address of a u64, or 0); returns 0 or not */
    NIGHW_WRITE = 5,    /* a bytes, b count; returns a status */
    NIGHW_MAP = 6,      /* a region, b block, c bytes, d address of the address; a status */
    NIGHW_DIRTY = 7,    /* the same */
    NIGHW_CLOCK = 8,    /* a address of a u64, to be filled with nanoseconds */
    /* Of stores: a offset, its upper half b; d count; all return a status */
    NIGHW_STORE_READ = 9,   /* c bytes, to be filled */
    NIGHW_STORE_WRITE = 10, /* c bytes */
    NIGHW_STORE_ERASE = 11,
    NIGHW_STORE_SYNC = 12
};

/* The import. `user` is what nigh_index_fetch and its like were given: any number of the host's. It
 * may call read functions with another session, and nighw_alloc. */
int32_t nighw_callback(int32_t kind, int32_t user, int32_t a, int32_t b, int32_t c, int32_t d,
                       int32_t e);

/* The function to pass as callback of this kind (NIGHW_*); 0 for any other kind. Each calls the
 * import. */
uint32_t nighw_function(uint32_t kind);

/* Memory for nigh.h's four memories and anything else, 64-byte aligned, not zeroed; 0 when there
 * is no more, or the engine refuses. At least 1 byte is handed out. A memory grows by whole pages
 * of 64 KiB, by what is asked for. */
void *nighw_alloc(uint64_t bytes);
/* Gives it back to nighw_alloc; a module's memory never shrinks. NULL is fine.
 * @errors NIGH_E_INVALID (no address that nighw_alloc gave out, or given back before) */
nigh_status nighw_free(void *memory);
/* Bytes handed out and not given back, with 64 for each block's own record. */
uint64_t nighw_used(void);

/* nigh_save into memory; in chunks: nigh_save with nighw_function(NIGHW_WRITE). nigh_save_bytes
 * tells how many bytes it takes.  @out memory memory_bytes  @errors NIGH_E_WRITE (too few bytes) */
nigh_status nighw_save(const nigh_index *index, uint32_t flags, void *memory,
                       uint64_t memory_bytes);

#endif
