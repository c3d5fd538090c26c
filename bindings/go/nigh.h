/* nigh.h - nearest-neighbour search anywhere: the whole public ABI
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Memory is the caller's: the library never allocates, prints, aborts or keeps global state. There
 * are four memories, each with an exact *_bytes function (one byte less is refused at the start):
 *   image    plain data in blocks, grown by donation; nothing in it points anywhere
 *   handle   nigh_index: block table, vector source, chosen kernels; one process's view of an image
 *   writer   locks and sequence words; a handle without it is read-only
 *   session  nigh_session: one thread's scratch; never shared by two calls at once
 * All of it is aligned to 64 bytes and freed by its owner when no call uses it any more.
 *
 * Threads: any number of sessions search one index, without locks, while others insert, set, remove
 * and grow. Save, seal and check want no writer beside them and answer NIGH_E_BUSY otherwise.
 *
 * Every function is total: NULL or 0 where it has no meaning gives NIGH_E_INVALID. Results are
 * written only on success, except `done` and `found`, which are always written. A structure starts
 * with struct_size, 0 in any other field means the default, and new fields come only at its end.
 * Units: *_bytes bytes; `slot` a dense node id below 2^31; `key` the caller's id.
 *
 * Keys travel in arrays, one form for both kinds. u64 and identity keys: `keys` is uint64_t[count],
 * key_lengths NULL. Byte-string keys: `keys` is the strings one after another (1..511 bytes each),
 * key_lengths their lengths; an output array then holds count x key_bytes_max bytes.
 * Vectors travel as rows of nigh_row_bytes each, one after another.
 *
 * abi/generate.py reads this file. Tags say what C's types do not: @in, @out or @inout, the name of
 * a parameter, its shape (elements behind the pointer, of void: bytes; any: the caller's business),
 * `kept` (used after the call too, until what keeps it is dropped or told another), `or NULL`. */
#ifndef NIGH_H
#define NIGH_H
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif
#ifndef NIGH_API /* the build sets visibility or dllexport here */
#define NIGH_API
#endif

#define NIGH_VERSION_MAJOR 0
#define NIGH_VERSION_MINOR 1
#define NIGH_VERSION_PATCH 0

/* NIGH_OK or one of NIGH_E_*; numbers are never reused. A callback may fail with NIGH_E_USER or
 * below: that number is returned unchanged. */
typedef int32_t nigh_status;
enum {
    NIGH_OK = 0,
    NIGH_E_INVALID = -1,      /* an argument or a configuration field is out of range */
    NIGH_E_MEMORY = -2,       /* the memory handed in is too small or not aligned to 64 bytes */
    NIGH_E_FULL = -3,         /* no room left: grow the index, then go on */
    NIGH_E_NOT_FOUND = -4,    /* no such key */
    NIGH_E_EXISTS = -5,       /* the key is there already */
    NIGH_E_VECTOR = -6,       /* NaN, infinity, or a zero vector under cosine */
    NIGH_E_FETCH = -7,        /* a callback failed or gave no address */
    NIGH_E_FORMAT = -8,       /* not a nigh image, or of an unknown version */
    NIGH_E_CORRUPT = -9,      /* an image whose checksum or structure does not hold */
    NIGH_E_MISMATCH = -10,    /* dim, dtype, metric or count differ from what the image says */
    NIGH_E_READ_ONLY = -11,   /* the handle has no writer state, or the image is read-only */
    NIGH_E_BUSY = -12,        /* another thread is writing what this call needs to itself */
    NIGH_E_NO_VECTORS = -13,  /* the image holds no vectors and no source is set */
    NIGH_E_BUILD = -14,       /* compiled or running with float rules that change results */
    NIGH_E_UNSUPPORTED = -15, /* this machine, build or metric cannot do that */
    NIGH_E_WRITE = -16,       /* the write callback failed */
    NIGH_E_SESSION = -17,     /* the session is too small for this call */
    NIGH_E_KEY = -18,         /* an empty, too long or unrepresentable key */
    NIGH_E_OPEN = -19,        /* the image was left in the middle of changes: only check opens it */
    NIGH_E_DELETED = -20,     /* the key is known but removed */
    NIGH_E_USER = -1000       /* this and below: the caller's callbacks' own */
};

/* nigh_config.metric. Smaller is nearer for all of them. */
enum {
    NIGH_METRIC_L2 = 1,      /* sum (a-b)^2 */
    NIGH_METRIC_IP = 2,      /* 1 - sum a*b */
    NIGH_METRIC_COSINE = 3,  /* 1 - cos(a, b), in [0, 2] */
    NIGH_METRIC_L1 = 4,      /* sum |a-b| */
    NIGH_METRIC_HAMMING = 5, /* bits that differ; NIGH_DTYPE_B1 only */
    NIGH_METRIC_CUSTOM = 6   /* nigh_index_distance */
};

/* nigh_config.dtype. */
enum {
    NIGH_DTYPE_F32 = 1,
    NIGH_DTYPE_F16 = 2,  /* IEEE binary16 */
    NIGH_DTYPE_BF16 = 3, /* the upper half of an f32 */
    NIGH_DTYPE_I8 = 4,   /* dim int8 padded to 4, float scale, int32 zero: scale * (x - zero) */
    NIGH_DTYPE_U8 = 5,   /* integers 0..255 */
    NIGH_DTYPE_B1 = 6    /* dim bits, lowest first; bits beyond dim are 0 */
};

/* nigh_config.keys. */
enum {
    NIGH_KEYS_U64 = 0,
    NIGH_KEYS_BYTES = 1,   /* strings of 1..key_bytes_max bytes */
    NIGH_KEYS_IDENTITY = 2 /* the key is the slot, nothing is stored; insert: NULL or the next */
};

/* nigh_config.vectors. */
enum {
    NIGH_VECTORS_OWNED = 0,   /* kept in the image */
    NIGH_VECTORS_EXTERNAL = 1 /* borrowed or fetched: nigh_index_borrow, nigh_index_fetch */
};

/* nigh_config.codes: small copies of the vectors to search on; what is found is scored again
 * ("reranked") on the true vectors, which may stay in slow memory. */
enum {
    NIGH_CODES_NONE = 0,
    NIGH_CODES_U7 = 1, /* a byte an element, one scale for the index: not B1, HAMMING, CUSTOM */
    NIGH_CODES_B1 = 2  /* a bit an element: for high dimensions, and with a deep rerank */
};

/* nigh_config.build_flags. */
enum {
    NIGH_BUILD_KEEP_PRUNED = 1, /* rows are filled up with neighbours that selection refused */
    NIGH_BUILD_EXACT = 2,       /* links are chosen on the true vectors, not on codes or a draft */
    NIGH_BUILD_UNROOTED = 4     /* the graph is as a file of hnswlib holds it: no node has a parent.
                                   Searches, remove and save do not mind; insert, set, BUILD, REFINE
                                   and VACUUM want NIGH_JOB_ROOT before (NIGH_E_UNSUPPORTED) */
};

