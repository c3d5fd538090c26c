/* cli_search.c - nigh search: the neighbours of each row of a file, or how well and fast they come
 * layer C; uses: cli_verbs.h, cli_measure.h, cli_json.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli_json.h"
#include "cli_measure.h"
#include "cli_verbs.h"

enum { SHOWN_ON_TERMINAL = 20, WARM = 100 };

typedef struct search_settings {
    const char *truth;
    const char *vectors;
    uint32_t by;
    const char *output;
    const char *distances;
    uint32_t k;
    uint32_t threads;
    uint32_t kernel;
    uint32_t exact;
    uint32_t expansions;
    uint32_t rerank;
    uint32_t no_codes;
    uint32_t lanes;
    uint32_t json;
    uint32_t warm;
    uint32_t rounds;
    uint32_t ids;
    uint32_t load;
    uint32_t format;
    cli_list ef;
    cli_reals gamma;
} search_settings;

typedef struct search_state {
    search_settings set;
    cli_index open;
    cli_vectors vectors; /* the queries' file */
    void *converted;
    cli_queries queries;
    const uint8_t *truth;
    nigh_rows truth_rows;
    bool by_key;
    double open_seconds;
    cli_measure measures[CLI_LIST_MAX];
} search_state;

static int open_queries(search_state *state, const char *path) {
    const void *rows = NULL;
    const nigh_config *config = &state->open.config;
    int code = cli_vectors_open(&state->vectors, path, state->set.format, 0, config->dim, false);
    if (code != CLI_OK) {
        return code;
    }
    cli_vectors *vectors = &state->vectors;
    if (config->dtype == NIGH_DTYPE_B1 && vectors->native == NIGH_DTYPE_U8 &&
        vectors->dim != config->dim && vectors->dim * 8 == config->dim) {
        vectors->native = NIGH_DTYPE_B1; /* bytes of packed bits */
        vectors->dim *= 8;
    }
    if (vectors->dim != config->dim) {
        cli_say("%s: queries of %u elements; %s has vectors of %u", path, vectors->dim,
                state->open.path, config->dim);
        return CLI_ERROR;
    }
    code = cli_vectors_want(vectors, config->dtype, config->metric);
    code = code == CLI_OK ? cli_vectors_all(vectors, &rows, &state->converted) : code;
    state->queries.rows = rows;
    state->queries.row_bytes = vectors->row_bytes;
    state->queries.count = vectors->count;
    return code;
}

static int open_truth(search_state *state) {
    char message[CLI_MESSAGE];
    const void *base = NULL;
    const char *path = state->set.truth;
    nigh_rows *rows = &state->truth_rows;
    rows->struct_size = sizeof *rows;
    nigh_status status =
        nigh_rows_open(path, NIGH_ROWS_AUTO, 0, 0, rows, &base, NULL, message, sizeof message);
    if (status != NIGH_OK) {
        return cli_failed(status, path, message);
    }
    state->truth = base;
    if (rows->dtype != NIGH_ROWS_I32) {
        cli_say("%s: not rows of int32; expected .ivecs or .npy of i4", path);
        return CLI_ERROR;
    }
    if (rows->count < state->queries.count || rows->dim < state->set.k) {
        cli_say("%s: %" PRIu64 " rows of %u; %" PRIu64 " queries with -k %u want at least as many",
                path, rows->count, rows->dim, state->queries.count, state->set.k);
        return CLI_ERROR;
    }
    return CLI_OK;
}

/* Measurements: one for each ef, or for each gamma. */
static uint32_t runs_of(const search_settings *set) {
    return set->ef.count > set->gamma.count ? set->ef.count : set->gamma.count;
}

static int check_settings(search_settings *set) {
    if (set->ef.count == 0) {
        set->ef.count = 1;
        set->ef.value[0] = 64;
    }
    if (set->exact != 0) {
        set->ef.count = 1;
    }
    set->gamma.count = set->gamma.count == 0 || set->exact != 0 ? 1 : set->gamma.count;
    if (set->ef.count > 1 && set->gamma.count > 1) {
        return cli_usage("search", "one of --ef and --gamma may have several numbers, not both");
    }
    if (runs_of(set) > 1 && (set->output != NULL || set->distances != NULL)) {
        return cli_usage("search", "--out and --distances need a single --ef and --gamma");
    }
    return CLI_OK;
}

