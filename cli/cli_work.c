/* cli_work.c - nigh codes, refine, vacuum: long work on a whole index, which is saved again
 * layer C; uses: cli_verbs.h, cli_job.h, cli_json.h, cli_open.h
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * As with nigh add: the file is mapped privately, a lock keeps two changes apart, and a save
 * replaces it in one step. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli_job.h"
#include "cli_json.h"
#include "cli_lmdb.h"
#include "cli_open.h"
#include "cli_verbs.h"

typedef struct work_settings {
    const char *output;
    const char *vectors;
    uint32_t by;
    uint32_t threads;
    uint32_t kernel;
    uint32_t ef;
    float alpha;
    uint32_t json;
} work_settings;

typedef struct work_state {
    work_settings set;
    int lock;
    cli_index open;
    cli_job job;
    uint64_t file_bytes;
} work_state;

static int work_begin(work_state *state, const cli_verb *verb, char **args) {
    cli_access access = {.file_flags = NIGH_FILE_PRIVATE};
    int code = CLI_OK;
    if (state->set.output != NULL) {
        code = cli_output_apart(verb->name, args[0], state->set.output);
        code = code == CLI_OK ? cli_output_check(verb->name, state->set.output, NULL) : code;
    } else {
        state->lock = cli_lock(args[0]);
        code = state->lock < 0 ? CLI_ERROR : CLI_OK;
    }
    if (!cli_kernel(state->set.kernel, &access.features)) {
        code = CLI_ERROR;
    }
    code = code == CLI_OK ? cli_open(&state->open, args[0], &access, NULL) : code;
    return code != CLI_OK ? code
                          : cli_open_vectors(&state->open, verb->name, state->set.vectors,
                                             state->set.by);
}

static int work_report(work_state *state, const char *path) {
    char text[16];
    const nigh_stats *stats = &state->open.stats;
    const char *codes = cli_name_at(CLI_CODES, stats->codes + 1, text, sizeof text);
    if (state->set.json != 0) {
        cli_json json = {0};
        cli_json_open(&json, NULL, '{');
        cli_json_text(&json, "index", path);
        cli_json_u64(&json, "count", stats->live_count);
        cli_json_u64(&json, "slots", stats->slot_count);
        cli_json_u64(&json, "deleted", stats->deleted_count);
        cli_json_u64(&json, "free", stats->free_count);
        cli_json_text(&json, "codes", codes);
        cli_json_u64(&json, "code_clamped", stats->code_clamped);
        cli_json_u64(&json, "threads", state->job.threads);
        cli_json_real(&json, "work_s", state->job.seconds, 6);
        cli_json_real(&json, "cpu_s", state->job.cpu_seconds, 6);
        cli_json_u64(&json, "job_bytes", state->job.job_bytes);
        cli_json_u64(&json, "file_bytes", state->file_bytes);
        cli_json_close(&json);
    } else if (strcmp(path, "-") != 0) {
        printf("%s: %u keys, codes %s; %s took %.2f s (%.2f s of processor time), %" PRIu64
               " bytes\n",
               path, stats->live_count, codes, state->job.label, state->job.seconds,
               state->job.cpu_seconds, state->file_bytes);
    }
    return cli_flush(CLI_OK);
}

static int work_run(work_state *state, const cli_verb *verb, char **args) {
    const char *path = state->set.output != NULL ? state->set.output : args[0];
    int code = work_begin(state, verb, args);
    if (code != CLI_OK) {
        return code;
    }
    if (state->job.options.kind != NIGH_JOB_CODES) { /* codes do not mind */
        code = cli_root(state->open.index, args[0]);
        if (code != CLI_OK) {
            return code;
        }
    }
    state->job.index = state->open.index;
    state->job.threads = cli_threads(state->set.threads);
    state->job.options.struct_size = sizeof state->job.options;
    state->job.label = verb->name;
    state->job.unit = "rows";
    state->job.units = state->open.stats.slot_count;
    nigh_status status = cli_job_run(&state->job);
    if (status != NIGH_OK) {
        const bool where = status == NIGH_E_UNSUPPORTED && cli_lmdb_named(args[0]);
        return cli_failed(status, args[0],
                          where ? "indexes in LMDB get codes when they are built (nigh lmdb build)"
                                : NULL);
    }
    code = cli_save_index(&state->open, path, &state->file_bytes);
    nigh_stats_get(state->open.index, &state->open.stats);
    return code == CLI_OK ? work_report(state, path) : code;
}

static void work_close(work_state *state) {
    cli_close(&state->open);
    nigh_close(state->job.memory);
    if (state->lock >= 0) {
        close(state->lock);
    }
}

