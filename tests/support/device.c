/* device.c - a simulated device for stores: cuts the power, tears, reorders, wears, fills, fails
 * layer T; uses: data, fixture
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "device.h"

#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "t.h"

enum { SECTOR = 512 };

void device_init(device *d, int kind, uint32_t page_bytes, uint32_t page_count,
                 uint32_t program_bytes, uint64_t seed) {
    memset(d, 0, sizeof *d);
    d->kind = kind;
    d->options.struct_size = sizeof d->options;
    d->options.page_bytes = page_bytes;
    d->options.page_count = page_count;
    d->options.program_bytes = program_bytes;
    d->r.state = seed;
    d->cut_at = UINT64_MAX;
    d->fail_at = UINT64_MAX;
    device_grow(d, page_count);
}

static void forget(device *d) {
    while (d->change_count > 0) {
        free(d->changes[--d->change_count].bytes);
    }
}

void device_drop(device *d) {
    forget(d);
    free(d->changes);
    free(d->now);
    free(d->durable);
    free(d->wear);
    memset(d, 0, sizeof *d);
}

void device_copy(device *d, const device *from) {
    uint64_t seed = rng_next(&d->r);
    device_drop(d);
    device_init(d, from->kind, from->options.page_bytes, from->options.page_count,
                from->options.program_bytes, seed);
    d->options = from->options;
    memcpy(d->now, from->now, (size_t)from->bytes);
    memcpy(d->durable, from->now, (size_t)from->bytes);
}

void device_grow(device *d, uint32_t page_count) {
    uint64_t bytes = (uint64_t)page_count * d->options.page_bytes;
    uint8_t *now = fx_malloc(bytes);
    uint8_t *durable = fx_malloc(bytes);
    uint32_t *wear = fx_malloc(page_count * sizeof *wear);
    memset(now, 0xff, (size_t)bytes);
    memset(durable, 0xff, (size_t)bytes);
    if (d->now != NULL) {
        memcpy(now, d->now, (size_t)d->bytes);
        memcpy(durable, d->durable, (size_t)d->bytes);
        memcpy(wear, d->wear, d->options.page_count * sizeof *wear);
    }
    free(d->now);
    free(d->durable);
    free(d->wear);
    d->now = now;
    d->durable = durable;
    d->wear = wear;
    d->bytes = bytes;
    d->options.page_count = page_count;
}

void device_cut_at(device *d, uint64_t change) { d->cut_at = d->changed + change; }

void device_fail(device *d, uint32_t kind, uint64_t call) {
    d->fail_kind = kind;
    d->fail_at = call;
}

/* ---- One change ----------------------------------------------------------------------------- */

static void program(const device *d, uint8_t *to, const uint8_t *from, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        to[i] = d->kind == DEVICE_FLASH ? to[i] & from[i] : from[i];
    }
}

static void apply(const device *d, uint8_t *to, const device_change *change) {
    if (change->bytes == NULL) {
        memset(to + change->offset, 0xff, (size_t)change->count);
    } else {
        program(d, to + change->offset, change->bytes, change->count);
    }
}

void device_settle(device *d) {
    memcpy(d->now, d->durable, (size_t)d->bytes);
    for (uint32_t i = 0; i < d->change_count; i++) {
        apply(d, d->now, &d->changes[i]);
    }
}

/* Nothing, all, a part, or a part and then what only the device knows. */
static void tear(device *d, uint8_t *to, const device_change *change) {
    uint64_t part = rng_below(&d->r, (uint32_t)change->count + 1);
    uint32_t how = rng_below(&d->r, 4);
    uint8_t *at = to + change->offset;
    if (how == 0) {
        return;
    }
    if (how == 1) {
        apply(d, to, change);
        return;
    }
    if (change->bytes == NULL) {
        memset(at, 0xff, (size_t)part);
    } else {
        program(d, at, change->bytes, part);
    }
    for (uint64_t i = part; how == 3 && i < change->count; i++) {
        uint8_t garbage = (uint8_t)rng_next(&d->r);
        at[i] = d->kind == DEVICE_FLASH ? (change->bytes == NULL ? at[i] | garbage
                                                                 : at[i] & (change->bytes[i] |
                                                                            garbage))
                                        : garbage;
    }
}

/* Sectors of a disk reach it one by one, in any order. */
static void scatter(device *d, uint8_t *to, const device_change *change) {
    for (uint64_t at = 0; at < change->count; at += SECTOR) {
        uint64_t rest = change->count - at;
        if (rng_below(&d->r, 2) == 0) {
            memcpy(to + change->offset + at, change->bytes + at,
                   (size_t)(rest < SECTOR ? rest : SECTOR));
        }
    }
}

