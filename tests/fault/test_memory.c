/* test_memory.c - one byte less is refused at the start, exactly enough never fails later
 * layer T; uses: data, fixture, oracle
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "data.h"
#include "fixture.h"
#include "oracle.h"
#include "t.h"

enum { N = 120, DIM = 10 };

/* Configurations that differ in which regions they have and how these are cut into blocks. */
static nigh_config config_at(uint32_t i) {
    static const uint32_t blocks[] = {256, 1024, 65536};
    nigh_config config = fx_config(DIM, NIGH_METRIC_COSINE, NIGH_DTYPE_F32);
    config.keys = i % 3;
    config.block_bytes = blocks[i / 3 % 3];
    config.vectors = i / 9 % 2;
    config.m = 2 + i;
    config.key_bytes_max = 30;
    config.seed = i;
    return config;
}
enum { CONFIGS = 18 };

static void same_bytes(const nigh_index *index, const fx_bytes *before) {
    fx_bytes after = fx_save(index, 0);
    t_eq(after.size, before->size);
    t_bytes(after.data, before->data, after.size);
    free(after.data);
}

static void *shifted(fx *f, uint64_t bytes, uint32_t by) {
    return (uint8_t *)fx_take(f, bytes + 64) + by;
}

/* Handle, writer state, session: each refuses a byte less and every other alignment. */
TEST(one_byte_short) {
    for (uint32_t i = 0; i < CONFIGS; i++) {
        fx f = {0};
        nigh_config config = config_at(i);
        nigh_options options = {
            .struct_size = sizeof options, .slot_max = N, .features = t_features()};
        nigh_session_options so = fx_session_options(50 + i, 0, i % 4);
        nigh_index *index = NULL;
        nigh_session *session = NULL;
        uint64_t bytes = 0;
        so.ef_max = 64;
        t_ok(nigh_index_bytes(&config, &options, &bytes));
        void *memory = fx_take(&f, bytes);
        t_is(nigh_index_init(&config, &options, memory, bytes - 1, &index), NIGH_E_MEMORY);
        t_is(nigh_index_init(&config, &options, memory, 1, &index), NIGH_E_MEMORY);
        for (uint32_t by = 1; by < 64; by *= 2) {
            t_is(nigh_index_init(&config, &options, shifted(&f, bytes, by), bytes, &index),
                 NIGH_E_MEMORY);
        }
        t_assert(index == NULL);
        t_ok(nigh_index_init(&config, &options, memory, bytes, &index));
        t_ok(nigh_writer_bytes(index, &bytes));
        memory = fx_take(&f, bytes);
        t_is(nigh_writer_init(index, memory, bytes - 1), NIGH_E_MEMORY);
        t_is(nigh_writer_init(index, memory, 0), NIGH_E_MEMORY);
        t_is(nigh_writer_init(index, shifted(&f, bytes, 32), bytes), NIGH_E_MEMORY);
        t_ok(nigh_writer_init(index, memory, bytes));
        t_ok(nigh_session_bytes(index, &so, &bytes));
        memory = fx_take(&f, bytes);
        t_is(nigh_session_init(index, &so, memory, bytes - 1, &session), NIGH_E_MEMORY);
        t_is(nigh_session_init(index, &so, memory, 0, &session), NIGH_E_MEMORY);
        t_is(nigh_session_init(index, &so, shifted(&f, bytes, 32), bytes, &session), NIGH_E_MEMORY);
        t_assert(session == NULL);
        t_ok(nigh_session_init(index, &so, memory, bytes, &session));
        fx_drop(&f);
    }
}

TEST(grow_one_byte_short) {
    for (uint32_t i = 0; i < CONFIGS; i++) {
        fx f;
        nigh_config config = config_at(i);
        uint64_t bytes = 0;
        fx_init(&f, &config, N, 0, 0, 64);
        for (uint32_t slots = 1; slots <= N; slots += 17) {
            fx_bytes before = fx_save(f.index, 0);
            nigh_stats stats = {0}, again = {0};
            stats.struct_size = again.struct_size = sizeof stats;
            t_ok(nigh_stats_get(f.index, &stats));
            t_ok(nigh_grow_bytes(f.index, slots, slots * 30, &bytes));
            if (bytes == 0) { /* there is room already: rounding up to blocks */
                t_assert(stats.slot_capacity >= slots);
                free(before.data);
                continue;
            }
            void *memory = fx_take(&f, bytes);
            t_is(nigh_grow(f.index, slots, slots * 30, memory, bytes - 1), NIGH_E_MEMORY);
            t_is(nigh_grow(f.index, slots, slots * 30, shifted(&f, bytes, 16), bytes),
                 NIGH_E_MEMORY);
            t_ok(nigh_stats_get(f.index, &again));
            t_bytes(&stats, &again, sizeof stats);
            t_ok(nigh_grow(f.index, slots, slots * 30, memory, bytes));
            t_ok(nigh_stats_get(f.index, &again));
            t_assert(again.slot_capacity >= slots);
            same_bytes(f.index, &before); /* room is no content */
            free(before.data);
        }
        fx_drop(&f);
    }
}

