/* hnsw_file.c - files of hnswlib made by hand
 * layer T; uses: hnsw_file
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "hnsw_file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "t.h"

enum { LISTS_BEFORE = 4 };

uint32_t hnsw_field(uint32_t width, uint32_t field) {
    return field <= HNSW_TOP     ? field * width
           : field == HNSW_ENTRY ? 6 * width + 4
           : field <= HNSW_MULT  ? 6 * width + 8 + (field - HNSW_M_ABOVE) * width
                                 : 9 * width + 16;
}

void hnsw_put(uint8_t *at, uint64_t value, uint32_t bytes) {
    for (uint32_t i = 0; i < bytes; i++) {
        at[i] = (uint8_t)(value >> (8 * i));
    }
}

static uint32_t get32(const uint8_t *at) {
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint8_t *above(const hnsw_file *file, uint32_t slot) {
    uint8_t *at = file->bytes + file->head_bytes + (size_t)file->count * file->element_bytes;
    for (uint32_t i = 0; i < slot; i++) {
        at += 4 + get32(at);
    }
    return at;
}

uint32_t hnsw_top(const hnsw_file *file, uint32_t slot) {
    return get32(above(file, slot)) / (LISTS_BEFORE + 4 * file->m);
}

uint8_t *hnsw_list(const hnsw_file *file, uint32_t slot, uint32_t level) {
    return level == 0 ? file->bytes + file->head_bytes + (size_t)slot * file->element_bytes
                      : above(file, slot) + 4 + (size_t)(level - 1) * (LISTS_BEFORE + 4 * file->m);
}

uint8_t *hnsw_vector(const hnsw_file *file, uint32_t slot) {
    return hnsw_list(file, slot, 0) + LISTS_BEFORE + 8 * (size_t)file->m;
}

static void header(hnsw_file *file, uint32_t entry, uint32_t top) {
    const uint64_t vector = LISTS_BEFORE + 8 * (uint64_t)file->m, label = vector + file->row_bytes;
    const double mult = 1 / log(file->m);
    uint64_t mult_bits = 0;
    memcpy(&mult_bits, &mult, 8);
    const uint64_t numbers[HNSW_FIELDS] = {
        0,       file->count + 7,       file->count, label + file->width, label, vector, top, entry,
        file->m, 2 * (uint64_t)file->m, file->m,     mult_bits,           50};
    for (uint32_t i = 0; i < HNSW_FIELDS; i++) {
        const uint32_t bytes = i == HNSW_TOP || i == HNSW_ENTRY ? 4
                               : i == HNSW_MULT                 ? 8
                                                                : file->width;
        hnsw_put(file->bytes + hnsw_field(file->width, i), numbers[i], bytes);
    }
}

/* Links of one list, drawn among the nodes of its layer. */
static void list(const hnsw_file *file, rng *r, const uint8_t *tops, uint32_t slot, uint32_t level,
                 int stale) {
    uint8_t *at = hnsw_list(file, slot, level);
    const uint32_t most = level == 0 ? 2 * file->m : file->m;
    uint32_t count = 0;
    for (uint32_t tries = 0; tries < 3 * most && count < most; tries++) {
        const uint32_t to = rng_below(r, file->count);
        int good = to != slot && tops[to] >= level && (count < most / 2 || rng_below(r, 3) > 0);
        for (uint32_t i = 0; i < count; i++) {
            good &= get32(at + LISTS_BEFORE + 4 * (size_t)i) != to;
        }
        if (good) {
            hnsw_put(at + LISTS_BEFORE + 4 * (size_t)count++, to, 4);
        }
    }
    hnsw_put(at, count, 2);
    for (uint32_t i = count; i < most && stale; i++) {
        hnsw_put(at + LISTS_BEFORE + 4 * (size_t)i, rng_next(r), 4);
    }
}

