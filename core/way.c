/* way.c - how a search is answered: by scanning, or by which walk of layer 0
 * layer L10; uses: way
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Costs are estimated in about nanoseconds of one machine (bench/results), from what is the same on
 * every machine: counts and bytes. Of N slots s N match.
 *   scan   s N vectors, and N looks at the filter
 *   list   a plain walk that is 1 / s as wide, what is refused dropped afterwards: nothing is as
 *          fast a node, and a callback is asked about the results only
 *   hops   among matches only; a refused node costs the reading of its links
 *   sweep  as list, with two heaps: for what no list holds, and where all else fell short
 * With s known, list and scan cross at s = sqrt(distances a walk / N), hops lies below both where
 * many slots match and they are few among all. */
#include "way.h"

#define NIGHI_LIST_EF_MAX 16384u /* beyond it a sorted list would cost more than heaps */
#define NIGHI_HOPS_EF_MAX 4096u  /* hops score so little that the list may be longer */
#define NIGHI_HOPS_LINKED 16u    /* matches that m0 * m0 slots hold: fewer fall into islands */
#define NIGHI_HOPS_WIDER 2u      /* for the recall that a list has: matches are linked less well */
#define NIGHI_EXACT_MAX 1000u    /* so few are scored on true vectors although there are codes */
#define NIGHI_PROBES 64u         /* slots that a callback is asked about before */
#define NIGHI_LOOK_LEAST 4u      /* matches among neighbours that say something */
#define NIGHI_ASK_COST 200u      /* of a callback */
#define NIGHI_SMALL 1024u        /* tombstones among so few slots: as ever, so are the answers */
#define NIGHI_FETCH_COST 200u    /* of a vector that has no address, beside that of its bytes */

NIGHI_FN uint32_t nighi_live_count(const nigh_index *index) {
    return nighi_load_acquire(&index->counts.slot_count) -
           nighi_load(&index->counts.deleted_count) - nighi_load(&index->counts.free_count);
}

static uint64_t nighi_row_cost(const nigh_index *index, bool coded) {
    const uint32_t bytes = coded ? index->coding.stride : index->metric.row_bytes;
    const uint32_t fetch = coded || nighi_source_addressed(index) ? 0 : NIGHI_FETCH_COST;
    return 8 + bytes / 16 + fetch;
}

/* ceil(ef (slots - matches) / matches): refused slots among those that hold ef matches. */
static uint64_t nighi_refused_beside(const nighi_walk *walk, uint32_t matches) {
    const uint64_t refused = walk->slot_count - nighi_min_u32(matches, walk->slot_count);
    return matches == 0 ? UINT32_MAX : (walk->ef * refused + matches - 1) / matches;
}

static uint32_t nighi_root(uint64_t value) {
    uint32_t root = 0;
    for (uint32_t bit = 1u << 15; bit != 0; bit >>= 1) {
        const uint64_t next = root | bit;
        root |= next * next <= value ? bit : 0;
    }
    return root;
}

/* Width of a list that likely holds ef matches: two standard deviations more than they take, where
 * half match. */
static uint32_t nighi_list_ef(const nighi_walk *walk, uint32_t matches) {
    const uint64_t refused = nighi_min_u64(nighi_refused_beside(walk, matches), UINT32_MAX);
    const uint64_t slack = refused == 0 ? 0 : 3 * (uint64_t)nighi_root(refused) + 1;
    const uint64_t ef = nighi_min_u64(walk->ef + refused + slack, UINT32_MAX);
    return nighi_max_u32(nighi_min_u32((uint32_t)ef, walk->slot_count), walk->ef);
}

/* Width of a walk among matches: more where they have few matches around them. */
static uint32_t nighi_hops_ef(const nighi_walk *walk, uint32_t matches) {
    const uint64_t row = nighi_mul_add(matches, walk->index->config.m0, 1);
    const uint64_t sparse = nighi_min_u64(nighi_mul_add(walk->slot_count, 8, 0) / row, 64);
    uint64_t ef = (uint64_t)walk->ef * NIGHI_HOPS_WIDER;
    ef = sparse > 8 ? ef * sparse / 8 : ef;
    ef = nighi_min_u64(nighi_min_u64(ef, walk->slot_count), NIGHI_HOPS_EF_MAX);
    return nighi_max_u32((uint32_t)ef, walk->ef);
}

