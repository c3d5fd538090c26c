/* cli_build.c - nigh build: an index from a file of vectors
 * layer C; uses: cli_verbs.h, cli_insert.h, cli_job.h, cli_open.h, cli_json.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli_insert.h"
#include "cli_job.h"
#include "cli_json.h"
#include "cli_lmdb.h"
#include "cli_open.h"
#include "cli_verbs.h"

typedef struct build_settings {
    const char *output;
    const char *keys;
    uint32_t format;
    uint32_t dim;
    uint32_t kernel;
    uint32_t metric;
    uint32_t dtype;
    uint32_t m;
    uint32_t m0;
    uint32_t ef_build;
    uint32_t expansions;
    uint32_t block_bytes;
    uint32_t threads;
    uint32_t codes;
    uint32_t keep_pruned;
    uint32_t exact_build;
    uint32_t refine;
    float alpha;
    uint32_t graph_only;
    uint32_t skip_invalid;
    uint32_t packed;
    uint32_t mapped;
    uint32_t json;
    uint64_t seed;
} build_settings;

typedef struct build_state {
    build_settings set;
    cli_vectors vectors;
    cli_keys keys;
    nigh_config config;
    nigh_options options;
    cli_index open; /* only the fields that lending vectors needs */
    void *room;         /* of blocks, with --mapped */
    const char *spill;  /* what is large is a file beside this one, or NULL */
    cli_feed feed;
    uint64_t index_bytes; /* handle */
    uint64_t block_bytes;
    uint64_t writer_bytes;
    uint64_t job_bytes;
    uint64_t file_bytes;
    double save_seconds;
    double refine_seconds; /* of processor time, within that of the feed */
} build_state;

uint64_t cli_key_room(const cli_keys *keys, const nigh_config *config) {
    uint64_t longest = config->key_bytes_max != 0 ? config->key_bytes_max : 511;
    uint64_t block = config->block_bytes != 0 ? config->block_bytes : 65536;
    uint64_t bytes = keys->offsets != NULL ? keys->offsets[keys->count] : 0;
    uint64_t useful = block > 2 * longest ? block - longest : block / 2;
    return bytes != 0 ? bytes + (bytes / useful + 1) * longest : 0;
}

static int open_keys(build_state *state) {
    int code = cli_keys_open(&state->keys, state->set.keys);
    if (code != CLI_OK) {
        return code;
    }
    if (state->keys.count != state->vectors.count) {
        cli_say("%s: %" PRIu64 " keys for the %" PRIu64 " rows of %s; one a row expected",
                state->set.keys, state->keys.count, state->vectors.count, state->vectors.path);
        return CLI_ERROR;
    }
    return cli_keys_check(&state->keys, 511);
}

/* What --mapped puts its files beside: the output, or the environment that it is in. */
static const char *spill_beside(const char *output) {
    static char env[CLI_LMDB_PATH];
    if (!cli_lmdb_named(output)) {
        return output;
    }
    cli_lmdb_env(output, env);
    return env;
}

static int open_inputs(build_state *state, const char *path) {
    build_settings *set = &state->set;
    int code = cli_output_check("build", set->output, path);
    if (code == CLI_OK) {
        code = cli_vectors_open(&state->vectors, path, set->format, set->dim, 0, set->packed != 0);
    }
    if (code != CLI_OK) {
        return code;
    }
    if (set->dim != 0 && set->dim != state->vectors.dim) {
        cli_say("%s: rows of %u elements, --dim says %u", path, state->vectors.dim, set->dim);
        return CLI_ERROR;
    }
    set->dtype = set->dtype != 0 ? set->dtype : state->vectors.native;
    if (set->metric == 0) {
        set->metric = set->dtype == NIGH_DTYPE_B1 ? NIGH_METRIC_HAMMING : NIGH_METRIC_L2;
    }
    if ((set->metric == NIGH_METRIC_HAMMING) != (set->dtype == NIGH_DTYPE_B1)) {
        return cli_usage("build", "--metric hamming is for --dtype b1, and b1 has no other metric");
    }
    if (set->codes > NIGH_CODES_NONE + 1 && set->dtype == NIGH_DTYPE_B1) {
        return cli_usage("build", "--codes is not for --dtype b1: those are bits already");
    }
    state->spill = set->mapped != 0 ? spill_beside(set->output) : NULL;
    state->vectors.spill = state->spill;
    code = cli_vectors_want(&state->vectors, set->dtype, set->metric);
    return code == CLI_OK && set->keys != NULL ? open_keys(state) : code;
}

