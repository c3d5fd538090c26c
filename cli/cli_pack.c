/* cli_pack.c - nigh pack: an index as it is downloaded and kept in flash, and back
 * layer C; uses: cli_verbs.h, cli_job.h, cli_json.h, cli_open.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli_job.h"
#include "cli_json.h"
#include "cli_open.h"
#include "cli_verbs.h"

typedef struct pack_settings {
    const char *output;
    uint32_t graph_only;
    uint32_t drop_codes;
    uint32_t unpack;
    uint32_t json;
} pack_settings;

/* In this process only: the file that is read stays as it is. */
static int drop_codes(const cli_index *open, cli_job *job) {
    if (open->stats.codes == NIGH_CODES_NONE) {
        return CLI_OK;
    }
    job->index = open->index;
    job->options.struct_size = sizeof job->options;
    job->options.kind = NIGH_JOB_CODES;
    job->options.codes = NIGH_CODES_NONE;
    job->threads = 1;
    job->read_only = true;
    job->label = "pack";
    job->unit = "rows";
    nigh_status status = cli_job_run(job);
    return status == NIGH_OK ? CLI_OK : cli_failed(status, open->path, NULL);
}

static int report(const cli_index *open, const pack_settings *set, uint64_t bytes) {
    const uint32_t slots = open->stats.slot_count;
    double each = slots != 0 ? (double)bytes / slots : 0;
    if (set->json != 0) {
        cli_json json = {0};
        cli_json_open(&json, NULL, '{');
        cli_json_text(&json, "index", set->output);
        cli_json_bool(&json, "packed", set->unpack == 0);
        cli_json_u64(&json, "count", open->stats.live_count);
        cli_json_u64(&json, "slots", slots);
        cli_json_u64(&json, "file_bytes", bytes);
        cli_json_real(&json, "bytes_per_slot", each, 4);
        cli_json_close(&json);
    } else if (strcmp(set->output, "-") != 0) {
        printf("%s: %u keys, %" PRIu64 " bytes, %.2f a slot\n", set->output,
               open->stats.live_count, bytes, each);
    }
    return cli_flush(CLI_OK);
}

static int check_settings(const pack_settings *set) {
    if (set->output == NULL) {
        return cli_usage("pack", "-o FILE is missing: where to write the index");
    }
    if (strcmp(set->output, "-") == 0 && set->json != 0) {
        return cli_usage("pack", "-o - and --json both want standard output");
    }
    if (cli_named_store(set->output) && (set->unpack == 0 || set->graph_only != 0)) {
        return cli_usage("pack", "%s: a store holds whole and plain indexes", set->output);
    }
    return CLI_OK;
}

static int run_pack(const cli_verb *verb, int argc, char **argv) {
    pack_settings set = {0};
    cli_index open = {0};
    cli_job job = {0};
    cli_access access = {0};
    uint64_t bytes = 0;
    char **args = NULL;
    int count = 0;
    int code = cli_parse(verb, argc, argv, &set, &args, &count);
    if (code != CLI_GO) {
        return code;
    }
    code = check_settings(&set);
    code = code == CLI_OK ? cli_output_check("pack", set.output, args[0]) : code;
    code = code == CLI_OK ? cli_open(&open, args[0], &access, NULL) : code;
    code = code == CLI_OK && set.drop_codes != 0 ? drop_codes(&open, &job) : code;
    if (code == CLI_OK) {
        uint32_t flags = (set.unpack == 0 ? (uint32_t)NIGH_SAVE_PACKED : 0) |
                         (set.graph_only != 0 ? (uint32_t)NIGH_SAVE_GRAPH_ONLY : 0);
        code = flags == 0 ? cli_save_index(&open, set.output, &bytes)
                          : cli_save(open.index, flags, set.output, &bytes);
    }
    code = code == CLI_OK ? report(&open, &set, bytes) : code;
    cli_close(&open);
    nigh_close(job.memory);
    return code;
}

#define AT(field) CLI_AT(pack_settings, field)
static const cli_option options[] = {
    {"output", 'o', CLI_TEXT, AT(output), "FILE", 0, 0,
     "the index to write, whole or not at all; - is stdout (required)"},
    {"graph-only", 0, CLI_FLAG, AT(graph_only), NULL, 0, 0,
     "leave the vectors out: search then needs --vectors"},
    {"drop-codes", 0, CLI_FLAG, AT(drop_codes), NULL, 0, 0, "leave the codes out"},
    {"unpack", 0, CLI_FLAG, AT(unpack), NULL, 0, 0,
     "the other way: a plain index, the bytes that were packed"},
    {"json", 0, CLI_FLAG, AT(json), NULL, 0, 0, "print one JSON object"},
};

const cli_verb cli_verb_pack = {
    "pack",
    "pack X.nigh -o Y.nigh [options]",
    "Write an index for download or flash: smaller, read-only, the same answers.",
    "Links take as few bits as they need and what follows from others is left out. Everything\n"
    "that reads works on it; to change it, unpack it first.",
    "  nigh pack words.nigh -o words.packed.nigh\n"
    "  nigh pack words.nigh -o graph.nigh --graph-only --drop-codes\n"
    "  nigh pack words.packed.nigh -o words.nigh --unpack",
    options,
    CLI_COUNT(options),
    1,
    1,
    run_pack};
