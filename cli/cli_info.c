/* cli_info.c - nigh info, nigh check, nigh sha: what an index file is, and whether it is sound
 * layer C; uses: cli_verbs.h, cli_open.h, cli_json.h, cli_lmdb.h, cli_sha256.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli_json.h"
#include "cli_lmdb.h"
#include "cli_open.h"
#include "cli_sha256.h"
#include "cli_verbs.h"

#define NONE 0xffffffffu

typedef struct info_settings {
    uint32_t json;
} info_settings;

/* ---- info ----------------------------------------------------------------------------------- */

/* A line or a member; text NULL: the number. */
static void put(cli_json *json, bool as_json, const char *name, const char *text, uint64_t number) {
    if (as_json && text != NULL) {
        cli_json_text(json, name, text);
    } else if (as_json) {
        cli_json_u64(json, name, number);
    } else if (text != NULL) {
        printf("%-14s %s\n", name, text);
    } else {
        printf("%-14s %" PRIu64 "\n", name, number);
    }
}

/* What codes are searched, and how links were chosen. */
static void put_codes(cli_json *json, bool as_json, const nigh_config *config,
                      const nigh_stats *stats) {
    char text[64];
    put(json, as_json, "codes", cli_name_at(CLI_CODES, config->codes + 1, text, sizeof text), 0);
    put(json, as_json, "codes_made", cli_name_at(CLI_CODES, stats->codes + 1, text, sizeof text),
        0);
    const struct {
        const char *name;
        double value;
    } reals[] = {{"alpha", (double)config->alpha},
                 {"code_min", (double)config->code_min},
                 {"code_max", (double)config->code_max}};
    for (size_t i = 0; i < CLI_COUNT(reals); i++) {
        if (as_json) {
            cli_json_real(json, reals[i].name, reals[i].value, 9);
        } else {
            printf("%-14s %.9g\n", reals[i].name, reals[i].value);
        }
    }
    put(json, as_json, "keep_pruned", NULL, (config->build_flags & NIGH_BUILD_KEEP_PRUNED) != 0);
    put(json, as_json, "exact_build", NULL, (config->build_flags & NIGH_BUILD_EXACT) != 0);
    put(json, as_json, "unrooted", NULL, (config->build_flags & NIGH_BUILD_UNROOTED) != 0);
}

static void put_info(const cli_index *open, uint64_t file_bytes, bool packed, bool as_json) {
    cli_json json = {0};
    char text[64];
    const nigh_config *config = &open->config;
    const nigh_stats *stats = &open->stats;
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {{"m", config->m},
                   {"m0", config->m0},
                   {"ef_build", config->ef_build},
                   {"expansions", config->expansions},
                   {"block_bytes", config->block_bytes},
                   {"key_bytes_max", config->key_bytes_max},
                   {"seed", config->seed},
                   {"count", stats->live_count},
                   {"deleted", stats->deleted_count},
                   {"free", stats->free_count},
                   {"slots", stats->slot_count},
                   {"code_clamped", stats->code_clamped},
                   {"level_max", stats->level_max},
                   {"upper_records", stats->upper_count},
                   {"key_bytes", stats->key_bytes},
                   {"image_bytes", stats->image_bytes},
                   {"file_bytes", file_bytes}};
    if (as_json) {
        cli_json_open(&json, NULL, '{');
    }
    put(&json, as_json, "index", open->path, 0);
    put(&json, as_json, "dim", NULL, config->dim);
    put(&json, as_json, "metric",
        config->metric == NIGH_METRIC_CUSTOM
            ? "custom"
            : cli_name_at(CLI_METRICS, config->metric, text, sizeof text),
        0);
    put(&json, as_json, "dtype", cli_name_at(CLI_DTYPES, config->dtype, text, sizeof text), 0);
    put(&json, as_json, "keys", cli_name_at(CLI_KEY_KINDS, config->keys + 1, text, sizeof text), 0);
    put(&json, as_json, "vectors", cli_external(open) ? "external" : "owned", 0);
    if (as_json) {
        cli_json_bool(&json, "packed", packed);
    } else {
        put(&json, as_json, "layout", packed ? "packed" : "plain", 0);
    }
    put_codes(&json, as_json, config, stats);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        put(&json, as_json, numbers[i].name, NULL, numbers[i].value);
    }
    if (stats->entry_slot == NONE) {
        if (as_json) {
            cli_json_null(&json, "entry_slot");
        }
    } else {
        put(&json, as_json, "entry_slot", NULL, stats->entry_slot);
    }
    put(&json, as_json, "kernel", cli_kernel_text(stats->features, text, sizeof text), 0);
    if (as_json) {
        cli_json_close(&json);
    }
}

