/* cli_lend.c - gives an index without vectors those of a file, if they are the right ones
 * layer C; uses: cli_open.h, cli_options.h
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Rows belong to slots, or to keys where numbers say which row a key has. The two differ only if
 * keys are u64 and not the slots; then the user must say. A file of the right shape may still hold
 * other rows, or the same in another order: a graph's links tell, as they lead to near rows, which
 * random ones are not. */
#include <inttypes.h>
#include <string.h>

#include "cli_open.h"
#include "cli_options.h"

enum {
    PAGE = 256,     /* keys looked at at once */
    SAMPLES = 32,   /* slots whose links are compared with random ones, */
    OTHERS = 16,    /* so many of each */
    CERTAIN = 400,  /* fewer comparisons tell nothing */
    NEAR_LEAST = 70 /* percent: a link is as near or nearer; 50 by chance, 95 and more in truth */
};

int cli_lend_vectors(cli_index *open) {
    cli_vectors *vectors = &open->vectors;
    const void *rows = vectors->base;
    uint64_t stride = vectors->stride;
    uint32_t trailer = 0;
    int code = cli_vectors_want(vectors, open->config.dtype, open->config.metric);
    if (code != CLI_OK) {
        return code;
    }
    if (!cli_vectors_fit(vectors)) {
        code = cli_vectors_all(vectors, &rows, &open->converted);
        stride = vectors->row_bytes;
        trailer = vectors->dtype == NIGH_DTYPE_I8 ? (vectors->dim + 3) / 4 * 4 : 0;
    }
    if (code != CLI_OK) {
        return code;
    }
    nigh_status status =
        nigh_index_borrow(open->index, rows, stride, (uint32_t)vectors->count, trailer);
    return status == NIGH_OK ? CLI_OK : cli_failed(status, vectors->path, NULL);
}

/* ---- By key --------------------------------------------------------------------------------- */

/* A nigh_fetch_fn: the row whose number the key is. */
static nigh_status row_of_key(void *user, const uint32_t *slots, const uint64_t *keys,
                              uint32_t count, void *scratch, const void **rows) {
    const cli_index *open = user;
    (void)slots, (void)scratch;
    for (uint32_t i = 0; i < count; i++) {
        if (keys[i] < open->vectors.count) { /* else NULL, which is an error */
            rows[i] = open->rows + keys[i] * open->stride;
        }
    }
    return NIGH_OK;
}

static int lend_by_key(cli_index *open) {
    cli_vectors *vectors = &open->vectors;
    const void *rows = vectors->base;
    int code = cli_vectors_want(vectors, open->config.dtype, open->config.metric);
    open->stride = vectors->stride;
    if (code == CLI_OK && (!cli_vectors_fit(vectors) || vectors->dtype == NIGH_DTYPE_I8)) {
        code = cli_vectors_all(vectors, &rows, &open->converted); /* i8: a scale behind each row */
        open->stride = vectors->row_bytes;
    }
    if (code != CLI_OK) {
        return code;
    }
    open->rows = rows;
    nigh_status status = nigh_index_fetch(open->index, row_of_key, NULL, open);
    return status == NIGH_OK ? CLI_OK : cli_failed(status, vectors->path, NULL);
}

/* The largest key, and whether all are their slots. */
static void look_at_keys(const cli_index *open, uint64_t *largest, bool *same) {
    uint64_t keys[PAGE];
    uint32_t slots[PAGE];
    uint32_t found = 0;
    *largest = 0;
    *same = true;
    for (uint32_t from = 0;; from = slots[found - 1] + 1) {
        nigh_status status = nigh_keys(open->index, from, PAGE, keys, NULL, slots, &found);
        if (status != NIGH_OK || found == 0) {
            return;
        }
        for (uint32_t i = 0; i < found; i++) {
            *largest = keys[i] > *largest ? keys[i] : *largest;
            *same = *same && keys[i] == slots[i];
        }
    }
}

