/* cli_change.c - nigh add and nigh remove: change an index and save it whole again
 * layer C; uses: cli_verbs.h, cli_insert.h, cli_job.h, cli_open.h, cli_json.h, cli_lmdb.h
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The file is mapped privately, so that nothing reaches it before the save, which replaces it in
 * one step. A lock on it keeps two changes from undoing each other. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli_insert.h"
#include "cli_job.h"
#include "cli_json.h"
#include "cli_lmdb.h"
#include "cli_open.h"
#include "cli_verbs.h"

typedef struct change_settings {
    const char *keys;
    const char *output;
    uint32_t threads;
    uint32_t kernel;
    uint32_t format;
    uint32_t replace_deleted;
    uint32_t set;
    uint32_t skip_invalid;
    uint32_t packed;
    uint32_t ignore_missing;
    uint32_t json;
} change_settings;

typedef struct change_state {
    change_settings set;
    const char *path;
    int lock;
    cli_index open;
    cli_vectors vectors;
    cli_keys keys;
    uint64_t *numbers;
    uint64_t first; /* row of VECTORS that is new */
    uint64_t missing;
    uint64_t removed;
    uint64_t file_bytes;
    cli_feed feed;
} change_state;

static void change_close(change_state *state) {
    cli_close(&state->open);
    cli_keys_close(&state->keys);
    cli_vectors_close(&state->vectors);
    nigh_close(state->numbers);
    if (state->lock >= 0) {
        close(state->lock);
    }
}

static int save(change_state *state) {
    const char *path = state->set.output != NULL ? state->set.output : state->path;
    int code = cli_save_index(&state->open, path, &state->file_bytes);
    if (code == CLI_OK) {
        nigh_stats_get(state->open.index, &state->open.stats);
    }
    return code;
}

static int begin(change_state *state, const cli_verb *verb, char **args) {
    state->path = args[0];
    if (state->set.output != NULL) {
        int code = cli_output_apart(verb->name, args[0], state->set.output);
        code = code == CLI_OK ? cli_output_check(verb->name, state->set.output, NULL) : code;
        if (code != CLI_OK) {
            return code;
        }
        if (strcmp(state->set.output, "-") == 0 && state->set.json != 0) {
            return cli_usage(verb->name, "-o - and --json both want standard output");
        }
    } else {
        state->lock = cli_lock(state->path);
        if (state->lock < 0) {
            return CLI_ERROR;
        }
    }
    return CLI_OK;
}

/* ---- add ------------------------------------------------------------------------------------ */

static int check_external(change_state *state) {
    uint32_t slots = state->open.stats.slot_count;
    if (!cli_external(&state->open)) {
        return CLI_OK;
    }
    if (state->set.replace_deleted != 0 || state->set.set != 0 || state->set.skip_invalid != 0) {
        return cli_usage("add",
                         "%s holds no vectors: --replace-deleted, --set and --skip-invalid "
                         "do not go with that",
                         state->path);
    }
    if (state->vectors.count < slots) {
        cli_say("%s: %" PRIu64 " rows; %s holds no vectors and wants the whole file again, its %u "
                "rows first, the new ones behind",
                state->vectors.path, state->vectors.count, state->path, slots);
        return CLI_ERROR;
    }
    if (state->open.config.keys != NIGH_KEYS_IDENTITY && cli_threads(state->set.threads) > 1) {
        return cli_usage("add", "%s holds no vectors but keys: that needs --threads 1",
                         state->path);
    }
    state->first = slots;
    return CLI_OK;
}

static int open_keys(change_state *state) {
    bool bytes = state->open.config.keys == NIGH_KEYS_BYTES;
    uint64_t rows = state->vectors.count - state->first;
    if (state->set.keys == NULL) {
        return bytes ? cli_usage("add", "%s has string keys: give --keys FILE, one a row",
                                 state->path)
                     : CLI_OK;
    }
    if (state->open.config.keys == NIGH_KEYS_IDENTITY) {
        return cli_usage("add",
                         "%s stores no keys, they are the rows' numbers: --keys does not go "
                         "with that",
                         state->path);
    }
    int code = cli_keys_open(&state->keys, state->set.keys);
    if (code == CLI_OK && state->keys.count != rows) {
        cli_say("%s: %" PRIu64 " keys for %" PRIu64 " rows; one a row expected", state->set.keys,
                state->keys.count, rows);
        return CLI_ERROR;
    }
    code = code == CLI_OK ? cli_keys_check(&state->keys, state->open.config.key_bytes_max) : code;
    return code == CLI_OK && !bytes ? cli_keys_numbers(&state->keys, &state->numbers) : code;
}