/* Bits of nigh_options.features and of nigh_features(). */
enum {
    NIGH_CPU_SCALAR = 1, /* always; alone it forces the scalar kernels */
    NIGH_CPU_SSE41 = 2,
    NIGH_CPU_AVX2 = 4,     /* with F16C */
    NIGH_CPU_AVX512 = 8,   /* F, BW, VL, DQ */
    NIGH_CPU_VNNI = 16,    /* AVX512-VNNI */
    NIGH_CPU_VPOPCNT = 32, /* AVX512-VPOPCNTDQ */
    NIGH_CPU_NEON = 64,
    NIGH_CPU_DOTPROD = 128, /* AArch64 dot product */
    NIGH_CPU_SIMD128 = 256, /* WebAssembly */
    NIGH_CPU_DSP = 512,     /* 32-bit ARM: pairs of halfwords, Cortex-M4 and M7 */
    NIGH_CPU_MVE = 1024     /* Helium: Cortex-M55 */
};

/* nigh_options.flags. */
enum {
    NIGH_OPEN_WRITABLE = 1, /* nigh_attach: the image memory may be stored to, in place */
    NIGH_OPEN_UNSEALED = 2, /* nigh_attach: take an image left open, for nigh_check only */
    NIGH_OPEN_VERIFY = 4    /* nigh_attach: verify every block's checksum, O(bytes) */
};

enum { NIGH_REPLACE_DELETED = 1, NIGH_SET_EXCLUSIVE = 2 }; /* flags of insert and set */
/* nigh_search_options.flags. */
enum {
    NIGH_SEARCH_EXACT = 1,
    NIGH_SEARCH_RADIUS = 2,
    NIGH_SEARCH_NO_CODES = 4,
    NIGH_SEARCH_CODES = 8 /* by codes alone: vectors may be absent, distances are those of codes */
};
enum { NIGH_SESSION_READ = 1, NIGH_SESSION_SMALL = 2 }; /* nigh_session_options.flags */
/* nigh_job_options.kind. */
enum {
    NIGH_JOB_BUILD = 1,  /* inserts many vectors: the same bytes however many threads run it */
    NIGH_JOB_CODES = 2,  /* makes the codes of an index that has none, or drops them */
    NIGH_JOB_REFINE = 3, /* chooses the links of layer 0 anew, knowing all nodes */
    NIGH_JOB_VACUUM = 4, /* takes removed keys out for good; their slots are free for others */
    NIGH_JOB_ROOT = 5    /* gives the nodes of an UNROOTED index their parents */
};
/* nigh_progress.state. */
enum {
    NIGH_JOB_MORE = 1, /* call nigh_job_run again */
    NIGH_JOB_WAIT = 2, /* others are at work and nothing is free: again after a moment */
    NIGH_JOB_DONE = 3
};
/* Flags of save. */
enum {
    NIGH_SAVE_GRAPH_ONLY = 1, /* without vectors: whoever attaches it brings them */
    NIGH_SAVE_PACKED = 2      /* read-only, links of as few bits as they need */
};
enum { NIGH_HEADER_BYTES = 512 };                   /* of nigh_header */
enum { NIGH_HNSWLIB_32 = 1 };                       /* flags of hnswlib_write: 32-bit size_t */
enum { NIGH_STORE_FORMAT = 1 };                     /* nigh_store_options.flags: begin anew */
enum { NIGH_NODE_DELETED = 1, NIGH_NODE_FREE = 2 }; /* flags of nigh_node */

/* What an index is. Every field is stored in the image and changes its bytes. */
typedef struct nigh_config {
    uint32_t struct_size;   /* sizeof(nigh_config) as the caller was compiled */
    uint32_t dim;           /* elements per vector, 1..65535 */
    uint32_t metric;        /* NIGH_METRIC_*, required */
    uint32_t dtype;         /* NIGH_DTYPE_*, required */
    uint32_t keys;          /* NIGH_KEYS_* */
    uint32_t vectors;       /* NIGH_VECTORS_* */
    uint32_t m;             /* links per node above layer 0, 2..1024; 0 = 16 */
    uint32_t m0;            /* links per node in layer 0, m..2048, at least 4; 0 = 2 m */
    uint32_t ef_build;      /* candidates kept while inserting, 1..65535; 0 = 200 */
    uint32_t expansions;    /* as nigh_search_options.expansions, while inserting; 0 = 2 */
    uint32_t block_bytes;   /* target bytes of a block, a power of two 256..2^26; 0 = 65536 */
    uint32_t key_bytes_max; /* longest byte-string key, 1..511; 0 = 511 */
    uint64_t seed;          /* draws the layers; the same seed and insertions give the same bytes */
    uint32_t codes;         /* NIGH_CODES_*; they are searched once NIGH_JOB_CODES has made them */
    uint32_t build_flags;   /* NIGH_BUILD_* */
    float alpha;            /* a candidate is refused when a chosen neighbour is alpha times nearer
                               to it than the node is, 1..2; 0 = 1 (hnswlib); ignored for IP */
    float code_min;         /* U7: span of elements (cosine: of unit vectors), beyond it they are */
    float code_max;         /* clamped. Both 0: taken from a sample when codes are made */
    uint32_t reserved;      /* 0 */
} nigh_config;

/* How this process uses an image. Nothing here changes bytes or results. */
typedef struct nigh_options {
    uint32_t struct_size;
    uint32_t slot_max; /* most slots that this handle can ever hold, at most 2^31 - 2; attach: 0 =
                          as many as the image has */
    uint32_t features; /* NIGH_CPU_* that may be used; 0 = all that the machine has */
    uint32_t flags;    /* NIGH_OPEN_* */
    uint32_t upper_extra; /* of an empty index: room for so many records above layer 0 beyond those
                             that its slots will draw: nigh_hnswlib.upper_extra */
} nigh_options;

/* What a session can do. */
typedef struct nigh_session_options {
    uint32_t struct_size;
    uint32_t ef_max;       /* largest ef and k of its calls; 0 = 512; not READ: at least ef_build */
    uint32_t frontier_max; /* nodes that a filtered search or a cursor remembers, 16 bytes each;
                              0 = the smaller of slot_max and max(8 ef_max, 4096) */
    uint32_t flags;        /* NIGH_SESSION_READ: cannot insert or set (smaller); NIGH_SESSION_SMALL:
                              visited marks are a bit a slot, not a byte, or in a hash set of
                              frontier_max where that is smaller */
    uint32_t lanes;        /* queries that nigh_search_batch has under way at once, 1..4, each with
                              scratch of its own; 0 = 1 */
} nigh_session_options;