hnsw_file hnsw_file_make(rng *r, uint32_t width, uint32_t count, uint32_t m, uint32_t dim,
                         uint32_t dtype, uint32_t deleted_each, const uint8_t *tops, int stale) {
    hnsw_file file = {.width = width, .count = count, .m = m, .dim = dim, .dtype = dtype};
    uint8_t *drawn = fx_malloc(count + 1);
    uint32_t entry = UINT32_MAX, lists = 0;
    file.head_bytes = width == 8 ? 96 : 56;
    file.row_bytes = dtype == NIGH_DTYPE_U8 ? dim : 4 * dim;
    file.element_bytes = LISTS_BEFORE + 8 * m + file.row_bytes + width;
    for (uint32_t i = 0; i < count; i++) {
        while (tops == NULL && drawn[i] < 6 && rng_below(r, 3) == 0) {
            drawn[i]++;
        }
        drawn[i] = tops == NULL ? drawn[i] : tops[i];
        entry = entry == UINT32_MAX || drawn[i] > drawn[entry] ? i : entry;
        lists += drawn[i];
    }
    file.size = file.head_bytes + (uint64_t)count * (file.element_bytes + 4) +
                (uint64_t)lists * (LISTS_BEFORE + 4 * m);
    file.bytes = fx_malloc(file.size);
    header(&file, entry, count == 0 ? UINT32_MAX : drawn[entry]);
    uint8_t *rows = data_rows(r, DATA_UNIFORM, dtype, count + 1, dim);
    for (uint32_t i = 0; i < count; i++) { /* sizes first: they say where lists are */
        hnsw_put(above(&file, i), (uint64_t)drawn[i] * (LISTS_BEFORE + 4 * m), 4);
    }
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t level = 0; level <= drawn[i]; level++) {
            list(&file, r, drawn, i, level, stale);
        }
        hnsw_list(&file, i, 0)[2] = deleted_each != 0 && i % deleted_each == deleted_each - 1;
        memcpy(hnsw_vector(&file, i), rows + (size_t)i * file.row_bytes, file.row_bytes);
        hnsw_put(hnsw_vector(&file, i) + file.row_bytes, 3 * (uint64_t)i + 5, width);
    }
    free(rows);
    free(drawn);
    return file;
}

nigh_status hnsw_read(fx *f, const void *file, uint64_t bytes, const nigh_config *config,
                      uint32_t slots) {
    nigh_hnswlib facts = {.struct_size = sizeof facts};
    uint64_t need = 0;
    memset(f, 0, sizeof *f);
    f->config = *config;
    nigh_status status = nigh_hnswlib_config(file, bytes, &f->config, &facts);
    if (status != NIGH_OK) {
        return status;
    }
    slots = slots > facts.slot_count ? slots : facts.slot_count;
    slots = slots > 0 ? slots : 1;
    f->options = (nigh_options){.struct_size = sizeof f->options,
                                .slot_max = slots,
                                .features = t_features(),
                                .upper_extra = facts.upper_extra};
    t_ok(nigh_index_bytes(&f->config, &f->options, &need));
    t_ok(nigh_index_init(&f->config, &f->options, fx_take(f, need), need, &f->index));
    fx_grow(f, slots, 0);
    t_ok(nigh_writer_bytes(f->index, &need));
    t_ok(nigh_writer_init(f->index, fx_take(f, need), need));
    status = nigh_hnswlib_read(f->index, file, bytes);
    if (status != NIGH_OK) {
        nigh_stats stats = {.struct_size = sizeof stats};
        t_ok(nigh_stats_get(f->index, &stats));
        t_assert(stats.slot_count == 0 && stats.upper_count == 0 && stats.deleted_count == 0);
        fx_drop(f);
        return status;
    }
    f->ef_max = 600;
    nigh_session_options so = fx_session_options(f->ef_max, 0, 0);
    f->session = fx_session(f, &so);
    t_ok(nigh_config_get(f->index, &f->config));
    t_ok(nigh_row_bytes(f->config.dim, f->config.dtype, &f->row_bytes));
    return NIGH_OK;
}

fx_bytes hnsw_write(const nigh_index *index, nigh_session *session, uint32_t flags,
                    uint64_t max_elements) {
    fx_bytes out = {0};
    t_ok(nigh_hnswlib_write(index, session, flags, max_elements, fx_write, &out));
    return out;
}