static uint64_t nighi_scan_cost(const nighi_walk *walk, uint32_t matches, bool coded) {
    const nighi_filter *filter = &walk->session->filter;
    const uint64_t look = nighi_filter_bits(filter) != NULL ? walk->slot_count / 32
                          : nighi_filter_fn(filter) != NULL
                              ? (uint64_t)walk->slot_count * NIGHI_ASK_COST
                              : walk->slot_count;
    return look + nighi_row_cost(walk->index, coded) * matches * 3 / 4; /* rows lie in order */
}

static uint64_t nighi_list_cost(const nighi_walk *walk, uint32_t ef) {
    const uint64_t ask = nighi_filter_fn(&walk->session->filter) != NULL ? NIGHI_ASK_COST : 0;
    return (walk->index->config.m0 / 2 * nighi_row_cost(walk->index, walk->coded) + ask) *
           (ef + (uint64_t)20);
}

static uint64_t nighi_hops_cost(const nighi_walk *walk, uint32_t ef) {
    const uint64_t m0 = walk->index->config.m0;
    return (m0 * m0 * 3 / 2 + m0 * nighi_row_cost(walk->index, walk->coded) * 3 / 4) * ef;
}

/* The pool runs on into the frontier, which only the sweep uses. */
static bool nighi_list_fits(const nighi_walk *walk, uint32_t ef) {
    return ef <= (uint64_t)walk->session->ef_max + walk->session->frontier_max;
}

/* Have matches enough of their like two links away? Not for callbacks: so many calls. */
static bool nighi_hops_can(const nighi_walk *walk, uint32_t matches, uint32_t ef) {
    const uint64_t square = (uint64_t)walk->index->config.m0 * walk->index->config.m0;
    return nighi_filter_fn(&walk->session->filter) == NULL &&
           matches * square >= (uint64_t)walk->slot_count * NIGHI_HOPS_LINKED &&
           ef <= NIGHI_HOPS_EF_MAX && nighi_list_fits(walk, ef);
}

/* How many slots may be returned: known, or by what a callback said so far. */
static uint32_t nighi_matches(const nighi_walk *walk) {
    const nigh_session *session = walk->session;
    const nighi_filter *filter = &session->filter;
    const uint64_t live = nighi_min_u32(nighi_live_count(walk->index), walk->slot_count);
    if (nighi_filter_bits(filter) != NULL) {
        return (uint32_t)nighi_min_u64(filter->allowed * live / walk->slot_count + 1,
                                       filter->allowed);
    }
    if (nighi_filter_fn(filter) != NULL) {
        return (uint32_t)(live * (2 * (uint64_t)session->passed + 1) /
                          (2 * (uint64_t)session->asked + 2));
    }
    return (uint32_t)live;
}

/* Asks a callback about slots from all over. */
static void nighi_filter_probe(const nighi_walk *walk) {
    for (uint32_t i = 0; i < NIGHI_PROBES; i++) {
        (void)nighi_accepts(walk->index, walk->session, nighi_spread(i, walk->slot_count));
    }
}

static void nighi_way_scan(const nighi_walk *walk, nighi_way *way) {
    const uint32_t few = !walk->only && nighi_source_addressed(walk->index) ? NIGHI_EXACT_MAX : 0;
    way->kind = NIGHI_WAY_SCAN;
    way->codes = walk->coded && way->matches > few;
}