static int open_all(search_state *state, char **args) {
    search_settings *set = &state->set;
    cli_access access = {.file_flags = NIGH_FILE_WILLNEED, .load = set->load != 0};
    double start = cli_seconds();
    if (!cli_kernel(set->kernel, &access.features)) {
        return CLI_ERROR;
    }
    int code = cli_open(&state->open, args[0], &access, NULL);
    code = code == CLI_OK ? cli_open_vectors(&state->open, "search", set->vectors, set->by) : code;
    state->open_seconds = cli_seconds() - start;
    code = code == CLI_OK ? open_queries(state, args[1]) : code;
    code = code == CLI_OK && set->truth != NULL ? open_truth(state) : code;
    if (code != CLI_OK) {
        return code;
    }
    bool bytes = state->open.config.keys == NIGH_KEYS_BYTES;
    if (bytes && set->ids == 2) {
        return cli_usage("search", "--ids key: %s has string keys; ids are numbers, use slot",
                         args[0]);
    }
    state->by_key = !bytes && set->ids != 3;
    return CLI_OK;
}

static int measure(search_state *state) {
    search_settings *set = &state->set;
    cli_queries *queries = &state->queries;
    uint32_t ef_max = 0;
    for (uint32_t i = 0; i < set->ef.count; i++) {
        ef_max = set->ef.value[i] > ef_max ? set->ef.value[i] : ef_max;
    }
    queries->open = &state->open;
    queries->k = set->k;
    queries->threads = cli_threads(set->threads);
    queries->lanes = set->lanes;
    queries->options.struct_size = sizeof queries->options;
    queries->options.expansions = set->expansions;
    queries->options.rerank = set->rerank;
    queries->options.flags =
        (set->exact != 0 ? NIGH_SEARCH_EXACT : 0) | (set->no_codes != 0 ? NIGH_SEARCH_NO_CODES : 0);
    queries->progress = true;
    queries->tune = set->truth != NULL || set->rounds > 1;
    bool shown = set->truth == NULL && set->output == NULL && runs_of(set) == 1 && set->json == 0 &&
                 set->rounds == 1 && set->warm == 0;
    uint64_t warm = queries->count < WARM && set->warm == 0 ? queries->count : WARM;
    warm = set->warm != 0 ? queries->count : warm;
    warm = shown ? 0 : set->exact != 0 && set->warm == 0 ? warm / WARM : warm;
    int code = cli_queries_new(queries, ef_max);
    for (uint32_t i = 0; i < runs_of(set) && code == CLI_OK; i++) {
        queries->options.ef = set->ef.value[set->ef.count > 1 ? i : 0];
        queries->options.gamma = set->gamma.value[set->gamma.count > 1 ? i : 0];
        code = cli_measure_run(queries, warm, set->rounds, &state->measures[i]);
        if (code == CLI_OK && set->truth != NULL) {
            state->measures[i].recall =
                cli_recall(queries, state->truth, state->truth_rows.stride, state->by_key);
            code = state->measures[i].recall < -1 ? CLI_ERROR : CLI_OK;
        }
    }
    return code;
}

/* One row of ids or distances, filled up with -1 or infinity. */
static int fill_row(const search_state *state, uint64_t query, int32_t *ids, float *distances) {
    const cli_queries *queries = &state->queries;
    for (uint32_t j = 0; j < queries->k; j++) {
        uint64_t at = query * queries->k + j;
        bool there = j < queries->found[query];
        uint64_t id = !there ? 0 : state->by_key ? queries->keys[at] : queries->slots[at];
        if (id > INT32_MAX) {
            cli_say("key %" PRIu64 " does not fit into .ivecs; --ids slot writes slots", id);
            return CLI_ERROR;
        }
        ids[j] = there ? (int32_t)id : -1;
        distances[j] = there ? queries->distances[at] : INFINITY;
    }
    return CLI_OK;
}