/* How to search. */
typedef struct nigh_search_options {
    uint32_t struct_size;
    uint32_t ef;             /* candidates kept; raised to k; 0 = 64 */
    uint32_t expansions;     /* nodes under way at once, 1..8; 0 = 2. 1 is hnswlib's order; else
                                half as many are expanded a round, and fetched while the round
                                before them is scored */
    uint32_t flags;          /* NIGH_SEARCH_EXACT: score every live vector; NIGH_SEARCH_RADIUS;
                                NIGH_SEARCH_NO_CODES: true vectors only; NIGH_SEARCH_CODES: codes
                                only, and the query is one: dim bytes 1..127, or dim bits. Distances
                                are whole numbers: sum (a-b)^2, sum |a-b|, bits that differ, or for
                                IP minus sum (a-64)(b-64) */
    float radius;            /* with NIGH_SEARCH_RADIUS: only hits at this distance or nearer */
    uint32_t expansions_max; /* stop with what is found after so many expansions; 0 = no limit */
    uint32_t rerank;         /* with codes: how many are scored again on true vectors, at least k;
                                0 = by k and ef */
    float gamma;             /* also stop when the next candidate is (1 + gamma) times as far as the
                                k-th best (Al-Jazzazi et al. 2025); 0 = off. Farther ones are not
                                kept either, so ef may be large and gamma alone decide the effort.
                                Searches that sweep for a filter do not look at it */
} nigh_search_options;

/* What the last call on a session cost. */
typedef struct nigh_session_stats {
    uint32_t struct_size;
    uint32_t distances;  /* vectors scored */
    uint32_t expansions; /* nodes whose links were read */
    uint32_t fetches;    /* calls of the fetch callback */
    uint32_t truncated;  /* 1: frontier_max was reached and far candidates were dropped */
    uint32_t scanned;    /* 1: answered by scanning, the graph gave too few matches */
    uint32_t reranked;   /* of `distances`, those of true vectors after a search on codes */
} nigh_session_stats;

/* What an index holds now. */
typedef struct nigh_stats {
    uint32_t struct_size;
    uint32_t slot_count;    /* slots in use, tombstones and free ones included */
    uint32_t live_count;    /* keys that a search can return */
    uint32_t deleted_count; /* tombstones */
    uint32_t free_count;    /* slots that hold no node */
    uint32_t slot_capacity; /* slots that the donated memory has room for */
    uint32_t slot_max;      /* of the handle */
    uint32_t level_max;     /* layer of the entry point */
    uint32_t entry_slot;    /* 0xffffffff: none */
    uint32_t upper_count;   /* records above layer 0 */
    uint32_t features;      /* kernels chosen, NIGH_CPU_* */
    uint32_t writable;      /* 1: has writer state */
    uint64_t key_bytes;     /* lengths of all byte-string keys ever stored, added up */
    uint64_t key_capacity;  /* room for them and the gaps between them */
    uint64_t image_bytes;   /* of nigh_save with flags 0 */
    uint32_t codes;         /* NIGH_CODES_* that searches use */
    uint32_t code_clamped;  /* elements that did not fit the span of the codes, at most 2^32 - 1 */
} nigh_stats;

/* What nigh_check found; `status` tells whether the index is sound. */
typedef struct nigh_report {
    uint32_t struct_size;
    int32_t status;          /* NIGH_OK or NIGH_E_CORRUPT */
    uint32_t slot;           /* the first one that is wrong, 0xffffffff: none in particular */
    uint32_t level;          /* its layer */
    uint32_t fault;          /* number of the rule broken, docs/FORMAT.md lists them; 0 = none */
    uint32_t unreachable;    /* nodes without a valid parent edge */
    uint64_t link_count;     /* links in all layers */
    uint64_t blocks_checked; /* blocks whose checksum was verified (attached, unchanged images) */
} nigh_report;

/* What a job is to do. */
typedef struct nigh_job_options {
    uint32_t struct_size;
    uint32_t kind;  /* NIGH_JOB_* */
    uint32_t codes; /* CODES: NIGH_CODES_*, NONE drops what is there */
    float code_min; /* CODES: as in nigh_config */
    float code_max;
    uint32_t vector_stride; /* BUILD: bytes from a row to the next, a multiple of an element's;
                               0 = nigh_row_bytes */
    uint32_t ef;            /* REFINE: candidates a node; 0 = 100 */
    float alpha;            /* REFINE: as in nigh_config; 0 = by how distances grow in a sample */
} nigh_job_options;

/* What a file of hnswlib holds. */
typedef struct nigh_hnswlib {
    uint32_t struct_size;
    uint32_t bits;          /* of a size_t where it was written: 64 or 32 */
    uint32_t slot_count;    /* elements, deleted ones included; slot s is the one stored as s-th */
    uint32_t deleted_count; /* elements marked deleted */
    uint32_t upper_count;   /* lists above layer 0 */
    uint32_t upper_extra;   /* for nigh_options */
    uint32_t identity;      /* 1: every label is the element's slot */
    uint32_t vector_stride; /* bytes from a vector to the next, */
    uint64_t vector_offset; /* and from the file's begin to the first: for nigh_index_borrow */
    uint64_t label_max;     /* 0 without elements */
    uint64_t max_elements;  /* what the writer had room for */
} nigh_hnswlib;

/* How far a job is. */
typedef struct nigh_progress {
    uint32_t struct_size;
    uint32_t state; /* NIGH_JOB_MORE, WAIT, DONE */
    uint64_t done;  /* never falls; BUILD: vectors inserted */
    uint64_t total;
} nigh_progress;

/* What a store lies on. */
typedef struct nigh_store_options {
    uint32_t struct_size;
    uint32_t flags;         /* NIGH_STORE_* */
    uint32_t page_bytes;    /* what is written anew as a whole: a power of two 1024..2^20 and a
                               multiple of the unit that the device erases; 0 = 4096 */
    uint32_t page_count;    /* pages of the device, at most 2^31 */
    uint32_t program_bytes; /* writes end at multiples of it: a power of two up to page_bytes;
                               0 = 1 */
    uint32_t super_count;   /* FORMAT: pages that take turns as superblock, 2..64; 0 = 2. Each
                               commit writes one: on flash more of them wear less */
} nigh_store_options;