/* Which of the two it is: CLI_BY_SLOT or CLI_BY_KEY in *by, if the file's shape is right for it. */
static int choose(const cli_index *open, const char *verb, const char *path, uint32_t *by) {
    const uint64_t count = open->vectors.count;
    uint64_t largest = 0;
    bool same = true;
    if (open->vectors.dim != open->config.dim) {
        cli_say("%s: rows of %u elements; %s wants rows of %u", path, open->vectors.dim, open->path,
                open->config.dim);
        return CLI_ERROR;
    }
    if (open->config.keys == NIGH_KEYS_U64) {
        look_at_keys(open, &largest, &same);
    } else if (*by == CLI_BY_KEY && open->config.keys == NIGH_KEYS_BYTES) {
        return cli_usage(verb, "%s has string keys: --vectors-by slot", open->path);
    }
    if (*by == 0 && !same) {
        return cli_usage(verb,
                         "keys of %s are not its slots: say whether row r of %s is that of slot r "
                         "or of key r, --vectors-by slot or key",
                         open->path, path);
    }
    if (*by == CLI_BY_KEY && !same) {
        if (largest >= count) {
            cli_say("%s: %" PRIu64 " rows; %s has the key %" PRIu64, path, count, open->path,
                    largest);
            return CLI_ERROR;
        }
        return CLI_OK;
    }
    *by = CLI_BY_SLOT;
    if (count != open->stats.slot_count) {
        cli_say("%s: %" PRIu64 " rows; %s wants %u, one for each slot", path, count, open->path,
                open->stats.slot_count);
        return CLI_ERROR;
    }
    return CLI_OK;
}

/* ---- Are they the right ones? --------------------------------------------------------------- */

typedef struct doubt {
    const cli_index *open;
    nigh_session *session;
    uint8_t *row;
    uint32_t *bits;
    uint32_t *links; /* m0 */
    uint32_t state;  /* of the draw */
    uint64_t pairs;
    uint64_t nearer;
} doubt;

static uint32_t draw(doubt *d) {
    d->state = d->state * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)d->state * d->open->stats.slot_count >> 32);
}

static bool is_link(const doubt *d, uint32_t count, uint32_t slot) {
    for (uint32_t i = 0; i < count; i++) {
        if (d->links[i] == slot) {
            return true;
        }
    }
    return false;
}

/* Of the hits, nearest first, how often a link is no farther than a random slot. */
static void compare(doubt *d, uint32_t links, const uint32_t *slots, const float *distances,
                    uint32_t found) {
    for (uint32_t a = 0; a < found; a++) {
        for (uint32_t b = 0; is_link(d, links, slots[a]) && b < found; b++) {
            if (!is_link(d, links, slots[b])) {
                d->pairs++;
                d->nearer += distances[a] <= distances[b];
            }
        }
    }
}

/* The links of a live slot beside random slots, all scored by its row. */
static nigh_status doubt_slot(doubt *d, uint32_t from) {
    const nigh_search_options options = {.struct_size = sizeof options,
                                         .ef = 2 * OTHERS,
                                         .flags = NIGH_SEARCH_EXACT | NIGH_SEARCH_NO_CODES};
    const uint32_t words = (d->open->stats.slot_count + 31) / 32;
    uint64_t key[64] = {0};
    uint32_t length = 0, slot = 0, found = 0, links = 0;
    uint32_t slots[2 * OTHERS];
    float distances[2 * OTHERS];
    const bool strings = d->open->config.keys == NIGH_KEYS_BYTES;
    nigh_status status =
        nigh_keys(d->open->index, from, 1, key, strings ? &length : NULL, &slot, &found);
    if (status != NIGH_OK || found == 0) {
        return status;
    }
    status = nigh_node(d->open->index, slot, 0, NULL, NULL, d->links, &links);
    if (status == NIGH_OK) {
        status = nigh_get(d->open->index, d->session, key, strings ? &length : NULL, 1, d->row,
                          NULL, &found);
    }
    links = links < OTHERS ? links : OTHERS;
    memset(d->bits, 0, (size_t)words * 4);
    for (uint32_t i = 0; i < links; i++) {
        const uint32_t other = draw(d);
        d->bits[d->links[i] / 32] |= 1u << d->links[i] % 32;
        d->bits[other / 32] |= other != slot ? 1u << other % 32 : 0;
    }
    if (status == NIGH_OK) {
        status = nigh_session_filter(d->session, d->bits, d->open->stats.slot_count, NULL, NULL);
    }
    if (status == NIGH_OK) {
        status = nigh_search(d->open->index, d->session, d->row, &options, 2 * OTHERS, NULL, NULL,
                             distances, slots, &found);
    }
    if (status == NIGH_OK) {
        compare(d, links, slots, distances, found);
    }
    return status;
}