static int write_rows(const search_state *state, const char *path, bool wants_ids) {
    char message[CLI_MESSAGE] = "";
    const cli_queries *queries = &state->queries;
    nigh_saver *saver = NULL;
    nigh_rows shape = {.struct_size = sizeof shape,
                       .format = wants_ids ? NIGH_ROWS_IVECS : NIGH_ROWS_FVECS,
                       .dtype = wants_ids ? (uint32_t)NIGH_ROWS_I32 : (uint32_t)NIGH_DTYPE_F32,
                       .dim = queries->k,
                       .count = queries->count};
    int32_t *ids = cli_memory((uint64_t)queries->k * sizeof *ids);
    float *distances = cli_memory((uint64_t)queries->k * sizeof *distances);
    int code = ids != NULL && distances != NULL ? CLI_OK : CLI_ERROR;
    nigh_status status = nigh_save_begin(path, &saver, message, sizeof message);
    for (uint64_t i = 0; i < queries->count && code == CLI_OK && status == NIGH_OK; i++) {
        code = fill_row(state, i, ids, distances);
        if (code == CLI_OK) {
            status =
                nigh_rows_write(saver, &shape, i, wants_ids ? (const void *)ids : distances, 1);
        }
    }
    nigh_close(ids);
    nigh_close(distances);
    if (code != CLI_OK) {
        nigh_close(saver);
        return code;
    }
    if (saver != NULL) { /* a failed write is told by the commit */
        status = nigh_save_commit(saver, message, sizeof message);
    }
    return status == NIGH_OK ? CLI_OK : cli_failed(status, path, message);
}

static void print_hits(const search_state *state) {
    const cli_queries *queries = &state->queries;
    char key[512];
    uint64_t shown = queries->count;
    if (isatty(STDOUT_FILENO) && shown > SHOWN_ON_TERMINAL) {
        shown = SHOWN_ON_TERMINAL;
    }
    for (uint64_t i = 0; i < shown; i++) {
        for (uint32_t j = 0; j < queries->found[i]; j++) {
            uint64_t at = i * queries->k + j;
            uint32_t length =
                queries->keys == NULL ? cli_slot_key(&state->open, queries->slots[at], key) : 0;
            printf("%" PRIu64 "\t%u\t", i, j + 1);
            cli_print_key(&state->open, queries->keys != NULL ? queries->keys[at] : 0, key, length);
            printf("\t%.9g\n", (double)queries->distances[at]);
        }
    }
    if (shown < queries->count) {
        cli_say("%" PRIu64 " more queries; all go to a pipe or file, or to --out",
                queries->count - shown);
    }
}

static void print_table(const search_state *state) {
    bool truth = state->set.truth != NULL;
    bool gamma = state->set.gamma.value[0] > 0 || state->set.gamma.count > 1;
    printf("%s%s%s\tqps\tp50_us\tp99_us\tdistances\n", state->set.exact != 0 ? "exact" : "ef",
           gamma ? "\tgamma" : "", truth ? "\trecall" : "");
    for (uint32_t i = 0; i < runs_of(&state->set); i++) {
        const cli_measure *at = &state->measures[i];
        if (state->set.exact != 0) {
            printf("exact");
        } else {
            printf("%u", at->ef);
        }
        if (gamma) {
            printf("\t%g", (double)at->gamma);
        }
        if (truth) {
            printf("\t%.4f", at->recall);
        }
        printf("\t%.0f\t%.1f\t%.1f\t%.1f\n", at->qps, at->p50_us, at->p99_us, at->distances);
    }
}

static void json_measure(cli_json *json, const cli_measure *at) {
    cli_json_u64(json, "ef", at->ef);
    cli_json_real(json, "gamma", (double)at->gamma, 6);
    if (at->recall >= 0) {
        cli_json_real(json, "recall", at->recall, 9);
    } else {
        cli_json_null(json, "recall");
    }
    cli_json_real(json, "qps", at->qps, 7);
    cli_json_real(json, "p50_us", at->p50_us, 7);
    cli_json_real(json, "p99_us", at->p99_us, 7);
    cli_json_real(json, "distances", at->distances, 9);
    cli_json_real(json, "seconds", at->seconds, 7);
    cli_json_real(json, "cpu_s", at->cpu_seconds, 7);
}

