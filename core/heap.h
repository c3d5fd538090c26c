/* heap.h - candidates as one-word entries, a binary heap and a sorted list over caller arrays
 * layer L3; uses: base, num
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * An entry is order of distance << 32 | slot << 1 | expanded: comparing words compares
 * (distance, slot), the order that decides everything. A min-heap of ~entry is a max-heap. */
#ifndef NIGHI_HEAP_H
#define NIGHI_HEAP_H
#include "base.h"
#include "num.h"

/* `order` is nighi_order_f32 of a distance, or an integer distance of codes. */
NIGHI_INLINE uint64_t nighi_entry(uint32_t order, uint32_t slot) {
    return ((uint64_t)order << 32) | ((uint64_t)slot << 1);
}
NIGHI_INLINE uint32_t nighi_entry_order(uint64_t entry) { return (uint32_t)(entry >> 32); }
NIGHI_INLINE uint32_t nighi_entry_slot(uint64_t entry) { return (uint32_t)entry >> 1; }
NIGHI_INLINE float nighi_entry_distance(uint64_t entry) {
    return nighi_f32_from_order(nighi_entry_order(entry));
}

NIGHI_INLINE void nighi_heap_down(uint64_t *heap, uint32_t count, uint32_t at) {
    const uint64_t moving = heap[at];
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= count) {
            break;
        }
        if (child + 1 < count && heap[child + 1] < heap[child]) {
            child++;
        }
        if (heap[child] >= moving) {
            break;
        }
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moving;
}

NIGHI_INLINE void nighi_heap_push(uint64_t *heap, uint32_t *count, uint64_t entry) {
    uint32_t at = (*count)++;
    while (at > 0 && heap[(at - 1) / 2] > entry) {
        heap[at] = heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap[at] = entry;
}

NIGHI_INLINE uint64_t nighi_heap_pop(uint64_t *heap, uint32_t *count) {
    const uint64_t top = heap[0];
    heap[0] = heap[--(*count)];
    if (*count > 0) {
        nighi_heap_down(heap, *count, 0);
    }
    return top;
}

/* Turns a min-heap into a descending list, in place. */
NIGHI_INLINE void nighi_heap_sort_descending(uint64_t *heap, uint32_t count) {
    while (count > 1) {
        const uint64_t top = heap[0];
        heap[0] = heap[count - 1];
        heap[--count] = top;
        nighi_heap_down(heap, count, 0);
    }
}

/* First index whose entry is >= `entry`. */
NIGHI_INLINE uint32_t nighi_lower_bound(const uint64_t *list, uint32_t count, uint64_t entry) {
    const uint64_t *first = list;
    uint32_t left = count;
    while (left > 1) {
        const uint32_t half = left / 2;
        first += (0u - (size_t)(first[half - 1] < entry)) & half; /* never a jump: it would miss */
        left -= half;
    }
    return (uint32_t)(first - list) + (left == 1 && *first < entry);
}

/* Moves entries up within a list: to >= from. Few at a time, so that in WebAssembly, where
 * memory.copy is a call out of the module in V8, a loop takes less than that. */
NIGHI_INLINE void nighi_entries_up(uint64_t *list, uint32_t to, uint32_t from, uint32_t count) {
#if defined(__wasm__)
    while (count-- > 0) {
        list[to + count] = list[from + count];
    }
#else
    nighi_move(list + to, list + from, (uint64_t)count * sizeof(uint64_t));
#endif
}

/* Inserts into an ascending list of at most `limit`, dropping the last; the index, or `limit`. */
NIGHI_INLINE uint32_t nighi_list_insert(uint64_t *list, uint32_t *count, uint32_t limit,
                                        uint64_t entry) {
    uint32_t size = *count;
    if (size == limit) {
        if (entry >= list[size - 1]) {
            return limit;
        }
        size--;
    }
    const uint32_t at = nighi_lower_bound(list, size, entry);
    nighi_entries_up(list, at + 1, at, size - at);
    list[at] = entry;
    *count = size + 1;
    return at;
}

/* Sorts by counting what is smaller: no jump that could miss, and counts do not wait for each
 * other. For few: n * n comparisons. */
NIGHI_INLINE void nighi_entries_sort(const uint64_t *entries, uint32_t n, uint64_t *sorted) {
    for (uint32_t i = 0; i < n; i++) {
        uint32_t smaller = 0;
        for (uint32_t j = 0; j < n; j++) {
            smaller += entries[j] < entries[i];
        }
        sorted[smaller] = entries[i];
    }
}

/* Merges n ascending entries, none of which is there, into an ascending list of at most `limit`, as
 * if they were inserted one by one. before[i]: how many of the old list are nearer than entry i.
 * The n searches overlap, since none waits for an insertion, and what is there moves once. */
NIGHI_INLINE void nighi_list_merge(uint64_t *list, uint32_t *count, uint32_t limit,
                                   const uint64_t *sorted, uint32_t n, uint32_t *before) {
    uint32_t end = *count;
    for (uint32_t i = 0; i < n; i++) {
        before[i] = nighi_lower_bound(list, end, sorted[i]);
    }
    *count = n > limit - end ? limit : end + n;
    for (uint32_t i = n; i-- > 0;) {
        const uint32_t from = before[i];
        const uint32_t to = from + i + 1;
        if (to < limit) {
            const uint32_t room = limit - to;
            const uint32_t moved = end - from < room ? end - from : room;
            nighi_entries_up(list, to, from, moved);
        }
        if (to <= limit) {
            list[from + i] = sorted[i];
        }
        end = from;
    }
}

#endif
