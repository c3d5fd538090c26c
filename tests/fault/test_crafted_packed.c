/* test_crafted_packed.c - packed images wrong in one thing, all checksums right
 * layer T; uses: data, fixture, image_fix
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * As test_crafted.c: nigh_check names the rule of docs/FORMAT.md, and searches, reads and saves of
 * the damaged image give a status and stay inside of it (run with the address sanitizer). */
#include "data.h"
#include "fixture.h"
#include "image_fix.h"
#include "t.h"

enum { N = 40, DIM = 3, M = 4, BITS = 6, NONE = 63 };
enum { LINKS0, UPPER, NODE, KEY, KEYBYTES, KEYMAP, VECTOR };
enum { LAYERS = 2, UNKNOWN = 99 }; /* records of NODE before states; any rule will do */

static fx_bytes image;
static uint8_t *copy;

static void make(uint32_t keys) {
    fx f;
    rng r = {t_seed()};
    nigh_config config = fx_config(DIM, NIGH_METRIC_COSINE, NIGH_DTYPE_F32);
    config.keys = keys;
    config.key_bytes_max = 12;
    config.m = M;
    config.seed = 3;
    uint8_t *rows = data_rows(&r, DATA_UNIFORM, config.dtype, N, DIM);
    fx_init(&f, &config, N, N, N * 12, 64);
    fx_insert_many(&f, 0, N, rows);
    t_ok(fx_remove(&f, f.session, 5));
    image = fx_save(f.index, NIGH_SAVE_PACKED);
    copy = fx_malloc(image.size);
    memcpy(copy, image.data, (size_t)image.size);
    free(rows);
    fx_drop(&f);
}

static void drop(void) {
    free(image.data);
    free(copy);
}

static uint32_t *word_of(uint32_t region, uint32_t at, uint32_t word) {
    const uint8_t *entry = copy + IMAGE_DIRECTORY + 32 * (size_t)region;
    t_assert(at < image_get64(entry + 8) && 4 * word < image_get32(entry + 16));
    uint64_t offset = image_get64(entry) + (uint64_t)at * image_get32(entry + 16) + 4 * word;
    return (uint32_t *)(void *)(copy + offset);
}

static uint32_t *header(uint32_t offset) { return (uint32_t *)(void *)(copy + offset); }

/* Field `i` behind `skip` words of a record. */
static uint32_t get(uint32_t region, uint32_t at, uint32_t skip, uint32_t i) {
    uint32_t value = 0;
    for (uint32_t bit = 0; bit < BITS; bit++) {
        uint32_t place = i * BITS + bit;
        value |= (*word_of(region, at, skip + place / 32) >> place % 32 & 1) << bit;
    }
    return value;
}

static void put(uint32_t region, uint32_t at, uint32_t skip, uint32_t i, uint32_t value) {
    for (uint32_t bit = 0; bit < BITS; bit++) {
        uint32_t place = i * BITS + bit;
        uint32_t *word = word_of(region, at, skip + place / 32);
        *word = (*word & ~(1u << place % 32)) | (value >> bit & 1) << place % 32;
    }
}

static uint32_t degree(uint32_t slot) {
    uint32_t count = 0;
    while (count < 2 * M && get(LINKS0, slot, 0, count) != NONE) {
        count++;
    }
    return count;
}

static void use(fx *f) {
    static const float row[DIM] = {1, -2, 0.5f};
    fx_hits h;
    fx_bytes bytes = {0};
    uint32_t links[2 * M], top = 0, flags = 0, count = 0;
    nigh_search_options so = fx_search_options(N, 0);
    fx_hits_init(&h, &f->config, N);
    (void)fx_search(f, f->session, row, &so, N, &h);
    if (nigh_cursor_begin(f->index, f->session, row, &so) == NIGH_OK) {
        (void)fx_next(f, f->session, N, &h);
    }
    for (uint32_t id = 0; id < N + 2; id++) {
        (void)fx_get(f, f->session, id, NULL, NULL);
        for (uint32_t level = 0; level < 17; level++) {
            (void)nigh_node(f->index, id, level, &top, &flags, links, &count);
        }
    }
    nigh_status s = nigh_save(f->index, 0, fx_write, &bytes);
    t_assert(s == NIGH_OK || s == NIGH_E_CORRUPT);
    free(bytes.data);
    fx_hits_drop(&h);
}

/* The copy, with right checksums, breaks exactly this rule; then it is sound again. */
static void breaks(uint32_t rule, int line) {
    nigh_report report = {0};
    fx f;
    report.struct_size = sizeof report;
    image_fix(copy, (size_t)image.size);
    nigh_status s = fx_attach(&f, copy, image.size, NIGH_OPEN_VERIFY, 0, 64);
    if (s != NIGH_OK) {
        t_failf("line %d: does not attach (%d)", line, s);
    }
    t_ok(nigh_check(f.index, f.session, &report));
    if ((report.fault != rule && rule != UNKNOWN) || (report.fault == 0) != (rule == 0)) {
        t_failf("line %d: fault %u at slot %u, want %u", line, report.fault, report.slot, rule);
    }
    use(&f);
    fx_drop(&f);
    memcpy(copy, image.data, (size_t)image.size);
}
#define BREAKS(rule) breaks(rule, __LINE__)

TEST(sound) {
    for (uint32_t keys = 0; keys < 3; keys++) {
        make(keys);
        BREAKS(0);
        drop();
    }
}