/* Size and version of a file that is an image: docs/FORMAT.md. */
static int file_look(const char *path, uint64_t *bytes, bool *packed) {
    char message[CLI_MESSAGE];
    void *file = NULL;
    nigh_status status =
        nigh_file_map(path, NIGH_FILE_RANDOM, &file, bytes, message, sizeof message);
    *packed = status == NIGH_OK && *bytes > 8 && ((const uint8_t *)file)[8] == 2;
    nigh_close(file);
    return status == NIGH_OK ? CLI_OK : cli_failed(status, path, message);
}

static int run_info(const cli_verb *verb, int argc, char **argv) {
    info_settings set = {0};
    cli_index open;
    cli_access access = {.file_flags = NIGH_FILE_RANDOM};
    uint64_t bytes = 0;
    bool packed = false;
    char **args = NULL;
    int count = 0;
    int code = cli_parse(verb, argc, argv, &set, &args, &count);
    if (code != CLI_GO) {
        return code;
    }
    code = cli_open(&open, args[0], &access, NULL);
    if (code != CLI_OK) {
        return code;
    }
    bytes = open.lmdb != NULL ? cli_lmdb_bytes(open.lmdb) : 0;
    code = open.lmdb != NULL ? CLI_OK : file_look(args[0], &bytes, &packed);
    if (code == CLI_OK) {
        put_info(&open, bytes, packed, set.json != 0);
        code = cli_flush(CLI_OK);
    }
    cli_close(&open);
    return code;
}

/* ---- check ---------------------------------------------------------------------------------- */

/* Numbers of nigh_report.fault, as docs/FORMAT.md lists them. */
static const char *fault_text(uint32_t fault) {
    static const char *const texts[] = {
        "no fault",
        "the counts do not agree with what is there",
        "the entry point is not a node of the top layer",
        "a node's upper records are out of range or another's",
        "a link is out of range or to its own node",
        "a link stands twice in a row",
        "a link leads to an empty slot",
        "something stands behind the end of a row",
        "a link leads to a node that is not in this layer",
        "a node has no valid parent edge: it may not be reachable",
        "a parent edge is marked that the child does not know",
        "a node has too many children",
        "a chain of the key map is broken",
        "a key is there twice",
        "a key is not found through the key map",
        "a byte-string key lies out of range",
        "a vector or what belongs to it is not valid",
        "the checksum of a block does not hold",
        "bytes that are not used are not zero",
        "a code is not that of its vector",
    };
    return fault < CLI_COUNT(texts) ? texts[fault] : "a rule that this version does not know";
}

/* A graph as hnswlib's file held it may have islands, and nothing that proves there are none. */
static bool has_tree(const cli_index *open) {
    return (open->config.build_flags & NIGH_BUILD_UNROOTED) == 0;
}

static void json_report(cli_json *json, const char *path, nigh_status status,
                        const nigh_report *report, const cli_index *open, bool unsealed) {
    cli_json_open(json, NULL, '{');
    cli_json_text(json, "index", path);
    cli_json_bool(json, "ok", status == NIGH_OK);
    cli_json_i64(json, "status", status);
    cli_json_text(json, "status_text", cli_status_text(status));
    cli_json_bool(json, "sealed", !unsealed);
    cli_json_u64(json, "fault", report->fault);
    cli_json_text(json, "fault_text", report->fault != 0 ? fault_text(report->fault) : "");
    if (report->slot != NONE) {
        cli_json_u64(json, "slot", report->slot);
    } else {
        cli_json_null(json, "slot");
    }
    cli_json_u64(json, "level", report->level);
    if (has_tree(open)) {
        cli_json_u64(json, "unreachable", report->unreachable);
    } else {
        cli_json_null(json, "unreachable");
    }
    cli_json_u64(json, "links", report->link_count);
    cli_json_u64(json, "blocks_checked", report->blocks_checked);
    cli_json_close(json);
}