static int work_start(work_state *state, const cli_verb *verb, int argc, char **argv,
                      char ***args) {
    int count = 0;
    memset(state, 0, sizeof *state);
    state->lock = -1;
    state->set.threads = 1;
    return cli_parse(verb, argc, argv, &state->set, args, &count);
}

static int run_codes(const cli_verb *verb, int argc, char **argv) {
    work_state state;
    char **args = NULL;
    int code = work_start(&state, verb, argc, argv, &args);
    if (code != CLI_GO) {
        return code;
    }
    uint32_t kind = cli_name_place(CLI_CODES, args[1]);
    if (kind == 0) {
        return cli_usage("codes", "'%s' is not one of %s", args[1], CLI_CODES);
    }
    state.job.options.kind = NIGH_JOB_CODES;
    state.job.options.codes = kind - 1;
    state.job.read_only = true;
    code = work_run(&state, verb, args);
    work_close(&state);
    return code;
}

static int run_refine(const cli_verb *verb, int argc, char **argv) {
    work_state state;
    char **args = NULL;
    int code = work_start(&state, verb, argc, argv, &args);
    if (code != CLI_GO) {
        return code;
    }
    state.job.options.kind = NIGH_JOB_REFINE;
    state.job.options.ef = state.set.ef;
    state.job.options.alpha = state.set.alpha;
    code = work_run(&state, verb, args);
    work_close(&state);
    return code;
}

static int run_vacuum(const cli_verb *verb, int argc, char **argv) {
    work_state state;
    char **args = NULL;
    int code = work_start(&state, verb, argc, argv, &args);
    if (code != CLI_GO) {
        return code;
    }
    state.job.options.kind = NIGH_JOB_VACUUM;
    code = work_run(&state, verb, args);
    work_close(&state);
    return code;
}

#define AT(field) CLI_AT(work_settings, field)
/* The last two are refine's alone. */
enum { COMMON_OPTIONS = 6 };
static const cli_option work_options[] = {
    {"output", 'o', CLI_TEXT, AT(output), "FILE", 0, 0,
     "write a new index; default: replace X.nigh in one step"},
    {"vectors", 0, CLI_TEXT, AT(vectors), "FILE", 0, 0, "the vectors of a --graph-only index"},
    {"vectors-by", 0, CLI_NAME, AT(by), CLI_BY, 0, 0, CLI_BY_HELP},
    {"threads", 0, CLI_U32, AT(threads), "N", 0, 1024,
     "default 1; 0: one for each processor. The bytes are the\nsame with any number"},
    {"kernel", 0, CLI_NAME, AT(kernel), CLI_KERNELS, 0, 0, "default auto; all give the same bytes"},
    {"json", 0, CLI_FLAG, AT(json), NULL, 0, 0, "print one JSON object"},
    {"ef", 0, CLI_U32, AT(ef), "N", 8, 512, "candidates a node; default 100"},
    {"alpha", 0, CLI_REAL, AT(alpha), "X", 1000, 2000,
     "1..2: keeps longer links; default by how fast distances\ngrow around a sample of nodes"},
};

const cli_verb cli_verb_codes = {
    "codes",
    "codes X.nigh none|u7|b1 [options]",
    "Make the codes that searches run on, or drop them.",
    "Codes are small copies of the vectors, a byte (u7) or a bit (b1) an element. Searches run on\n"
    "them and score what they find again on the vectors.",
    "  nigh codes base.nigh u7 --threads 0\n"
    "  nigh codes base.nigh none -o plain.nigh",
    work_options,
    COMMON_OPTIONS,
    2,
    2,
    run_codes};

const cli_verb cli_verb_refine = {
    "refine",
    "refine X.nigh [options]",
    "Choose the links of a finished index anew.",
    "While an index is built each node knows only those before it. This looks for each node's\n"
    "neighbours once more, among all: searches then reach the same recall at less cost.",
    "  nigh refine base.nigh --threads 0\n"
    "  nigh refine base.nigh --alpha 1.2 --ef 50 -o refined.nigh",
    work_options,
    CLI_COUNT(work_options),
    1,
    1,
    run_refine};

const cli_verb cli_verb_vacuum = {
    "vacuum",
    "vacuum X.nigh [options]",
    "Take removed keys out for good.",
    "nigh remove only marks keys: their nodes still lead searches on. This leads links round\n"
    "them, wipes their vectors, and frees their slots for keys to come.",
    "  nigh remove base.nigh --keys gone.txt && nigh vacuum base.nigh --threads 0",
    work_options,
    COMMON_OPTIONS,
    1,
    1,
    run_vacuum};