/* Graph-only: the row of the file is the slot and the key, so that several threads may insert. */
static int make_config(build_state *state) {
    const build_settings *set = &state->set;
    nigh_config *config = &state->config;
    uint32_t features = 0;
    config->struct_size = sizeof *config;
    config->dim = state->vectors.dim;
    config->metric = set->metric;
    config->dtype = set->dtype;
    config->keys = set->keys != NULL      ? NIGH_KEYS_BYTES
                   : set->graph_only != 0 ? NIGH_KEYS_IDENTITY
                                          : NIGH_KEYS_U64;
    config->vectors = set->graph_only != 0 ? NIGH_VECTORS_EXTERNAL : NIGH_VECTORS_OWNED;
    config->m = set->m;
    config->m0 = set->m0;
    config->ef_build = set->ef_build;
    config->expansions = set->expansions;
    config->block_bytes = set->block_bytes != 0         ? set->block_bytes
                          : cli_lmdb_named(set->output) ? (uint32_t)NIGH_LMDB_BULK_BLOCK_BYTES
                                                        : 0;
    config->seed = set->seed;
    config->codes = set->codes != 0 ? set->codes - 1 : NIGH_CODES_NONE;
    config->alpha = set->alpha;
    config->build_flags = (set->keep_pruned != 0 ? NIGH_BUILD_KEEP_PRUNED : 0) |
                          (set->exact_build != 0 ? NIGH_BUILD_EXACT : 0);
    if (!cli_kernel(set->kernel, &features)) {
        return CLI_ERROR;
    }
    state->options.struct_size = sizeof state->options;
    state->options.features = features;
    state->options.slot_max = state->vectors.count != 0 ? (uint32_t)state->vectors.count : 1;
    return CLI_OK;
}

/* Handle, writer state, and room for all rows: in RAM, or in a file where it may be larger. */
static nigh_status new_index(build_state *state) {
    nigh_index **index = &state->open.index;
    uint32_t slots = state->options.slot_max;
    uint64_t key_room = cli_key_room(&state->keys, &state->config);
    uint64_t bytes = 0;
    if (state->spill == NULL) {
        return nigh_index_new(&state->config, &state->options, slots, key_room, index);
    }
    nigh_status status = nigh_index_new(&state->config, &state->options, 0, 0, index);
    if (status == NIGH_OK) {
        status = nigh_grow_bytes(*index, slots, key_room, &bytes);
    }
    if (status == NIGH_OK) {
        state->room = cli_memory_at(state->spill, bytes);
        status = state->room == NULL ? NIGH_E_IO
                                     : nigh_grow(*index, slots, key_room, state->room, bytes);
    }
    return status;
}

static int make_index(build_state *state) {
    cli_index *open = &state->open;
    nigh_status status = nigh_index_bytes(&state->config, &state->options, &state->index_bytes);
    if (status == NIGH_OK) {
        status = new_index(state);
    }
    if (status == NIGH_OK) {
        status = nigh_config_get(open->index, &state->config);
    }
    if (status == NIGH_OK) {
        status = nigh_writer_bytes(open->index, &state->writer_bytes);
    }
    if (status != NIGH_OK) {
        return cli_failed(status, "cannot make the index", NULL);
    }
    open->config = state->config;
    if (state->set.graph_only == 0) {
        return CLI_OK;
    }
    open->vectors = state->vectors;
    int code = cli_lend_vectors(open);
    state->vectors = open->vectors;
    memset(&open->vectors, 0, sizeof open->vectors);
    return code;
}

/* What nigh_grow was given: asked of a second, empty handle, as the first one has its room. */
static void measure_blocks(build_state *state) {
    void *memory = cli_memory(state->index_bytes);
    nigh_index *empty = NULL;
    nigh_config config = state->config;
    if (memory != NULL &&
        nigh_index_init(&config, &state->options, memory, state->index_bytes, &empty) == NIGH_OK) {
        nigh_grow_bytes(empty, state->options.slot_max, cli_key_room(&state->keys, &config),
                        &state->block_bytes);
    }
    nigh_close(memory);
}

/* ---- Rows and keys in one piece, as a job wants them ---------------------------------------- */

typedef struct build_input {
    const void *rows;
    uint64_t stride;
    void *memory;     /* of rows, if they were converted */
    const void *keys; /* as nigh_insert takes them */
    const uint32_t *lengths;
    uint64_t *numbers; /* keys of rows without any */
    char *key_bytes;   /* keys without those of rows left out */
    uint32_t *key_lengths;
    uint64_t *row_of; /* the file's row of each item, when rows were left out */
    uint64_t count;
} build_input;

