// layout.h - sizes and offsets of structures, for any compiler to confirm
// SPDX-License-Identifier: MIT OR Apache-2.0
// Generated from abi/nigh.h by abi/generate.py. Do not edit.

#ifndef NIGH_LAYOUT_H
#define NIGH_LAYOUT_H
#include <stddef.h>

#include "nigh.h"

#define AT(type, field, offset) \
    _Static_assert(offsetof(type, field) == (offset), #type "." #field " moved")
#define SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type " grew")

_Static_assert(sizeof(nigh_status) == 4 && (nigh_status)-1 < 0, "int32_t");
_Static_assert(sizeof(float) == 4, "f32");

AT(nigh_config, struct_size, 0);
AT(nigh_config, dim, 4);
AT(nigh_config, metric, 8);
AT(nigh_config, dtype, 12);
AT(nigh_config, keys, 16);
AT(nigh_config, vectors, 20);
AT(nigh_config, m, 24);
AT(nigh_config, m0, 28);
AT(nigh_config, ef_build, 32);
AT(nigh_config, expansions, 36);
AT(nigh_config, block_bytes, 40);
AT(nigh_config, key_bytes_max, 44);
AT(nigh_config, seed, 48);
AT(nigh_config, codes, 56);
AT(nigh_config, build_flags, 60);
AT(nigh_config, alpha, 64);
AT(nigh_config, code_min, 68);
AT(nigh_config, code_max, 72);
AT(nigh_config, reserved, 76);
SIZE(nigh_config, 80);

AT(nigh_options, struct_size, 0);
AT(nigh_options, slot_max, 4);
AT(nigh_options, features, 8);
AT(nigh_options, flags, 12);
AT(nigh_options, upper_extra, 16);
SIZE(nigh_options, 20);

AT(nigh_session_options, struct_size, 0);
AT(nigh_session_options, ef_max, 4);
AT(nigh_session_options, frontier_max, 8);
AT(nigh_session_options, flags, 12);
AT(nigh_session_options, lanes, 16);
SIZE(nigh_session_options, 20);

AT(nigh_search_options, struct_size, 0);
AT(nigh_search_options, ef, 4);
AT(nigh_search_options, expansions, 8);
AT(nigh_search_options, flags, 12);
AT(nigh_search_options, radius, 16);
AT(nigh_search_options, expansions_max, 20);
AT(nigh_search_options, rerank, 24);
AT(nigh_search_options, gamma, 28);
SIZE(nigh_search_options, 32);

AT(nigh_session_stats, struct_size, 0);
AT(nigh_session_stats, distances, 4);
AT(nigh_session_stats, expansions, 8);
AT(nigh_session_stats, fetches, 12);
AT(nigh_session_stats, truncated, 16);
AT(nigh_session_stats, scanned, 20);
AT(nigh_session_stats, reranked, 24);
SIZE(nigh_session_stats, 28);

AT(nigh_stats, struct_size, 0);
AT(nigh_stats, slot_count, 4);
AT(nigh_stats, live_count, 8);
AT(nigh_stats, deleted_count, 12);
AT(nigh_stats, free_count, 16);
AT(nigh_stats, slot_capacity, 20);
AT(nigh_stats, slot_max, 24);
AT(nigh_stats, level_max, 28);
AT(nigh_stats, entry_slot, 32);
AT(nigh_stats, upper_count, 36);
AT(nigh_stats, features, 40);
AT(nigh_stats, writable, 44);
AT(nigh_stats, key_bytes, 48);
AT(nigh_stats, key_capacity, 56);
AT(nigh_stats, image_bytes, 64);
AT(nigh_stats, codes, 72);
AT(nigh_stats, code_clamped, 76);
SIZE(nigh_stats, 80);

AT(nigh_report, struct_size, 0);
AT(nigh_report, status, 4);
AT(nigh_report, slot, 8);
AT(nigh_report, level, 12);
AT(nigh_report, fault, 16);
AT(nigh_report, unreachable, 20);
AT(nigh_report, link_count, 24);
AT(nigh_report, blocks_checked, 32);
SIZE(nigh_report, 40);

AT(nigh_job_options, struct_size, 0);
AT(nigh_job_options, kind, 4);
AT(nigh_job_options, codes, 8);
AT(nigh_job_options, code_min, 12);
AT(nigh_job_options, code_max, 16);
AT(nigh_job_options, vector_stride, 20);
AT(nigh_job_options, ef, 24);
AT(nigh_job_options, alpha, 28);
SIZE(nigh_job_options, 32);

AT(nigh_hnswlib, struct_size, 0);
AT(nigh_hnswlib, bits, 4);
AT(nigh_hnswlib, slot_count, 8);
AT(nigh_hnswlib, deleted_count, 12);
AT(nigh_hnswlib, upper_count, 16);
AT(nigh_hnswlib, upper_extra, 20);
AT(nigh_hnswlib, identity, 24);
AT(nigh_hnswlib, vector_stride, 28);
AT(nigh_hnswlib, vector_offset, 32);
AT(nigh_hnswlib, label_max, 40);
AT(nigh_hnswlib, max_elements, 48);
SIZE(nigh_hnswlib, 56);

AT(nigh_progress, struct_size, 0);
AT(nigh_progress, state, 4);
AT(nigh_progress, done, 8);
AT(nigh_progress, total, 16);
SIZE(nigh_progress, 24);

AT(nigh_store_options, struct_size, 0);
AT(nigh_store_options, flags, 4);
AT(nigh_store_options, page_bytes, 8);
AT(nigh_store_options, page_count, 12);
AT(nigh_store_options, program_bytes, 16);
AT(nigh_store_options, super_count, 20);
SIZE(nigh_store_options, 24);

AT(nigh_store_stats, struct_size, 0);
AT(nigh_store_stats, page_bytes, 4);
AT(nigh_store_stats, page_count, 8);
AT(nigh_store_stats, page_used, 12);
AT(nigh_store_stats, page_free, 16);
AT(nigh_store_stats, filled, 20);
AT(nigh_store_stats, generation, 24);
AT(nigh_store_stats, written_bytes, 32);
AT(nigh_store_stats, write_count, 40);
AT(nigh_store_stats, erase_count, 48);
AT(nigh_store_stats, sync_count, 56);
AT(nigh_store_stats, bad_region, 64);
AT(nigh_store_stats, bad_block, 68);
AT(nigh_store_stats, bad_page, 72);
AT(nigh_store_stats, reserved, 76);
SIZE(nigh_store_stats, 80);

#undef AT
#undef SIZE
#endif
