/* test_damage.c - an image cut at every length, and with every single bit of it flipped
 * layer T; uses: data, fixture
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Every damage is found, by attach or by check; and what attaches although it is damaged may be
 * searched, read and written to without leaving its memory (run with the address sanitizer). */
#define _POSIX_C_SOURCE 200809L
#include <signal.h>
#include <unistd.h>

#include "data.h"
#include "fixture.h"
#include "t.h"

enum { SECONDS_MAX = 60 }; /* one damaged image takes microseconds: more is a loop without end */

enum { N = 14, DIM = 3 };

static nigh_config config_at(uint32_t at) {
    const uint32_t i = at % 4;
    nigh_config config = fx_config(DIM, NIGH_METRIC_COSINE, NIGH_DTYPE_F32);
    config.keys = i % 3;
    config.key_bytes_max = 12;
    config.block_bytes = i % 2 == 0 ? 256 : 4096;
    config.m = 2;
    config.ef_build = 8;
    config.seed = 3; /* some nodes above layer 0 */
    if (i == 3) {
        config.metric = NIGH_METRIC_L2;
        config.dtype = NIGH_DTYPE_U8;
    }
    return config;
}
enum { CONFIGS = 4, CASES = 8 }; /* the second half is packed */

static fx_bytes make(const nigh_config *config, uint32_t flags) {
    fx f;
    rng r = {t_seed()};
    uint8_t *rows = data_rows(&r, DATA_UNIFORM, config->dtype, N, DIM);
    fx_init(&f, config, N, N, N * 12, 16);
    fx_insert_many(&f, 0, N, rows);
    t_ok(fx_remove(&f, f.session, 4));
    nigh_stats stats = {0};
    stats.struct_size = sizeof stats;
    t_ok(nigh_stats_get(f.index, &stats));
    t_assert(stats.upper_count > 1);
    fx_bytes image = fx_save(f.index, flags);
    free(rows);
    fx_drop(&f);
    return image;
}

/* Everything that reads; all outputs have exactly the room that the header asks for. */
static void read_everything(fx *f) {
    static const float query[DIM] = {0.5f, -1, 2};
    fx_hits h;
    uint32_t links[2048], top = 0, flags = 0, count = 0;
    uint8_t row[64];
    nigh_search_options so = fx_search_options(16, 0);
    fx_hits_init(&h, &f->config, 16);
    for (so.flags = 0; so.flags <= NIGH_SEARCH_EXACT; so.flags++) {
        nigh_status s = fx_search(f, f->session, query, &so, 16, &h);
        t_assert(s <= NIGH_OK && h.found <= 16);
    }
    so.flags = 0;
    if (nigh_cursor_begin(f->index, f->session, query, &so) == NIGH_OK) {
        for (int i = 0; i < 12 && fx_next(f, f->session, 5, &h) == NIGH_OK && h.found == 5; i++) {
        }
    }
    for (uint32_t from = 0, rounds = 0; rounds < 64; rounds++) {
        nigh_status s =
            nigh_keys(f->index, from, 16, h.keys,
                      f->config.keys == NIGH_KEYS_BYTES ? h.lengths : NULL, h.slots, &h.found);
        if (s != NIGH_OK || h.found == 0) {
            break;
        }
        t_assert(h.slots[h.found - 1] >= from);
        from = h.slots[h.found - 1] + 1;
    }
    for (uint64_t id = 0; id < N + 1; id++) {
        (void)fx_get(f, f->session, id, f->row_bytes <= sizeof row ? row : NULL, NULL);
        for (uint32_t level = 0; level < 17 && f->config.m0 <= 2048; level++) {
            (void)nigh_node(f->index, (uint32_t)id, level, &top, &flags, links, &count);
        }
    }
    for (uint32_t packed = 0; packed <= NIGH_SAVE_PACKED; packed += NIGH_SAVE_PACKED) {
        fx_bytes bytes = {0};
        nigh_status s = nigh_save(f->index, packed, fx_write, &bytes);
        t_assert(s == NIGH_OK || s == NIGH_E_CORRUPT || s == NIGH_E_OPEN);
        free(bytes.data);
    }
    fx_hits_drop(&h);
}

static int flawed(const fx *f) {
    nigh_report report = {0};
    report.struct_size = sizeof report;
    nigh_status s = nigh_check(f->index, f->session, &report);
    t_assert(s == NIGH_OK && (report.status == NIGH_OK || report.status == NIGH_E_CORRUPT));
    t_eq(report.status == NIGH_E_CORRUPT, report.fault != 0);
    return report.status == NIGH_E_CORRUPT;
}

/* A copy that may be written: changes give a status, too. */
static void write_something(const uint8_t *data, uint64_t size) {
    static const float row[DIM] = {3, -1, 0.25f};
    fx f;
    if (fx_attach(&f, data, size, NIGH_OPEN_WRITABLE, N + 4, 16) == NIGH_OK &&
        f.config.ef_build <= 16) {
        uint64_t bytes = 0;
        if (nigh_grow_bytes(f.index, N + 4, 400, &bytes) == NIGH_OK && bytes < 1 << 20) {
            (void)nigh_grow(f.index, N + 4, 400, fx_take(&f, bytes), bytes);
        }
        (void)fx_insert(&f, f.session, 0, N, row);
        (void)fx_insert(&f, f.session, NIGH_REPLACE_DELETED, N + 1, row);
        (void)fx_set(&f, f.session, 0, 2, row);
        (void)fx_remove(&f, f.session, 3);
        (void)fx_unremove(&f, f.session, 4);
        read_everything(&f);
        (void)nigh_seal(f.index);
    }
    fx_drop(&f);
}

