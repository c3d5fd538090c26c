/* fuzz.c - bytes drive calls of the whole ABI; what each has to answer is known beforehand
 * layer T; uses: nothing
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Input: 9 bytes draw a configuration, then every byte is an operation and takes its arguments from
 * the bytes behind it (0 when there are none). 64 ids are known, unknown or removed; statuses,
 * counts and the hits of a complete search must agree with that, and nigh_check must pass. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>
#include <string.h>

#include "nigh.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { IDS = 64, EF = 80, OPS_MAX = 400, MEMORY_MAX = 600, KEY_MAX = 12 };
enum { UNKNOWN = 0, LIVE = 1, REMOVED = 2 };

typedef struct run {
    const uint8_t *at;
    const uint8_t *end;
    nigh_config config;
    nigh_index *index;
    nigh_session *session;
    uint64_t row_bytes;
    uint8_t *image; /* what the index was attached to last */
    uint8_t state[IDS];
    int64_t id_of[IDS * 2]; /* slot -> id */
    uint32_t slots;
    uint32_t fetch_fails; /* calls until the callback fails; 0: never */
    uint32_t external;
    uint8_t row[64];
    uint8_t *vectors; /* external ones, a row a slot */
    void *memory[MEMORY_MAX];
    uint32_t memories;
} run;

static void require(int condition) {
    if (!condition) {
        abort();
    }
}

static uint32_t next(run *r) { return r->at < r->end ? *r->at++ : 0; }

static void *take(run *r, uint64_t bytes) {
    void *memory = NULL;
    require(r->memories < MEMORY_MAX && bytes < 1u << 28);
    require(posix_memalign(&memory, 64, bytes != 0 ? (size_t)bytes : 1) == 0);
    return r->memory[r->memories++] = memory;
}

static nigh_status fetch(void *user, const uint32_t *slots, const uint64_t *keys, uint32_t count,
                         void *scratch, const void **vectors) {
    run *r = user;
    (void)keys;
    if (r->fetch_fails > 0 && --r->fetch_fails == 0) {
        return NIGH_E_USER - 1;
    }
    for (uint32_t i = 0; i < count; i++) {
        require(slots[i] < IDS * 2);
        vectors[i] = (uint8_t *)scratch + i * r->row_bytes;
        memcpy((uint8_t *)scratch + i * r->row_bytes, r->vectors + slots[i] * r->row_bytes,
               (size_t)r->row_bytes);
    }
    return NIGH_OK;
}

/* ---- Opening -------------------------------------------------------------------------------- */

static void new_session(run *r) {
    uint64_t bytes = 0;
    nigh_session_options so = {.struct_size = sizeof so,
                               .ef_max = EF,
                               .frontier_max = IDS * 2 + 1,
                               .flags = next(r) % 4 == 0 ? NIGH_SESSION_SMALL : 0};
    require(nigh_session_bytes(r->index, &so, &bytes) == NIGH_OK);
    require(nigh_session_init(r->index, &so, take(r, bytes), bytes, &r->session) == NIGH_OK);
}

static void connect(run *r) {
    if (r->external) {
        require(nigh_index_fetch(r->index, fetch, NULL, r) == NIGH_OK);
    }
}

static void writer(run *r) {
    uint64_t bytes = 0;
    require(nigh_writer_bytes(r->index, &bytes) == NIGH_OK);
    require(nigh_writer_init(r->index, take(r, bytes), bytes) == NIGH_OK);
}

static void open_index(run *r) {
    static const uint32_t pairs[][2] = {
        {NIGH_METRIC_L2, NIGH_DTYPE_F32},  {NIGH_METRIC_COSINE, NIGH_DTYPE_F16},
        {NIGH_METRIC_IP, NIGH_DTYPE_BF16}, {NIGH_METRIC_L1, NIGH_DTYPE_I8},
        {NIGH_METRIC_L2, NIGH_DTYPE_U8},   {NIGH_METRIC_HAMMING, NIGH_DTYPE_B1}};
    nigh_options options = {.struct_size = sizeof options, .slot_max = IDS * 2};
    uint64_t bytes = 0;
    r->config.struct_size = sizeof r->config;
    const uint32_t pair = next(r) % 6;
    r->config.metric = pairs[pair][0];
    r->config.dtype = pairs[pair][1];
    r->config.dim = 1 + next(r) % 9;
    r->config.keys = next(r) % 3;
    r->config.key_bytes_max = KEY_MAX;
    r->config.m = 2 + next(r) % 6;
    r->config.ef_build = 2 + next(r) % 30;
    r->config.expansions = 1 + next(r) % 2;
    r->config.block_bytes = 256u << next(r) % 4;
    r->external = next(r) % 3 == 0;
    r->config.vectors = r->external ? NIGH_VECTORS_EXTERNAL : NIGH_VECTORS_OWNED;
    require(nigh_index_bytes(&r->config, &options, &bytes) == NIGH_OK);
    require(nigh_index_init(&r->config, &options, take(r, bytes), bytes, &r->index) == NIGH_OK);
    require(nigh_row_bytes(r->config.dim, r->config.dtype, &r->row_bytes) == NIGH_OK);
    require(r->row_bytes <= sizeof r->row);
    r->vectors = take(r, r->row_bytes * IDS * 2);
    writer(r);
    new_session(r);
    connect(r);
}

