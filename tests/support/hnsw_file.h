/* hnsw_file.h - files of hnswlib made by hand, byte after byte, and read into a fixture
 * layer T; uses: data, fixture
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * From the layout that core/hnswlib.h describes, sharing no code with the library. */
#ifndef NIGH_TEST_HNSW_FILE_H
#define NIGH_TEST_HNSW_FILE_H
#include "data.h"
#include "fixture.h"

typedef struct hnsw_file {
    uint8_t *bytes; /* exactly size; free() it */
    uint64_t size;
    uint32_t width; /* of a size_t */
    uint32_t count;
    uint32_t m;
    uint32_t dim;
    uint32_t dtype;
    uint32_t head_bytes;
    uint32_t element_bytes;
    uint32_t row_bytes;
} hnsw_file;

/* Offsets of the header's numbers, in 8-byte and in 4-byte files. */
enum {
    HNSW_ZERO,
    HNSW_MAX,
    HNSW_COUNT,
    HNSW_ELEMENT,
    HNSW_LABEL,
    HNSW_VECTOR,
    HNSW_TOP,
    HNSW_ENTRY,
    HNSW_M_ABOVE,
    HNSW_M0,
    HNSW_M,
    HNSW_MULT,
    HNSW_EF,
    HNSW_FIELDS
};
uint32_t hnsw_field(uint32_t width, uint32_t field);
/* Stores `value` in `bytes` bytes. */
void hnsw_put(uint8_t *at, uint64_t value, uint32_t bytes);

/* A graph drawn at random: `tops[slot]` layers above 0 (NULL: drawn), links of every node to nodes
 * of the layer, once each, behind them what no reader may look at if `stale`. Every deleted_each-th
 * element is deleted (0: none). Labels are 3 slot + 5. */
hnsw_file hnsw_file_make(rng *r, uint32_t width, uint32_t count, uint32_t m, uint32_t dim,
                         uint32_t dtype, uint32_t deleted_each, const uint8_t *tops, int stale);
/* The list of a node. */
uint8_t *hnsw_list(const hnsw_file *file, uint32_t slot, uint32_t level);
uint32_t hnsw_top(const hnsw_file *file, uint32_t slot);
uint8_t *hnsw_vector(const hnsw_file *file, uint32_t slot);

/* An index of exactly the memory that it needs, filled from a file; `config` says metric, dim,
 * dtype, and keys and vectors. slots: room for so many, at least those of the file. Fails the test
 * but for what nigh_hnswlib_config or _read answer; on failure the fixture is empty. */
nigh_status hnsw_read(fx *f, const void *file, uint64_t bytes, const nigh_config *config,
                      uint32_t slots);
/* What nigh_hnswlib_write writes; free() it. */
fx_bytes hnsw_write(const nigh_index *index, nigh_session *session, uint32_t flags,
                    uint64_t max_elements);
#endif