static void input_free(build_input *input) {
    nigh_close(input->memory);
    nigh_close(input->numbers);
    nigh_close(input->key_bytes);
    nigh_close(input->key_lengths);
    nigh_close(input->row_of);
}

/* Copies the rows that an index takes; row_of says which they are. */
static int input_valid(build_state *state, build_input *input) {
    const cli_vectors *vectors = &state->vectors;
    cli_scratch scratch = {0};
    input->memory = cli_memory_at(state->spill, vectors->count * vectors->row_bytes);
    input->row_of = cli_memory(vectors->count * sizeof *input->row_of);
    bool ready =
        input->memory != NULL && input->row_of != NULL && cli_scratch_new(&scratch, vectors);
    for (uint64_t row = 0; ready && row < vectors->count;) {
        uint64_t bad = cli_vectors_first_fault(vectors, row);
        for (; row < bad; row++) {
            const void *one = NULL;
            if (cli_vectors_read(vectors, &scratch, row, 1, &one) != 1) {
                state->feed.skipped++;
                continue;
            }
            memcpy((uint8_t *)input->memory + input->count * vectors->row_bytes, one,
                   (size_t)vectors->row_bytes);
            input->row_of[input->count++] = row;
        }
        state->feed.skipped += row < vectors->count;
        row++;
    }
    cli_scratch_free(&scratch);
    input->rows = input->memory;
    input->stride = vectors->row_bytes;
    return ready ? CLI_OK : CLI_ERROR;
}

static int input_rows(build_state *state, build_input *input) {
    cli_vectors *vectors = &state->vectors;
    input->count = vectors->count;
    if (state->set.graph_only != 0) {
        return CLI_OK; /* they lie under the index */
    }
    if (state->set.skip_invalid != 0) {
        input->count = 0;
        return input_valid(state, input);
    }
    if (cli_vectors_fit(vectors) && vectors->dtype != NIGH_DTYPE_I8) {
        input->rows = vectors->base;
        input->stride = vectors->stride;
        return CLI_OK;
    }
    input->stride = vectors->row_bytes;
    return cli_vectors_all(vectors, &input->rows, &input->memory);
}

static uint64_t input_row(const build_input *input, uint64_t item) {
    return input->row_of == NULL || item >= input->count ? item : input->row_of[item];
}

/* The keys of the rows that are left. */
static int input_keys(build_state *state, build_input *input) {
    const cli_keys *keys = &state->keys;
    if (state->config.keys == NIGH_KEYS_IDENTITY || input->count == 0) {
        return CLI_OK;
    }
    if (state->set.keys == NULL) {
        input->numbers = cli_memory_at(state->spill, input->count * sizeof *input->numbers);
        for (uint64_t i = 0; input->numbers != NULL && i < input->count; i++) {
            input->numbers[i] = input_row(input, i);
        }
        input->keys = input->numbers;
        return input->numbers != NULL ? CLI_OK : CLI_ERROR;
    }
    input->keys = keys->bytes;
    input->lengths = keys->lengths;
    if (input->row_of == NULL) {
        return CLI_OK;
    }
    input->key_bytes = cli_memory(keys->offsets[keys->count]);
    input->key_lengths = cli_memory(input->count * sizeof *input->key_lengths);
    if (input->key_bytes == NULL || input->key_lengths == NULL) {
        return CLI_ERROR;
    }
    size_t at = 0;
    for (uint64_t i = 0; i < input->count; i++) {
        uint64_t row = input->row_of[i];
        input->key_lengths[i] = keys->lengths[row];
        memcpy(input->key_bytes + at, keys->bytes + keys->offsets[row], keys->lengths[row]);
        at += keys->lengths[row];
    }
    input->keys = input->key_bytes;
    input->lengths = input->key_lengths;
    return CLI_OK;
}

