/* test_heap.c - lists of entries: merging is inserting one by one
 * layer T; uses: heap
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "heap.h"
#include "t.h"

enum { LIST_MAX = 80, NEW_MAX = 40 };

static uint64_t random_next(uint64_t *state) {
    uint64_t x = (*state += 0x9E3779B97F4A7C15u);
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    return x ^ (x >> 27);
}

/* An entry that none is equal to: its slot is new. Orders are few, so that slots decide. */
static uint64_t entry_next(uint64_t *state, uint32_t slot) {
    return nighi_entry((uint32_t)(random_next(state) % 50), slot);
}

typedef struct round {
    uint64_t list[LIST_MAX + 1];
    uint64_t expected[LIST_MAX + 1];
    uint64_t fresh[NEW_MAX];
    uint64_t sorted[NEW_MAX];
    uint32_t before[NEW_MAX];
    uint32_t count;
    uint32_t limit;
    uint32_t n;
} round;

static void round_make(round *r, uint64_t *state) {
    uint32_t slot = 0;
    r->limit = 1 + (uint32_t)(random_next(state) % LIST_MAX);
    r->n = (uint32_t)(random_next(state) % (NEW_MAX + 1));
    r->count = 0;
    const uint32_t size = (uint32_t)(random_next(state) % (r->limit + 1));
    while (slot < size) {
        (void)nighi_list_insert(r->list, &r->count, r->limit, entry_next(state, slot++));
    }
    r->list[r->limit] = 42; /* beyond it nothing is written */
    for (uint32_t i = 0; i < r->n; i++) {
        r->fresh[i] = entry_next(state, 1000 - i);
    }
}

TEST(entries_sort) {
    uint64_t state = 7;
    round r;
    for (int i = 0; i < 2000; i++) {
        round_make(&r, &state);
        nighi_entries_sort(r.fresh, r.n, r.sorted);
        uint64_t sum = 0;
        for (uint32_t j = 0; j < r.n; j++) {
            t_assert(j == 0 || r.sorted[j - 1] < r.sorted[j]);
            sum += r.sorted[j] - r.fresh[j];
        }
        t_assert(sum == 0);
    }
}

TEST(merging_is_inserting_one_by_one) {
    uint64_t state = 11;
    round r;
    uint32_t full = 0;
    for (int i = 0; i < 20000; i++) {
        round_make(&r, &state);
        uint32_t count = r.count;
        uint32_t nearest = LIST_MAX;
        nighi_copy(r.expected, r.list, sizeof r.list);
        for (uint32_t j = 0; j < r.n; j++) {
            const uint32_t at = nighi_list_insert(r.expected, &count, r.limit, r.fresh[j]);
            nearest = nighi_min_u32(nearest, at < r.limit ? at : LIST_MAX);
        }
        nighi_entries_sort(r.fresh, r.n, r.sorted);
        nighi_list_merge(r.list, &r.count, r.limit, r.sorted, r.n, r.before);
        t_eq(r.count, count);
        t_bytes(r.list, r.expected, count * sizeof(uint64_t));
        t_eq(r.list[r.limit], 42);
        t_assert(r.n == 0 || nearest == LIST_MAX || r.before[0] == nearest);
        full += count == r.limit;
    }
    t_assert(full > 1000);
}

SUITE {
    RUN(entries_sort);
    RUN(merging_is_inserting_one_by_one);
}