static void json_hits(cli_json *json, const search_state *state) {
    const cli_queries *queries = &state->queries;
    char key[512];
    cli_json_open(json, "hits", '[');
    for (uint64_t i = 0; i < queries->count; i++) {
        cli_json_open(json, NULL, '[');
        for (uint32_t j = 0; j < queries->found[i]; j++) {
            uint64_t at = i * queries->k + j;
            cli_json_open(json, NULL, '{');
            if (queries->keys != NULL) {
                cli_json_u64(json, "key", queries->keys[at]);
            } else {
                uint32_t length = cli_slot_key(&state->open, queries->slots[at], key);
                cli_json_bytes(json, "key", key, length);
            }
            cli_json_real(json, "distance", (double)queries->distances[at], 9);
            cli_json_u64(json, "slot", queries->slots[at]);
            cli_json_close(json);
        }
        cli_json_close(json);
    }
    cli_json_close(json);
}

static void print_json(const search_state *state) {
    cli_json json = {0};
    char text[64];
    const search_settings *set = &state->set;
    cli_json_open(&json, NULL, '{');
    cli_json_text(&json, "index", state->open.path);
    cli_json_u64(&json, "queries", state->queries.count);
    cli_json_u64(&json, "k", set->k);
    cli_json_bool(&json, "exact", set->exact != 0);
    cli_json_u64(&json, "threads", state->queries.threads);
    cli_json_u64(&json, "rounds", set->rounds);
    cli_json_text(&json, "kernel", cli_kernel_text(state->open.stats.features, text, sizeof text));
    cli_json_real(&json, "open_s", state->open_seconds, 6);
    if (runs_of(set) == 1) {
        json_measure(&json, &state->measures[0]);
    } else {
        cli_json_open(&json, "results", '[');
        for (uint32_t i = 0; i < runs_of(set); i++) {
            cli_json_open(&json, NULL, '{');
            json_measure(&json, &state->measures[i]);
            cli_json_close(&json);
        }
        cli_json_close(&json);
    }
    if (set->truth == NULL && set->output == NULL && runs_of(set) == 1) {
        json_hits(&json, state);
    }
    cli_json_close(&json);
}

static int report(const search_state *state) {
    const search_settings *set = &state->set;
    int code = set->output != NULL ? write_rows(state, set->output, true) : CLI_OK;
    if (code == CLI_OK && set->distances != NULL) {
        code = write_rows(state, set->distances, false);
    }
    if (code != CLI_OK) {
        return code;
    }
    if (set->json != 0) {
        print_json(state);
    } else if (set->truth == NULL && set->output == NULL && runs_of(set) == 1 && set->rounds == 1 &&
               set->warm == 0) {
        print_hits(state);
    } else {
        print_table(state);
    }
    return cli_flush(CLI_OK);
}

static int run_search(const cli_verb *verb, int argc, char **argv) {
    static search_state state; /* two lists: too large for a small stack */
    char **args = NULL;
    int count = 0;
    state.set.k = 10;
    state.set.threads = 1;
    state.set.rounds = 1;
    int code = cli_parse(verb, argc, argv, &state.set, &args, &count);
    if (code != CLI_GO) {
        return code;
    }
    code = check_settings(&state.set);
    code = code == CLI_OK ? open_all(&state, args) : code;
    code = code == CLI_OK ? measure(&state) : code;
    code = code == CLI_OK ? report(&state) : code;
    cli_queries_free(&state.queries);
    nigh_close(state.truth);
    nigh_close(state.converted);
    cli_vectors_close(&state.vectors);
    cli_close(&state.open);
    return code;
}