static int run_job(build_state *state, const build_input *input) {
    uint32_t threads = cli_threads(state->set.threads);
    cli_job job = {.index = state->open.index,
                   .options = {.struct_size = sizeof job.options,
                               .kind = NIGH_JOB_BUILD,
                               .vector_stride = (uint32_t)input->stride},
                   .keys = input->keys,
                   .key_lengths = input->lengths,
                   .vectors = input->rows,
                   .count = (uint32_t)input->count,
                   .units = input->count,
                   .threads = threads,
                   .spill = state->spill,
                   .label = "build",
                   .unit = "rows"};
    state->feed.index = state->open.index;
    state->feed.vectors = &state->vectors;
    state->feed.count = state->vectors.count;
    state->feed.keys = state->set.keys != NULL ? &state->keys : NULL;
    state->feed.numbers = input->numbers;
    state->feed.external = state->set.graph_only != 0;
    nigh_status status = cli_job_run(&job);
    state->feed.threads = threads;
    state->feed.seconds = job.seconds;
    state->feed.cpu_seconds = job.cpu_seconds;
    state->feed.session_bytes = job.session_bytes;
    state->job_bytes = job.job_bytes;
    return status == NIGH_OK ? CLI_OK
                             : cli_feed_failed(&state->feed, status, input_row(input, job.done));
}

static int refine(build_state *state) {
    cli_job job = {.index = state->open.index,
                   .options = {.struct_size = sizeof job.options, .kind = NIGH_JOB_REFINE},
                   .units = state->vectors.count,
                   .threads = cli_threads(state->set.threads),
                   .spill = state->spill,
                   .label = "refine",
                   .unit = "rows"};
    nigh_status status = state->set.refine != 0 ? cli_job_run(&job) : NIGH_OK;
    state->feed.seconds += job.seconds;
    state->feed.cpu_seconds += job.cpu_seconds;
    state->refine_seconds = job.cpu_seconds;
    state->job_bytes = job.job_bytes > state->job_bytes ? job.job_bytes : state->job_bytes;
    return status == NIGH_OK ? CLI_OK : cli_failed(status, "refine", NULL);
}

static int fill(build_state *state) {
    build_input input = {0};
    int code = input_rows(state, &input);
    code = code == CLI_OK ? input_keys(state, &input) : code;
    code = code == CLI_OK ? run_job(state, &input) : code;
    code = code == CLI_OK ? refine(state) : code;
    state->vectors.memory_bytes += input.memory != NULL && state->set.skip_invalid != 0
                                       ? state->vectors.count * state->vectors.row_bytes
                                       : 0;
    input_free(&input);
    return code;
}

static void report_config(cli_json *json, const build_state *state) {
    char text[64];
    const nigh_config *config = &state->config;
    cli_json_u64(json, "dim", config->dim);
    cli_json_text(json, "metric", cli_name_at(CLI_METRICS, config->metric, text, sizeof text));
    cli_json_text(json, "dtype", cli_name_at(CLI_DTYPES, config->dtype, text, sizeof text));
    cli_json_text(json, "keys", cli_name_at(CLI_KEY_KINDS, config->keys + 1, text, sizeof text));
    cli_json_bool(json, "graph_only", config->vectors == NIGH_VECTORS_EXTERNAL);
    cli_json_u64(json, "m", config->m);
    cli_json_u64(json, "m0", config->m0);
    cli_json_u64(json, "ef_build", config->ef_build);
    cli_json_u64(json, "expansions", config->expansions);
    cli_json_u64(json, "seed", config->seed);
    cli_json_text(json, "codes", cli_name_at(CLI_CODES, config->codes + 1, text, sizeof text));
    cli_json_real(json, "alpha", (double)config->alpha, 4);
    cli_json_u64(json, "threads", state->feed.threads);
    cli_json_text(json, "kernel", cli_kernel_text(state->open.stats.features, text, sizeof text));
}

static void report_json(const build_state *state, uint64_t count, double rate) {
    cli_json json = {0};
    cli_json_open(&json, NULL, '{');
    cli_json_text(&json, "index", state->set.output);
    cli_json_text(&json, "vectors", state->vectors.path);
    cli_json_u64(&json, "count", count);
    cli_json_u64(&json, "skipped", state->feed.skipped);
    report_config(&json, state);
    cli_json_real(&json, "build_s", state->feed.seconds, 6);
    cli_json_real(&json, "cpu_s", state->feed.cpu_seconds, 6);
    cli_json_real(&json, "refine_cpu_s", state->refine_seconds, 6);
    cli_json_real(&json, "rate", rate, 6);
    cli_json_real(&json, "save_s", state->save_seconds, 6);
    cli_json_u64(&json, "file_bytes", state->file_bytes);
    cli_json_open(&json, "memory_bytes", '{');
    cli_json_u64(&json, "handle", state->index_bytes);
    cli_json_u64(&json, "blocks", state->block_bytes);
    cli_json_u64(&json, "writer", state->writer_bytes);
    cli_json_u64(&json, "sessions", state->feed.session_bytes);
    cli_json_u64(&json, "job", state->job_bytes);
    cli_json_u64(&json, "converted", state->vectors.memory_bytes);
    cli_json_close(&json);
    cli_json_close(&json);
}

