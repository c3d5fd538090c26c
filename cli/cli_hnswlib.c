/* cli_hnswlib.c - nigh import-hnswlib and export-hnswlib: files of hnswlib to and from indexes
 * layer C; uses: cli_verbs.h, cli_job.h, cli_json.h, cli_open.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli_job.h"
#include "cli_json.h"
#include "cli_open.h"
#include "cli_verbs.h"

#define SPACES "l2|ip|cosine" /* places are those of CLI_METRICS */
#define TYPES "f32|u8"
#define WIDTHS "64|32"

/* ---- import --------------------------------------------------------------------------------- */

typedef struct import_settings {
    const char *output;
    uint32_t space;
    uint32_t dim;
    uint32_t dtype;
    uint32_t root;
    uint32_t json;
    uint64_t seed;
} import_settings;

typedef struct import_state {
    import_settings set;
    const char *path;
    void *file;
    uint64_t bytes;
    nigh_config config;
    nigh_hnswlib facts;
    nigh_index *index;
    uint64_t file_bytes;
} import_state;

/* A status of nigh_hnswlib_config or _read in words that help. */
static int import_failed(const import_state *state, nigh_status status) {
    const char *path = state->path;
    const char *why = NULL;
    if (status == NIGH_E_MISMATCH) {
        cli_say("%s: its vectors are not %u elements of %s; --dim and --dtype must be those that "
                "it was built with",
                path, state->set.dim, state->set.dtype == 2 ? "u8" : "f32");
        return CLI_ERROR;
    }
    if (status == NIGH_E_FORMAT) {
        why = "not a file of hnswlib; expected what its save_index wrote";
    } else if (status == NIGH_E_CORRUPT) {
        why = "damaged, cut short, or with one label twice";
    } else if (status == NIGH_E_VECTOR) {
        why = state->config.metric == NIGH_METRIC_COSINE
                  ? "a vector holds NaN, infinity, or only zeros, which have no direction"
                  : "a vector holds NaN or infinity";
    } else if (status == NIGH_E_UNSUPPORTED) {
        why = "expected M of 2 to 1024, ef_construction of 1 to 65535, at most 15 layers above "
              "the first, and u8 with l2 only";
    }
    if (why == NULL) {
        return cli_failed(status, path, NULL);
    }
    cli_say("%s: %s", path, why);
    return CLI_ERROR;
}

static int import_check(const import_settings *set) {
    if (set->output == NULL) {
        return cli_usage("import-hnswlib", "-o FILE is missing: where to write the index");
    }
    if (set->space == 0 || set->dim == 0) {
        return cli_usage("import-hnswlib", "--%s is missing: files of hnswlib do not say it",
                         set->space == 0 ? "space" : "dim");
    }
    if (strcmp(set->output, "-") == 0 && set->json != 0) {
        return cli_usage("import-hnswlib", "-o - and --json both want standard output");
    }
    return CLI_OK;
}

static int import_read(import_state *state) {
    char message[CLI_MESSAGE] = "";
    nigh_options options = {.struct_size = sizeof options};
    state->config = (nigh_config){.struct_size = sizeof state->config,
                                  .dim = state->set.dim,
                                  .metric = state->set.space,
                                  .seed = state->set.seed,
                                  .dtype = state->set.dtype == 2 ? NIGH_DTYPE_U8 : NIGH_DTYPE_F32};
    state->facts.struct_size = sizeof state->facts;
    nigh_status status = nigh_file_map(state->path, NIGH_FILE_SEQUENTIAL, &state->file,
                                       &state->bytes, message, sizeof message);
    if (status != NIGH_OK) {
        return cli_failed(status, state->path, message);
    }
    status = nigh_hnswlib_config(state->file, state->bytes, &state->config, &state->facts);
    if (status != NIGH_OK) {
        return import_failed(state, status);
    }
    const uint32_t slots = state->facts.slot_count != 0 ? state->facts.slot_count : 1;
    options.upper_extra = state->facts.upper_extra;
    status = nigh_index_new(&state->config, &options, slots, 0, &state->index);
    if (status != NIGH_OK) {
        return cli_failed(status, state->path, NULL);
    }
    status = nigh_hnswlib_read(state->index, state->file, state->bytes);
    return status == NIGH_OK ? CLI_OK : import_failed(state, status);
}