TEST(attach_one_byte_short) {
    fx f, g = {0};
    rng r = {t_seed()};
    nigh_config config = config_at(0);
    uint8_t *rows = data_rows(&r, DATA_UNIFORM, config.dtype, N, DIM);
    fx_init(&f, &config, N, N, 0, 64);
    fx_insert_many(&f, 0, N, rows);
    fx_bytes image = fx_save(f.index, 0);
    uint8_t *copy = fx_take(&g, image.size);
    memcpy(copy, image.data, (size_t)image.size);
    for (uint32_t flags = 0; flags <= NIGH_OPEN_WRITABLE; flags++) {
        nigh_options options = {.struct_size = sizeof options,
                                .slot_max = 2 * N * flags,
                                .features = t_features(),
                                .flags = flags};
        uint64_t bytes = 0;
        nigh_index *index = NULL;
        t_ok(nigh_attach_bytes(copy, image.size, &options, &bytes));
        void *memory = fx_take(&g, bytes);
        t_is(nigh_attach(copy, image.size, &options, memory, bytes - 1, &index), NIGH_E_MEMORY);
        t_is(nigh_attach(copy, image.size, &options, shifted(&g, bytes, 16), bytes, &index),
             NIGH_E_MEMORY);
        t_assert(index == NULL);
        t_bytes(copy, image.data, image.size);
        t_ok(nigh_attach(copy, image.size, &options, memory, bytes, &index));
    }
    free(image.data);
    free(rows);
    fx_drop(&g);
    fx_drop(&f);
}

/* Exactly enough for N slots and their keys: all of them go in, in any configuration. */
TEST(exactly_enough) {
    for (uint32_t i = 0; i < CONFIGS; i++) {
        fx f;
        uint8_t key[512];
        uint64_t key_bytes = 0;
        rng r = {t_seed() + i};
        nigh_config config = config_at(i);
        config.vectors = NIGH_VECTORS_OWNED;
        uint8_t *rows = data_rows(&r, DATA_UNIFORM, config.dtype, N + 1, DIM);
        for (uint32_t id = 0; id < N; id++) {
            key_bytes += config.keys == NIGH_KEYS_BYTES ? fx_key(&config, id, key) : 0;
        }
        fx_init(&f, &config, N, N, key_bytes, 64);
        fx_insert_many(&f, 0, N, rows);
        t_is(fx_insert(&f, f.session, 0, N, rows), NIGH_E_FULL);
        fx_check(f.index, f.session);
        free(rows);
        fx_drop(&f);
    }
}

static void search_all(fx *f, const oracle *o, const uint8_t *query) {
    fx_hits h;
    nigh_search_options so = fx_search_options(N, 0);
    fx_hits_init(&h, &f->config, N);
    t_ok(fx_search(f, f->session, query, &so, N, &h));
    oracle_expect(o, &h, query, N, NULL, NULL);
    fx_hits_drop(&h);
    fx_check(f->index, f->session);
}

/* Full, the index changes nothing, is searched as ever, grows, and is in the end, to the byte, the
 * one that had the room from the beginning. */
TEST(full_then_grown) {
    for (uint32_t i = 0; i < CONFIGS; i++) {
        fx f, big;
        oracle o;
        rng r = {t_seed() + i};
        nigh_config config = config_at(i);
        config.vectors = NIGH_VECTORS_OWNED;
        uint32_t full = 0, room = 0;
        uint8_t *rows = data_rows(&r, DATA_CLUSTERED, config.dtype, N, DIM);
        fx_init(&f, &config, N, 0, 0, N);
        fx_init(&big, &config, N, N, N * 30, 64);
        oracle_init(&o, &config, N);
        for (uint32_t id = 0; id < N;) {
            const uint8_t *row = rows + id * f.row_bytes;
            fx_bytes before = fx_save(f.index, 0);
            nigh_status s = fx_insert(&f, f.session, 0, id, row);
            if (s == NIGH_E_FULL) {
                same_bytes(f.index, &before);
                search_all(&f, &o, rows);
                full++;
                room = room + 7 < N ? room + 7 : N;
                uint64_t key_bytes = (uint64_t)full * 7 * 30 + 60;
                fx_grow(&f, room, key_bytes < N * 30 ? key_bytes : N * 30);
                free(before.data);
                continue;
            }
            t_ok(s);
            free(before.data);
            t_ok(fx_insert(&big, big.session, 0, id, row));
            oracle_put(&o, id, row);
            id++;
        }
        t_assert(full > 0);
        search_all(&f, &o, rows);
        fx_same_image(f.index, big.index);
        free(rows);
        oracle_drop(&o);
        fx_drop(&f);
        fx_drop(&big);
    }
}

/* slot_capacity is what it says: so many slots go in before NIGH_E_FULL, not one fewer. */
TEST(slot_capacity) {
    for (uint32_t i = 0; i < 9; i++) {
        fx f;
        rng r = {t_seed() + i};
        nigh_config config = config_at(i);
        nigh_stats stats = {0};
        stats.struct_size = sizeof stats;
        config.m = 3;
        uint8_t *rows = data_rows(&r, DATA_UNIFORM, config.dtype, N, DIM);
        for (uint32_t slots = 1; slots < 20; slots++) {
            uint32_t id = 0;
            fx_init(&f, &config, N, slots, slots * 30, 64);
            t_ok(nigh_stats_get(f.index, &stats));
            t_assert(stats.slot_capacity >= slots && stats.slot_capacity <= N);
            while (id < N && fx_insert(&f, f.session, 0, id, rows + id * f.row_bytes) == NIGH_OK) {
                id++;
            }
            t_assert(id >= slots && (config.keys == NIGH_KEYS_BYTES || id == stats.slot_capacity));
            fx_drop(&f);
        }
        free(rows);
    }
}

SUITE {
    RUN(slot_capacity);
    RUN(one_byte_short);
    RUN(grow_one_byte_short);
    RUN(attach_one_byte_short);
    RUN(exactly_enough);
    RUN(full_then_grown);
}