NIGHI_FN void nighi_way_choose(const nighi_walk *walk, bool exact, nighi_way *way) {
    nigh_session *session = walk->session;
    const bool filtered = nighi_filtered(session);
    *way = (nighi_way){.kind = exact ? NIGHI_WAY_SCAN : NIGHI_WAY_LIST,
                       .ef = walk->ef,
                       .codes = walk->only};
    session->asked = 0;
    session->passed = 0;
    if (exact || !NIGHI_HAS_REMOVED) {
        return;
    }
    way->refuses = filtered || nighi_load(&walk->index->counts.deleted_count) != 0;
    if (!way->refuses) {
        way->kind = walk->ef <= NIGHI_LIST_EF_MAX ? NIGHI_WAY_LIST : NIGHI_WAY_SWEEP;
        return;
    }
    if (nighi_filter_fn(&session->filter) != NULL) {
        nighi_filter_probe(walk);
    }
    way->matches = nighi_matches(walk);
    const uint32_t list = nighi_list_ef(walk, way->matches);
    const uint32_t hops = nighi_hops_ef(walk, way->matches);
    uint64_t least = 2 * nighi_list_cost(walk, list);
    way->kind = NIGHI_WAY_SWEEP;
    /* A graph of hnswlib's, searched in its order: its answers. */
    const bool as_hnswlib = nighi_unrooted(walk->index) && walk->expansions == 1;
    if (!filtered && (walk->slot_count < NIGHI_SMALL || as_hnswlib)) {
        return;
    }
    if (list <= NIGHI_LIST_EF_MAX && nighi_list_fits(walk, list)) {
        least /= 2;
        way->kind = NIGHI_WAY_LIST;
        way->ef = list;
    }
    if (nighi_hops_can(walk, way->matches, hops) && nighi_hops_cost(walk, hops) < least) {
        least = nighi_hops_cost(walk, hops);
        way->kind = NIGHI_WAY_HOPS;
        way->ef = hops;
    }
    /* Many live nodes and no filter: as without removed ones. */
    const bool scans = filtered || way->matches < walk->slot_count / 8;
    const uint32_t few = walk->coded && !walk->only ? NIGHI_EXACT_MAX : 0;
    if (scans && nighi_scan_cost(walk, way->matches, walk->coded && way->matches > few) < least) {
        nighi_way_scan(walk, way);
    }
}

NIGHI_FN bool nighi_way_again(const nighi_walk *walk, nighi_way *way) {
    if (!way->refuses || way->kind == NIGHI_WAY_SCAN || way->kind == NIGHI_WAY_SWEEP) {
        return false;
    }
    way->matches = nighi_matches(walk);
    const uint32_t hops = nighi_hops_ef(walk, way->matches);
    /* What matches lies apart from the query. Where most match, a sweep gets there as fast. */
    if (way->kind == NIGHI_WAY_LIST && way->matches < walk->slot_count / 2 &&
        nighi_hops_can(walk, way->matches, hops)) {
        way->kind = NIGHI_WAY_HOPS;
        way->ef = hops;
        return true;
    }
    const uint32_t list = nighi_list_ef(walk, way->matches);
    way->kind = NIGHI_WAY_SWEEP;
    way->ef = walk->ef;
    if (nighi_scan_cost(walk, way->matches, walk->coded) < 2 * nighi_list_cost(walk, list)) {
        nighi_way_scan(walk, way);
    }
    return true;
}

NIGHI_FN void nighi_way_look(const nighi_walk *walk, uint64_t start, nighi_way *way) {
    const nigh_index *index = walk->index;
    nigh_session *session = walk->session;
    if (way->kind != NIGHI_WAY_LIST || !way->refuses || walk->expansions_max != 0) {
        return;
    }
    const uint32_t *row = nighi_links(index, nighi_entry_slot(start), 0, session->unpacked);
    const uint32_t count =
        nighi_row_read(row, index->config.m0, walk->slot_count, session->slots);
    const uint64_t expected = (uint64_t)count * way->matches / walk->slot_count;
    if (expected < NIGHI_LOOK_LEAST) {
        return;
    }
    uint32_t allowed = 0;
    for (uint32_t i = 0; i < count; i++) {
        allowed += nighi_accepts(index, session, session->slots[i]);
    }
    if (allowed * 4 < expected) {
        (void)nighi_way_again(walk, way);
    }
}
