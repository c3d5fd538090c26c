/* oracle.c - brute force over its own copy of the live set, in double, sharing no code with nigh
 * layer T; uses: fixture, oracle
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "oracle.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "t.h"

void oracle_init(oracle *o, const nigh_config *config, uint32_t room) {
    memset(o, 0, sizeof *o);
    o->config = *config;
    o->room = room;
    t_ok(nigh_row_bytes(config->dim, config->dtype, &o->row_bytes));
    o->state = fx_malloc(room);
    o->rows = fx_malloc(o->row_bytes * room);
}

void oracle_drop(oracle *o) {
    free(o->state);
    free(o->rows);
    memset(o, 0, sizeof *o);
}

void oracle_mark(oracle *o, uint64_t id, uint8_t state) {
    t_assert(id < o->room);
    o->live += (state == ORACLE_LIVE) - (uint32_t)(o->state[id] == ORACLE_LIVE);
    o->deleted += (state == ORACLE_DELETED) - (uint32_t)(o->state[id] == ORACLE_DELETED);
    o->state[id] = state;
}

void oracle_put(oracle *o, uint64_t id, const void *row) {
    oracle_mark(o, id, ORACLE_LIVE);
    memcpy(o->rows + id * o->row_bytes, row, (size_t)o->row_bytes);
}

const uint8_t *oracle_row(const oracle *o, uint64_t id) { return o->rows + id * o->row_bytes; }

static double half(uint16_t bits) {
    int exponent = bits >> 10 & 31;
    double fraction = bits & 1023;
    double value = exponent == 0 ? ldexp(fraction, -24) : ldexp(fraction + 1024, exponent - 25);
    return bits >> 15 ? -value : value;
}

double oracle_element(const nigh_config *config, const void *row, uint32_t i) {
    const uint8_t *bytes = row;
    uint32_t word = 0;
    float scale = 0;
    int32_t zero = 0;
    switch (config->dtype) {
    case NIGH_DTYPE_F32:
        memcpy(&scale, bytes + 4 * (size_t)i, 4);
        return (double)scale;
    case NIGH_DTYPE_F16:
        return half((uint16_t)(bytes[2 * (size_t)i] | bytes[2 * (size_t)i + 1] << 8));
    case NIGH_DTYPE_BF16:
        word = (uint32_t)bytes[2 * (size_t)i] << 16 | (uint32_t)bytes[2 * (size_t)i + 1] << 24;
        memcpy(&scale, &word, 4);
        return (double)scale;
    case NIGH_DTYPE_I8:
        memcpy(&scale, bytes + (config->dim + 3) / 4 * 4, 4);
        memcpy(&zero, bytes + (config->dim + 3) / 4 * 4 + 4, 4);
        return (double)scale * ((double)(int8_t)bytes[i] - zero);
    case NIGH_DTYPE_U8:
        return (double)bytes[i];
    default:
        return (double)(bytes[i / 8] >> i % 8 & 1);
    }
}

double oracle_distance(const nigh_config *config, const void *a, const void *b, double *error) {
    double square = 0, dot = 0, sum = 0, aa = 0, bb = 0, absolute = 0, size = 0;
    for (uint32_t i = 0; i < config->dim; i++) {
        double x = oracle_element(config, a, i);
        double y = oracle_element(config, b, i);
        square += (x - y) * (x - y);
        dot += x * y;
        absolute += fabs(x * y);
        sum += fabs(x - y);
        size += fabs(x) + fabs(y);
        aa += x * x;
        bb += y * y;
    }
    const double part = 2e-6; /* about sqrt(dim) / 32 + 5 roundings of 2^-24 */
    switch (config->metric) {
    case NIGH_METRIC_L2: /* I8 goes over the norms and the dot product */
        *error = part * (config->dtype == NIGH_DTYPE_I8 ? aa + bb : square);
        return square;
    case NIGH_METRIC_IP:
        *error = part * (1 + absolute + fabs(dot));
        return 1 - dot;
    case NIGH_METRIC_COSINE:
        *error = part * 2;
        return 1 - dot / sqrt(aa) / sqrt(bb);
    case NIGH_METRIC_L1: /* I8: each element is rounded when it is decoded */
        *error = part * (config->dtype == NIGH_DTYPE_I8 ? size : sum);
        return sum;
    default: /* Hamming: bits differ by 1 */
        *error = 0;
        return square;
    }
}

typedef struct scored {
    double distance;
    double error;
} scored;

static int by_distance(const void *a, const void *b) {
    double x = ((const scored *)a)->distance;
    double y = ((const scored *)b)->distance;
    return (x > y) - (x < y);
}

/* All live and allowed ones, nearest first. */
static uint32_t rank(const oracle *o, const void *query, oracle_filter *filter, void *user,
                     scored *all) {
    uint32_t count = 0;
    for (uint32_t id = 0; id < o->room; id++) {
        if (o->state[id] == ORACLE_LIVE && (filter == NULL || filter(user, id))) {
            all[count].distance =
                oracle_distance(&o->config, query, oracle_row(o, id), &all[count].error);
            count++;
        }
    }
    qsort(all, count, sizeof *all, by_distance);
    return count;
}

