/* state.h - the four memories as structures: regions of blocks, handle, writer state, session
 * layer L4; uses: base, sync, heap, metric
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 *   image     regions of fixed-size records in blocks of 2^shift records, plus these counts
 *   handle    nigh_index: where each block lies, the vector source, the kernels
 *   writer    nighi_writer: what several writers need to agree on
 *   session   nigh_session: scratch of one thread
 * Nothing below the handle is stored in an image. */
#ifndef NIGHI_STATE_H
#define NIGHI_STATE_H
#include "base.h"
#include "heap.h"
#include "metric.h"
#include "sync.h"

#define NIGHI_SLOT_MAX 0x7fffffffu /* slots are below it; it is also the end mark of link lists */
#define NIGHI_LEVEL_MAX 15u        /* layers above 0 */
#define NIGHI_SELF_NEW 0x7ffffffeu /* stands for a slot not allotted yet; above all others */
#define NIGHI_BLOCKS_MAX (UINT32_MAX >> 4) /* of a region */
#define NIGHI_EXPANSIONS_MAX 8u    /* nodes expanded a round */

/* Regions, in the order in which an image holds them. */
enum {
    NIGHI_LINKS0 = 0,   /* m0 u32: links of layer 0 */
    NIGHI_UPPER = 1,    /* m u32: links of one layer above 0 of one node */
    NIGHI_NODE = 2,     /* u32 state; with keys also u32 next in the keymap chain */
    NIGHI_KEY = 3,      /* u64 key, or u32 offset and u32 length of a byte string */
    NIGHI_KEYBYTES = 4, /* bytes of byte-string keys */
    NIGHI_KEYMAP = 5,   /* u32 first slot of a bucket */
    NIGHI_VECTOR = 6,   /* row, trailer, padding */
    NIGHI_CODE = 7,     /* quantised copy of the vector */
    NIGHI_REGION_COUNT = 8
};

/* Packed images: the keymap's buckets are found by eights, four eights a record. */
#define NIGHI_PACKED_GROUP 8u
#define NIGHI_PACKED_GROUPS 4u

typedef struct nighi_region {
    uint8_t *base;        /* address of record 0 while all blocks lie in a row, else NULL */
    uint8_t **table;      /* address of each block; always complete */
    uint32_t stride;      /* bytes of a record; 0 = this index has no such region */
    uint32_t shift;       /* a block holds 1 << shift records */
    uint32_t block_count; /* blocks that have an address */
    uint32_t block_max;   /* entries of the table */
    uint32_t capacity;    /* records that the blocks hold (the last block may be cut) */
} nighi_region;

enum {
    NIGHI_SOURCE_NONE = 0,
    NIGHI_SOURCE_OWNED = 1,
    NIGHI_SOURCE_BORROWED = 2,
    NIGHI_SOURCE_FETCHED = 3
};

typedef struct nighi_source {
    uint32_t kind;
    uint32_t count;      /* borrowed: rows there */
    const uint8_t *base; /* borrowed */
    uint64_t stride;     /* borrowed */
    nigh_fetch_fn fetch;
    nigh_prefetch_fn prefetch;
    void *user;
} nighi_source;

/* Words shared by writers; readers look at `updates`, `map_version` and `slots` only. */
typedef struct nighi_writer {
    uint32_t gate;         /* writing calls under way, or NIGHI_EXCLUSIVE */
    uint32_t alloc;        /* lock: slot and key allotment, counts, keymap, entry point */
    uint32_t map_version;  /* odd while keymap chains change */
    uint32_t updates;      /* in-place updates under way (low byte), finished ones above */
    uint32_t deleted_hint; /* no tombstone lies below this slot */
    uint32_t free_hint;    /* no free slot lies below this one */
    uint32_t moving;       /* the slot whose vector and key are being exchanged */
    uint32_t stripe_mask;
    uint32_t *rows;  /* stripes: lock and version of link rows */
    uint32_t *slots; /* stripes: version of vector, key and flags of a slot */
    uint32_t *claim; /* stripes: lock of whoever gives a known slot a new vector */
    uint32_t *dirty[NIGHI_REGION_COUNT]; /* a bit a block: the pager was told */
} nighi_writer;