TEST(header_fields) {
    fx f;
    make(NIGH_KEYS_U64);
    *header(92) += 1; /* deleted */
    BREAKS(1);
    *header(104) = 1; /* the root is the lowest node, slot 0 */
    BREAKS(2);
    static const uint32_t wrong[][2] = {{8, 1}, {8, 3}, {412, 0}, {412, 2}, {416, 1}, {16, 2}};
    for (uint32_t i = 0; i < 6; i++) { /* plain, unknown, or changed in place: it cannot be */
        *header(wrong[i][0]) = wrong[i][1];
        image_fix(copy, (size_t)image.size);
        for (uint32_t flags = 0; flags < 8; flags++) {
            nigh_status s = fx_attach(&f, copy, image.size, flags & ~1u, 0, 64);
            t_is(s, wrong[i][1] == 3 ? NIGH_E_FORMAT : NIGH_E_CORRUPT);
            fx_drop(&f);
        }
        memcpy(copy, image.data, (size_t)image.size);
    }
    drop();
}

TEST(layers) {
    make(NIGH_KEYS_IDENTITY);
    uint32_t low = 0;
    while ((*word_of(NODE, 0, 1) >> low & 1) != 0) {
        low++;
    }
    *word_of(NODE, 0, 1) |= 1u << low; /* one more node has a layer 1 */
    BREAKS(3);
    *word_of(NODE, 0, 0) = 0xffffffffu; /* what stands before */
    BREAKS(3);
    *word_of(NODE, 1, 0) += 1;
    BREAKS(3);
    *word_of(NODE, 0, 1) = 0;
    *word_of(NODE, 1, 0) = 0;
    BREAKS(3);
    for (uint32_t at = 0; at < LAYERS; at++) { /* every node has every layer */
        *word_of(NODE, at, 1) = 0xffffffffu;
        BREAKS(at == LAYERS - 1 ? 18 : 3);
    }
    *word_of(NODE, LAYERS + 1, 0) |= 1u << 31; /* behind the last slot */
    BREAKS(18);
    *word_of(NODE, LAYERS + 1, 1) |= 1u << 30;
    BREAKS(18);
    *word_of(NODE, LAYERS, 0) |= 1u << 9; /* one more is removed */
    BREAKS(1);
    uint32_t to = get(LINKS0, 20, 0, 1);
    *word_of(NODE, LAYERS + to / 32, 1) |= 1u << to % 32; /* a link to no node */
    *header(96) += 1;
    BREAKS(UNKNOWN);
    drop();
}

TEST(links) {
    make(NIGH_KEYS_U64);
    uint32_t slot = N - 1;
    while (degree(slot) < 3 || degree(slot) + 1 >= 2 * M) {
        t_assert(slot > 0);
        slot--;
    }
    const uint32_t count = degree(slot);
    put(LINKS0, slot, 0, count - 1, N);
    BREAKS(4);
    put(LINKS0, slot, 0, count - 1, NONE - 1);
    BREAKS(4);
    put(LINKS0, slot, 0, count - 1, slot);
    BREAKS(4);
    put(LINKS0, slot, 0, count - 1, get(LINKS0, slot, 0, 1));
    BREAKS(5);
    put(LINKS0, slot, 0, count + 1, 3); /* behind an end mark */
    BREAKS(7);
    *word_of(LINKS0, slot, 1) |= 1u << 31; /* 48 bits in two words */
    BREAKS(18);
    put(LINKS0, slot, 0, 0, slot + 1 < N ? slot + 1 : slot - 1); /* the parent is younger, or */
    BREAKS(UNKNOWN);
    for (uint32_t i = 0; i < degree(0); i++) { /* the root forgets a child */
        const uint32_t child = get(LINKS0, 0, 0, i);
        if (get(LINKS0, child, 0, 0) == 0) {
            put(LINKS0, 0, 0, i, NONE);
            BREAKS(UNKNOWN);
            break;
        }
    }
    drop();
}

TEST(keymap) {
    enum { GROUPS = 4 }; /* words before the list */
    make(NIGH_KEYS_U64);
    const uint32_t first = get(KEYMAP, 0, GROUPS, 0), second = get(KEYMAP, 0, GROUPS, 1);
    put(KEYMAP, 0, GROUPS, 0, second);
    BREAKS(12);
    put(KEYMAP, 0, GROUPS, 0, second);
    put(KEYMAP, 0, GROUPS, 1, first);
    BREAKS(12);
    put(KEYMAP, 0, GROUPS, 3, N);
    BREAKS(12);
    put(KEYMAP, 0, GROUPS, 3, NONE);
    BREAKS(12);
    put(KEYMAP, 1, GROUPS, 8, first); /* behind the last */
    BREAKS(18);
    static const uint32_t begins[] = {0, 1, 7, 39, 41, 0x7fffffffu, 0xffffffffu};
    for (uint32_t i = 0; i < 7; i++) {
        for (uint32_t group = 0; group < 8; group++) {
            uint32_t *word = word_of(KEYMAP, group / 4, group % 4);
            const uint32_t held = begins[i] < N ? begins[i] : N; /* more than all is all */
            const uint32_t had = *word < N ? *word : N;
            *word = begins[i];
            BREAKS(held == had ? 0 : 12);
        }
    }
    memcpy(word_of(KEY, second, 0), word_of(KEY, first, 0), 8);
    BREAKS(UNKNOWN);
    drop();
    make(NIGH_KEYS_BYTES);
    *word_of(KEY, 7, 1) = 0;
    BREAKS(15);
    *word_of(KEY, 7, 0) = 0xfffffff0u;
    BREAKS(15);
    drop();
}

SUITE {
    RUN(sound);
    RUN(header_fields);
    RUN(layers);
    RUN(links);
    RUN(keymap);
}