static int report(build_state *state) {
    char metric[16];
    char dtype[16];
    char kernel[64];
    uint64_t count = state->vectors.count - state->feed.skipped;
    double rate = state->feed.seconds > 0 ? (double)count / state->feed.seconds : 0;
    if (state->set.json != 0) {
        measure_blocks(state);
        report_json(state, count, rate);
        return cli_flush(CLI_OK);
    }
    if (strcmp(state->set.output, "-") == 0) {
        return cli_flush(CLI_OK);
    }
    printf("%s: %" PRIu64 " x %u %s, %s, m %u, ef_build %u, %s\n", state->set.output, count,
           state->config.dim, cli_name_at(CLI_DTYPES, state->config.dtype, dtype, sizeof dtype),
           cli_name_at(CLI_METRICS, state->config.metric, metric, sizeof metric), state->config.m,
           state->config.ef_build,
           cli_kernel_text(state->open.stats.features, kernel, sizeof kernel));
    printf("built in %.2f s (%.2f s of processor time), %.0f vectors a second; saved in %.2f s, "
           "%" PRIu64 " bytes\n",
           state->feed.seconds, state->feed.cpu_seconds, rate, state->save_seconds,
           state->file_bytes);
    if (state->feed.skipped != 0) {
        printf("%" PRIu64 " rows left out: NaN, infinity or out of range\n", state->feed.skipped);
    }
    return cli_flush(CLI_OK);
}

static int check_settings(const build_settings *set) {
    if (set->output == NULL) {
        return cli_usage("build", "-o FILE is missing: where to write the index");
    }
    if (strcmp(set->output, "-") == 0 && set->json != 0) {
        return cli_usage("build", "-o - and --json both want standard output");
    }
    if (strcmp(set->output, "-") == 0 && set->mapped != 0) {
        return cli_usage("build", "--mapped puts a file beside the output: it needs -o FILE");
    }
    if (set->m0 != 0 && set->m0 < set->m) {
        return cli_usage("build", "--m0 %u is less than --m %u", set->m0, set->m);
    }
    if ((set->block_bytes & (set->block_bytes - 1)) != 0) {
        return cli_usage("build", "--block-bytes %u is not a power of two", set->block_bytes);
    }
    if (set->graph_only != 0 && set->skip_invalid != 0) {
        return cli_usage("build", "--skip-invalid does not go with --graph-only: there the row of "
                                  "the file is the slot");
    }
    return CLI_OK;
}

static int run_build(const cli_verb *verb, int argc, char **argv) {
    build_state state;
    char **args = NULL;
    int count = 0;
    memset(&state, 0, sizeof state);
    state.set.m = 16;
    state.set.ef_build = 200;
    state.set.seed = 42;
    state.set.threads = 1;
    int code = cli_parse(verb, argc, argv, &state.set, &args, &count);
    if (code != CLI_GO) {
        return code;
    }
    code = check_settings(&state.set);
    code = code == CLI_OK ? open_inputs(&state, args[0]) : code;
    code = code == CLI_OK ? make_config(&state) : code;
    code = code == CLI_OK ? make_index(&state) : code;
    code = code == CLI_OK ? fill(&state) : code;
    if (code == CLI_OK) {
        double start = cli_seconds();
        state.open.stats.struct_size = sizeof state.open.stats;
        nigh_stats_get(state.open.index, &state.open.stats);
        code = cli_save_index(&state.open, state.set.output, &state.file_bytes);
        state.save_seconds = cli_seconds() - start;
    }
    code = code == CLI_OK ? report(&state) : code;
    cli_close(&state.open);
    nigh_close(state.room);
    cli_keys_close(&state.keys);
    cli_vectors_close(&state.vectors);
    return code;
}

