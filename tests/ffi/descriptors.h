// descriptors.h - how each function and callback is called, for libffi
// SPDX-License-Identifier: MIT OR Apache-2.0
// Generated from abi/nigh.h by abi/generate.py. Do not edit.

#ifndef NIGH_DESCRIPTORS_H
#define NIGH_DESCRIPTORS_H
#include "nigh.h"

enum { DESCRIPTOR_MAX = 12 };

// u uint32_t, i int32_t, U uint64_t, f float, p pointer, v void
typedef struct descriptor {
    const char *name;
    void (*address)(void);
    char returns;
    unsigned count;
    char arguments[DESCRIPTOR_MAX];
} descriptor;

static const descriptor functions[] = {
    {"nigh_version", (void (*)(void))nigh_version, 'u', 0, {0}},
    {"nigh_status_text", (void (*)(void))nigh_status_text, 'p', 1, {'i'}},
    {"nigh_features", (void (*)(void))nigh_features, 'u', 0, {0}},
    {"nigh_row_bytes", (void (*)(void))nigh_row_bytes, 'i', 3, {'u', 'u', 'p'}},
    {"nigh_convert", (void (*)(void))nigh_convert, 'i', 7, {'u', 'u', 'u', 'p', 'p', 'p', 'p'}},
    {"nigh_index_bytes", (void (*)(void))nigh_index_bytes, 'i', 3, {'p', 'p', 'p'}},
    {"nigh_index_init", (void (*)(void))nigh_index_init, 'i', 5, {'p', 'p', 'p', 'U', 'p'}},
    {"nigh_attach_bytes", (void (*)(void))nigh_attach_bytes, 'i', 4, {'p', 'U', 'p', 'p'}},
    {"nigh_attach", (void (*)(void))nigh_attach, 'i', 6, {'p', 'U', 'p', 'p', 'U', 'p'}},
    {"nigh_attach_blocks", (void (*)(void))nigh_attach_blocks, 'i', 9, {'p', 'U', 'p', 'p', 'p', 'p', 'p', 'U', 'p'}},
    {"nigh_grow_bytes", (void (*)(void))nigh_grow_bytes, 'i', 4, {'p', 'u', 'U', 'p'}},
    {"nigh_grow", (void (*)(void))nigh_grow, 'i', 5, {'p', 'u', 'U', 'p', 'U'}},
    {"nigh_writer_bytes", (void (*)(void))nigh_writer_bytes, 'i', 2, {'p', 'p'}},
    {"nigh_writer_init", (void (*)(void))nigh_writer_init, 'i', 3, {'p', 'p', 'U'}},
    {"nigh_session_bytes", (void (*)(void))nigh_session_bytes, 'i', 3, {'p', 'p', 'p'}},
    {"nigh_session_init", (void (*)(void))nigh_session_init, 'i', 5, {'p', 'p', 'p', 'U', 'p'}},
    {"nigh_index_borrow", (void (*)(void))nigh_index_borrow, 'i', 5, {'p', 'p', 'U', 'u', 'u'}},
    {"nigh_index_fetch", (void (*)(void))nigh_index_fetch, 'i', 4, {'p', 'p', 'p', 'p'}},
    {"nigh_index_distance", (void (*)(void))nigh_index_distance, 'i', 3, {'p', 'p', 'p'}},
    {"nigh_index_pager", (void (*)(void))nigh_index_pager, 'i', 4, {'p', 'p', 'p', 'p'}},
    {"nigh_insert", (void (*)(void))nigh_insert, 'i', 8, {'p', 'p', 'u', 'p', 'p', 'p', 'u', 'p'}},
    {"nigh_set", (void (*)(void))nigh_set, 'i', 8, {'p', 'p', 'u', 'p', 'p', 'p', 'u', 'p'}},
    {"nigh_remove", (void (*)(void))nigh_remove, 'i', 6, {'p', 'p', 'p', 'p', 'u', 'p'}},
    {"nigh_unremove", (void (*)(void))nigh_unremove, 'i', 6, {'p', 'p', 'p', 'p', 'u', 'p'}},
    {"nigh_session_filter", (void (*)(void))nigh_session_filter, 'i', 5, {'p', 'p', 'u', 'p', 'p'}},
    {"nigh_search", (void (*)(void))nigh_search, 'i', 10, {'p', 'p', 'p', 'p', 'u', 'p', 'p', 'p', 'p', 'p'}},
    {"nigh_search_batch", (void (*)(void))nigh_search_batch, 'i', 12, {'p', 'p', 'p', 'u', 'p', 'u', 'p', 'p', 'p', 'p', 'p', 'p'}},
    {"nigh_cursor_begin", (void (*)(void))nigh_cursor_begin, 'i', 4, {'p', 'p', 'p', 'p'}},
    {"nigh_cursor_next", (void (*)(void))nigh_cursor_next, 'i', 8, {'p', 'p', 'u', 'p', 'p', 'p', 'p', 'p'}},
    {"nigh_tune", (void (*)(void))nigh_tune, 'i', 4, {'p', 'p', 'p', 'p'}},
    {"nigh_session_stats_get", (void (*)(void))nigh_session_stats_get, 'i', 2, {'p', 'p'}},
    {"nigh_job_bytes", (void (*)(void))nigh_job_bytes, 'i', 4, {'p', 'p', 'u', 'p'}},
    {"nigh_job_begin", (void (*)(void))nigh_job_begin, 'i', 9, {'p', 'p', 'p', 'p', 'p', 'u', 'p', 'U', 'p'}},
    {"nigh_job_run", (void (*)(void))nigh_job_run, 'i', 3, {'p', 'p', 'p'}},
    {"nigh_job_end", (void (*)(void))nigh_job_end, 'i', 1, {'p'}},
    {"nigh_config_get", (void (*)(void))nigh_config_get, 'i', 2, {'p', 'p'}},
    {"nigh_stats_get", (void (*)(void))nigh_stats_get, 'i', 2, {'p', 'p'}},
    {"nigh_get", (void (*)(void))nigh_get, 'i', 8, {'p', 'p', 'p', 'p', 'u', 'p', 'p', 'p'}},
    {"nigh_keys", (void (*)(void))nigh_keys, 'i', 7, {'p', 'u', 'u', 'p', 'p', 'p', 'p'}},
    {"nigh_node", (void (*)(void))nigh_node, 'i', 7, {'p', 'u', 'u', 'p', 'p', 'p', 'p'}},
    {"nigh_check", (void (*)(void))nigh_check, 'i', 3, {'p', 'p', 'p'}},
    {"nigh_save_bytes", (void (*)(void))nigh_save_bytes, 'i', 3, {'p', 'u', 'p'}},
    {"nigh_save", (void (*)(void))nigh_save, 'i', 4, {'p', 'u', 'p', 'p'}},
    {"nigh_header", (void (*)(void))nigh_header, 'i', 2, {'p', 'p'}},
    {"nigh_seal", (void (*)(void))nigh_seal, 'i', 1, {'p'}},
    {"nigh_hnswlib_config", (void (*)(void))nigh_hnswlib_config, 'i', 4, {'p', 'U', 'p', 'p'}},
    {"nigh_hnswlib_read", (void (*)(void))nigh_hnswlib_read, 'i', 3, {'p', 'p', 'U'}},
    {"nigh_hnswlib_write", (void (*)(void))nigh_hnswlib_write, 'i', 6, {'p', 'p', 'u', 'U', 'p', 'p'}},
    {"nigh_store_bytes", (void (*)(void))nigh_store_bytes, 'i', 2, {'p', 'p'}},
    {"nigh_store_find", (void (*)(void))nigh_store_find, 'i', 4, {'p', 'p', 'U', 'p'}},
    {"nigh_store_open", (void (*)(void))nigh_store_open, 'i', 9, {'p', 'p', 'p', 'p', 'p', 'p', 'p', 'U', 'p'}},
    {"nigh_store_grow", (void (*)(void))nigh_store_grow, 'i', 5, {'p', 'u', 'p', 'U', 'p'}},
    {"nigh_store_stats_get", (void (*)(void))nigh_store_stats_get, 'i', 2, {'p', 'p'}},
    {"nigh_store_attach_bytes", (void (*)(void))nigh_store_attach_bytes, 'i', 4, {'p', 'p', 'p', 'p'}},
    {"nigh_store_attach", (void (*)(void))nigh_store_attach, 'i', 7, {'p', 'p', 'p', 'U', 'p', 'U', 'p'}},
    {"nigh_store_commit", (void (*)(void))nigh_store_commit, 'i', 2, {'p', 'p'}},
};