#define AT(field) CLI_AT(search_settings, field)
static const cli_option options[] = {
    {"k", 'k', CLI_U32, AT(k), "N", 1, 65535, "neighbours for each query; default 10"},
    {"ef", 0, CLI_LIST, AT(ef), "N,N,...", 1, 65535,
     "candidates kept, raised to k; default 64. Several give a\ntable, in JSON the array "
     "\"results\""},
    {"threads", 0, CLI_U32, AT(threads), "N", 0, 1024, "default 1; 0: one for each processor"},
    {"truth", 0, CLI_TEXT, AT(truth), "FILE", 0, 0,
     "true neighbours (.ivecs, or .npy of i4): print recall@k,\nqueries a second, latencies in "
     "microseconds and distances\ncomputed, instead of the neighbours"},
    {"kernel", 0, CLI_NAME, AT(kernel), CLI_KERNELS, 0, 0,
     "default auto; all give the same answers"},
    {"vectors", 0, CLI_TEXT, AT(vectors), "FILE", 0, 0, "the vectors of a --graph-only index"},
    {"vectors-by", 0, CLI_NAME, AT(by), CLI_BY, 0, 0, CLI_BY_HELP},
    {"exact", 0, CLI_FLAG, AT(exact), NULL, 0, 0, "score every vector, without the graph"},
    {"expansions", 0, CLI_U32, AT(expansions), "N", 1, 8,
     "nodes under way at once; default 2; 1 is hnswlib's order"},
    {"rerank", 0, CLI_U32, AT(rerank), "N", 1, 65535,
     "of an index with codes: candidates scored again on true\nvectors, raised to k; default by k "
     "and ef"},
    {"gamma", 0, CLI_REALS, AT(gamma), "X,X,...", 0, 16000,
     "also stop at candidates 1 + X times as far as the k-th\nbest; default 0: off. Several, with "
     "a "
     "large --ef, give a\ntable"},
    {"no-codes", 0, CLI_FLAG, AT(no_codes), NULL, 0, 0, "search on the true vectors"},
    {"lanes", 0, CLI_U32, AT(lanes), "N", 1, 4,
     "queries that a thread has under way at once; default 1"},
    {"out", 'o', CLI_TEXT, AT(output), "FILE", 0, 0,
     "write ids as .ivecs, -1 where there are fewer than k"},
    {"distances", 0, CLI_TEXT, AT(distances), "FILE", 0, 0,
     "write distances as .fvecs, infinity likewise"},
    {"ids", 0, CLI_NAME, AT(ids), "auto|key|slot", 0, 0,
     "what --truth and --out mean by a number; default auto:\nkeys, but slots where keys are "
     "strings"},
    {"warm", 0, CLI_FLAG, AT(warm), NULL, 0, 0,
     "an untimed pass of all queries before; default: of 100"},
    {"rounds", 0, CLI_U32, AT(rounds), "N", 1, 1000,
     "timed passes, of which the median one counts; default 1"},
    {"load", 0, CLI_FLAG, AT(load), NULL, 0, 0,
     "read the index into memory with huge pages rather than\nmap the file"},
    {"format", 0, CLI_NAME, AT(format), CLI_FORMATS, 0, 0,
     "of QUERIES; default auto: by the name's ending"},
    {"json", 0, CLI_FLAG, AT(json), NULL, 0, 0,
     "print one JSON object; with neither --truth nor --out it\nholds the neighbours as \"hits\""},
};

const cli_verb cli_verb_search = {
    "search",
    "search X.nigh QUERIES [options]",
    "Find the neighbours of each row of QUERIES.",
    "QUERIES is a vector file as for nigh build, or - for numbers as text on stdin, a row a\n"
    "line. Prints a line for each neighbour: query, rank, key, distance, separated by tabs.\n"
    "Times leave out opening files and converting queries.",
    "  nigh search base.nigh query.fvecs -k 5\n"
    "  nigh search base.nigh query.fvecs --truth truth.ivecs --ef 16,32,64,128 --json\n"
    "  nigh search base.nigh query.fvecs -k 100 --exact --out truth.ivecs --threads 0\n"
    "  echo '0.1 0.7 0.2' | nigh search colours.nigh -",
    options,
    CLI_COUNT(options),
    2,
    2,
    run_search};