/* What add needs, while the index is open for reading only; it is opened again with that room. */
static int open_inputs(change_state *state, const char *path) {
    const nigh_config *config = &state->open.config;
    cli_access access = {.file_flags = 0};
    int code = cli_open(&state->open, state->path, &access, NULL);
    if (code == CLI_OK) {
        code = cli_vectors_open(&state->vectors, path, state->set.format, 0, config->dim,
                                state->set.packed != 0);
    }
    if (code != CLI_OK) {
        return code;
    }
    if (state->vectors.dim != config->dim) {
        cli_say("%s: rows of %u elements; %s has vectors of %u", path, state->vectors.dim,
                state->path, config->dim);
        return CLI_ERROR;
    }
    code = cli_vectors_want(&state->vectors, config->dtype, config->metric);
    code = code == CLI_OK ? check_external(state) : code;
    return code == CLI_OK ? open_keys(state) : code;
}

static int reopen(change_state *state) {
    uint64_t rows = state->vectors.count - state->first;
    uint64_t slots = state->open.stats.slot_count + rows;
    cli_access access = {.file_flags = NIGH_FILE_PRIVATE,
                         .slots = (uint32_t)slots,
                         .key_bytes = state->open.stats.key_bytes +
                                      cli_key_room(&state->keys, &state->open.config)};
    if (slots > 0x7ffffffeu) {
        cli_say("%s: %" PRIu64 " slots would be more than an index can hold", state->path, slots);
        return CLI_ERROR;
    }
    cli_close(&state->open);
    if (!cli_kernel(state->set.kernel, &access.features)) {
        return CLI_ERROR;
    }
    int code = cli_open(&state->open, state->path, &access, NULL);
    if (code == CLI_OK && cli_external(&state->open)) {
        state->open.vectors = state->vectors;
        code = cli_lend_vectors(&state->open);
        state->vectors = state->open.vectors;
        memset(&state->open.vectors, 0, sizeof state->open.vectors);
    }
    return code;
}

/* The largest live key, and no smaller than the slots: rows were numbered as they came. */
static uint64_t first_number(const cli_index *open) {
    uint64_t keys[256];
    uint32_t slots[256];
    uint64_t next = open->stats.slot_count;
    uint32_t from = 0;
    uint32_t found = 1;
    while (found != 0 && nigh_keys(open->index, from, 256, keys, NULL, slots, &found) == NIGH_OK) {
        for (uint32_t i = 0; i < found; i++) {
            next = keys[i] >= next && keys[i] != UINT64_MAX ? keys[i] + 1 : next;
        }
        from = found != 0 ? slots[found - 1] + 1 : from;
    }
    return next;
}

/* Numbers for rows without keys: the next ones that no key has, removed ones included. */
static int number_rows(change_state *state) {
    nigh_session *session = NULL;
    uint64_t rows = state->vectors.count - state->first;
    nigh_session_options options = {.struct_size = sizeof options, .flags = NIGH_SESSION_READ};
    state->numbers = cli_memory(rows * sizeof(uint64_t));
    nigh_status status = nigh_session_new(state->open.index, &options, &session);
    if (state->numbers == NULL || status != NIGH_OK) {
        return status == NIGH_OK ? CLI_ERROR : cli_failed(status, "a session", NULL);
    }
    uint64_t next = first_number(&state->open);
    for (uint64_t i = 0; i < rows;) {
        uint32_t done = 0;
        status = nigh_get(state->open.index, session, &next, NULL, 1, NULL, NULL, &done);
        if (status == NIGH_E_NOT_FOUND) {
            state->numbers[i++] = next;
        } else if (status != NIGH_OK && status != NIGH_E_DELETED) {
            break;
        }
        next++;
    }
    nigh_close(session);
    return status == NIGH_E_NOT_FOUND || rows == 0 ? CLI_OK : cli_failed(status, state->path, NULL);
}

static int feed(change_state *state) {
    cli_feed *feed = &state->feed;
    if (state->open.config.keys == NIGH_KEYS_U64 && state->numbers == NULL &&
        number_rows(state) != CLI_OK) {
        return CLI_ERROR;
    }
    feed->index = state->open.index;
    feed->vectors = &state->vectors;
    feed->first = state->first;
    feed->count = state->vectors.count - state->first;
    feed->keys = state->open.config.keys == NIGH_KEYS_BYTES ? &state->keys : NULL;
    feed->numbers = state->numbers;
    feed->external = cli_external(&state->open);
    feed->set = state->set.set != 0;
    feed->skip = state->set.skip_invalid != 0;
    feed->flags = state->set.replace_deleted != 0 ? NIGH_REPLACE_DELETED : 0;
    feed->threads = cli_lmdb_named(state->path) ? 1 : cli_threads(state->set.threads);
    feed->label = "add";
    return cli_feed_run(feed);
}