/* ---- Changes -------------------------------------------------------------------------------- */

/* A row from three bytes: few different ones, so that equal vectors are common. */
static void draw_row(run *r) {
    float floats[9];
    const uint32_t a = next(r), b = next(r);
    for (uint32_t i = 0; i < 9; i++) {
        floats[i] = (float)((a >> i % 8 & 1) * 8) - (float)(b >> i % 5 & 3) + 3.5f;
    }
    require(nigh_convert(r->config.dim, r->config.dtype, 1, floats, r->row, NULL, NULL) == NIGH_OK);
}

static uint32_t key_of(const run *r, uint64_t id, void *key) {
    if (r->config.keys != NIGH_KEYS_BYTES) {
        memcpy(key, &id, 8);
        return 8;
    }
    const uint32_t length = 1 + (uint32_t)id % KEY_MAX;
    memset(key, (int)id + 1, length);
    return length;
}

static int64_t lowest_removed(const run *r) {
    for (uint32_t slot = 0; slot < r->slots; slot++) {
        if (r->state[r->id_of[slot]] == REMOVED) {
            return slot;
        }
    }
    return -1;
}

static void op_put(run *r, int set) {
    const uint64_t id = r->config.keys == NIGH_KEYS_IDENTITY
                            ? (next(r) % 2 ? r->slots : next(r)) % IDS
                            : next(r) % IDS;
    const int identity = r->config.keys == NIGH_KEYS_IDENTITY;
    uint32_t flags = next(r) % 3 == 0 ? NIGH_REPLACE_DELETED : 0, done = 9;
    uint64_t key[2];
    const uint32_t length = key_of(r, id, key);
    const uint32_t *lengths = r->config.keys == NIGH_KEYS_BYTES ? &length : NULL;
    const int known = r->state[id] != UNKNOWN;
    int64_t slot = r->slots;
    nigh_status want = NIGH_OK;
    draw_row(r);
    if (known) {
        for (slot = 0; r->id_of[slot] != (int64_t)id; slot++) {
        }
        want = set ? NIGH_OK : r->state[id] == LIVE ? NIGH_E_EXISTS : NIGH_E_DELETED;
    } else if (identity && id != r->slots) {
        want = NIGH_E_KEY;
    } else if ((flags & NIGH_REPLACE_DELETED) != 0 && !identity && lowest_removed(r) >= 0) {
        slot = lowest_removed(r);
    }
    uint8_t before[64];
    memcpy(before, r->vectors + (uint64_t)slot * r->row_bytes, (size_t)r->row_bytes);
    if (r->external && want == NIGH_OK) {
        memcpy(r->vectors + (uint64_t)slot * r->row_bytes, r->row, (size_t)r->row_bytes);
        flags |= NIGH_SET_EXCLUSIVE;
    }
    nigh_status s = (set ? nigh_set : nigh_insert)(r->index, r->session, flags, key, lengths,
                                                   r->external ? NULL : r->row, 1, &done);
    require(done == (s == NIGH_OK));
    if (s != want) { /* no room, or the callback failed: nothing happened */
        require(want == NIGH_OK &&
                ((s == NIGH_E_FULL && !known) || (s == NIGH_E_USER - 1 && r->external)));
        memcpy(r->vectors + (uint64_t)slot * r->row_bytes, before, (size_t)r->row_bytes);
        return;
    }
    if (s != NIGH_OK) {
        return;
    }
    if (slot < r->slots) {
        r->state[r->id_of[slot]] = UNKNOWN;
    }
    r->slots += slot == r->slots;
    r->id_of[slot] = (int64_t)id;
    r->state[id] = LIVE;
}

static void op_mark(run *r, int removed) {
    const uint64_t id = next(r) % IDS;
    uint64_t key[2];
    uint32_t done = 9;
    const uint32_t length = key_of(r, id, key);
    const uint32_t *lengths = r->config.keys == NIGH_KEYS_BYTES ? &length : NULL;
    const uint8_t from = removed ? LIVE : REMOVED;
    nigh_status s =
        (removed ? nigh_remove : nigh_unremove)(r->index, r->session, key, lengths, 1, &done);
    require(s == (r->state[id] == UNKNOWN ? NIGH_E_NOT_FOUND
                  : r->state[id] == from  ? NIGH_OK
                  : removed               ? NIGH_E_DELETED
                                          : NIGH_E_EXISTS));
    if (s == NIGH_OK) {
        r->state[id] = removed ? REMOVED : LIVE;
    }
}

static void op_grow(run *r) {
    uint64_t bytes = 0;
    const uint32_t slots = 1 + next(r) % (IDS * 2);
    if (nigh_grow_bytes(r->index, slots, slots * KEY_MAX, &bytes) == NIGH_OK) {
        require(nigh_grow(r->index, slots, slots * KEY_MAX, take(r, bytes), bytes) == NIGH_OK);
    }
}

/* ---- Reads ---------------------------------------------------------------------------------- */

