/* image.h - the bytes of an image: header, directory, checksums, regions
 * layer L11; uses: base, state, blocks, code
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * docs/FORMAT.md describes every byte. An image is canonical: the live prefixes of the regions in
 * fixed order, everything else zero; where things lie follows from configuration and counts. */
#ifndef NIGHI_IMAGE_H
#define NIGHI_IMAGE_H
#include "base.h"
#include "blocks.h"
#include "code.h"
#include "state.h"

#define NIGHI_IMAGE_VERSION 1u
#define NIGHI_IMAGE_PACKED 2u /* the version of packed images */
#define NIGHI_IMAGE_SEALED 1u /* checksums hold */
#define NIGHI_IMAGE_OPEN 2u   /* being changed in place */
#define NIGHI_IMAGE_PAGED 3u  /* a header alone: a pager holds the blocks, and their checksums */

typedef struct nighi_image_region {
    uint64_t offset;
    uint64_t records;
    uint32_t stride;
    uint32_t shift;
    uint32_t block_count;
    uint32_t first_block; /* its first entry of the checksum table */
} nighi_image_region;

typedef struct nighi_image_header {
    uint8_t magic[8];
    uint32_t version;
    uint32_t header_bytes;
    uint32_t state;
    uint32_t table_checksum; /* of the checksum table */
    uint64_t image_bytes;
    uint32_t dim;
    uint32_t metric;
    uint32_t dtype;
    uint32_t keys;
    uint32_t vectors;
    uint32_t m;
    uint32_t m0;
    uint32_t ef_build;
    uint32_t expansions;
    uint32_t block_bytes;
    uint32_t key_bytes_max;
    uint32_t block_count; /* entries of the checksum table */
    uint64_t seed;
    nighi_counts counts;
    nighi_image_region regions[NIGHI_REGION_COUNT];
    uint32_t codes;
    uint32_t build_flags;
    float alpha; /* 0: 1 */
    float code_min;
    float code_max;
    uint32_t code_active; /* the rest is 0 unless 1 */
    float code_center;
    float code_steps;
    uint32_t code_clamped;
    uint32_t packed; /* 1: a packed image */
    uint8_t reserved1[92];
    uint32_t checksum; /* of the header before it */
} nighi_image_header;

_Static_assert(sizeof(nighi_counts) == 32, "counts are stored in the header");
_Static_assert(sizeof(nighi_image_region) == 32, "the directory has no padding");
_Static_assert(sizeof(nighi_image_header) == 512, "the header is 512 bytes");

/* The configuration, beside a job that changes its codes. */
NIGHI_FN void nighi_config_now(const nigh_index *index, nigh_config *config);
/* Defaults for what is 0. */
NIGHI_FN void nighi_config_complete(nigh_config *config);
/* Valid values, complete with defaults? */
NIGHI_FN bool nighi_config_valid(const nigh_config *config);
/* Has this build of the library what a valid configuration wants? */
NIGHI_FN bool nighi_config_supported(const nigh_config *config);
/* How a header says that vectors are encoded. */
NIGHI_FN void nighi_header_coding(const nighi_image_header *header, const nigh_config *config,
                                  nighi_coding *coding);
/* Is this the header of an index whose blocks a pager holds? Says nothing about the rest of it. */
NIGHI_FN bool nighi_header_paged(const void *header, uint64_t header_bytes);
/* The header of the index as it is now, for a pager to keep. */
NIGHI_FN void nighi_header_paged_get(const nigh_index *index, nighi_image_header *header);
/* NIGH_OK when a pager's header holds; then *config is what it says. */
NIGHI_FN nigh_status nighi_header_paged_read(const nighi_image_header *header, uint64_t count,
                                             nigh_config *config);
/* NIGH_OK when header, sizes, directory and table of checksums hold; then *config is what they say.
 * Of fewer bytes than a header has none is read. */
NIGHI_FN nigh_status nighi_image_read(const nighi_image_header *header, const uint8_t *table,
                                      uint64_t image_bytes, uint32_t flags, nigh_config *config);
/* NIGH_OK when every block's checksum holds; *checked counts them. */
NIGHI_FN nigh_status nighi_image_verify(const uint8_t *image, const nighi_image_header *header,
                                        uint64_t *checked);
/* Marks an attached image as being changed, before the first store to it. Under the alloc lock. */
NIGHI_FN void nighi_image_open(nigh_index *index);
NIGHI_FN uint64_t nighi_save_bytes(const nigh_index *index, uint32_t flags);
NIGHI_FN nigh_status nighi_save(const nigh_index *index, uint32_t flags, nigh_write_fn write,
                                void *user);
NIGHI_FN nigh_status nighi_seal(nigh_index *index);

#endif
