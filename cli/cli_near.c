/* cli_near.c - nigh near: the neighbours of a key that the index holds
 * layer C; uses: cli_verbs.h, cli_open.h, cli_json.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli_json.h"
#include "cli_open.h"
#include "cli_verbs.h"

typedef struct near_settings {
    const char *vectors;
    uint32_t by;
    uint32_t k;
    uint32_t ef;
    uint32_t kernel;
    uint32_t exact;
    uint32_t json;
} near_settings;

typedef struct near_state {
    near_settings set;
    cli_index open;
    nigh_session *session;
    const char *key_text;
    uint64_t key;
    uint32_t key_length;
    uint32_t slot; /* of the key */
    uint8_t *row;
    uint64_t *keys;
    float *distances;
    uint32_t *slots;
    uint32_t found;
} near_state;

static int find_key(near_state *state) {
    uint64_t row_bytes = 0;
    uint32_t done = 0;
    bool bytes = state->open.config.keys == NIGH_KEYS_BYTES;
    state->key_length = (uint32_t)strlen(state->key_text);
    if (!bytes && !cli_number(state->key_text, state->key_length, &state->key)) {
        return cli_usage("near", "'%s' is not a number; %s has keys 0..2^64-1", state->key_text,
                         state->open.path);
    }
    nigh_status status =
        nigh_row_bytes(state->open.config.dim, state->open.config.dtype, &row_bytes);
    state->row = status == NIGH_OK ? cli_memory(row_bytes) : NULL;
    if (state->row == NULL) {
        return CLI_ERROR;
    }
    status = nigh_get(state->open.index, state->session,
                      bytes ? (const void *)state->key_text : &state->key,
                      bytes ? &state->key_length : NULL, 1, state->row, &state->slot, &done);
    if (status == NIGH_E_NOT_FOUND || status == NIGH_E_DELETED || status == NIGH_E_KEY) {
        cli_say("%s: the key '%s' %s", state->open.path, state->key_text,
                status == NIGH_E_DELETED ? "was removed" : "is not there");
        return CLI_FAILED;
    }
    return status == NIGH_OK ? CLI_OK : cli_failed(status, state->open.path, NULL);
}

/* One more than k is asked for, as the key itself is among them and left out. */
static int search(near_state *state) {
    uint32_t k = state->set.k + 1;
    nigh_search_options options = {.struct_size = sizeof options,
                                   .ef = state->set.ef,
                                   .flags = state->set.exact != 0 ? NIGH_SEARCH_EXACT : 0};
    if (state->open.config.keys != NIGH_KEYS_BYTES) {
        state->keys = cli_memory(k * sizeof *state->keys);
    }
    state->distances = cli_memory(k * sizeof *state->distances);
    state->slots = cli_memory(k * sizeof *state->slots);
    if (state->distances == NULL || state->slots == NULL) {
        return CLI_ERROR;
    }
    nigh_status status =
        nigh_search(state->open.index, state->session, state->row, &options, k, state->keys, NULL,
                    state->distances, state->slots, &state->found);
    return status == NIGH_OK ? CLI_OK : cli_failed(status, state->open.path, NULL);
}

static void print_hit(const near_state *state, cli_json *json, uint32_t i) {
    char name[512];
    uint64_t key = state->keys != NULL ? state->keys[i] : 0;
    uint32_t length = state->keys == NULL ? cli_slot_key(&state->open, state->slots[i], name) : 0;
    if (json == NULL) {
        cli_print_key(&state->open, key, name, length);
        printf("\t%.9g\n", (double)state->distances[i]);
        return;
    }
    cli_json_open(json, NULL, '{');
    if (state->keys != NULL) {
        cli_json_u64(json, "key", key);
    } else {
        cli_json_bytes(json, "key", name, length);
    }
    cli_json_real(json, "distance", (double)state->distances[i], 9);
    cli_json_u64(json, "slot", state->slots[i]);
    cli_json_close(json);
}

