/* test_crafted.c - images wrong in one thing, all checksums right: nigh_check says in which
 * layer T; uses: data, fixture, image_fix
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The numbers of the rules are those of docs/FORMAT.md. Whatever the damage, the image is also
 * searched and written to: a status, and nothing outside of it (run with the address sanitizer). */
#include "data.h"
#include "fixture.h"
#include "image_fix.h"
#include "t.h"

enum { N = 40, DIM = 3, END = 0x7fffffff };
enum { LINKS0, UPPER, NODE, KEY, KEYBYTES, KEYMAP, VECTOR };
static const uint32_t MARK = 0x80000000u;

static fx_bytes image; /* the sound one; crafted copies of it in `copy` */
static uint8_t *copy;
static nigh_config config;

static void make(uint32_t keys) {
    fx f;
    rng r = {t_seed()};
    config = fx_config(DIM, NIGH_METRIC_COSINE, NIGH_DTYPE_F32);
    config.keys = keys;
    config.key_bytes_max = 12;
    config.m = 4;
    config.block_bytes = 1024;
    config.seed = 3;
    uint8_t *rows = data_rows(&r, DATA_UNIFORM, config.dtype, N, DIM);
    fx_init(&f, &config, N, N, N * 12, 64);
    fx_insert_many(&f, 0, N, rows);
    t_ok(fx_remove(&f, f.session, 5));
    config = f.config;
    image = fx_save(f.index, 0);
    copy = fx_malloc(image.size);
    memcpy(copy, image.data, (size_t)image.size);
    free(rows);
    fx_drop(&f);
}

static void drop(void) {
    free(image.data);
    free(copy);
}

/* Word `word` of record `at` of a region, in the copy. */
static uint32_t *word_of(uint32_t region, uint32_t at, uint32_t word) {
    const uint8_t *entry = copy + IMAGE_DIRECTORY + 32 * (size_t)region;
    t_assert(at < image_get64(entry + 8));
    uint64_t offset = image_get64(entry) + (uint64_t)at * image_get32(entry + 16) + 4 * word;
    return (uint32_t *)(void *)(copy + offset);
}

static uint32_t *header(uint32_t offset) { return (uint32_t *)(void *)(copy + offset); }

static uint32_t degree(uint32_t region, uint32_t at) {
    uint32_t count = 0;
    while (count < (region == LINKS0 ? config.m0 : config.m) &&
           (*word_of(region, at, count) & END) != END) {
        count++;
    }
    return count;
}

static void use(fx *f, const float *row) {
    fx_hits h;
    nigh_search_options so = fx_search_options(N, 0);
    fx_hits_init(&h, &f->config, N);
    (void)fx_search(f, f->session, row, &so, N, &h);
    if (nigh_cursor_begin(f->index, f->session, row, &so) == NIGH_OK) {
        (void)fx_next(f, f->session, N, &h);
    }
    uint64_t bytes = 0;
    if ((f->options.flags & NIGH_OPEN_WRITABLE) != 0) {
        t_ok(nigh_grow_bytes(f->index, N + 4, N * 12, &bytes));
        t_ok(nigh_grow(f->index, N + 4, N * 12, fx_take(f, bytes), bytes));
        (void)fx_set(f, f->session, 0, 3, row);
        (void)fx_insert(f, f->session, 0, N, row);
        (void)fx_insert(f, f->session, NIGH_REPLACE_DELETED, N + 1, row);
        (void)fx_remove(f, f->session, 1);
        (void)fx_search(f, f->session, row, &so, N, &h);
    }
    fx_hits_drop(&h);
}