static uint32_t live(const run *r) {
    uint32_t count = 0;
    for (uint32_t id = 0; id < IDS; id++) {
        count += r->state[id] == LIVE;
    }
    return count;
}

static void op_search(run *r) {
    uint32_t slots[EF], found = 0;
    float distances[EF];
    const uint32_t k = 1 + next(r) % EF;
    nigh_search_options so = {
        .struct_size = sizeof so, .ef = 1 + next(r) % EF, .expansions = 1 + next(r) % 2};
    so.flags = next(r) % 4 == 0 ? NIGH_SEARCH_EXACT : 0;
    so.expansions_max = next(r) % 5 == 0 ? 3 : 0;
    draw_row(r);
    nigh_status s =
        nigh_search(r->index, r->session, r->row, &so, k, NULL, NULL, distances, slots, &found);
    require(s == NIGH_OK || (r->external && s == NIGH_E_USER - 1 && found == 0));
    for (uint32_t i = 0; i < found; i++) {
        require(slots[i] < r->slots && r->state[r->id_of[slots[i]]] == LIVE);
        require(i == 0 || distances[i - 1] < distances[i] ||
                (!(distances[i] < distances[i - 1]) && slots[i - 1] < slots[i]));
    }
    if (s == NIGH_OK && (so.flags == NIGH_SEARCH_EXACT || (k >= r->slots && !so.expansions_max))) {
        require(found == (live(r) < k ? live(r) : k));
    }
}

static void op_cursor(run *r) {
    nigh_search_options so = {.struct_size = sizeof so, .ef = 1 + next(r) % EF, .expansions = 1};
    uint32_t slots[16], found = 16, total = 0;
    uint8_t seen[IDS * 2] = {0};
    draw_row(r);
    nigh_status s = nigh_cursor_begin(r->index, r->session, r->row, &so);
    while (s == NIGH_OK && found == 16) {
        s = nigh_cursor_next(r->index, r->session, 16, NULL, NULL, NULL, slots, &found);
        for (uint32_t i = 0; i < found; i++, total++) {
            require(slots[i] < r->slots && r->state[r->id_of[slots[i]]] == LIVE);
            require(!seen[slots[i]]++);
        }
    }
    require(s == NIGH_OK ? total == live(r) : r->external && s == NIGH_E_USER - 1);
}

static void check(run *r) {
    nigh_report report = {0};
    nigh_stats stats = {0};
    report.struct_size = sizeof report;
    stats.struct_size = sizeof stats;
    require(nigh_check(r->index, r->session, &report) == NIGH_OK && report.status == NIGH_OK);
    require(nigh_stats_get(r->index, &stats) == NIGH_OK);
    require(stats.slot_count == r->slots && stats.live_count == live(r));
}

typedef struct buffer {
    uint8_t *at;
    uint64_t left;
} buffer;

static nigh_status write_bytes(void *user, const void *bytes, uint64_t count) {
    buffer *b = user;
    require(count <= b->left);
    memcpy(b->at, bytes, (size_t)count);
    b->at += count;
    b->left -= count;
    return NIGH_OK;
}

/* Goes on with a copy. */
static void op_reopen(run *r) {
    nigh_options options = {.struct_size = sizeof options,
                            .slot_max = IDS * 2,
                            .flags = NIGH_OPEN_WRITABLE | NIGH_OPEN_VERIFY};
    uint64_t bytes = 0, handle = 0;
    if (r->memories + 8 > MEMORY_MAX) {
        return;
    }
    require(nigh_save_bytes(r->index, 0, &bytes) == NIGH_OK);
    r->image = take(r, bytes);
    buffer b = {r->image, bytes};
    require(nigh_save(r->index, 0, write_bytes, &b) == NIGH_OK && b.left == 0);
    require(nigh_attach_bytes(r->image, bytes, &options, &handle) == NIGH_OK);
    require(nigh_attach(r->image, bytes, &options, take(r, handle), handle, &r->index) == NIGH_OK);
    writer(r);
    new_session(r);
    connect(r);
}

static void step(run *r) {
    switch (next(r) % 16) {
    case 0:
        if (r->memories + 8 < MEMORY_MAX) {
            op_grow(r);
        }
        break;
    case 1:
    case 2:
        op_put(r, 1);
        break;
    case 3:
    case 4:
        op_mark(r, 1);
        break;
    case 5:
        op_mark(r, 0);
        break;
    case 6:
        op_search(r);
        break;
    case 7:
        op_cursor(r);
        break;
    case 8:
        op_reopen(r);
        break;
    case 9:
        r->fetch_fails = next(r) % 32;
        break;
    case 10:
        check(r);
        break;
    default:
        op_put(r, 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static run r;
    memset(&r, 0, sizeof r);
    r.at = bytes;
    r.end = bytes + size;
    open_index(&r);
    for (uint32_t i = 0; i < OPS_MAX && r.at < r.end; i++) {
        step(&r);
    }
    r.fetch_fails = 0;
    op_search(&r);
    op_cursor(&r);
    check(&r);
    while (r.memories > 0) {
        free(r.memory[--r.memories]);
    }
    return 0;
}