static int report(const near_state *state) {
    cli_json json = {0};
    bool as_json = state->set.json != 0;
    uint32_t shown = 0;
    if (as_json) {
        cli_json_open(&json, NULL, '{');
        cli_json_text(&json, "index", state->open.path);
        if (state->keys != NULL) {
            cli_json_u64(&json, "key", state->key);
        } else {
            cli_json_bytes(&json, "key", state->key_text, state->key_length);
        }
        cli_json_open(&json, "hits", '[');
    }
    for (uint32_t i = 0; i < state->found && shown < state->set.k; i++) {
        if (state->slots[i] != state->slot) {
            print_hit(state, as_json ? &json : NULL, i);
            shown++;
        }
    }
    if (as_json) {
        cli_json_close(&json);
        cli_json_close(&json);
    }
    return cli_flush(CLI_OK);
}

static int run_near(const cli_verb *verb, int argc, char **argv) {
    near_state state;
    char **args = NULL;
    int count = 0;
    memset(&state, 0, sizeof state);
    state.set.k = 10;
    state.set.ef = 64;
    int code = cli_parse(verb, argc, argv, &state.set, &args, &count);
    if (code != CLI_GO) {
        return code;
    }
    cli_access access = {.file_flags = 0};
    code = cli_kernel(state.set.kernel, &access.features) ? CLI_OK : CLI_ERROR;
    code = code == CLI_OK ? cli_open(&state.open, args[0], &access, NULL) : code;
    if (code == CLI_OK) {
        code = cli_open_vectors(&state.open, "near", state.set.vectors, state.set.by);
    }
    if (code == CLI_OK) {
        uint32_t widest = state.set.ef > state.set.k + 1 ? state.set.ef : state.set.k + 1;
        nigh_session_options options = {
            .struct_size = sizeof options, .ef_max = widest, .flags = NIGH_SESSION_READ};
        nigh_status status = nigh_session_new(state.open.index, &options, &state.session);
        code = status == NIGH_OK ? CLI_OK : cli_failed(status, "a session", NULL);
    }
    state.key_text = args[1];
    code = code == CLI_OK ? find_key(&state) : code;
    code = code == CLI_OK ? search(&state) : code;
    code = code == CLI_OK ? report(&state) : code;
    nigh_close(state.row);
    nigh_close(state.keys);
    nigh_close(state.distances);
    nigh_close(state.slots);
    nigh_close(state.session);
    cli_close(&state.open);
    return code;
}

#define AT(field) CLI_AT(near_settings, field)
static const cli_option options[] = {
    {"k", 'k', CLI_U32, AT(k), "N", 1, 65534, "neighbours; default 10"},
    {"ef", 0, CLI_U32, AT(ef), "N", 1, 65535, "candidates kept, raised to k; default 64"},
    {"exact", 0, CLI_FLAG, AT(exact), NULL, 0, 0, "score every vector, without the graph"},
    {"vectors", 0, CLI_TEXT, AT(vectors), "FILE", 0, 0, "the vectors of a --graph-only index"},
    {"vectors-by", 0, CLI_NAME, AT(by), CLI_BY, 0, 0, CLI_BY_HELP},
    {"kernel", 0, CLI_NAME, AT(kernel), CLI_KERNELS, 0, 0,
     "default auto; all give the same answers"},
    {"json", 0, CLI_FLAG, AT(json), NULL, 0, 0, "print one JSON object"},
};

const cli_verb cli_verb_near = {
    "near",
    "near X.nigh KEY [options]",
    "Find the neighbours of a stored key, the key itself left out.",
    "KEY is the string, or the decimal number in an index without --keys. Prints a line for\n"
    "each neighbour: key, distance, separated by a tab.",
    "  nigh near words.nigh king -k 5\n"
    "  nigh near base.nigh 17 --json\n"
    "  nigh near words.nigh -- -dashed-",
    options,
    CLI_COUNT(options),
    2,
    2,
    run_near};