static int report_add(const change_state *state, uint32_t live_before) {
    const char *path = state->set.output != NULL ? state->set.output : state->path;
    const nigh_stats *stats = &state->open.stats;
    uint64_t rows = state->feed.count - state->feed.skipped;
    uint64_t added = stats->live_count - live_before;
    if (state->set.json != 0) {
        cli_json json = {0};
        cli_json_open(&json, NULL, '{');
        cli_json_text(&json, "index", path);
        cli_json_u64(&json, "added", added);
        cli_json_u64(&json, "updated", rows - added);
        cli_json_u64(&json, "skipped", state->feed.skipped);
        cli_json_u64(&json, "count", stats->live_count);
        cli_json_u64(&json, "slots", stats->slot_count);
        cli_json_u64(&json, "deleted", stats->deleted_count);
        cli_json_real(&json, "build_s", state->feed.seconds, 6);
        cli_json_real(&json, "cpu_s", state->feed.cpu_seconds, 6);
        cli_json_u64(&json, "file_bytes", state->file_bytes);
        cli_json_close(&json);
    } else if (strcmp(path, "-") != 0) {
        printf("%s: %" PRIu64 " added, %" PRIu64 " updated, %" PRIu64
               " left out; %u keys now, %" PRIu64 " bytes\n",
               path, added, rows - added, state->feed.skipped, stats->live_count,
               state->file_bytes);
    }
    return cli_flush(CLI_OK);
}

static int run_add(const cli_verb *verb, int argc, char **argv) {
    change_state state;
    char **args = NULL;
    int count = 0;
    memset(&state, 0, sizeof state);
    state.lock = -1;
    state.set.threads = 1;
    int code = cli_parse(verb, argc, argv, &state.set, &args, &count);
    if (code != CLI_GO) {
        return code;
    }
    code = begin(&state, verb, args);
    code = code == CLI_OK ? open_inputs(&state, args[1]) : code;
    code = code == CLI_OK ? reopen(&state) : code;
    code = code == CLI_OK ? cli_root(state.open.index, state.path) : code;
    uint32_t live_before = state.open.stats.live_count;
    code = code == CLI_OK ? feed(&state) : code;
    code = code == CLI_OK ? save(&state) : code;
    code = code == CLI_OK ? report_add(&state, live_before) : code;
    change_close(&state);
    return code;
}

/* ---- remove --------------------------------------------------------------------------------- */

static int open_removals(change_state *state, char **args, int count) {
    if ((state->set.keys != NULL) == (count > 1)) {
        return cli_usage("remove", "expected keys as arguments, or --keys FILE, one of both");
    }
    int code = state->set.keys != NULL ? cli_keys_open(&state->keys, state->set.keys)
                                       : cli_keys_arguments(&state->keys, args + 1, count - 1);
    if (code == CLI_OK && state->open.config.keys != NIGH_KEYS_BYTES) {
        code = cli_keys_numbers(&state->keys, &state->numbers);
        code = code != CLI_OK && state->set.keys == NULL ? CLI_USAGE : code;
    }
    return code;
}

static int remove_keys(change_state *state) {
    nigh_session *session = NULL;
    nigh_status status = nigh_session_new(state->open.index, NULL, &session);
    for (uint64_t i = 0; i < state->keys.count && status == NIGH_OK; i++) {
        uint32_t done = 0;
        bool bytes = state->numbers == NULL;
        const char *text = state->keys.bytes + state->keys.offsets[i];
        status =
            nigh_remove(state->open.index, session, bytes ? (const void *)text : &state->numbers[i],
                        bytes ? &state->keys.lengths[i] : NULL, 1, &done);
        if (status == NIGH_OK) {
            state->removed++;
        } else if (status == NIGH_E_NOT_FOUND || status == NIGH_E_DELETED || status == NIGH_E_KEY) {
            if (state->missing++ < 10 && state->set.ignore_missing == 0) {
                cli_say("%s: the key '%.*s' %s", state->path, (int)state->keys.lengths[i], text,
                        status == NIGH_E_DELETED ? "was removed before" : "is not there");
            }
            status = NIGH_OK;
        }
    }
    nigh_close(session);
    return status == NIGH_OK ? CLI_OK : cli_failed(status, state->path, NULL);
}

static int report_remove(const change_state *state) {
    const char *path = state->set.output != NULL ? state->set.output : state->path;
    const nigh_stats *stats = &state->open.stats;
    if (state->set.json != 0) {
        cli_json json = {0};
        cli_json_open(&json, NULL, '{');
        cli_json_text(&json, "index", path);
        cli_json_u64(&json, "removed", state->removed);
        cli_json_u64(&json, "missing", state->missing);
        cli_json_u64(&json, "count", stats->live_count);
        cli_json_u64(&json, "slots", stats->slot_count);
        cli_json_u64(&json, "deleted", stats->deleted_count);
        cli_json_close(&json);
    } else if (strcmp(path, "-") != 0) {
        printf("%s: %" PRIu64 " removed, %" PRIu64 " not there; %u keys now\n", path,
               state->removed, state->missing, stats->live_count);
    }
    return cli_flush(state->missing != 0 && state->set.ignore_missing == 0 ? CLI_FAILED : CLI_OK);
}

