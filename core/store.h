/* store.h - an index kept on a device of pages: shadow pages, tables of pages, superblocks by turns
 * layer L13; uses: base, image, state
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A region is a row of bytes, cut into pages that lie anywhere. A table says for each where, and
 * its checksum; the table's own pages are listed by a table above, and so on, until the topmost one
 * fits into a superblock. A commit writes what changed to free pages, and in the end a superblock
 * over the oldest one: before that write nothing of the old state was touched, after it the new one
 * is there (the two meta pages of LMDB; littlefs alternates in pairs throughout).
 *
 * Two sets of pages tell what is free: `used` are those of the state that a power cut would bring
 * back, `held` those that the tables in memory name. A page in neither is free. */
#ifndef NIGHI_STORE_H
#define NIGHI_STORE_H
#include "base.h"
#include "image.h"
#include "state.h"

#define NIGHI_STORE_VERSION 1u
#define NIGHI_STORE_LEVELS 6u /* of 2^31 pages of 1024 bytes 5 are needed */
#define NIGHI_STORE_PAGE_MIN 1024u
#define NIGHI_STORE_PAGE_MAX (1u << 20)
#define NIGHI_STORE_PAGES_MAX (1u << 31)
#define NIGHI_STORE_SUPERS_MAX 64u
#define NIGHI_STORE_SUPER_BYTES 4096u /* at most, whatever a page has */

typedef struct nighi_store_entry {
    uint32_t page; /* 0: not written yet */
    uint32_t checksum;
} nighi_store_entry;

/* The head of a superblock; entries of the topmost level follow it. */
typedef struct nighi_super {
    uint8_t magic[8];
    uint32_t version;
    uint32_t page_bytes;
    uint64_t generation; /* rises with every superblock written; the highest sound one counts */
    uint32_t slot;       /* which of the superblocks this is */
    uint32_t super_count;
    uint32_t page_end; /* pages in use lie below it */
    uint32_t cursor;   /* where the search for free pages goes on */
    uint32_t depth;    /* levels of tables that are pages */
    uint32_t root_count;
    uint32_t filled; /* 1: there is an index */
    uint32_t root_checksum;
    uint8_t header[NIGH_HEADER_BYTES]; /* as nigh_header gives it, or zeros */
    uint32_t reserved;
    uint32_t checksum; /* of the bytes before it */
} nighi_super;

_Static_assert(sizeof(nighi_super) == 576, "a superblock begins with 576 bytes");
_Static_assert(sizeof(nighi_store_entry) == 8, "tables are stored as they are");

/* Where a region's entries are in level 0, and the tables that list them in level 1. */
typedef struct nighi_store_span {
    uint32_t pages;
    uint32_t first;
    uint32_t tables;
    uint32_t tables_first;
} nighi_store_span;

/* Follows from the bytes of each region alone. */
typedef struct nighi_store_shape {
    nighi_store_span spans[NIGHI_REGION_COUNT];
    uint32_t depth;
    uint32_t counts[NIGHI_STORE_LEVELS]; /* entries of each level */
} nighi_store_shape;

typedef struct nighi_device {
    nigh_store_read_fn read;
    nigh_store_write_fn write; /* NULL: read-only */
    nigh_store_erase_fn erase; /* NULL: pages are overwritten as they are */
    nigh_store_sync_fn sync;
    void *user;
} nighi_device;

struct nigh_store {
    nighi_device device;
    uint32_t page_bytes;
    uint32_t page_count;
    uint32_t program_bytes;
    uint32_t super_count;
    uint32_t fan;      /* entries of a page */
    uint32_t root_max; /* entries of a superblock */
    uint32_t cursor;
    uint32_t slot;       /* of the superblock that counts */
    uint64_t generation; /* of the last superblock written, or tried to */
    uint64_t committed;  /* of the one that counts */
    uint64_t super_token; /* names what the superblock that counts says */
    uint64_t token;       /* names what the tables say now; 0: what no index is like */
    uint32_t filled;
    uint32_t moved;     /* 1: the tables are not those of the superblock that counts */
    uint32_t uncertain; /* 1: a superblock was begun, and may count or not */
    uint32_t mounted;   /* 0: reading the tables failed half-way, they are nobody's */
    uint32_t settled;   /* 1: the superblock that counts is on the device, a sync has said so */
    uint32_t sure[NIGHI_REGION_COUNT]; /* pages that were whole all the time since */
    nighi_store_shape shape;
    nighi_store_entry *levels[NIGHI_STORE_LEVELS];
    uint32_t *used;
    uint32_t *held;
    uint8_t *page;   /* what is being written */
    uint8_t *second; /* what is compared with it */
    nigh_store_stats stats;
    uint8_t header[NIGH_HEADER_BYTES]; /* of the superblock that counts */
};