/* How a store is, and what it cost since it was opened. */
typedef struct nigh_store_stats {
    uint32_t struct_size;
    uint32_t page_bytes;
    uint32_t page_count;
    uint32_t page_used;     /* what the last commit holds, superblocks and tables counted */
    uint32_t page_free;     /* room of the next one: what changes is written before the old goes */
    uint32_t filled;        /* 1: there is an index */
    uint64_t generation;    /* rises with every commit */
    uint64_t written_bytes; /* to the device, as are the next three */
    uint64_t write_count;
    uint64_t erase_count;
    uint64_t sync_count;
    uint32_t bad_region; /* after NIGH_E_CORRUPT: region, block and page, 0xffffffff: none */
    uint32_t bad_block;
    uint32_t bad_page;
    uint32_t reserved;
} nigh_store_stats;

typedef struct nigh_store nigh_store;     /* opaque, in the caller's store memory */
typedef struct nigh_job nigh_job;         /* opaque, in the caller's job memory */
typedef struct nigh_index nigh_index;     /* opaque, in the caller's handle memory */
typedef struct nigh_session nigh_session; /* opaque, in the caller's session memory */

/* Vectors of `count` slots: stores into vectors[i] an address that stays valid until the next call
 * on the same session, or fills scratch (count rows) and points there. keys is uint64_t[count], or
 * NULL for byte-string keys. vectors[] is zeroed before. Runs on the calling thread, never under a
 * lock, and may call read functions with another session.
 * @in slots count  @in keys count  @inout scratch count*row_bytes  @out vectors count
 * @returns NIGH_OK, or NIGH_E_USER and below, which the caller of nigh gets back */
typedef nigh_status (*nigh_fetch_fn)(void *user, const uint32_t *slots, const uint64_t *keys,
                                     uint32_t count, void *scratch, const void **vectors);
/* Hint that these slots are likely to be fetched soon.  @in slots count  @in keys count */
typedef void (*nigh_prefetch_fn)(void *user, const uint32_t *slots, const uint64_t *keys,
                                 uint32_t count);
/* Distance of two rows, symmetric, smaller is nearer; NaN counts as infinite.
 * @in a row_bytes  @in b row_bytes */
typedef float (*nigh_distance_fn)(void *user, const void *a, const void *b, uint32_t dim);
/* Non-zero: this slot may be returned. key as in nigh_fetch_fn (NULL: byte strings).  @in key 1 */
typedef int32_t (*nigh_filter_fn)(void *user, uint32_t slot, const uint64_t *key);
/* Takes the next `count` bytes of an image, in order.  @in bytes count  @returns NIGH_OK or not */
typedef nigh_status (*nigh_write_fn)(void *user, const void *bytes, uint64_t count);
/* Pager: the address (64-byte aligned) of block `block` of region `region`, `bytes` long, zeroed
 * when it is new.  @out address 1 */
typedef nigh_status (*nigh_map_fn)(void *user, uint32_t region, uint32_t block, uint64_t bytes,
                                   void **address);
/* Pager: called before the first store to a block since the last nigh_seal; may move it (copy the
 * bytes, store the new address).  @inout address 1 */
typedef nigh_status (*nigh_dirty_fn)(void *user, uint32_t region, uint32_t block, uint64_t bytes,
                                     void **address);

/* Store: reads. Answers NIGH_E_CORRUPT where the device knows that the bytes are not what was
 * written (a write cut short under ECC).  @out bytes count  @returns NIGH_OK or not */
typedef nigh_status (*nigh_store_read_fn)(void *user, uint64_t offset, void *bytes,
                                          uint64_t count);
/* Store: writes to a page that was erased, if there is an erase; offset is a page's, count a
 * multiple of program_bytes and at most a page.  @in bytes count  @returns NIGH_OK or not */
typedef nigh_status (*nigh_store_write_fn)(void *user, uint64_t offset, const void *bytes,
                                           uint64_t count);
/* Store: erases a page.  @returns NIGH_OK or not */
typedef nigh_status (*nigh_store_erase_fn)(void *user, uint64_t offset, uint64_t count);
/* Store: all that was written before stays before anything written later does.
 * @returns NIGH_OK or not */
typedef nigh_status (*nigh_store_sync_fn)(void *user);

/* A clock that only rises, in nanoseconds. */
typedef uint64_t (*nigh_clock_fn)(void *user);

/* ---- About the library ---------------------------------------------------------------------- */

/* major << 16 | minor << 8 | patch. */
NIGH_API uint32_t nigh_version(void);
/* One English sentence for a status, static; never NULL. */
NIGH_API const char *nigh_status_text(nigh_status status);
/* NIGH_CPU_* that this machine has, as far as can be known without an operating system. */
NIGH_API uint32_t nigh_features(void);
/* Bytes of one row.  @in dim dtype  @out bytes 1  @errors NIGH_E_INVALID */
NIGH_API nigh_status nigh_row_bytes(uint32_t dim, uint32_t dtype, uint64_t *bytes);
/* Converts between f32 and rows of `dtype`: to it (I8 with the scale and zero point that span each
 * vector, U8 rounded and clamped, B1 x > 0) when `rows_in` is NULL, else from it.
 * @in floats_in count*dim or NULL  @in rows_in count*row_bytes or NULL
 * @out floats_out count*dim or NULL  @out rows_out count*row_bytes or NULL
 * @errors NIGH_E_INVALID NIGH_E_VECTOR (NaN, infinity, beyond the type's range; nothing written) */
NIGH_API nigh_status nigh_convert(uint32_t dim, uint32_t dtype, uint32_t count,
                                  const float *floats_in, void *rows_out, const void *rows_in,
                                  float *floats_out);

/* ---- Index ---------------------------------------------------------------------------------- */

/* Bytes of a handle for options->slot_max slots (1 or more).
 * @in config 1  @in options 1  @out bytes 1
 * @errors NIGH_E_UNSUPPORTED (the library was built without what config wants) */
NIGH_API nigh_status nigh_index_bytes(const nigh_config *config, const nigh_options *options,
                                      uint64_t *bytes);
/* An empty index. It has no room yet: see nigh_grow. No destroy: drop the memory.
 * @in config 1  @in options 1  @inout memory memory_bytes kept  @out index 1
 * @errors NIGH_E_MEMORY NIGH_E_BUILD NIGH_E_UNSUPPORTED */
NIGH_API nigh_status nigh_index_init(const nigh_config *config, const nigh_options *options,
                                     void *memory, uint64_t memory_bytes, nigh_index **index);
/* Bytes of a handle for an image.  @in image image_bytes  @in options 1 or NULL  @out bytes 1 */
NIGH_API nigh_status nigh_attach_bytes(const void *image, uint64_t image_bytes,
                                       const nigh_options *options, uint64_t *bytes);
