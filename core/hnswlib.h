/* hnswlib.h - files of hnswlib: read from memory into an index, written from one
 * layer L13; uses: base, state
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A file is the memory of hnswlib's index, little-endian, without padding and without a mark that
 * it is one. With size_t of W = 8 or 4 bytes:
 *   header    W bytes each: 0, max_elements, count, bytes of an element, offset of its label,
 *             offset of its vector; i32 top layer, u32 entry point; W each: maxM, maxM0, M;
 *             f64 1 / ln M; W: ef_construction
 *   elements  count times: u16 links, u8 deleted (bit 0), u8 0, u32 link[maxM0], vector, W label
 *   above     count times: u32 bytes that follow; for each layer u16 links, u16 0, u32 link[maxM]
 * Offsets and sizes follow from each other: only one W fits. Behind the links of a list lies
 * what was there before. Nothing is trusted: each number is compared with what it must be, or with
 * what there is, before it is used. */
#ifndef NIGHI_HNSWLIB_H
#define NIGHI_HNSWLIB_H
#include "base.h"
#include "state.h"

#define NIGHI_HNSWLIB_LINKS 4u   /* bytes before the links of a list */
#define NIGHI_HNSWLIB_DELETED 1u /* in byte 2 of them */

/* A header that holds, and where it says that things lie. */
typedef struct nighi_hnswlib {
    const uint8_t *file;
    uint64_t bytes;
    uint64_t max_elements;
    uint32_t count;
    uint32_t width;      /* of a size_t */
    uint32_t head_bytes; /* of the header */
    uint32_t element_bytes;
    uint32_t label_offset; /* in an element */
    uint32_t vector_offset;
    uint32_t top; /* layer of the entry point; 0 without elements */
    uint32_t entry;
    uint32_t m;
    uint32_t m0;
    uint32_t ef_build;
} nighi_hnswlib;

/* Layers of one element after another, from the part behind the elements. */
typedef struct nighi_hnswlib_above {
    uint64_t at;    /* where the next one's begin */
    uint64_t lists; /* where this one's lists begin */
    uint32_t levels;
} nighi_hnswlib_above;

/* Is there such a space in hnswlib? */
NIGHI_FN bool nighi_hnswlib_space(uint32_t metric, uint32_t dtype);
/* Verifies the header, and that as many bytes as it says are there. external: vectors of no bytes
 * will do as well. */
NIGHI_FN nigh_status nighi_hnswlib_open(const void *file, uint64_t bytes, uint32_t row_bytes,
                                        bool external, nighi_hnswlib *from);
/* Begins before the first element's layers. */
NIGHI_FN void nighi_hnswlib_above_begin(const nighi_hnswlib *from, nighi_hnswlib_above *above);
/* Verifies the next element's layers, not yet what is in them. */
NIGHI_FN nigh_status nighi_hnswlib_above_next(const nighi_hnswlib *from,
                                              nighi_hnswlib_above *above);
NIGHI_FN const uint8_t *nighi_hnswlib_element(const nighi_hnswlib *from, uint32_t slot);
NIGHI_FN uint64_t nighi_hnswlib_label(const nighi_hnswlib *from, uint32_t slot);
/* The configuration of an index for such a file, and facts about it. `config` says dim, metric and
 * dtype, and is complete but for what the file decides. */
NIGHI_FN nigh_status nighi_hnswlib_config(const void *file, uint64_t bytes, nigh_config *config,
                                          nigh_hnswlib *facts);
NIGHI_FN nigh_status nighi_hnswlib_read(nigh_index *index, const void *file, uint64_t bytes);
NIGHI_FN nigh_status nighi_hnswlib_write(const nigh_index *index, nigh_session *session,
                                         uint32_t flags, uint64_t max_elements, nigh_write_fn write,
                                         void *user);
/* 1 / ln(m) as the bits of a double, for 2 <= m <= 1024. */
NIGHI_FN uint64_t nighi_hnswlib_mult(uint32_t m);

#endif