static void lose_power(device *d) {
    d->off = 1;
    memcpy(d->now, d->durable, (size_t)d->bytes);
    if (d->kind == DEVICE_FLASH) {
        for (uint32_t i = 0; i + 1 < d->change_count; i++) {
            apply(d, d->now, &d->changes[i]);
        }
    } else {
        uint32_t all = rng_below(&d->r, 4); /* 0: most are there, 1: few */
        for (uint32_t left = d->change_count; left > 1; left--) { /* the last one is the torn one */
            uint32_t at = rng_below(&d->r, left - 1);
            device_change change = d->changes[at];
            uint32_t how = rng_below(&d->r, 8);
            if (all == 0 ? how != 0 : all == 1 ? how == 0 : how < 3) {
                apply(d, d->now, &change);
            } else if (how < 5) {
                scatter(d, d->now, &change);
            }
            d->changes[at] = d->changes[left - 2];
            d->changes[left - 2] = change;
        }
    }
    if (d->change_count > 0) {
        tear(d, d->now, &d->changes[d->change_count - 1]);
    }
    forget(d);
}

int device_power(device *d) {
    int was = d->off;
    d->off = 0;
    d->cut_at = UINT64_MAX;
    if (was) {
        forget(d);
        memcpy(d->durable, d->now, (size_t)d->bytes);
    }
    return was;
}

/* ---- Callbacks ------------------------------------------------------------------------------ */

static int fails(device *d, uint32_t kind) {
    return d->fail_kind == kind && d->fail_at != UINT64_MAX && d->fail_at-- == 0;
}

nigh_status device_read(void *user, uint64_t offset, void *bytes, uint64_t count) {
    device *d = user;
    t_assert(count <= d->bytes && offset <= d->bytes - count);
    if (d->off || fails(d, DEVICE_READ)) {
        memset(bytes, 0x5a, (size_t)count);
        return d->off ? (nigh_status)DEVICE_CUT : (nigh_status)DEVICE_FAILED;
    }
    memcpy(bytes, d->now + offset, (size_t)count);
    return NIGH_OK;
}

static nigh_status change(device *d, uint64_t offset, const void *bytes, uint64_t count) {
    t_assert(count <= d->options.page_bytes && offset % d->options.page_bytes == 0);
    t_assert(offset <= d->bytes - count);
    if (d->off) {
        return DEVICE_CUT;
    }
    if (fails(d, DEVICE_CHANGE)) {
        return DEVICE_FAILED;
    }
    device_change *grown = realloc(d->changes, (d->change_count + 1) * sizeof *grown);
    t_assert(grown != NULL);
    d->changes = grown;
    device_change *made = &d->changes[d->change_count++];
    *made = (device_change){offset, count, NULL};
    if (bytes != NULL) {
        made->bytes = fx_malloc(count);
        memcpy(made->bytes, bytes, (size_t)count);
    }
    if (d->changed++ == d->cut_at) {
        lose_power(d);
        return DEVICE_CUT;
    }
    apply(d, d->now, made);
    return NIGH_OK;
}

nigh_status device_write(void *user, uint64_t offset, const void *bytes, uint64_t count) {
    device *d = user;
    uint32_t unit = d->options.program_bytes != 0 ? d->options.program_bytes : 1;
    t_assert(count % unit == 0 && count > 0);
    for (uint64_t i = 0; d->kind == DEVICE_FLASH && i < count; i++) {
        t_assert(d->off || d->now[offset + i] == 0xff); /* erased before */
    }
    d->written += count;
    return change(d, offset, bytes, count);
}

nigh_status device_erase(void *user, uint64_t offset, uint64_t count) {
    device *d = user;
    t_eq(count, d->options.page_bytes);
    d->wear[offset / d->options.page_bytes]++;
    return change(d, offset, NULL, count);
}

nigh_status device_sync(void *user) {
    device *d = user;
    if (d->off) {
        return DEVICE_CUT;
    }
    if (fails(d, DEVICE_CHANGE)) {
        if (!d->keeps) { /* as Linux does: it is read back, the next sync says nothing, and it is */
            forget(d);   /* lost */
        }
        return DEVICE_FAILED;
    }
    if (d->changed++ == d->cut_at) {
        lose_power(d);
        return DEVICE_CUT;
    }
    for (uint32_t i = 0; i < d->change_count; i++) {
        apply(d, d->durable, &d->changes[i]);
    }
    forget(d);
    return NIGH_OK;
}

/* ---- Stores --------------------------------------------------------------------------------- */

nigh_status device_open(device *d, uint32_t flags, void **memory, nigh_store **store) {
    uint64_t bytes = 0;
    nigh_store_options options = d->options;
    options.flags = flags;
    t_ok(nigh_store_bytes(&options, &bytes));
    *memory = fx_exact(bytes);
    nigh_status status =
        nigh_store_open(&options, device_read, device_write,
                        d->kind == DEVICE_FLASH ? device_erase : NULL, device_sync, d, *memory,
                        bytes, store);
    if (status != NIGH_OK) {
        free(*memory);
        *memory = NULL;
    }
    return status;
}

nigh_store_stats device_stats(const nigh_store *store) {
    nigh_store_stats stats = {.struct_size = sizeof stats};
    t_ok(nigh_store_stats_get(store, &stats));
    return stats;
}