/* Uses an image where it lies (64-byte aligned: memory, a mapped file, flash). Header, sizes and
 * directory are verified in O(blocks); whatever the rest holds, searches stay inside the image.
 * The image must outlive the handle.
 * @inout image image_bytes kept  @in options 1 or NULL  @inout memory memory_bytes kept
 * @out index 1
 * @errors NIGH_E_FORMAT NIGH_E_CORRUPT NIGH_E_OPEN NIGH_E_MEMORY NIGH_E_BUILD NIGH_E_UNSUPPORTED
 *   NIGH_E_INVALID (slot_max below what the image holds) */
NIGH_API nigh_status nigh_attach(void *image, uint64_t image_bytes, const nigh_options *options,
                                 void *memory, uint64_t memory_bytes, nigh_index **index);
/* Uses an index whose blocks a pager holds, one by one, instead of an image that lies in a row:
 * `header` is what nigh_header once gave (nigh_attach_bytes takes it too). map is called for every
 * block in use, in order, each whole; what it gives must be what the index stored there, and is
 * believed as that of an image is. A failed call leaves nothing behind. nigh_grow with memory NULL
 * asks for new ones. With NIGH_OPEN_WRITABLE and a writer state the index may be changed. A header
 * says how many blocks there are, and a handle wants 8 bytes and more for each: one from a stranger
 * may say millions (nigh_attach_bytes: gigabytes) where there are none. Look whether the blocks are
 * there, or at that size, before memory is allocated.
 * @in header header_bytes  @in options 1 or NULL  @in map function kept
 * @in dirty function kept or NULL  @in user any kept  @inout memory memory_bytes kept  @out index 1
 * @errors as nigh_attach, and NIGH_E_FULL (map failed) or what it gave from NIGH_E_USER on */
NIGH_API nigh_status nigh_attach_blocks(const void *header, uint64_t header_bytes,
                                        const nigh_options *options, nigh_map_fn map,
                                        nigh_dirty_fn dirty, void *user, void *memory,
                                        uint64_t memory_bytes, nigh_index **index);
/* Block memory that nigh_grow needs to hold `slots` slots in total, and key_bytes bytes of
 * byte-string keys: the lengths of all ever stored (nigh_stats.key_bytes) and of those to come.
 * Rounded up to whole blocks, but for slots == slot_max.
 * @out bytes 1 */
NIGH_API nigh_status nigh_grow_bytes(const nigh_index *index, uint32_t slots, uint64_t key_bytes,
                                     uint64_t *bytes);
/* Donates block memory, kept until the index is dropped; searches and writers go on meanwhile. Huge
 * pages (2 MiB aligned, advised) are worth 8-16 % of search time. memory NULL: the pager's; that,
 * and the first growth of an attached image, want no writer beside them.
 * @inout memory memory_bytes kept or NULL
 * @errors NIGH_E_MEMORY NIGH_E_INVALID (beyond slot_max; memory beside a pager's) NIGH_E_BUSY
 *   NIGH_E_FULL (the pager's) */
NIGH_API nigh_status nigh_grow(nigh_index *index, uint32_t slots, uint64_t key_bytes, void *memory,
                               uint64_t memory_bytes);
/* Bytes of the writer state.  @out bytes 1 */
NIGH_API nigh_status nigh_writer_bytes(const nigh_index *index, uint64_t *bytes);
/* Makes the handle writable; the memory stays with it.  @inout memory memory_bytes kept
 * @errors NIGH_E_MEMORY NIGH_E_READ_ONLY (attached without NIGH_OPEN_WRITABLE, or packed)
 *   NIGH_E_BUSY (a job is under way) */
NIGH_API nigh_status nigh_writer_init(nigh_index *index, void *memory, uint64_t memory_bytes);
/* Bytes of a session.  @in options 1 or NULL  @out bytes 1 */
NIGH_API nigh_status nigh_session_bytes(const nigh_index *index,
                                        const nigh_session_options *options, uint64_t *bytes);
/* A session for one thread at a time; it serves only this index and lives at most as long.
 * @in options 1 or NULL  @inout memory memory_bytes kept  @out session 1  @errors NIGH_E_MEMORY */
NIGH_API nigh_status nigh_session_init(const nigh_index *index, const nigh_session_options *options,
                                       void *memory, uint64_t memory_bytes, nigh_session **session);
/* Vectors in the caller's array: slot s at base + s * stride, never copied. `count` rows are
 * there; searching needs at least slot_count of them. Slots count in the order of insertion, keys
 * play no part: where rows are in another order, say that of keys, it takes nigh_index_fetch, which
 * is told both. Call before searching, or when no call runs.
 * trailer_offset: I8 only, where a row's scale and zero lie; 0 = scale 1, zero 0.
 * @in base count*stride kept  @errors NIGH_E_MISMATCH NIGH_E_INVALID */
NIGH_API nigh_status nigh_index_borrow(nigh_index *index, const void *base, uint64_t stride,
                                       uint32_t count, uint32_t trailer_offset);
/* Vectors by callback.
 * @in fetch function kept  @in prefetch function kept or NULL  @in user any kept */
NIGH_API nigh_status nigh_index_fetch(nigh_index *index, nigh_fetch_fn fetch,
                                      nigh_prefetch_fn prefetch, void *user);
/* The function of NIGH_METRIC_CUSTOM; not stored in the image.
 * @in distance function kept  @in user any kept */
NIGH_API nigh_status nigh_index_distance(nigh_index *index, nigh_distance_fn distance, void *user);
/* Where blocks come from (nigh_grow with memory NULL) and who hears of the first store to each.
 * Either may be NULL. With `dirty` one call writes at a time: others beside it get NIGH_E_BUSY.
 * Call before the first nigh_grow.
 * @in map function kept or NULL  @in dirty function kept or NULL  @in user any kept */
NIGH_API nigh_status nigh_index_pager(nigh_index *index, nigh_map_fn map, nigh_dirty_fn dirty,
                                      void *user);

/* ---- Change --------------------------------------------------------------------------------- */

/* Inserts `count` vectors in order, up to the first failure, which changes nothing of its own.
 * vectors NULL: each is read from the source, which has it already (external vectors; those of a
 * borrowed array are always read there). keys NULL: identity keys, the next slots.
 * flags NIGH_REPLACE_DELETED: takes the lowest removed slot, if any; its key is forgotten.
 * @in keys count or NULL  @in key_lengths count or NULL  @in vectors count*row_bytes or NULL
 * @out done 1
 * @errors NIGH_E_EXISTS NIGH_E_DELETED (set or unremove it) NIGH_E_FULL NIGH_E_VECTOR NIGH_E_KEY
 *   NIGH_E_FETCH NIGH_E_BUSY NIGH_E_READ_ONLY NIGH_E_SESSION NIGH_E_NO_VECTORS NIGH_E_MISMATCH (a
 *   borrowed array is too short) NIGH_E_INVALID (external vectors change without SET_EXCLUSIVE) */