static int import_report(const import_state *state) {
    const nigh_hnswlib *facts = &state->facts;
    const char *path = state->set.output;
    if (state->set.json != 0) {
        cli_json json = {0};
        cli_json_open(&json, NULL, '{');
        cli_json_text(&json, "index", path);
        cli_json_u64(&json, "count", facts->slot_count - facts->deleted_count);
        cli_json_u64(&json, "deleted", facts->deleted_count);
        cli_json_u64(&json, "bits", facts->bits);
        cli_json_u64(&json, "m", state->config.m);
        cli_json_u64(&json, "m0", state->config.m0);
        cli_json_u64(&json, "ef_build", state->config.ef_build);
        cli_json_u64(&json, "max_elements", facts->max_elements);
        cli_json_u64(&json, "rooted", state->set.root);
        cli_json_u64(&json, "file_bytes", state->file_bytes);
        cli_json_close(&json);
    } else if (strcmp(path, "-") != 0) {
        printf("%s: %u keys, %u removed, m %u, ef_build %u, %" PRIu64 " bytes\n", path,
               facts->slot_count - facts->deleted_count, facts->deleted_count, state->config.m,
               state->config.ef_build, state->file_bytes);
    }
    return cli_flush(CLI_OK);
}

static int run_import(const cli_verb *verb, int argc, char **argv) {
    import_state state;
    char **args = NULL;
    int count = 0;
    memset(&state, 0, sizeof state);
    state.set.seed = 42;
    int code = cli_parse(verb, argc, argv, &state.set, &args, &count);
    if (code != CLI_GO) {
        return code;
    }
    state.path = args[0];
    code = import_check(&state.set);
    code = code == CLI_OK ? cli_output_check(verb->name, state.set.output, args[0]) : code;
    code = code == CLI_OK ? import_read(&state) : code;
    if (code == CLI_OK && state.set.root != 0) {
        code = cli_root(state.index, NULL);
    }
    if (code == CLI_OK) {
        cli_index made = {.path = args[0], .index = state.index};
        code = cli_save_index(&made, state.set.output, &state.file_bytes);
    }
    code = code == CLI_OK ? import_report(&state) : code;
    nigh_close(state.index);
    nigh_close(state.file);
    return code;
}

/* ---- export --------------------------------------------------------------------------------- */

typedef struct export_settings {
    const char *output;
    const char *vectors;
    uint32_t by;
    uint32_t bits;
    uint32_t json;
} export_settings;

typedef struct export_state {
    export_settings set;
    cli_index open;
    nigh_session *session;
    uint64_t file_bytes;
} export_state;

static nigh_status export_write(void *user, nigh_write_fn write, void *to) {
    export_state *state = user;
    const uint32_t flags = state->set.bits == 2 ? NIGH_HNSWLIB_32 : 0;
    return nigh_hnswlib_write(state->open.index, state->session, flags, 0, write, to);
}

/* Bytes of the file, for the progress bar. */
static uint64_t export_bytes(const export_state *state) {
    const nigh_config *config = &state->open.config;
    uint64_t row = 0;
    (void)nigh_row_bytes(config->dim, config->dtype, &row);
    return state->open.stats.slot_count * (16 + 4 * (uint64_t)config->m0 + row) +
           state->open.stats.upper_count * (4 + 4 * (uint64_t)config->m) + 96;
}

static int export_check(export_state *state, const char *path) {
    const nigh_config *config = &state->open.config;
    char dtype[16], metric[16];
    if (config->keys == NIGH_KEYS_BYTES) {
        cli_say("%s: its keys are strings; hnswlib's labels are numbers", path);
        return CLI_ERROR;
    }
    const bool floats = config->dtype == NIGH_DTYPE_F32 && config->metric <= NIGH_METRIC_COSINE;
    if (floats || (config->dtype == NIGH_DTYPE_U8 && config->metric == NIGH_METRIC_L2)) {
        return CLI_OK;
    }
    cli_say("%s: hnswlib has no space for %s and %s; expected f32 with " SPACES ", or u8 with l2",
            path, cli_name_at(CLI_DTYPES, config->dtype, dtype, sizeof dtype),
            cli_name_at(CLI_METRICS, config->metric, metric, sizeof metric));
    return CLI_ERROR;
}

static int export_report(const export_state *state) {
    const char *path = state->set.output;
    const nigh_stats *stats = &state->open.stats;
    if (state->set.json != 0) {
        cli_json json = {0};
        cli_json_open(&json, NULL, '{');
        cli_json_text(&json, "file", path);
        cli_json_u64(&json, "elements", stats->slot_count);
        cli_json_u64(&json, "deleted", stats->deleted_count + stats->free_count);
        cli_json_u64(&json, "bits", state->set.bits == 2 ? 32 : 64);
        cli_json_u64(&json, "file_bytes", state->file_bytes);
        cli_json_close(&json);
    } else if (strcmp(path, "-") != 0) {
        printf("%s: %u elements, %u of them deleted, %" PRIu64 " bytes\n", path, stats->slot_count,
               stats->deleted_count + stats->free_count, state->file_bytes);
    }
    return cli_flush(CLI_OK);
}