static int text_report(const char *path, nigh_status status, const nigh_report *report,
                       const cli_index *open, bool unsealed) {
    const char *left = unsealed ? "left in the middle of changes; " : "";
    if (status == NIGH_OK) {
        printf("%s: sound: %u keys, %" PRIu64 " links, %" PRIu64 " blocks, %s\n", path,
               open->stats.live_count, report->link_count, report->blocks_checked,
               has_tree(open) ? "all reachable"
                              : "not rooted: as a file of hnswlib held it, perhaps with islands");
        return cli_flush(CLI_OK);
    }
    if (status == NIGH_E_OPEN) {
        cli_say("%s: broken: %swhat is there is sound", path, left);
    } else if (report->fault == 0) {
        cli_say("%s: broken: %s%s", path, left,
                status == NIGH_E_FORMAT ? "not a nigh image of a version known here"
                                        : cli_status_text(status));
    } else if (report->slot == NONE) {
        cli_say("%s: broken: %s%s (rule %u)", path, left, fault_text(report->fault), report->fault);
    } else {
        cli_say("%s: broken: %s%s (rule %u) at slot %u, layer %u; %u unreachable", path, left,
                fault_text(report->fault), report->fault, report->slot, report->level,
                report->unreachable);
    }
    return CLI_FAILED;
}

/* nigh_check verifies the checksums too and can say more than an attach that fails. An image that
 * was left open is looked at as well, but is broken for everyone else. */
static int open_for_check(cli_index *open, const char *path, nigh_status *status, bool *unsealed) {
    cli_access access = {.file_flags = NIGH_FILE_WILLNEED};
    int code = cli_open(open, path, &access, status);
    if (code == CLI_FAILED && *status == NIGH_E_OPEN) {
        *unsealed = true;
        *status = NIGH_OK;
        access.open_flags = NIGH_OPEN_UNSEALED;
        code = cli_open(open, path, &access, status);
    }
    return code;
}

int cli_check_index(const char *path, cli_json *json) {
    cli_index open;
    nigh_report report = {.struct_size = sizeof report, .slot = NONE};
    nigh_status status = NIGH_OK;
    nigh_session *session = NULL;
    bool unsealed = false;
    int code = open_for_check(&open, path, &status, &unsealed);
    if (code == CLI_OK) {
        status = nigh_session_new(open.index, NULL, &session);
        status = status == NIGH_OK ? nigh_check(open.index, session, &report) : status;
        code = status == NIGH_OK ? CLI_OK : cli_failed(status, path, NULL);
        status = report.status == NIGH_OK && unsealed ? NIGH_E_OPEN : report.status;
    } else if (code == CLI_FAILED) {
        code = CLI_OK; /* the image is what is broken, not the command */
    }
    if (code == CLI_OK && json != NULL) {
        json_report(json, path, status, &report, &open, unsealed);
        code = status == NIGH_OK ? CLI_OK : CLI_FAILED;
    } else if (code == CLI_OK) {
        code = text_report(path, status, &report, &open, unsealed);
    }
    nigh_close(session);
    cli_close(&open);
    return code;
}

static int run_check(const cli_verb *verb, int argc, char **argv) {
    info_settings set = {0};
    cli_json json = {0};
    char **args = NULL;
    int count = 0;
    const int code = cli_parse(verb, argc, argv, &set, &args, &count);
    return code != CLI_GO ? code
                          : cli_flush(cli_check_index(args[0], set.json != 0 ? &json : NULL));
}