NIGH_API nigh_status nigh_insert(nigh_index *index, nigh_session *session, uint32_t flags,
                                 const void *keys, const uint32_t *key_lengths, const void *vectors,
                                 uint32_t count, uint32_t *done);
/* Inserts, or gives a known key (removed ones too: they come back) a new vector and new links. For
 * external vectors of a known key: change the vector first, while no other call runs, and pass
 * NIGH_SET_EXCLUSIVE. Arguments and errors as nigh_insert. */
NIGH_API nigh_status nigh_set(nigh_index *index, nigh_session *session, uint32_t flags,
                              const void *keys, const uint32_t *key_lengths, const void *vectors,
                              uint32_t count, uint32_t *done);
/* Marks keys removed: they are no longer found, their nodes still lead searches on.
 * @in keys count  @in key_lengths count or NULL  @out done 1
 * @errors NIGH_E_NOT_FOUND NIGH_E_DELETED NIGH_E_BUSY NIGH_E_READ_ONLY */
NIGH_API nigh_status nigh_remove(nigh_index *index, nigh_session *session, const void *keys,
                                 const uint32_t *key_lengths, uint32_t count, uint32_t *done);
/* Takes remove back.  Arguments as nigh_remove.
 * @errors NIGH_E_NOT_FOUND NIGH_E_EXISTS (it is not removed) */
NIGH_API nigh_status nigh_unremove(nigh_index *index, nigh_session *session, const void *keys,
                                   const uint32_t *key_lengths, uint32_t count, uint32_t *done);

/* ---- Search --------------------------------------------------------------------------------- */

/* Slots that this session's searches may return: bit s of `bits` for slot s < slot_count (others
 * are refused), or `filter`, or with both NULL all again. Kept by reference until changed; call
 * again when bits change, since how many are set decides how to search.
 * @in bits ceil(slot_count/32) kept or NULL  @in filter function kept or NULL  @in user any kept */
NIGH_API nigh_status nigh_session_filter(nigh_session *session, const uint32_t *bits,
                                         uint32_t slot_count, nigh_filter_fn filter, void *user);
/* The k (1..ef_max) nearest live keys, nearest first, equal distances by slot. Fewer than k is a
 * result, and means that there are no more: where a filter or removed nodes leave the graph search
 * short, the rest is found by scanning. An ef below k counts as k.
 * @in query row_bytes  @in options 1 or NULL  @out keys k or NULL  @out key_lengths k or NULL
 * @out distances k or NULL  @out slots k or NULL  @out found 1
 * @errors NIGH_E_VECTOR NIGH_E_SESSION (ef or k over ef_max) NIGH_E_NO_VECTORS NIGH_E_FETCH */
NIGH_API nigh_status nigh_search(const nigh_index *index, nigh_session *session, const void *query,
                                 const nigh_search_options *options, uint32_t k, void *keys,
                                 uint32_t *key_lengths, float *distances, uint32_t *slots,
                                 uint32_t *found);
/* The same for `count` queries, one after another in `queries`. Those under way take turns (see
 * nigh_session_options.lanes): while one waits for memory another one computes. Answers are those
 * of single searches. Query q has its hits from place q * k on in each array (byte-string keys from
 * q * k * key_bytes_max on) and found[q] of them. Ends at the first failure: *done are answered.
 * @in queries count*row_bytes  @in options 1 or NULL  @out keys count*k or NULL
 * @out key_lengths count*k or NULL  @out distances count*k or NULL  @out slots count*k or NULL
 * @out found count  @out done 1 */
NIGH_API nigh_status nigh_search_batch(const nigh_index *index, nigh_session *session,
                                       const void *queries, uint32_t count,
                                       const nigh_search_options *options, uint32_t k, void *keys,
                                       uint32_t *key_lengths, float *distances, uint32_t *slots,
                                       uint32_t *found, uint32_t *done);
/* Begins to hand out neighbours nearest first; `query` must stay until the cursor is done. Any
 * other search or change with the session ends it.
 * @in query row_bytes kept  @in options 1 or NULL */
NIGH_API nigh_status nigh_cursor_begin(const nigh_index *index, nigh_session *session,
                                       const void *query, const nigh_search_options *options);
/* The next `k` neighbours; *found < k means that there are no more. Order is exact
 * among what the beam of `ef` has seen: a neighbour discovered late comes late.
 * Outputs as nigh_search.
 * @errors NIGH_E_INVALID (no cursor, or codes were made anew since) NIGH_E_SESSION (frontier_max
 *   reached: what is left is lost) */
NIGH_API nigh_status nigh_cursor_next(const nigh_index *index, nigh_session *session, uint32_t k,
                                      void *keys, uint32_t *key_lengths, float *distances,
                                      uint32_t *slots, uint32_t *found);
/* Finds out what is fastest on this machine for this index: which cache level rows are fetched into
 * and how much of each ahead, and how many lanes nigh_search_batch uses. Some dozen stored vectors
 * are searched in each way, in turns; below 0.2 s. Changes no result and nothing that is stored.
 * Call it while no other call runs.
 * @in clock function  @in user any
 * @errors NIGH_E_NO_VECTORS NIGH_E_FETCH NIGH_E_SESSION (ef_max below 64) */
NIGH_API nigh_status nigh_tune(nigh_index *index, nigh_session *session, nigh_clock_fn clock,
                               void *user);
/* What the session's last call cost.  @out stats 1 */
NIGH_API nigh_status nigh_session_stats_get(const nigh_session *session, nigh_session_stats *stats);

/* ---- Jobs ----------------------------------------------------------------------------------- */

/* Bytes of a job's memory. Arguments as nigh_job_begin.  @out bytes 1 */
NIGH_API nigh_status nigh_job_bytes(nigh_index *index, const nigh_job_options *options,
                                    uint32_t count, uint64_t *bytes);
/* Begins long work, which any number of threads then do with nigh_job_run. Searches go on; writers
 * get NIGH_E_BUSY until nigh_job_end. `memory` stays with the job, that of a CODES job with the
 * index for good. BUILD: inserts keys and vectors as nigh_insert does, but in batches that search a
 * frozen graph, so the links differ from those of single inserts; keys and vectors must stay until
 * the end. It ends at the first vector or key that nigh_insert would refuse, after all before it.
 * BUILD of an empty index and REFINE: floats without codes have a draft of them in the job's memory
 * (a byte an element), which is two to three times as fast. Others: count 0. CODES: an index
 * without vectors gets codes that want a sample by its first BUILD, or by CODES again when there
 * are some; what nigh_grow adds room for meanwhile has none for codes (grow again); a handle
 * without writer state will do; after codes were dropped, let the searches under way end before
 * others are made.
 * @in options 1  @in keys count kept or NULL  @in key_lengths count kept or NULL
 * @in vectors count*row_bytes kept or NULL  @inout memory memory_bytes kept  @out job 1
 * @errors NIGH_E_BUSY NIGH_E_MEMORY NIGH_E_READ_ONLY NIGH_E_UNSUPPORTED NIGH_E_NO_VECTORS */