/* The stripe that guards a slot's rows, vector and claim. */
NIGHI_INLINE uint32_t nighi_stripe(const nighi_writer *writer, uint32_t slot) {
    return slot & writer->stripe_mask;
}

/* Begins to read a slot's vector or key beside writers: false while that very slot is being
 * exchanged. What was read holds if nighi_slot_held says so afterwards. A writer that stands still
 * in the middle of another slot of the stripe keeps nobody waiting. */
NIGHI_INLINE bool nighi_slot_begin(const nighi_writer *writer, uint32_t slot, uint32_t *version) {
    *version = nighi_load_acquire(&writer->slots[nighi_stripe(writer, slot)]);
    return (*version & 1) == 0 || nighi_load_acquire(&writer->moving) != slot;
}

NIGHI_INLINE bool nighi_slot_held(const nighi_writer *writer, uint32_t slot, uint32_t version) {
    return nighi_version_again(&writer->slots[nighi_stripe(writer, slot)]) == version;
}

/* How vectors are encoded (code.h). All but `active` is fixed before that is set. */
typedef struct nighi_coding {
    uint32_t active; /* 1: every slot has its code */
    uint32_t op;     /* NIGHI_CODE_L2 ... */
    uint32_t kind; /* NIGH_CODES_*; it and stride stay when codes are dropped: searches under way */
    uint32_t stride; /* of a code */
    float center;
    float steps;      /* codes per unit */
    uint32_t clamped; /* elements beyond the span so far, saturating */
    uint32_t version; /* how often codes were made: cursors on those before end */
} nighi_coding;

/* Codes that only a build looks at, while it runs: an index without codes is built as fast as one
 * with them. They lie in the job's memory. */
typedef struct nighi_draft {
    nighi_region region;
    nighi_coding coding;
} nighi_draft;

/* What comparisons are made on. */
enum { NIGHI_ON_VECTORS = 0, NIGHI_ON_CODES = 1, NIGHI_ON_DRAFT = 2 };

typedef struct nighi_counts {
    uint32_t slot_count;
    uint32_t deleted_count;
    uint32_t free_count;
    uint32_t entry;       /* NIGHI_NONE while empty */
    uint32_t root;        /* lowest slot that holds a node */
    uint32_t upper_count; /* records of NIGHI_UPPER in use */
    uint32_t key_bytes;   /* of NIGHI_KEYBYTES in use, gaps included */
    uint32_t key_lengths; /* lengths of all byte-string keys ever stored, added up */
} nighi_counts;

/* Where blocks come from, and who hears of the first store to each; any of them may be NULL. */
typedef struct nighi_pager {
    nigh_map_fn map;
    nigh_dirty_fn dirty;
    void *user;
} nighi_pager;

/* What is fastest on this machine: never stored, changes no result. */
typedef struct nighi_tuning {
    uint32_t near_hint; /* 1: rows are fetched into the first cache level, not the second */
    uint32_t ask_max;   /* bytes of a row that are asked for ahead; 0 = all */
    uint32_t lanes;     /* most that nigh_search_batch uses; 0 = all that a session has */
} nighi_tuning;

struct nigh_index {
    nighi_region regions[NIGHI_REGION_COUNT];
    nighi_counts counts;
    nighi_coding coding;
    nighi_source source;
    nighi_metric metric;
    nighi_writer *writer;
    nigh_config config;
    nighi_pager pager;
    uint8_t *image; /* attached image, else NULL */
    uint64_t image_bytes;
    uint32_t slot_max;
    uint32_t upper_extra; /* of nigh_options: while it is empty */
    uint32_t features;
    uint32_t flags;           /* NIGH_OPEN_* */
    uint32_t changed;         /* 1: stored to since attach, init or seal */
    uint32_t opened;          /* 1: the attached image says that it is being changed */
    uint16_t paged;           /* 1: attached block by block */
    uint16_t packed;          /* a packed image: bits of a link; 0 = plain */
    uint32_t outgrown;        /* 1: blocks beyond the attached image are in use */
    nigh_job *job;            /* under way, or NULL */
    const nighi_draft *draft; /* of that job, or NULL */
    nighi_tuning tuning;
    uint32_t recoded; /* odd while the codes of config change */
};