static uint64_t damage_at;

static void hangs(int number) {
    static const char text[] = "FAIL: a call does not come back; the damage is at ";
    char digits[20];
    size_t at = sizeof digits;
    (void)number;
    for (uint64_t left = damage_at; at > 0 && (left > 0 || at == sizeof digits); left /= 10) {
        digits[--at] = (char)('0' + left % 10);
    }
    if (write(1, text, sizeof text - 1) < 0 || write(1, digits + at, sizeof digits - at) < 0) {
        _exit(2);
    }
    _exit(1);
}

static int attached; /* damaged images that attached: the test must not be empty of them */

/* Header and checksum table are verified in O(blocks) by attach itself. */
static uint64_t head_bytes(const uint8_t *data) {
    uint32_t blocks = 0;
    memcpy(&blocks, data + 76, 4); /* docs/FORMAT.md */
    return 512 + (uint64_t)blocks * 4;
}

static void damaged(const uint8_t *data, uint64_t size, const char *what, uint64_t at) {
    fx f;
    damage_at = at;
    alarm(SECONDS_MAX);
    nigh_status s = fx_attach(&f, data, size, 0, 0, 16);
    if (s == NIGH_OK) {
        attached++;
        if (!flawed(&f)) {
            t_failf("%s at %" PRIu64 " of %" PRIu64 " bytes is not found", what, at, size);
        }
        read_everything(&f);
    } else {
        t_assert(s < 0 && s >= NIGH_E_DELETED && s != NIGH_E_INVALID);
    }
    fx_drop(&f);
    s = fx_attach(&f, data, size, NIGH_OPEN_VERIFY, 0, 16);
    if (s == NIGH_OK) {
        t_failf("%s at %" PRIu64 ": NIGH_OPEN_VERIFY does not see it", what, at);
    }
    fx_drop(&f);
    if (fx_attach(&f, data, size, NIGH_OPEN_UNSEALED, 0, 16) == NIGH_OK) {
        (void)flawed(&f);
    }
    fx_drop(&f);
    write_something(data, size);
    alarm(0);
}

TEST(sound) {
    for (uint32_t i = 0; i < CASES; i++) {
        nigh_config config = config_at(i);
        fx_bytes image = make(&config, i < CONFIGS ? 0 : NIGH_SAVE_PACKED);
        fx f;
        t_ok(fx_attach(&f, image.data, image.size, NIGH_OPEN_VERIFY, 0, 16));
        t_assert(!flawed(&f));
        read_everything(&f);
        fx_drop(&f);
        write_something(image.data, image.size);
        free(image.data);
    }
}

TEST(cut_at_every_length) {
    for (uint32_t i = 0; i < CASES; i++) {
        nigh_config config = config_at(i);
        fx_bytes image = make(&config, (i % 4 == 1 ? NIGH_SAVE_GRAPH_ONLY : 0u) |
                                            (i < CONFIGS ? 0 : NIGH_SAVE_PACKED));
        for (uint64_t size = 0; size < image.size; size++) {
            for (uint32_t flags = 0; flags < 8; flags++) {
                fx f;
                nigh_status s = fx_attach(&f, image.data, size, flags, 0, 16);
                if (s == NIGH_OK || s < NIGH_E_DELETED) {
                    t_failf("%" PRIu64 " of %" PRIu64 " bytes: status %d", size, image.size, s);
                }
                fx_drop(&f);
            }
        }
        free(image.data);
    }
}

TEST(every_bit) {
    for (uint32_t i = 0; i < CASES; i++) {
        nigh_config config = config_at(i);
        fx_bytes image = make(&config, i < CONFIGS ? 0 : NIGH_SAVE_PACKED);
        uint64_t step = t_small() ? 13 : 1, head = head_bytes(image.data);
        attached = 0;
        t_assert(image.size < 16384);
        for (uint64_t bit = 0; bit < image.size * 8; bit += step) {
            image.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            damaged(image.data, image.size, "the bit", bit);
            if (bit / 8 < head) {
                fx f;
                t_assert(fx_attach(&f, image.data, image.size, 0, 0, 16) != NIGH_OK);
                fx_drop(&f);
            }
            image.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        t_assert(attached > 100);
        free(image.data);
    }
}

/* Worse than a bit: words overwritten, here and there, by what would hurt most. */
TEST(wild_words) {
    static const uint32_t words[] = {0xffffffffu, 0x7fffffffu, 0x80000000u, 0, 1, 13, 14, 255};
    rng r = {t_seed()};
    for (uint32_t i = 0; i < CASES; i++) {
        nigh_config config = config_at(i);
        fx_bytes image = make(&config, i < CONFIGS ? 0 : NIGH_SAVE_PACKED);
        uint8_t *copy = fx_malloc(image.size);
        for (uint32_t round = 0; round < (t_small() ? 200u : 4000u); round++) {
            memcpy(copy, image.data, (size_t)image.size);
            for (uint32_t w = 0; w <= round % 8; w++) {
                uint32_t at = rng_below(&r, (uint32_t)image.size / 4);
                memcpy(copy + 4 * (size_t)at, &words[rng_below(&r, 8)], 4);
            }
            if (memcmp(copy, image.data, (size_t)image.size) != 0) {
                damaged(copy, image.size, "word, round", round);
            }
        }
        free(copy);
        free(image.data);
    }
}

SUITE {
    signal(SIGALRM, hangs);
    RUN(sound);
    RUN(cut_at_every_length);
    RUN(every_bit);
    RUN(wild_words);
}