NIGH_API nigh_status nigh_job_begin(nigh_index *index, const nigh_job_options *options,
                                    const void *keys, const uint32_t *key_lengths,
                                    const void *vectors, uint32_t count, void *memory,
                                    uint64_t memory_bytes, nigh_job **job);
/* Runs one task, at most some milliseconds. Each thread brings its own session, one that can insert
 * and has room for the codes that there are, or a draft (CODES: any; REFINE, VACUUM: not SMALL;
 * REFINE: ef_max at least 512 and ef). A failed call may be repeated; between calls the index is
 * whole, so a job may also be ended before it is done: what is in stays in.
 * @out progress 1  @errors NIGH_E_FETCH NIGH_E_SESSION NIGH_E_USER and below; BUILD: nigh_insert's,
 * with NIGH_JOB_DONE */
NIGH_API nigh_status nigh_job_run(nigh_job *job, nigh_session *session, nigh_progress *progress);
/* Lets writers in again. The job's memory may be reused, but for CODES.
 * @errors NIGH_E_BUSY (a task is running) */
NIGH_API nigh_status nigh_job_end(nigh_job *job);

/* ---- Read ----------------------------------------------------------------------------------- */

/* Every configuration value, defaults filled in.  @out config 1 */
NIGH_API nigh_status nigh_config_get(const nigh_index *index, nigh_config *config);
/* @out stats 1 */
NIGH_API nigh_status nigh_stats_get(const nigh_index *index, nigh_stats *stats);
/* The rows of keys, bit-identical to what was stored, and their slots. vectors NULL: only asks
 * whether they are there.
 * @in keys count  @in key_lengths count or NULL  @out vectors count*row_bytes or NULL
 * @out slots count or NULL  @out done 1
 * @errors NIGH_E_NOT_FOUND NIGH_E_DELETED NIGH_E_FETCH NIGH_E_BUSY (it keeps changing: again) */
NIGH_API nigh_status nigh_get(const nigh_index *index, nigh_session *session, const void *keys,
                              const uint32_t *key_lengths, uint32_t count, void *vectors,
                              uint32_t *slots, uint32_t *done);
/* Live keys in slot order, from slot `from` on; go on from slots[found - 1] + 1 until found is 0.
 * @out keys count or NULL  @out key_lengths count or NULL  @out slots count  @out found 1 */
NIGH_API nigh_status nigh_keys(const nigh_index *index, uint32_t from, uint32_t count, void *keys,
                               uint32_t *key_lengths, uint32_t *slots, uint32_t *found);
/* A node: its top layer, NIGH_NODE_* flags, and its neighbours in `level`.
 * @out top 1 or NULL  @out flags 1 or NULL  @out links m0 or NULL  @out link_count 1 or NULL
 * @errors NIGH_E_NOT_FOUND (no such slot or layer) */
NIGH_API nigh_status nigh_node(const nigh_index *index, uint32_t slot, uint32_t level,
                               uint32_t *top, uint32_t *flags, uint32_t *links,
                               uint32_t *link_count);
/* Proves bounds, degrees, key uniqueness, checksums (of an image attached and not changed since),
 * that codes are those of owned vectors, and that every node is reachable, in one pass over the
 * index. Never prints. A broken index is a report, not an error.
 * @out report 1  @errors NIGH_E_BUSY NIGH_E_SESSION (made before there were such codes) */
NIGH_API nigh_status nigh_check(const nigh_index *index, nigh_session *session,
                                nigh_report *report);

/* ---- Persistence ---------------------------------------------------------------------------- */

/* Exact size of what nigh_save writes with the same flags.  @out bytes 1 */
NIGH_API nigh_status nigh_save_bytes(const nigh_index *index, uint32_t flags, uint64_t *bytes);
/* Writes the canonical image through `write`, front to back. The same content gives the same bytes.
 * PACKED: an image that is attached like any other and answers the same, but never changes (writer
 * state and growth: NIGH_E_READ_ONLY). Saved without the flag it is the image that was packed.
 * @in write function  @in user any
 * @errors NIGH_E_WRITE NIGH_E_BUSY NIGH_E_OPEN (opened UNSEALED) NIGH_E_USER and below
 *   NIGH_E_CORRUPT (a damaged index is not packed or unpacked) */
NIGH_API nigh_status nigh_save(const nigh_index *index, uint32_t flags, nigh_write_fn write,
                               void *user);
/* The header of the index as it is now, for nigh_attach_blocks: what a pager stores besides the
 * blocks. One that writes changed blocks back asks for it, writes both, then calls nigh_seal.
 * @out header NIGH_HEADER_BYTES
 * @errors NIGH_E_BUSY NIGH_E_OPEN (attached UNSEALED) NIGH_E_READ_ONLY (packed) */
NIGH_API nigh_status nigh_header(const nigh_index *index, void *header);
/* Ends the changes to an image attached in place: checksums and state word hold again. Flushing it
 * to a disk is the caller's. With a pager: every block counts as clean again.
 * @errors NIGH_E_BUSY NIGH_E_READ_ONLY NIGH_E_UNSUPPORTED (not attached, or outgrown: save) */
NIGH_API nigh_status nigh_seal(nigh_index *index);
/* Looks at a file of hnswlib (0.6 to 0.8, written where size_t has 64 or 32 bits; `file` needs no
 * alignment). It does not say what it holds, so config->dim, metric and dtype do: F32 with L2, IP
 * or COSINE, U8 with L2. Completes *config for an index that nigh_hnswlib_read can fill: m, m0 and
 * ef_build are the file's, other fields of the caller stay. Such an index wants room for at least
 * hnswlib->slot_count slots, and hnswlib->upper_extra among its options. O(elements).
 * @in file file_bytes  @inout config 1  @out hnswlib 1 or NULL
 * @errors NIGH_E_FORMAT (no such file) NIGH_E_CORRUPT NIGH_E_MISMATCH (vectors of other sizes)
 *   NIGH_E_UNSUPPORTED (metric or dtype; M below 2 or beyond 1024, more than 15 layers above 0)
 *   NIGH_E_INVALID */
NIGH_API nigh_status nigh_hnswlib_config(const void *file, uint64_t file_bytes, nigh_config *config,
                                         nigh_hnswlib *hnswlib);
