/* code.h - quantised copies of vectors: what they look like, encoding, queries over them
 * layer L6; uses: base, state, blocks
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * U7: element v becomes round((v - center) * steps) in -63..63, stored + 64; cosine encodes the
 * unit vector, so that squared distance orders as the cosine does. B1: bit = v > center. One center
 * and one number of steps per index: distances of codes are exact integers on any machine.
 * A record is padded with zeros to a multiple of 16 bytes, beyond 3/4 of a line to whole lines. */
#ifndef NIGHI_CODE_H
#define NIGHI_CODE_H
#include "base.h"
#include "blocks.h"
#include "state.h"

#define NIGHI_CODE_ZERO 64u /* the stored byte of a coded 0 */
#define NIGHI_CODE_LIMIT 63 /* coded values lie in -63..63 */

/* Do codes of this kind exist for this metric and dtype? */
NIGHI_FN bool nighi_code_valid(const nigh_config *config, uint32_t kind);
/* Kind, stride and kernel of the codes that a configuration wants. */
NIGHI_FN void nighi_code_kind(const nigh_config *config, nighi_coding *coding);
/* The same, and the span [low, high] of elements becomes center and steps. */
NIGHI_FN void nighi_code_span(const nigh_config *config, float low, float high,
                              nighi_coding *coding);
/* The index's coding becomes *from, not yet active; cursors on codes made before end. */
NIGHI_FN void nighi_coding_set(nigh_index *index, const nighi_coding *from);
/* A row (nigh_row_bytes) as the floats that are encoded: its elements, under cosine the unit
 * vector's. May return the row itself. `scratch`: dim floats. */
NIGHI_FN const float *nighi_code_floats(const nigh_index *index, const void *row, float *scratch);
/* One record from those floats; how many elements were clamped. */
NIGHI_FN uint32_t nighi_code_encode(const nighi_coding *coding, uint32_t dim, const float *floats,
                                    uint8_t *record);
/* NIGH_OK for the elements of a record that nighi_code_encode can make, else NIGH_E_VECTOR. */
NIGHI_FN nigh_status nighi_code_check(const nighi_coding *coding, uint32_t dim,
                                      const uint8_t *record);
/* A record as a query; of its padding nothing is read. `code` holds the stride rounded up to 64
 * bytes, zeros behind the elements, and is aligned to 64. Returns the bias for the kernel. */
NIGHI_FN uint32_t nighi_code_query(const nighi_coding *coding, uint32_t dim, const uint8_t *record,
                                   uint8_t *code);
/* The distance that an order stands for, for comparing ratios. */
NIGHI_INLINE uint32_t nighi_code_distance(const nigh_index *index, uint32_t order) {
    return index->coding.op == NIGHI_CODE_DOT ? order - 0x80000000u : order;
}

/* Bytes of a code query buffer, as a session is made. */
NIGHI_INLINE uint32_t nighi_code_query_bytes(const nigh_config *config) {
    return nighi_round_up_u32(nighi_code_stride(config), NIGHI_CACHE_LINE);
}
/* Builds of such an index choose links on a draft: *draft becomes the configuration of its codes.
 * Bytes are as fast as they get. */
NIGHI_INLINE bool nighi_code_drafts(const nigh_config *config, nigh_config *draft) {
    *draft = *config;
    draft->codes = NIGH_CODES_U7;
    draft->code_min = 0.0f;
    draft->code_max = 0.0f;
    return config->codes == NIGH_CODES_NONE && (config->build_flags & NIGH_BUILD_EXACT) == 0 &&
           (config->dtype == NIGH_DTYPE_F32 || config->dtype == NIGH_DTYPE_F16 ||
            config->dtype == NIGH_DTYPE_BF16) &&
           nighi_code_valid(config, NIGH_CODES_U7);
}

/* Searches may use codes. */
NIGHI_INLINE bool nighi_coded(const nigh_index *index) {
    return NIGHI_HAS_CODES && nighi_load_acquire(&index->coding.active) != 0;
}
/* The session was made with room for queries on the codes that there are. */
NIGHI_INLINE bool nighi_code_room(const nigh_index *index, const nigh_session *session) {
    return session->coded >= nighi_round_up_u32(index->coding.stride, NIGHI_CACHE_LINE);
}
/* It has room for a draft: buffers of either kind serve both. */
NIGHI_INLINE bool nighi_draft_room(const nigh_session *session, uint32_t stride) {
    return nighi_max_u32(session->drafts, session->coded) >= stride;
}
/* What links are chosen on: NIGHI_ON_*. */
NIGHI_INLINE uint8_t nighi_coded_build(const nigh_index *index) {
    if (nighi_drafted(index)) {
        return NIGHI_ON_DRAFT;
    }
    return nighi_coded(index) && index->config.codes == NIGH_CODES_U7 &&
                   (index->config.build_flags & NIGH_BUILD_EXACT) == 0
               ? NIGHI_ON_CODES
               : NIGHI_ON_VECTORS;
}
/* Of NIGHI_ON_CODES or NIGHI_ON_DRAFT. */
NIGHI_INLINE const nighi_coding *nighi_coding_on(const nigh_index *index, uint8_t on) {
    return on == NIGHI_ON_DRAFT ? &index->draft->coding : &index->coding;
}
NIGHI_INLINE const nighi_region *nighi_codes_on(const nigh_index *index, uint8_t on) {
    return on == NIGHI_ON_DRAFT ? &index->draft->region : &index->regions[NIGHI_CODE];
}

#endif