/* Keys are byte strings. */
NIGHI_INLINE bool nighi_keys_strings(const nigh_config *config) {
    return NIGHI_HAS_STRINGS && config->keys == NIGH_KEYS_BYTES;
}

/* What several writers agree on, or NULL: the handle is read-only. */
NIGHI_INLINE nighi_writer *nighi_writer_of(const nigh_index *index) {
    return NIGHI_HAS_CHANGES ? index->writer : NULL;
}

/* May this build change such an index? Without floats those that have no codes and integer
 * distances. */
NIGHI_INLINE bool nighi_config_changes(const nigh_config *config) {
    return NIGHI_HAS_FLOATS || (config->codes == NIGH_CODES_NONE &&
                                (config->dtype == NIGH_DTYPE_U8 || config->dtype == NIGH_DTYPE_B1));
}

/* A pager hears of blocks that change. */
NIGHI_INLINE bool nighi_followed(const nigh_index *index) {
    return NIGHI_HAS_PAGER != 0 && nighi_load(&index->pager.dirty) != NULL;
}

/* A pager brings blocks. */
NIGHI_INLINE bool nighi_mapped(const nigh_index *index) {
    return NIGHI_HAS_PAGER != 0 && index->pager.map != NULL;
}

/* A job builds on codes of its own. */
NIGHI_INLINE bool nighi_drafted(const nigh_index *index) {
    return NIGHI_HAS_JOBS != 0 && index->draft != NULL;
}

/* `kind`: NIGHI_SOURCE_*. */
NIGHI_INLINE bool nighi_source_is(const nigh_index *index, uint32_t kind) {
    return (NIGHI_HAS_SOURCES != 0 || kind <= NIGHI_SOURCE_OWNED) && index->source.kind == kind;
}

/* Read-only, with links of as few bits as they need (graph.h). */
NIGHI_INLINE bool nighi_packed(const nigh_index *index) {
    return NIGHI_HAS_PACKED != 0 && index->packed != 0;
}

/* Nodes have no parents: layer 0 need not be connected, and nothing may be linked to it. */
NIGHI_INLINE bool nighi_unrooted(const nigh_index *index) {
    return (nighi_load(&index->config.build_flags) & NIGH_BUILD_UNROOTED) != 0;
}

enum { NIGHI_ROW_NONE = 0, NIGHI_ROW_APPEND = 1, NIGHI_ROW_SELECT = 2 };

/* What is to become of one link row, decided on its state at `version`. Which links stay for the
 * tree's sake is decided when it is stored, so marks may change in between. */
typedef struct nighi_row_plan {
    uint32_t slot;
    uint32_t level;
    uint32_t version;
    uint32_t kind;   /* NIGHI_ROW_* */
    uint32_t repair; /* 1: the planned slot leaves this row, else it enters */
    uint32_t count;  /* SELECT: links[count], slots without marks, nearest first */
    uint32_t *links;
} nighi_row_plan;

/* Everything that storing one vector will change. A plan that fails has stored nothing. */
typedef struct nighi_plan {
    uint32_t self;      /* slot of the vector; NIGHI_SELF_NEW while it has none yet */
    uint32_t level;     /* its top layer */
    uint32_t empty;     /* 1: planned on an index without an entry point */
    const void *vector; /* as the source will hold it */
    uint64_t *sorted;   /* candidates of one selection: ef_max + 1, at least 2 m0 + 2 */
    uint32_t *links;    /* rows at hand: 4 m0 */
    uint32_t *chosen;   /* neighbours chosen in each layer: m0 + level max * m */
    uint32_t chosen_count[NIGHI_LEVEL_MAX + 1];
    nighi_row_plan *rows;
    uint32_t row_count;
    uint32_t row_max;
    uint32_t *row_links; /* their links */
    uint32_t row_links_used;
    const void **kept;  /* addresses of the rows that a selection has kept, m0 */
    uint8_t *kept_rows; /* fetched vectors: their copies, m0 rows */
    uint32_t kept_stride;
    float *scratch;      /* dim floats: the vector that a row belongs to */
    float *scratch_near; /* dim floats: the candidate at hand */
    uint8_t *record;     /* the new vector as the source will hold it */
    uint8_t *owner;      /* fetched: copy of the vector that a row belongs to */
    uint8_t *code;       /* the new vector's code */
    uint8_t *code_owner; /* code queries: of the node that a row belongs to, */
    uint8_t *code_near;  /* and of the candidate at hand */
    uint32_t code_clamped;
    float alpha;   /* of the choice of links */
    uint8_t coded; /* NIGHI_ON_*: what links are chosen on */
    bool rowless;  /* only neighbours are planned */
} nighi_plan;

