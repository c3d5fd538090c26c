/* nighw_memory.c - the allocator that all hosts of a module share: first fit, coalescing, no libc
 * layer W; uses: nighw.h
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * An index asks for a few large blocks and gives them back seldom, so a list of free blocks in
 * order of address is enough. Each block has a cache line of its own before it, so that what is
 * handed out is aligned and the bytes of one index never share a line with this record. */
#include "nighw.h"

#include <stdbool.h>
#include <stddef.h>

#define EXPORT(name) __attribute__((export_name(#name)))

enum { LINE = 64, PAGE = 65536 };
/* The last page stays out: the address behind an object must not be 0. */
#define PAGES_MAX 65535u
#define TAG_USED 0x4e494748u /* what makes an address one of ours, but by very bad luck */
#define TAG_FREE 0x46524545u

typedef struct block {
    uint32_t bytes;     /* of the block with this record, a multiple of LINE */
    uint32_t tag;
    struct block *next; /* free blocks: the next one, at a higher address */
} block;

extern uint8_t __heap_base; /* the linker's: where data and stack end */

static block *free_blocks;
static uint64_t used_bytes;
static bool begun;

static uint64_t address_of(const void *memory) { return (uintptr_t)memory; }

/* Puts a block into the list and joins it with those that touch it. */
static void give(block *given) {
    block *before = NULL;
    block *after = free_blocks;
    while (after != NULL && after < given) {
        before = after;
        after = after->next;
    }
    given->tag = TAG_FREE;
    given->next = after;
    if (after != NULL && address_of(given) + given->bytes == address_of(after)) {
        given->bytes += after->bytes;
        given->next = after->next;
        after->tag = 0;
    }
    if (before == NULL) {
        free_blocks = given;
    } else if (address_of(before) + before->bytes == address_of(given)) {
        before->bytes += given->bytes;
        before->next = given->next;
        given->tag = 0;
    } else {
        before->next = given;
    }
}

static void give_range(uint64_t from, uint64_t to) {
    from = (from + LINE - 1) & ~(uint64_t)(LINE - 1);
    if (from + LINE < to) {
        block *made = (block *)(uintptr_t)from;
        made->bytes = (uint32_t)(to - from);
        give(made);
    }
}

/* The last free block, when it ends where memory ends: what it has need not be grown. */
static uint64_t free_at_end(uint64_t end) {
    const block *last = free_blocks;
    while (last != NULL && last->next != NULL) {
        last = last->next;
    }
    return last != NULL && address_of(last) + last->bytes == end ? last->bytes : 0;
}

static bool grow(uint64_t bytes) {
    const uint64_t pages = __builtin_wasm_memory_size(0);
    const uint64_t there = free_at_end(pages * PAGE);
    const uint64_t more = (bytes - there + PAGE - 1) / PAGE;
    if (more > PAGES_MAX || pages + more > PAGES_MAX ||
        __builtin_wasm_memory_grow(0, (uint32_t)more) == (size_t)-1) {
        return false;
    }
    give_range(pages * PAGE, (pages + more) * PAGE);
    return true;
}

/* The first free block that is large enough, cut to size and out of the list; NULL: none is. */
static block *take(uint32_t bytes) {
    block **place = &free_blocks;
    while (*place != NULL && (*place)->bytes < bytes) {
        place = &(*place)->next;
    }
    block *found = *place;
    if (found == NULL) {
        return NULL;
    }
    if (found->bytes - bytes >= 2 * LINE) {
        block *rest = (block *)(void *)((uint8_t *)found + bytes);
        rest->bytes = found->bytes - bytes;
        rest->tag = TAG_FREE;
        rest->next = found->next;
        found->bytes = bytes;
        *place = rest;
    } else {
        *place = found->next;
    }
    return found;
}

EXPORT(nighw_alloc) void *nighw_alloc(uint64_t bytes) {
    if (bytes > (uint64_t)PAGES_MAX * PAGE) {
        return NULL;
    }
    if (!begun) {
        begun = true;
        give_range(address_of(&__heap_base), (uint64_t)__builtin_wasm_memory_size(0) * PAGE);
    }
    const uint64_t whole = ((bytes == 0 ? 1 : bytes) + 2 * LINE - 1) & ~(uint64_t)(LINE - 1);
    block *found = whole <= UINT32_MAX ? take((uint32_t)whole) : NULL;
    if (found == NULL && whole <= UINT32_MAX && grow(whole)) {
        found = take((uint32_t)whole);
    }
    if (found == NULL) {
        return NULL;
    }
    found->tag = TAG_USED;
    used_bytes += found->bytes;
    return (uint8_t *)found + LINE;
}

EXPORT(nighw_free) nigh_status nighw_free(void *memory) {
    const uint64_t at = address_of(memory);
    const uint64_t end = (uint64_t)__builtin_wasm_memory_size(0) * PAGE;
    if (memory == NULL) {
        return NIGH_OK;
    }
    if (at % LINE != 0 || at < address_of(&__heap_base) + LINE || at >= end) {
        return NIGH_E_INVALID;
    }
    block *given = (block *)(void *)((uint8_t *)memory - LINE);
    if (given->tag != TAG_USED || given->bytes < 2 * LINE || given->bytes % LINE != 0 ||
        at - LINE + given->bytes > end) {
        return NIGH_E_INVALID;
    }
    used_bytes -= given->bytes;
    give(given);
    return NIGH_OK;
}

EXPORT(nighw_used) uint64_t nighw_used(void) { return used_bytes; }