/* Fills an empty, writable index without codes and with u64 or identity keys: the same links in the
 * same order, the same layers, labels as keys, deleted elements removed. With external vectors the
 * file's are not looked at, and it may have none (labels are where vectors would be). Everything is
 * verified; a file that is refused leaves the index empty. From the second element on it is
 * NIGH_BUILD_UNROOTED. The file is not needed any more, unless its vectors are borrowed. Searches
 * with expansions 1 answer as hnswlib does at the same ef. COSINE: vectors are as hnswlib
 * normalised them.
 * @in file file_bytes
 * @errors nigh_hnswlib_config's; NIGH_E_MISMATCH (the configuration is not such) NIGH_E_FULL
 *   NIGH_E_VECTOR (NaN, infinity; COSINE: zero) NIGH_E_KEY (labels that identity keys are not)
 *   NIGH_E_INVALID (not empty) NIGH_E_READ_ONLY NIGH_E_BUSY */
NIGH_API nigh_status nigh_hnswlib_read(nigh_index *index, const void *file, uint64_t file_bytes);
/* Writes the index as a file of hnswlib, front to back: keys are labels (identity: slots), removed
 * nodes are deleted elements, and so are free slots, under labels from the highest down that no key
 * has. COSINE: each row is normalised, but those whose norm is 1. max_elements: what the file says,
 * raised to the number of slots. flags: NIGH_HNSWLIB_32 or 0. Reading what was written and
 * NIGH_JOB_ROOT give the same graph again.
 * @in write function  @in user any
 * @errors NIGH_E_UNSUPPORTED (byte-string keys; metric or dtype) NIGH_E_KEY (HNSWLIB_32: of more
 *   bits) NIGH_E_NO_VECTORS NIGH_E_FETCH NIGH_E_SESSION NIGH_E_WRITE NIGH_E_BUSY NIGH_E_USER and
 *   below */
NIGH_API nigh_status nigh_hnswlib_write(const nigh_index *index, nigh_session *session,
                                        uint32_t flags, uint64_t max_elements, nigh_write_fn write,
                                        void *user);

/* ---- Store ---------------------------------------------------------------------------------- */

/* A store keeps one index on a device of pages (a file, flash, OPFS; several indexes are several
 * stores) and writes only what changed. A commit is all or nothing: whenever the power goes, and
 * whatever becomes of the write under way and of those since the last sync, the device holds the
 * index of before the commit or that of after it. The index itself lies in memory.
 *
 * One call at a time uses a store. Its memory is the caller's, and so are the callbacks, which may
 * fail with NIGH_E_USER and below: that number is returned unchanged. */

/* Bytes of a store's memory: about 8.3 a page, and two pages.  @in options 1  @out bytes 1 */
NIGH_API nigh_status nigh_store_bytes(const nigh_store_options *options, uint64_t *bytes);
/* Page bytes, count and superblocks of the store on a device of so many bytes, into *options.
 * @in read function  @in user any  @inout options 1
 * @errors NIGH_E_FORMAT (no store, or of another version) NIGH_E_CORRUPT NIGH_E_FETCH (reading
 *   failed) NIGH_E_USER and below */
NIGH_API nigh_status nigh_store_find(nigh_store_read_fn read, void *user, uint64_t device_bytes,
                                     nigh_store_options *options);
/* Finds the newest state on the device, or with NIGH_STORE_FORMAT begins an empty store, whatever
 * was there. write and sync NULL: read-only. erase NULL: pages may be overwritten as they are, and
 * the lowest free ones are taken; else they are taken in turns, so that all wear alike.
 * @in options 1  @in read function kept  @in write function kept or NULL
 * @in erase function kept or NULL  @in sync function kept or NULL  @in user any kept
 * @inout memory memory_bytes kept  @out store 1
 * @errors NIGH_E_FORMAT (no store) NIGH_E_CORRUPT NIGH_E_MISMATCH (fewer pages than are in use, or
 *   others) NIGH_E_MEMORY NIGH_E_FETCH (reading failed) NIGH_E_WRITE */
NIGH_API nigh_status nigh_store_open(const nigh_store_options *options, nigh_store_read_fn read,
                                     nigh_store_write_fn write, nigh_store_erase_fn erase,
                                     nigh_store_sync_fn sync, void *user, void *memory,
                                     uint64_t memory_bytes, nigh_store **store);
/* The same store on a device that has become larger, in other memory of the size that
 * nigh_store_bytes says; what it was in is free. Indexes know no difference.
 * @in store 1  @inout memory memory_bytes kept  @out grown 1  @errors NIGH_E_MEMORY */
NIGH_API nigh_status nigh_store_grow(nigh_store *store, uint32_t page_count, void *memory,
                                     uint64_t memory_bytes, nigh_store **grown);
/* @out stats 1 */
NIGH_API nigh_status nigh_store_stats_get(const nigh_store *store, nigh_store_stats *stats);
/* Bytes of a handle and of the blocks of the index in the store.
 * @in options 1 or NULL  @out bytes 1  @out block_bytes 1
 * @errors NIGH_E_NOT_FOUND (there is none yet) and nigh_attach's */
NIGH_API nigh_status nigh_store_attach_bytes(nigh_store *store, const nigh_options *options,
                                             uint64_t *bytes, uint64_t *block_bytes);
/* Reads the index of the last commit into `blocks`, verifies every page, and follows it: the next
 * commit looks only at what changed since. To change it: NIGH_OPEN_WRITABLE, a writer state, and
 * nigh_grow, which has memory donated; then one call writes at a time, others get NIGH_E_BUSY.
 * @in options 1 or NULL  @inout memory memory_bytes kept  @inout blocks block_bytes kept or NULL
 * @out index 1
 * @errors NIGH_E_NOT_FOUND NIGH_E_CORRUPT (nigh_store_stats names the block) NIGH_E_FETCH
 *   NIGH_E_MEMORY and nigh_attach's */
NIGH_API nigh_status nigh_store_attach(nigh_store *store, const nigh_options *options, void *memory,
                                       uint64_t memory_bytes, void *blocks, uint64_t block_bytes,
                                       nigh_index **index);
/* Makes the store hold the index as it is now. Any index will do: one that this store does not
 * follow is compared page by page, and followed from then on if it has a writer state and no pager
 * (a store, too, wants one writing call at a time). Searches go on meanwhile. After a failure the
 * index in memory is as it was, the device holds the state before or after, and the call may be
 * repeated.
 * @errors NIGH_E_FULL (too few free pages: grow the store) NIGH_E_WRITE NIGH_E_BUSY
 *   NIGH_E_READ_ONLY (the store; a packed index) NIGH_E_OPEN (attached UNSEALED) */
NIGH_API nigh_status nigh_store_commit(nigh_store *store, nigh_index *index);

#ifdef __cplusplus
}
#endif
#endif /* NIGH_H */