static int export_run(export_state *state, char **args) {
    const nigh_session_options options = {.struct_size = sizeof options,
                                          .flags = NIGH_SESSION_READ};
    const cli_access access = {.file_flags = NIGH_FILE_SEQUENTIAL};
    int code = cli_open(&state->open, args[0], &access, NULL);
    code = code == CLI_OK ? export_check(state, args[0]) : code;
    if (code == CLI_OK) {
        code = cli_open_vectors(&state->open, "export-hnswlib", state->set.vectors, state->set.by);
    }
    if (code != CLI_OK) {
        return code;
    }
    const nigh_status status = nigh_session_new(state->open.index, &options, &state->session);
    if (status != NIGH_OK) {
        return cli_failed(status, "a session", NULL);
    }
    const cli_output output = {state->set.output, "write", export_bytes(state), args[0]};
    code = cli_write(&output, export_write, state, &state->file_bytes);
    return code == CLI_OK ? export_report(state) : code;
}

static int run_export(const cli_verb *verb, int argc, char **argv) {
    export_state state;
    char **args = NULL;
    int count = 0;
    memset(&state, 0, sizeof state);
    int code = cli_parse(verb, argc, argv, &state.set, &args, &count);
    if (code != CLI_GO) {
        return code;
    }
    if (state.set.output == NULL) {
        return cli_usage(verb->name, "-o FILE is missing: where to write the file");
    }
    if (strcmp(state.set.output, "-") == 0 && state.set.json != 0) {
        return cli_usage(verb->name, "-o - and --json both want standard output");
    }
    if (cli_named_store(state.set.output)) {
        return cli_usage(verb->name, "%s: a store holds an index of nigh, not a file of hnswlib",
                         state.set.output);
    }
    code = cli_output_check(verb->name, state.set.output, args[0]);
    code = code == CLI_OK ? export_run(&state, args) : code;
    nigh_close(state.session);
    cli_close(&state.open);
    return code;
}

/* ---- Verbs ---------------------------------------------------------------------------------- */

static const cli_option import_options[] = {
    {"output", 'o', CLI_TEXT, CLI_AT(import_settings, output), "FILE", 0, 0,
     "where to write the index, - is stdout"},
    {"space", 0, CLI_NAME, CLI_AT(import_settings, space), SPACES, 0, 0,
     "of the hnswlib index; the file does not say it"},
    {"dim", 0, CLI_U32, CLI_AT(import_settings, dim), "N", 1, 65535, "elements of a vector"},
    {"dtype", 0, CLI_NAME, CLI_AT(import_settings, dtype), TYPES, 0, 0,
     "default f32; u8 is L2SpaceI's"},
    {"root", 0, CLI_FLAG, CLI_AT(import_settings, root), NULL, 0, 0,
     "give the graph the tree that changes need; default: what\nchanges the index first does so"},
    {"seed", 0, CLI_U64, CLI_AT(import_settings, seed), "N", 0, UINT64_MAX,
     "default 42: draws the layers of keys to come"},
    {"json", 0, CLI_FLAG, CLI_AT(import_settings, json), NULL, 0, 0, "print one JSON object"},
};

static const cli_option export_options[] = {
    {"output", 'o', CLI_TEXT, CLI_AT(export_settings, output), "FILE", 0, 0,
     "where to write the file, - is stdout"},
    {"vectors", 0, CLI_TEXT, CLI_AT(export_settings, vectors), "FILE", 0, 0,
     "the vectors of a --graph-only index"},
    {"vectors-by", 0, CLI_NAME, CLI_AT(export_settings, by), CLI_BY, 0, 0, CLI_BY_HELP},
    {"bits", 0, CLI_NAME, CLI_AT(export_settings, bits), WIDTHS, 0, 0,
     "default 64; 32: for hnswlib in WebAssembly and other 32-bit\nprograms; keys below 2^32"},
    {"json", 0, CLI_FLAG, CLI_AT(export_settings, json), NULL, 0, 0, "print one JSON object"},
};

const cli_verb cli_verb_import_hnswlib = {
    "import-hnswlib",
    "import-hnswlib FILE --space SPACE --dim N -o X.nigh [options]",
    "Make an index of a file of hnswlib.",
    "The graph is taken as it is: links, layers, M, ef_construction, labels as keys, deleted\n"
    "marks. nigh search --expansions 1 answers as hnswlib does at the same ef. Files of 64-bit\n"
    "and of 32-bit programs are told apart.",
    "  nigh import-hnswlib index.bin --space cosine --dim 384 -o x.nigh\n"
    "  nigh import-hnswlib index.bin --space l2 --dim 128 --root -o x.nigh",
    import_options,
    CLI_COUNT(import_options),
    1,
    1,
    run_import};

const cli_verb cli_verb_export_hnswlib = {
    "export-hnswlib",
    "export-hnswlib X.nigh -o FILE [options]",
    "Write an index as a file of hnswlib.",
    "Keys are labels, removed keys deleted elements. Rows of a cosine index are normalised, as\n"
    "hnswlib's Python package does.",
    "  nigh export-hnswlib x.nigh -o index.bin\n"
    "  nigh export-hnswlib x.nigh -o index.bin --bits 32",
    export_options,
    CLI_COUNT(export_options),
    1,
    1,
    run_export};