/* ---- sha ------------------------------------------------------------------------------------ */

static int sha_stdin(cli_sha256 *sha) {
    static unsigned char bytes[65536];
    size_t got = 1;
    while (got != 0) {
        got = fread(bytes, 1, sizeof bytes, stdin);
        cli_sha256_add(sha, bytes, got);
    }
    if (ferror(stdin)) {
        cli_say("cannot read standard input: %s", strerror(errno));
        return CLI_ERROR;
    }
    return CLI_OK;
}

static nigh_status sha_part(void *user, const void *bytes, uint64_t count) {
    cli_sha256_add(user, bytes, (size_t)count);
    return NIGH_OK;
}

/* The file's bytes: of a sealed image what nigh_save would write, and what sha256sum prints. */
static int sha_file(cli_sha256 *sha, const char *path) {
    char message[CLI_MESSAGE] = "";
    cli_index open;
    cli_access access = {.file_flags = NIGH_FILE_SEQUENTIAL};
    void *file = NULL;
    uint64_t bytes = 0;
    int code = cli_open(&open, path, &access, NULL);
    if (code != CLI_OK) {
        return code;
    }
    const bool lies_in_lmdb = cli_lmdb_named(path); /* where there is no file: what export writes */
    nigh_status status = lies_in_lmdb ? nigh_save(open.index, 0, sha_part, sha)
                                      : nigh_file_map(path, NIGH_FILE_SEQUENTIAL, &file, &bytes,
                                                      message, sizeof message);
    if (status == NIGH_OK && !lies_in_lmdb) {
        cli_sha256_add(sha, file, (size_t)bytes);
    } else if (status != NIGH_OK) {
        code = cli_failed(status, path, message);
    }
    nigh_close(file);
    cli_close(&open);
    return code;
}

static int run_sha(const cli_verb *verb, int argc, char **argv) {
    info_settings set = {0};
    cli_sha256 sha;
    cli_json json = {0};
    char text[65];
    char **args = NULL;
    int count = 0;
    int code = cli_parse(verb, argc, argv, &set, &args, &count);
    if (code != CLI_GO) {
        return code;
    }
    cli_sha256_begin(&sha);
    code = strcmp(args[0], "-") == 0 ? sha_stdin(&sha) : sha_file(&sha, args[0]);
    if (code != CLI_OK) {
        return code;
    }
    cli_sha256_end(&sha, text);
    if (set.json != 0) {
        cli_json_open(&json, NULL, '{');
        cli_json_text(&json, "index", args[0]);
        cli_json_text(&json, "sha256", text);
        cli_json_close(&json);
    } else {
        printf("%s  %s\n", text, args[0]);
    }
    return cli_flush(CLI_OK);
}

static const cli_option options[] = {
    {"json", 0, CLI_FLAG, CLI_AT(info_settings, json), NULL, 0, 0, "print one JSON object"},
};

const cli_verb cli_verb_info = {"info",
                                "info X.nigh [options]",
                                "Print every configuration value, counts and sizes of an index.",
                                "",
                                "  nigh info words.nigh\n"
                                "  nigh info words.nigh --json",
                                options,
                                CLI_COUNT(options),
                                1,
                                1,
                                run_info};

const cli_verb cli_verb_check = {
    "check",
    "check X.nigh [options]",
    "Prove that an index is sound: checksums, bounds, degrees, keys, reachability.",
    "A broken index gives exit code 1 and the fault in words, a file that cannot be read 3.",
    "  nigh check words.nigh && nigh near words.nigh king\n"
    "  nigh check words.nigh --json",
    options,
    CLI_COUNT(options),
    1,
    1,
    run_check};

const cli_verb cli_verb_sha = {
    "sha",
    "sha X.nigh [options]",
    "Print the SHA-256 of the image bytes, as sha256sum does.",
    "The same build gives the same digest on every machine. - is any bytes on stdin.",
    "  nigh sha words.nigh\n"
    "  nigh build words.npy -o - | nigh sha -",
    options,
    CLI_COUNT(options),
    1,
    1,
    run_sha};