typedef struct nighi_filter {
    const uint32_t *bits;
    uint32_t bit_count;
    uint32_t allowed; /* bits set when the filter was set */
    nigh_filter_fn fn;
    void *user;
} nighi_filter;

/* What was set, in a build that has filters. */
NIGHI_INLINE const uint32_t *nighi_filter_bits(const nighi_filter *filter) {
    return NIGHI_HAS_FILTERS ? filter->bits : NULL;
}
NIGHI_INLINE nigh_filter_fn nighi_filter_fn(const nighi_filter *filter) {
    return NIGHI_HAS_FILTERS ? filter->fn : NULL;
}

typedef struct nighi_cursor {
    uint32_t active;
    uint32_t slot_count; /* captured when it began */
    uint32_t depth;      /* on codes: how many are scored again before the first is handed out */
    uint32_t version;    /* of the codes */
    uint32_t updates;    /* when it began */
    uint32_t swept;      /* slots below it are seen, or were never there */
    bool coded;
    nigh_search_options options;
} nighi_cursor;

struct nigh_session {
    const nigh_index *index;
    uint32_t ef_max;
    uint32_t frontier_max;
    uint32_t
        frontier_limit; /* of the walk at hand: a plan's follows from the configuration alone */
    uint32_t flags;
    uint32_t coded;  /* bytes of a code query that it has room for, */
    uint32_t drafts; /* and of one on a draft */
    uint32_t expansions_max;
    uint32_t batch_max; /* vectors scored at once */
    uint32_t group_max; /* vectors of the nodes expanded in one round */
    uint32_t fetch_max; /* rows of fetch scratch */
    nigh_session_stats stats;
    nighi_filter filter;
    uint32_t asked;  /* calls of the filter in this search, */
    uint32_t passed; /* and how often it said yes */
    uint8_t *marks;  /* visited: a byte a slot holds the epoch, or ... */
    uint32_t *hash;  /* ... NIGH_SESSION_SMALL: open addressing, power of two, or a bit a slot */
    uint32_t hash_mask; /* 0: bits */
    uint32_t hash_count;
    uint32_t hash_full; /* 1: it was full, slots were left out */
    uint32_t mark_count;
    uint32_t epoch;
    uint64_t *pool;     /* best candidates, ascending, or results as a heap; ef_max + 1, and more
                           where no frontier is kept: it runs on into that */
    uint64_t *frontier; /* to be expanded: a heap of frontier_max */
    uint64_t *overflow; /* cursor: seen but not handed out: a heap of frontier_max */
    uint64_t *exact;    /* cursor on codes: reranked, not handed out: a heap of ef_max + 1 */
    uint32_t pool_count;
    uint32_t frontier_count;
    uint32_t overflow_count;
    uint32_t exact_count;
    uint32_t *slots;      /* batch_max, then group_max for the round after it */
    uint64_t *keys;       /* batch_max, for callbacks */
    const void **vectors; /* as slots */
    uint32_t *unpacked;   /* packed images: two rows of m0 links */
    float *distances;     /* batch_max */
    uint32_t *orders;     /* batch_max */
    uint32_t *taken;      /* batch_max: cursor on codes */
    uint64_t *worth;      /* 2 batch_max: entries of a round that may enter the pool, and sorted */
    uint8_t *fetched;     /* fetch_max rows */
    uint8_t *row;         /* one row, aligned: a consistent copy of a stored vector */
    float *query_scratch; /* dim floats */
    nighi_query query;
    uint8_t *code_record; /* of the query */
    uint8_t *code_query;
    uint32_t code_bias;
    nighi_cursor cursor;
    nighi_plan plan;
    struct nighi_lane *lanes; /* of nigh_search_batch; the first is the session itself */
    uint32_t lane_count;
};

#endif
