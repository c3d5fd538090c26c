/* index.h - lifecycle: sizes and layout of handle, writer state and session; attach; sources
 * layer L12; uses: base, state
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Each memory is laid out by one function that runs twice: with base NULL it only counts, so a size
 * can never differ from what is used. */
#ifndef NIGHI_INDEX_H
#define NIGHI_INDEX_H
#include "base.h"
#include "state.h"

/* config and options complete, defaults filled in. */
NIGHI_FN uint64_t nighi_index_bytes(const nigh_config *config, const nigh_options *options);
NIGHI_FN nigh_status nighi_index_init(const nigh_config *config, const nigh_options *options,
                                      void *memory, uint64_t memory_bytes, nigh_index **index);
NIGHI_FN nigh_status nighi_attach_bytes(const void *image, uint64_t image_bytes,
                                        const nigh_options *options, uint64_t *bytes);
NIGHI_FN nigh_status nighi_attach(void *image, uint64_t image_bytes, const nigh_options *options,
                                  void *memory, uint64_t memory_bytes, nigh_index **index);
/* A handle over blocks that a pager holds. */
NIGHI_FN nigh_status nighi_attach_blocks(const void *header, uint64_t header_bytes,
                                         const nigh_options *options, const nighi_pager *pager,
                                         void *memory, uint64_t memory_bytes, nigh_index **index);
NIGHI_FN uint64_t nighi_writer_bytes(const nigh_index *index);
NIGHI_FN nigh_status nighi_writer_init(nigh_index *index, void *memory, uint64_t memory_bytes);
NIGHI_FN uint64_t nighi_session_bytes(const nigh_index *index, const nigh_session_options *options);
NIGHI_FN nigh_status nighi_session_init(const nigh_index *index,
                                        const nigh_session_options *options, void *memory,
                                        uint64_t memory_bytes, nigh_session **session);
/* Fills in the defaults of session options. */
NIGHI_FN void nighi_session_defaults(const nigh_index *index, nigh_session_options *options);
/* Sets the vector source and the metric that fits how it stores vectors. */
NIGHI_FN void nighi_source_set(nigh_index *index, const nighi_source *source,
                               uint32_t trailer_offset);

#endif