#define AT(field) CLI_AT(build_settings, field)
static const cli_option options[] = {
    {"output", 'o', CLI_TEXT, AT(output), "FILE", 0, 0,
     "the index to write, whole or not at all; - is stdout; in a\nfile named .store add and "
     "remove write only what changes\n(required)"},
    {"metric", 0, CLI_NAME, AT(metric), CLI_METRICS, 0, 0, "default l2; hamming for b1"},
    {"dtype", 0, CLI_NAME, AT(dtype), CLI_DTYPES, 0, 0,
     "how vectors are kept; default the file's. i8: a scale and\nzero point for each vector; b1: a "
     "bit, x > 0"},
    {"m", 0, CLI_U32, AT(m), "N", 2, 1024, "links per node above layer 0; default 16"},
    {"m0", 0, CLI_U32, AT(m0), "N", 4, 2048, "links per node in layer 0; default 2 m"},
    {"ef-build", 0, CLI_U32, AT(ef_build), "N", 1, 65535,
     "candidates kept while inserting; default 200"},
    {"expansions", 0, CLI_U32, AT(expansions), "N", 1, 8,
     "nodes under way at once while searching for neighbours;\ndefault 2"},
    {"block-bytes", 0, CLI_U32, AT(block_bytes), "N", 256, 1 << 26,
     "target of a block, a power of two; default 65536, in LMDB\n262144"},
    {"codes", 0, CLI_NAME, AT(codes), CLI_CODES, 0, 0,
     "default none. Small copies of the vectors to search on, a\nbyte (u7) or a bit (b1) an "
     "element; what is found is scored\nagain on the vectors themselves"},
    {"refine", 0, CLI_FLAG, AT(refine), NULL, 0, 0,
     "choose the links anew when all rows are in: searches\ngain up to a third, building takes up "
     "to "
     "twice as long\n(nigh refine)"},
    {"alpha", 0, CLI_REAL, AT(alpha), "X", 1000, 2000,
     "1..2: keeps longer links; default 1, as hnswlib"},
    {"keep-pruned", 0, CLI_FLAG, AT(keep_pruned), NULL, 0, 0,
     "fill rows up with neighbours that selection refused"},
    {"exact-build", 0, CLI_FLAG, AT(exact_build), NULL, 0, 0,
     "choose links on the vectors themselves: two to three\ntimes as long"},
    {"seed", 0, CLI_U64, AT(seed), "N", 0, UINT64_MAX, "draws the layers; default 42"},
    {"threads", 0, CLI_U32, AT(threads), "N", 0, 1024,
     "default 1; 0: one for each processor. The bytes are the\nsame with any number"},
    {"kernel", 0, CLI_NAME, AT(kernel), CLI_KERNELS, 0, 0, "default auto; all give the same bytes"},
    {"keys", 0, CLI_TEXT, AT(keys), "FILE", 0, 0,
     "keys as byte strings, one a line for each row, each once,\n1..511 bytes; - is stdin; default "
     "the numbers 0, 1, 2, ...\nof the rows"},
    {"graph-only", 0, CLI_FLAG, AT(graph_only), NULL, 0, 0,
     "leave the vectors out of the file: search then needs\n--vectors VECTORS"},
    {"skip-invalid", 0, CLI_FLAG, AT(skip_invalid), NULL, 0, 0,
     "leave rows out that hold NaN or infinity, or zeros under\ncosine, and count them; default: "
     "the "
     "first is an error"},
    {"format", 0, CLI_NAME, AT(format), CLI_FORMATS, 0, 0,
     "of VECTORS; default auto: by the name's ending"},
    {"dim", 0, CLI_U32, AT(dim), "D", 1, 65535,
     "elements of a row, for raw floats (.f32 .raw .bin)"},
    {"packed", 0, CLI_FLAG, AT(packed), NULL, 0, 0, "rows of u1 are packed bits, 8 a byte"},
    {"mapped", 0, CLI_FLAG, AT(mapped), NULL, 0, 0,
     "build in a file beside the output, which the system pages\nin and out, for an index larger "
     "than RAM; the same bytes"},
    {"json", 0, CLI_FLAG, AT(json), NULL, 0, 0, "print one JSON object"},
};

const cli_verb cli_verb_build = {
    "build",
    "build VECTORS -o X.nigh [options]",
    "Build an index from a file of vectors.",
    "VECTORS is .npy (f4, f2, i1, u1), .fvecs, .bvecs, raw floats with --dim, or - for\n"
    "numbers as text on stdin, a row a line. Row r gets slot r, and key r without --keys.",
    "  nigh build words.npy --keys words.txt --metric cosine -o words.nigh\n"
    "  nigh build base.fvecs -o base.nigh --m 32 --ef-build 400 --threads 0\n"
    "  nigh build base.fvecs -o graph.nigh --graph-only\n"
    "  nigh build floats.raw --dim 128 --dtype i8 -o small.nigh --json",
    options,
    CLI_COUNT(options),
    1,
    1,
    run_build};