NIGHI_INLINE bool nighi_bit(const uint32_t *bits, uint32_t at) {
    return (bits[at / 32] >> (at % 32) & 1) != 0;
}
NIGHI_INLINE void nighi_bit_set(uint32_t *bits, uint32_t at) { bits[at / 32] |= 1u << (at % 32); }
NIGHI_INLINE void nighi_bit_clear(uint32_t *bits, uint32_t at) {
    bits[at / 32] &= ~(1u << (at % 32));
}

/* The token, as an index that the store follows has it: not NULL, unless there is none. */
NIGHI_INLINE void *nighi_store_mark(const nigh_store *store) {
    return (void *)(uintptr_t)store->token;
}

/* ---- Pages (store_pages.c) ------------------------------------------------------------------ */

/* What a callback said; statuses that are not its own become `otherwise`. */
NIGHI_FN nigh_status nighi_store_status(nigh_status status, nigh_status otherwise);
/* The first `count` bytes of a page. */
NIGHI_FN nigh_status nighi_store_read(const nigh_store *store, uint32_t page, void *bytes,
                                      uint32_t count);
/* Erases a page where that is needed and writes `count` bytes to its begin, padded with zeros. */
NIGHI_FN nigh_status nighi_store_program(nigh_store *store, uint32_t page, const uint8_t *bytes,
                                         uint32_t count);
NIGHI_FN nigh_status nighi_store_flush(nigh_store *store);
/* Writes to a free page, which is held from then on. */
NIGHI_FN nigh_status nighi_store_put(nigh_store *store, const uint8_t *bytes, uint32_t count,
                                     uint32_t checksum, nighi_store_entry *entry);
/* Gives a page up. */
NIGHI_FN void nighi_store_drop(nigh_store *store, nighi_store_entry *entry);
/* Pages that a commit may take. */
NIGHI_FN uint32_t nighi_store_free_count(const nigh_store *store);
/* Takes a page that a table names: in range, and nobody else's. */
NIGHI_FN bool nighi_store_claim(nigh_store *store, uint32_t page);
/* No page is held but the superblocks. */
NIGHI_FN void nighi_store_free_all(nigh_store *store);
/* The pages held are what counts from now on; `and_old`: those of before do too. */
NIGHI_FN void nighi_store_settle(nigh_store *store, bool and_old);

/* ---- Tables (store_table.c) ----------------------------------------------------------------- */

/* The shape that regions of so many bytes have; false: more than the device has pages. */
NIGHI_FN bool nighi_store_shape_for(const nigh_store *store, const nighi_image_header *header,
                                    nighi_store_shape *shape);
/* Bytes of a region that are in use. */
NIGHI_FN uint64_t nighi_store_live(const nighi_image_header *header, uint32_t region);
/* Entries move to where the new shape has them; new ones are empty, others are given up. */
NIGHI_FN void nighi_store_reshape(nigh_store *store, const nighi_store_shape *to);
/* The tables over page `page` of a region have to be written anew. */
NIGHI_FN void nighi_store_stale(nigh_store *store, uint32_t region, uint32_t page);
/* Writes all that have to be. */
NIGHI_FN nigh_status nighi_store_tables_put(nigh_store *store);
/* Reads them all, from the topmost level, which is there. */
NIGHI_FN nigh_status nighi_store_tables_get(nigh_store *store);
/* After a failure: what is not sure to be on the device is not there. */
NIGHI_FN void nighi_store_distrust(nigh_store *store);

/* ---- Superblocks (store_super.c) ------------------------------------------------------------ */

NIGHI_FN bool nighi_store_options_valid(const nigh_store_options *options);
NIGHI_FN uint64_t nighi_store_bytes(const nigh_store_options *options);
/* Options complete. Mounts, or formats. */
NIGHI_FN nigh_status nighi_store_open(const nigh_store_options *options, const nighi_device *device,
                                      void *memory, uint64_t memory_bytes, nigh_store **store);
NIGHI_FN nigh_status nighi_store_grow(const nigh_store *store, uint32_t page_count, void *memory,
                                      uint64_t memory_bytes, nigh_store **grown);
NIGHI_FN nigh_status nighi_store_find(nigh_store_read_fn read, void *user, uint64_t device_bytes,
                                      nigh_store_options *options);
/* Reads superblocks and tables. */
NIGHI_FN nigh_status nighi_store_mount(nigh_store *store);
/* Writes the next superblock, all it speaks of being on the device. header NULL: no index. */
NIGHI_FN nigh_status nighi_store_super_put(nigh_store *store, const void *header);
NIGHI_FN void nighi_store_stats_now(const nigh_store *store, nigh_store_stats *stats);

/* ---- Index (store_index.c, store_commit.c) -------------------------------------------------- */

NIGHI_FN nigh_status nighi_store_attach_bytes(nigh_store *store, const nigh_options *options,
                                              uint64_t *bytes, uint64_t *block_bytes);
NIGHI_FN nigh_status nighi_store_attach(nigh_store *store, const nigh_options *options,
                                        void *memory, uint64_t memory_bytes, void *blocks,
                                        uint64_t block_bytes, nigh_index **index);
NIGHI_FN nigh_status nighi_store_commit(nigh_store *store, nigh_index *index);

#endif