static int believe(const cli_index *open) {
    const nigh_session_options options = {.struct_size = sizeof options,
                                          .flags = NIGH_SESSION_READ};
    const uint64_t words = (open->stats.slot_count + (uint64_t)31) / 32;
    doubt d = {.open = open, .state = 1};
    nigh_status status = nigh_session_new(open->index, &options, &d.session);
    d.row = cli_memory(open->vectors.row_bytes);
    d.bits = cli_memory(words * 4);
    d.links = cli_memory(open->config.m0 * sizeof *d.links);
    if (status == NIGH_OK && (d.row == NULL || d.bits == NULL || d.links == NULL)) {
        status = NIGH_E_NO_MEMORY;
    }
    for (uint32_t i = 0; i < SAMPLES && status == NIGH_OK; i++) {
        status = doubt_slot(&d, (uint32_t)((uint64_t)open->stats.slot_count * i / SAMPLES));
    }
    nigh_close(d.session);
    nigh_close(d.row);
    nigh_close(d.bits);
    nigh_close(d.links);
    if (status != NIGH_OK) {
        return cli_failed(status, open->vectors.path, NULL);
    }
    if (d.pairs >= CERTAIN && d.nearer * 100 < d.pairs * NEAR_LEAST) {
        cli_say("%s: not the vectors of %s, or in another order: its links lead to rows that are "
                "no nearer than others",
                open->vectors.path, open->path);
        return CLI_ERROR;
    }
    return CLI_OK;
}

/* Rows of the index's own type, or floats, which it is made of; others would be other vectors. */
static int expect_dtype(const cli_index *open, const char *path) {
    char file[16], index[16];
    const uint32_t native = open->vectors.native, wanted = open->config.dtype;
    if (native == wanted || native == NIGH_DTYPE_F32) {
        return CLI_OK;
    }
    cli_say("%s: rows of %s; %s wants rows of %s%s", path,
            cli_name_at(CLI_DTYPES, native, file, sizeof file), open->path,
            cli_name_at(CLI_DTYPES, wanted, index, sizeof index),
            wanted == NIGH_DTYPE_F32 ? "" : ", or f32 that it makes them of");
    return CLI_ERROR;
}

int cli_open_vectors(cli_index *open, const char *verb, const char *path, uint32_t by) {
    if (!cli_external(open)) {
        return path == NULL ? CLI_OK
                            : cli_usage(verb,
                                        "%s holds its vectors; --vectors is for an "
                                        "index built with --graph-only",
                                        open->path);
    }
    if (path == NULL) {
        return cli_usage(verb,
                         "%s holds no vectors: give --vectors FILE, the file that it was "
                         "built from",
                         open->path);
    }
    int code = cli_vectors_open(&open->vectors, path, 0, 0, open->config.dim,
                                open->config.dtype == NIGH_DTYPE_B1);
    code = code == CLI_OK ? expect_dtype(open, path) : code;
    code = code == CLI_OK ? choose(open, verb, path, &by) : code;
    if (code == CLI_OK) {
        code = by == CLI_BY_KEY ? lend_by_key(open) : cli_lend_vectors(open);
    }
    return code == CLI_OK ? believe(open) : code;
}