/* Everything that a single hit must keep, whatever the search saw. */
static double sound(const oracle *o, const fx_hits *h, uint32_t i, const void *query,
                    oracle_filter *filter, void *user) {
    uint64_t id = h->ids[i];
    double error = 0;
    if (id >= o->room || o->state[id] != ORACLE_LIVE) {
        t_failf("hit %u of %u is no live key: id %" PRIu64, i, h->found, id);
    }
    t_assert(filter == NULL || filter(user, id));
    double want = oracle_distance(&o->config, query, oracle_row(o, id), &error);
    double got = (double)h->distances[i];
    if (!(fabs(got - want) <= error)) {
        t_failf("hit %u, id %" PRIu64 ": distance %.9g, want %.9g +- %.2g", i, id, got, want,
                error);
    }
    if (i > 0) {
        t_assert(h->distances[i - 1] <= h->distances[i]);
        t_assert(h->distances[i - 1] < h->distances[i] || h->slots[i - 1] < h->slots[i]);
    }
    for (uint32_t j = 0; j < i; j++) {
        t_assert(h->ids[j] != id && h->slots[j] != h->slots[i]);
    }
    return error;
}

void oracle_expect(const oracle *o, const fx_hits *h, const void *query, uint32_t k,
                   oracle_filter *filter, void *user) {
    scored *all = fx_malloc(((uint64_t)o->room + 1) * sizeof *all);
    uint32_t count = rank(o, query, filter, user, all);
    if (h->found != (count < k ? count : k)) {
        t_failf("found %u, want %u of %u", h->found, count < k ? count : k, count);
    }
    for (uint32_t i = 0; i < h->found; i++) {
        double error = sound(o, h, i, query, filter, user) + all[i].error;
        if (!(fabs((double)h->distances[i] - all[i].distance) <= error)) {
            t_failf("hit %u of %u: distance %.9g, but %.9g is the right one there (+- %.2g)", i,
                    h->found, (double)h->distances[i], all[i].distance, error);
        }
    }
    free(all);
}

uint32_t oracle_recall(const oracle *o, const fx_hits *h, const void *query, uint32_t k,
                       oracle_filter *filter, void *user) {
    scored *all = fx_malloc(((uint64_t)o->room + 1) * sizeof *all);
    uint32_t count = rank(o, query, filter, user, all);
    uint32_t hits = 0;
    t_assert(h->found <= k && h->found <= count);
    for (uint32_t i = 0; i < h->found; i++) {
        double error = sound(o, h, i, query, filter, user);
        const scored *last = &all[(k < count ? k : count) - 1];
        hits += (double)h->distances[i] <= last->distance + error + last->error;
    }
    free(all);
    return hits;
}

double oracle_kth(const oracle *o, const void *query, uint32_t k) {
    scored *all = fx_malloc(((uint64_t)o->room + 1) * sizeof *all);
    uint32_t count = rank(o, query, NULL, NULL, all);
    t_assert(count > 0);
    const scored *last = &all[(k < count ? k : count) - 1];
    double distance = last->distance + 2 * last->error;
    free(all);
    return distance;
}

uint32_t oracle_count(const oracle *o, uint32_t k, oracle_filter *filter, void *user) {
    uint32_t count = 0;
    for (uint32_t id = 0; id < o->room; id++) {
        count += o->state[id] == ORACLE_LIVE && (filter == NULL || filter(user, id));
    }
    return count < k ? count : k;
}

static void same_row(const oracle *o, fx *f, uint64_t id, uint32_t slot, uint8_t *row) {
    uint32_t again = 0xffffffffu;
    t_assert(id < o->room && o->state[id] == ORACLE_LIVE);
    t_ok(fx_get(f, f->session, id, row, &again));
    t_eq(again, slot);
    t_bytes(row, oracle_row(o, id), o->row_bytes);
}

void oracle_same_set(const oracle *o, fx *f) {
    enum { PAGE = 37 };
    fx_hits h;
    nigh_stats stats = {0};
    uint32_t seen = 0, from = 0;
    uint8_t *row = fx_exact(o->row_bytes);
    stats.struct_size = sizeof stats;
    t_ok(nigh_stats_get(f->index, &stats));
    t_eq(stats.live_count, o->live);
    t_eq(stats.deleted_count, o->deleted);
    fx_hits_init(&h, &f->config, PAGE);
    for (;;) {
        h.found = 77;
        t_ok(nigh_keys(f->index, from, PAGE, h.keys,
                       f->config.keys == NIGH_KEYS_BYTES ? h.lengths : NULL, h.slots, &h.found));
        t_assert(h.found <= PAGE);
        if (h.found == 0) {
            break;
        }
        const uint8_t *key = h.keys;
        for (uint32_t i = 0; i < h.found; i++) {
            uint32_t length = f->config.keys == NIGH_KEYS_BYTES ? h.lengths[i] : 8;
            t_assert(h.slots[i] >= from && h.slots[i] < stats.slot_count);
            from = h.slots[i] + 1;
            same_row(o, f, fx_key_id(&f->config, key, length), h.slots[i], row);
            key += length;
            seen++;
        }
    }
    t_eq(seen, o->live); /* slots rise, so none is listed twice; a key has one slot */
    fx_hits_drop(&h);
    free(row);
}

int oracle_third(void *user, uint64_t id) {
    (void)user;
    return id % 3 == 0;
}