static int run_remove(const cli_verb *verb, int argc, char **argv) {
    change_state state;
    char **args = NULL;
    int count = 0;
    memset(&state, 0, sizeof state);
    state.lock = -1;
    int code = cli_parse(verb, argc, argv, &state.set, &args, &count);
    if (code != CLI_GO) {
        return code;
    }
    cli_access access = {.file_flags = NIGH_FILE_PRIVATE};
    code = begin(&state, verb, args);
    code = code == CLI_OK ? cli_open(&state.open, args[0], &access, NULL) : code;
    code = code == CLI_OK ? open_removals(&state, args, count) : code;
    code = code == CLI_OK ? remove_keys(&state) : code;
    if (code == CLI_OK && (state.removed != 0 || state.set.output != NULL)) {
        code = save(&state);
    }
    code = code == CLI_OK ? report_remove(&state) : code;
    change_close(&state);
    return code;
}

#define AT(field) CLI_AT(change_settings, field)
static const cli_option add_options[] = {
    {"keys", 0, CLI_TEXT, AT(keys), "FILE", 0, 0,
     "a key for each row, one a line, - is stdin: strings, or\nnumbers in an index built without "
     "--keys; default there:\nthe next numbers that were never used"},
    {"output", 'o', CLI_TEXT, AT(output), "FILE", 0, 0,
     "write a new index; default: replace X.nigh in one step"},
    {"set", 0, CLI_FLAG, AT(set), NULL, 0, 0,
     "update keys that exist, bring removed ones back;\ndefault: a known key is an error"},
    {"replace-deleted", 0, CLI_FLAG, AT(replace_deleted), NULL, 0, 0,
     "use the places of removed keys, lowest first"},
    {"threads", 0, CLI_U32, AT(threads), "N", 0, 1024,
     "default 1: the same bytes every time; more: a valid index,\nbut its bytes differ. 0: one for "
     "each processor"},
    {"skip-invalid", 0, CLI_FLAG, AT(skip_invalid), NULL, 0, 0,
     "leave rows out that hold NaN or infinity, or zeros under\ncosine, and count them"},
    {"format", 0, CLI_NAME, AT(format), CLI_FORMATS, 0, 0,
     "of VECTORS; default auto: by the name's ending"},
    {"packed", 0, CLI_FLAG, AT(packed), NULL, 0, 0, "rows of u1 are packed bits, 8 a byte"},
    {"kernel", 0, CLI_NAME, AT(kernel), CLI_KERNELS, 0, 0, "default auto; all give the same bytes"},
    {"json", 0, CLI_FLAG, AT(json), NULL, 0, 0, "print one JSON object"},
};

static const cli_option remove_options[] = {
    {"keys", 0, CLI_TEXT, AT(keys), "FILE", 0, 0, "keys to remove, one a line, - is stdin"},
    {"output", 'o', CLI_TEXT, AT(output), "FILE", 0, 0,
     "write a new index; default: replace X.nigh in one step"},
    {"ignore-missing", 'f', CLI_FLAG, AT(ignore_missing), NULL, 0, 0,
     "a key that is not there is no reason to exit with 1"},
    {"json", 0, CLI_FLAG, AT(json), NULL, 0, 0, "print one JSON object"},
};

const cli_verb cli_verb_add = {
    "add",
    "add X.nigh VECTORS [options]",
    "Insert the rows of a file.",
    "VECTORS is a vector file as for nigh build, or - for text on stdin; rows are converted to\n"
    "the index's type. For an index without vectors (--graph-only) VECTORS is the whole file:\n"
    "the rows that the index knows, then the new ones.",
    "  nigh add words.nigh more.npy --keys more.txt\n"
    "  nigh add base.nigh more.fvecs -o bigger.nigh --threads 0\n"
    "  nigh add words.nigh changed.npy --keys changed.txt --set",
    add_options,
    CLI_COUNT(add_options),
    2,
    2,
    run_add};

const cli_verb cli_verb_remove = {
    "remove",
    "remove X.nigh KEY... | --keys FILE [options]",
    "Remove keys: they are no longer found, their nodes still lead searches on.",
    "Keys that are not there are named and the exit code is 1; the others are removed all the\n"
    "same.",
    "  nigh remove words.nigh colour flavour\n"
    "  nigh remove base.nigh --keys gone.txt --json",
    remove_options,
    CLI_COUNT(remove_options),
    1,
    1 << 20,
    run_remove};