static const descriptor callbacks[] = {
    {"nigh_fetch_fn", 0, 'i', 6, {'p', 'p', 'p', 'u', 'p', 'p'}},
    {"nigh_prefetch_fn", 0, 'v', 4, {'p', 'p', 'p', 'u'}},
    {"nigh_distance_fn", 0, 'f', 4, {'p', 'p', 'p', 'u'}},
    {"nigh_filter_fn", 0, 'i', 3, {'p', 'u', 'p'}},
    {"nigh_write_fn", 0, 'i', 3, {'p', 'p', 'U'}},
    {"nigh_map_fn", 0, 'i', 5, {'p', 'u', 'u', 'U', 'p'}},
    {"nigh_dirty_fn", 0, 'i', 5, {'p', 'u', 'u', 'U', 'p'}},
    {"nigh_store_read_fn", 0, 'i', 4, {'p', 'U', 'p', 'U'}},
    {"nigh_store_write_fn", 0, 'i', 4, {'p', 'U', 'p', 'U'}},
    {"nigh_store_erase_fn", 0, 'i', 3, {'p', 'U', 'U'}},
    {"nigh_store_sync_fn", 0, 'i', 1, {'p'}},
    {"nigh_clock_fn", 0, 'U', 1, {'p'}},
};

#endif