/* The copy, with right checksums, breaks exactly this rule; then it is sound again. */
static void breaks(uint32_t rule, int line) {
    static const float row[DIM] = {1, -2, 0.5f};
    nigh_report report = {0};
    report.struct_size = sizeof report;
    image_fix(copy, (size_t)image.size);
    fx f;
    nigh_status s = fx_attach(&f, copy, image.size, NIGH_OPEN_VERIFY, 0, 64);
    if (s == NIGH_OK) {
        t_ok(nigh_check(f.index, f.session, &report));
        if (report.fault != rule || report.status != (rule ? NIGH_E_CORRUPT : NIGH_OK)) {
            t_failf("line %d: fault %u at slot %u, want %u", line, report.fault, report.slot, rule);
        }
        t_assert(rule != 9 || report.unreachable > 0);
        use(&f, row);
    } else {
        t_failf("line %d: does not attach (%d)", line, s);
    }
    fx_drop(&f);
    t_ok(fx_attach(&f, copy, image.size, NIGH_OPEN_WRITABLE, N + 4, 64));
    use(&f, row);
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

TEST(counts_and_entry) {
    make(NIGH_KEYS_U64);
    *header(92) += 1; /* deleted */
    BREAKS(1);
    *header(92) -= 1;
    BREAKS(1);
    uint32_t low = 0;
    while (*word_of(NODE, low, 0) << 2 >> 2 != 0x3fffffffu) {
        low++; /* a node of layer 0 alone */
    }
    *header(100) = low;
    BREAKS(2);
    *header(104) = 1; /* the root is the lowest node, slot 0 */
    BREAKS(2);
    drop();
}

/* The next slot from `slot` on that has layers above 0. */
static uint32_t tall(uint32_t slot) {
    while (*word_of(NODE, slot, 0) << 2 >> 2 == 0x3fffffffu) {
        slot++;
    }
    return slot;
}

TEST(upper_records) {
    make(NIGH_KEYS_U64);
    uint32_t first = tall(0), second = tall(first + 1);
    uint32_t *node = word_of(NODE, second, 0);
    for (uint32_t i = 0; i < config.m; i++) { /* rows without links: no other rule is broken */
        *word_of(UPPER, *node, i) = END;
        *word_of(UPPER, *word_of(NODE, first, 0), i) = END;
    }
    *node = *word_of(NODE, first, 0); /* two nodes, one record */
    BREAKS(3);
    *word_of(NODE, first, 0) = *header(108); /* beyond the last one */
    BREAKS(3);
    drop();
}

TEST(links) {
    make(NIGH_KEYS_U64);
    uint32_t slot = N - 1, count = degree(LINKS0, slot);
    while (count < 3 || count + 1 >= config.m0 || *word_of(LINKS0, slot, count - 1) >= N) {
        t_assert(slot > 0);
        count = degree(LINKS0, --slot);
    }
    uint32_t *last = word_of(LINKS0, slot, count - 1);
    *last = N;
    BREAKS(4);
    *last = slot;
    BREAKS(4);
    *last = END - 1;
    BREAKS(4);
    *last = *word_of(LINKS0, slot, 1) & END;
    BREAKS(5);
    *word_of(LINKS0, slot, count + 1) = 3; /* behind an end mark */
    BREAKS(7);
    *last = END | MARK; /* an end mark has no mark */
    BREAKS(7);
    drop();
}

TEST(absent_node) {
    make(NIGH_KEYS_U64);
    uint32_t slot = 0, to = 0;
    for (slot = 1; slot < N; slot++) { /* a link to a younger node that is nobody's child here */
        to = *word_of(LINKS0, slot, degree(LINKS0, slot) - 1);
        if (to < N && to > slot) {
            break;
        }
    }
    t_assert(slot < N);
    *word_of(NODE, to, 0) |= MARK;
    *header(96) += 1; /* free */
    BREAKS(6);
    drop();
}

TEST(link_above_a_layer) {
    make(NIGH_KEYS_U64);
    uint32_t at = 0, low = 0;
    while (degree(UPPER, at) == 0) {
        at++;
    }
    while (*word_of(NODE, low, 0) << 2 >> 2 != 0x3fffffffu) {
        low++;
    }
    uint32_t *link = word_of(UPPER, at, 0);
    *link = (*link & MARK) | low;
    BREAKS(8);
    drop();
}

/* A child of `slot`, and where in its row it stands. */
static uint32_t child_of(uint32_t *slot, uint32_t *at) {
    for (*slot = 1; *slot < N; ++*slot) {
        for (*at = 1; *at < degree(LINKS0, *slot); ++*at) {
            uint32_t link = *word_of(LINKS0, *slot, *at);
            if ((link & MARK) != 0) {
                return link & END;
            }
        }
    }
    t_failf("no node but the root has children");
}

TEST(tree) {
    make(NIGH_KEYS_U64);
    uint32_t slot = 0, at = 0, child = child_of(&slot, &at);
    *word_of(LINKS0, slot, at) = child; /* the parent forgets its child */
    BREAKS(9);
    uint32_t count = degree(LINKS0, child), other = 1;
    while (other < count && (*word_of(LINKS0, child, other) & END) < child) {
        other++;
    }
    t_assert(other < count);
    *word_of(LINKS0, slot, at) = child;
    uint32_t keep = *word_of(LINKS0, child, 0);
    *word_of(LINKS0, child, 0) = *word_of(LINKS0, child, other);
    *word_of(LINKS0, child, other) = keep;
    BREAKS(9);
    for (at = 1; at < degree(LINKS0, slot); at++) { /* a mark on a link to no child of this node */
        uint32_t link = *word_of(LINKS0, slot, at);
        if ((link & MARK) == 0) {
            *word_of(LINKS0, slot, at) = link | MARK;
            BREAKS(10);
            break;
        }
    }
    t_assert(at < degree(LINKS0, slot));
    drop();
}

static uint32_t find(uint32_t slot, uint32_t to) {
    uint32_t at = 0;
    while (at < degree(LINKS0, slot) && (*word_of(LINKS0, slot, at) & END) != to) {
        at++;
    }
    return at;
}

/* The root adopts all neighbours that link back, properly, but they are too many. */
TEST(children) {
    make(NIGH_KEYS_U64);
    uint32_t children = 0;
    for (uint32_t at = 0; at < degree(LINKS0, 0); at++) {
        uint32_t *link = word_of(LINKS0, 0, at), child = *link & END;
        if ((*link & MARK) == 0 && find(child, 0) < degree(LINKS0, child)) {
            uint32_t *first = word_of(LINKS0, child, 0),
                     *back = word_of(LINKS0, child, find(child, 0));
            uint32_t old = *first;
            *word_of(LINKS0, old, find(old, child)) &= END;
            *first = *back;
            *back = old;
            *link |= MARK;
        }
        children += (*link & MARK) != 0;
    }
    t_assert(children > config.m0 / 4);
    BREAKS(11);
    drop();
}

TEST(keymap) {
    make(NIGH_KEYS_U64);
    uint32_t bucket = 0, slot = 0, following = 0;
    while (bucket < N) { /* a chain of two or more */
        slot = *word_of(KEYMAP, bucket, 0);
        following = slot < N ? *word_of(NODE, slot, 1) : slot;
        if (following < N) {
            break;
        }
        bucket++;
    }
    t_assert(bucket < N);
    *word_of(NODE, slot, 1) = slot; /* a circle */
    BREAKS(12);
    *word_of(NODE, following, 1) = slot;
    BREAKS(12);
    *word_of(NODE, slot, 1) = N;
    BREAKS(12);
    *word_of(NODE, slot, 1) = 0xffffffffu; /* the rest of the chain is lost */
    BREAKS(14);
    *word_of(KEYMAP, bucket, 0) = 0xffffffffu;
    BREAKS(14);
    memcpy(word_of(KEY, following, 0), word_of(KEY, slot, 0), 8);
    BREAKS(13);
    *word_of(KEY, slot, 1) ^= 0x5555; /* a key that belongs elsewhere, most likely */
    *word_of(KEY, following, 1) ^= 0x1234;
    BREAKS(12);
    drop();
}

TEST(key_bytes) {
    make(NIGH_KEYS_BYTES);
    static const uint32_t lengths[] = {0, 13, 512, 0xffffffffu};
    for (int i = 0; i < 4; i++) {
        *word_of(KEY, 7, 1) = lengths[i];
        BREAKS(15);
    }
    *word_of(KEY, 7, 0) = *header(112); /* begins where the strings end */
    BREAKS(15);
    *word_of(KEY, 7, 0) = 0xfffffff0u;
    BREAKS(15);
    drop();
}

TEST(vectors) {
    make(NIGH_KEYS_IDENTITY);
    *word_of(VECTOR, 9, 1) = 0x7fc00000u; /* NaN */
    BREAKS(16);
    memset(word_of(VECTOR, 9, 0), 0, 4 * DIM);
    BREAKS(16);
    *word_of(VECTOR, 9, DIM) ^= 1; /* the inverse norm */
    BREAKS(16);
    *word_of(VECTOR, 9, DIM + 1) = 1;
    BREAKS(16);
    drop();
    make(NIGH_KEYS_IDENTITY);
    const uint8_t *entry = copy + IMAGE_DIRECTORY + 32 * (size_t)VECTOR;
    if (image_get32(entry + 16) > 4 * (DIM + 2)) {
        *word_of(VECTOR, 9, DIM + 2) = 1;
        BREAKS(18);
    }
    drop();
}

SUITE {
    RUN(sound);
    RUN(counts_and_entry);
    RUN(upper_records);
    RUN(links);
    RUN(absent_node);
    RUN(link_above_a_layer);
    RUN(tree);
    RUN(children);
    RUN(keymap);
    RUN(key_bytes);
    RUN(vectors);
}
