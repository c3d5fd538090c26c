/* device.h - a simulated device for stores: cuts the power, tears, reorders, wears, fills, fails
 * layer T; uses: nothing
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Writes and erases since the last sync are remembered. When the power goes (device_cut_at), each
 * of them may be there or not, in any order, torn or whole; device_power gives the device back as
 * chance left it. Flash keeps its order: of it the operation under way alone is torn. Programming
 * flash clears bits only, and programming what was not erased before ends the test. */
#ifndef NIGH_TEST_DEVICE_H
#define NIGH_TEST_DEVICE_H
#include <stdint.h>

#include "data.h"
#include "nigh.h"

enum { DEVICE_DISK = 0, DEVICE_FLASH = 1 };
enum { DEVICE_CUT = NIGH_E_USER - 77, DEVICE_FAILED = NIGH_E_USER - 78 };
enum { DEVICE_READ = 1, DEVICE_CHANGE = 2 }; /* what device_fail counts */

typedef struct device_change {
    uint64_t offset;
    uint64_t count;
    uint8_t *bytes; /* NULL: an erase */
} device_change;

typedef struct device {
    int kind;
    nigh_store_options options; /* for nigh_store_open */
    uint64_t bytes;
    uint8_t *now;     /* what reads see */
    uint8_t *durable; /* at the last sync */
    uint32_t *wear;   /* erases of each page */
    device_change *changes;
    uint32_t change_count;
    uint64_t changed; /* writes, erases and syncs so far */
    uint64_t cut_at;  /* the change at which the power goes; UINT64_MAX: never */
    int off;
    int keeps; /* a failed sync loses nothing: it was never asked for, its process had ended */
    uint32_t fail_kind;
    uint64_t fail_at; /* so many calls of fail_kind from now */
    uint64_t written; /* bytes */
    rng r;
} device;

void device_init(device *d, int kind, uint32_t page_bytes, uint32_t page_count,
                 uint32_t program_bytes, uint64_t seed);
void device_drop(device *d);
/* The same content, with nothing pending. */
void device_copy(device *d, const device *from);
/* The power goes at the change-th write, erase or sync from now (0: the next). */
void device_cut_at(device *d, uint64_t change);
/* The power is back; 1 when it was gone. */
int device_power(device *d);
/* Nothing is read any more that a failed sync has lost. */
void device_settle(device *d);
/* The call-th call of that kind from now on fails, once. */
void device_fail(device *d, uint32_t kind, uint64_t call);
/* More pages, empty. */
void device_grow(device *d, uint32_t page_count);

/* Callbacks; user is the device. */
nigh_status device_read(void *user, uint64_t offset, void *bytes, uint64_t count);
nigh_status device_write(void *user, uint64_t offset, const void *bytes, uint64_t count);
nigh_status device_erase(void *user, uint64_t offset, uint64_t count);
nigh_status device_sync(void *user);

/* A store on the device, in exact memory; free(*memory). flags NIGH_STORE_*. */
nigh_status device_open(device *d, uint32_t flags, void **memory, nigh_store **store);
nigh_store_stats device_stats(const nigh_store *store);
#endif
