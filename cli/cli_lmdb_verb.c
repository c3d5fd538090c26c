/* cli_lmdb_verb.c - nigh lmdb: the verbs that work on indexes in an LMDB environment
 * layer C; uses: cli_verbs.h, cli_lmdb.h, cli_open.h, cli_json.h
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * build, search, add, remove and export are those of files, given the name lmdb:ENV#ID/DATABASE;
 * here ENV, --id and --db become that name. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli_json.h"
#include "cli_lmdb.h"
#include "cli_open.h"
#include "cli_verbs.h"

enum { WORDS_MAX = 4096, ENTRIES = 64 };

typedef struct lmdb_settings {
    const char *database;
    const char *output;
    uint32_t id;
    uint32_t has_id;
    uint32_t replace;
    uint32_t json;
    char name[CLI_LMDB_PATH + 600];
} lmdb_settings;

static void name_of(lmdb_settings *set, const char *env, uint32_t id) {
    snprintf(set->name, sizeof set->name, "lmdb:%s#%u%s%s", env, id,
             set->database != NULL ? "/" : "", set->database != NULL ? set->database : "");
}

/* ---- Verbs of files ------------------------------------------------------------------------- */

/* Takes `--word value` or `--word=value` at argv[at]; how many words it was, 0: another. */
static int take(char **argv, int argc, int at, const char *word, const char **value) {
    const size_t length = strlen(word);
    if (strncmp(argv[at], word, length) != 0) {
        return 0;
    }
    if (argv[at][length] == '=') {
        *value = argv[at] + length + 1;
        return 1;
    }
    if (argv[at][length] != 0 || at + 1 >= argc) {
        return 0;
    }
    *value = argv[at + 1];
    return 2;
}

/* ENV ..., as words of a verb that works on files; `output`: the index is what it writes. */
static int run_words(const cli_verb *verb, int argc, char **argv, bool output) {
    static lmdb_settings set;
    static char *words[WORDS_MAX];
    static char flag[] = "-o";
    const char *id_text = "0";
    uint64_t id = 0;
    int count = 0;
    words[count++] = (char *)(uintptr_t)verb->name;
    if (!output) {
        words[count++] = set.name;
    }
    if (argc > WORDS_MAX - 4) {
        return cli_usage("lmdb", "%d words, at most %d; put keys into a file", argc,
                         WORDS_MAX - 4);
    }
    for (int at = 2; at < argc;) {
        int taken = take(argv, argc, at, "--id", &id_text);
        taken = taken == 0 ? take(argv, argc, at, "--db", &set.database) : taken;
        if (taken == 0 && strcmp(argv[at], "--replace") == 0 && output) {
            cli_replace = true;
            taken = 1;
        }
        if (taken == 0) {
            words[count++] = argv[at];
            taken = 1;
        }
        at += taken;
    }
    if (!cli_number(id_text, strlen(id_text), &id) || id > NIGH_LMDB_ID_MAX) {
        return cli_usage("lmdb", "--id: '%s' is not a whole number of 0..%d", id_text,
                         NIGH_LMDB_ID_MAX);
    }
    name_of(&set, argv[1], (uint32_t)id);
    if (output) {
        words[count++] = flag;
        words[count++] = set.name;
    }
    words[count] = NULL;
    return verb->run(verb, count, words);
}

/* ---- Verbs of environments ------------------------------------------------------------------ */

static void list_json(const nigh_lmdb_entry *entries, uint32_t count, cli_json *json) {
    char text[64];
    for (uint32_t i = 0; i < count; i++) {
        const nigh_config *config = &entries[i].config;
        cli_json_open(json, NULL, '{');
        cli_json_u64(json, "id", entries[i].id);
        cli_json_bool(json, "ok", entries[i].status == NIGH_OK);
        if (entries[i].status != NIGH_OK) {
            cli_json_text(json, "status_text", cli_status_text(entries[i].status));
            cli_json_close(json);
            continue;
        }
        cli_json_u64(json, "dim", config->dim);
        cli_json_text(json, "metric", cli_name_at(CLI_METRICS, config->metric, text, sizeof text));
        cli_json_text(json, "dtype", cli_name_at(CLI_DTYPES, config->dtype, text, sizeof text));
        cli_json_text(json, "keys",
                      cli_name_at(CLI_KEY_KINDS, config->keys + 1, text, sizeof text));
        cli_json_text(json, "codes", cli_name_at(CLI_CODES, config->codes + 1, text, sizeof text));
        cli_json_u64(json, "blocks", entries[i].blocks);
        cli_json_u64(json, "bytes", entries[i].bytes);
        cli_json_u64(json, "changes", entries[i].changes);
        cli_json_close(json);
    }
}

static void list_text(const nigh_lmdb_entry *entries, uint32_t count) {
    char metric[16];
    char dtype[16];
    char keys[16];
    for (uint32_t i = 0; i < count; i++) {
        const nigh_config *config = &entries[i].config;
        if (entries[i].status != NIGH_OK) {
            printf("%u\tits entry: %s; drop takes it out\n", entries[i].id,
                   cli_status_text(entries[i].status));
            continue;
        }
        printf("%u\t%u x %s\t%s\t%s keys\t%" PRIu64 " blocks\t%" PRIu64 " bytes\n", entries[i].id,
               config->dim, cli_name_at(CLI_DTYPES, config->dtype, dtype, sizeof dtype),
               cli_name_at(CLI_METRICS, config->metric, metric, sizeof metric),
               cli_name_at(CLI_KEY_KINDS, config->keys + 1, keys, sizeof keys), entries[i].blocks,
               entries[i].bytes);
    }
}

static int run_list(cli_lmdb *lmdb, const lmdb_settings *set, char *message) {
    static nigh_lmdb_entry entries[ENTRIES];
    cli_json json = {0};
    uint32_t found = ENTRIES;
    uint32_t from = 0;
    if (set->json != 0) {
        cli_json_open(&json, NULL, '{');
        cli_json_open(&json, "indexes", '[');
    }
    while (found == ENTRIES && from <= NIGH_LMDB_ID_MAX) {
        entries[0].struct_size = sizeof entries[0];
        const nigh_status status = nigh_lmdb_list(lmdb->txn, lmdb->dbi, from, ENTRIES, entries,
                                                  &found, message, CLI_MESSAGE);
        if (status != NIGH_OK) {
            return cli_failed(status, "list", message);
        }
        if (set->json != 0) {
            list_json(entries, found, &json);
        } else {
            list_text(entries, found);
        }
        from = found != 0 ? entries[found - 1].id + 1 : from;
    }
    if (set->json != 0) {
        cli_json_close(&json);
        cli_json_close(&json);
    }
    return cli_flush(CLI_OK);
}

static int run_drop(cli_lmdb *lmdb, const lmdb_settings *set, const char *env, char *message) {
    if (set->has_id == 0) {
        return cli_usage("lmdb", "drop wants --id N: which index");
    }
    nigh_status status = nigh_lmdb_drop(lmdb->txn, lmdb->dbi, set->id, message, CLI_MESSAGE);
    status = status == NIGH_OK ? cli_lmdb_commit(lmdb, message) : status;
    if (status == NIGH_OK && set->json != 0) {
        cli_json json = {0};
        cli_json_open(&json, NULL, '{');
        cli_json_text(&json, "environment", env);
        cli_json_u64(&json, "dropped", set->id);
        cli_json_close(&json);
    }
    return status == NIGH_OK ? cli_flush(CLI_OK) : cli_failed(status, "drop", message);
}

static void check_json(cli_json *json, const char *env, const nigh_lmdb_report *report,
                       const char *fault) {
    static const char *const names[] = {"index", "region", "block"};
    const uint32_t places[] = {report->id, report->region, report->block};
    cli_json_open(json, NULL, '{');
    cli_json_text(json, "environment", env);
    cli_json_bool(json, "ok", report->status == NIGH_OK);
    cli_json_u64(json, "fault", report->fault);
    cli_json_text(json, "fault_text", report->fault != 0 ? fault : "");
    for (size_t i = 0; i < CLI_COUNT(names); i++) {
        if (places[i] != UINT32_MAX) {
            cli_json_u64(json, names[i], places[i]);
        } else {
            cli_json_null(json, names[i]);
        }
    }
    cli_json_u64(json, "indexes", report->indexes);
    cli_json_u64(json, "unfinished", report->unfinished);
    cli_json_u64(json, "blocks", report->blocks);
    cli_json_u64(json, "bytes", report->bytes);
    cli_json_u64(json, "other_page", report->other_page);
    cli_json_open(json, "checks", '[');
}

static void check_text(const char *env, const nigh_lmdb_report *report, const char *fault) {
    if (report->status != NIGH_OK) {
        cli_say("%s: broken: %s (index %d, region %d, block %d)", env, fault, (int)report->id,
                (int)report->region, (int)report->block);
        return;
    }
    printf("%s: %u indexes, %" PRIu64 " blocks, %" PRIu64 " bytes, every checksum holds%s\n", env,
           report->indexes, report->blocks, report->bytes,
           report->unfinished != 0 ? "; a load is under way, or died (the next one sweeps it away)"
                                   : "");
    if (report->other_page != 0) {
        printf("%s: %" PRIu64 " blocks are of a machine with pages of another size: sound, but "
               "copied when they are opened; nigh lmdb export and import put that right\n",
               env, report->other_page);
    }
}

/* The values of all indexes, or of one. */
static int run_check_values(cli_lmdb *lmdb, const lmdb_settings *set, const char *env,
                            cli_json *json, char *message) {
    nigh_lmdb_report report = {.struct_size = sizeof report};
    static const char *const texts[] = {
        "no fault",
        "a catalogue entry is damaged",
        "a block is missing",
        "a block is not the one that its key says, or of another size",
        "the checksum of a block does not hold",
        "bytes that are not used are not zero",
        "there are blocks that belong to no index",
    };
    const uint32_t id = set->has_id != 0 ? set->id : (uint32_t)NIGH_LMDB_ALL;
    const nigh_status status =
        nigh_lmdb_check(lmdb->txn, lmdb->dbi, id, &report, message, CLI_MESSAGE);
    if (status != NIGH_OK) {
        const int code = cli_failed(status, env, message);
        return status == NIGH_E_FORMAT ? CLI_FAILED : code;
    }
    const char *fault = report.fault < CLI_COUNT(texts) ? texts[report.fault] : "?";
    if (json != NULL) {
        check_json(json, env, &report, fault);
    } else {
        check_text(env, &report, fault);
    }
    return report.status == NIGH_OK ? CLI_OK : CLI_FAILED;
}

/* Values first, then what they say, of one index or each; a broken one does not end it. */
static int run_check_all(cli_lmdb *lmdb, lmdb_settings *set, const char *env, char *message) {
    nigh_lmdb_entry entry = {.struct_size = sizeof entry};
    cli_json json = {0};
    cli_json *const out = set->json != 0 ? &json : NULL;
    uint32_t found = 1;
    uint32_t from = set->has_id != 0 ? set->id : 0;
    int worst = run_check_values(lmdb, set, env, out, message);
    if (*message != 0) {
        return worst;
    }
    while (found == 1 && from <= NIGH_LMDB_ID_MAX) {
        const nigh_status status = nigh_lmdb_list(lmdb->txn, lmdb->dbi, from, 1, &entry, &found,
                                                  message, CLI_MESSAGE);
        if (status != NIGH_OK) {
            return cli_failed(status, env, message);
        }
        if (found == 1) {
            name_of(set, env, entry.id);
            from = set->has_id != 0 ? NIGH_LMDB_ID_MAX + 1 : entry.id + 1;
            const int code = cli_check_index(set->name, out);
            worst = code > worst ? code : worst;
        }
    }
    if (out != NULL) {
        cli_json_close(out);
        cli_json_close(out);
    }
    return cli_flush(worst);
}

/* ---- import and export ---------------------------------------------------------------------- */

static int copy(const char *from, const char *to, bool replace, bool json) {
    cli_access access = {.file_flags = NIGH_FILE_SEQUENTIAL};
    cli_index open;
    uint64_t bytes = 0;
    cli_replace = replace;
    int code = cli_output_check("lmdb", to, from);
    code = code == CLI_OK ? cli_open(&open, from, &access, NULL) : code;
    if (code != CLI_OK) {
        return code;
    }
    code = cli_save_index(&open, to, &bytes);
    if (code == CLI_OK && json) {
        cli_json out = {0};
        cli_json_open(&out, NULL, '{');
        cli_json_text(&out, "index", to);
        cli_json_u64(&out, "count", open.stats.live_count);
        cli_json_u64(&out, "image_bytes", bytes);
        cli_json_close(&out);
    } else if (code == CLI_OK && strcmp(to, "-") != 0) {
        printf("%s: %u keys, %" PRIu64 " bytes of image\n", to, open.stats.live_count, bytes);
    }
    cli_close(&open);
    return code == CLI_OK ? cli_flush(CLI_OK) : code;
}

#define AT(field) CLI_AT(lmdb_settings, field)
static const cli_option options[] = {
    {"id", 0, CLI_U32, AT(id), "N", 0, NIGH_LMDB_ID_MAX, "which index of the database; default 0"},
    {"db", 0, CLI_TEXT, AT(database), "NAME", 0, 0,
     "which database of the environment; default the unnamed"},
    {"replace", 0, CLI_FLAG, AT(replace), NULL, 0, 0,
     "build, import: in place of the index that is there;\ndefault: that is an error"},
    {"output", 'o', CLI_TEXT, AT(output), "FILE", 0, 0, "export: the file to write, - is stdout"},
    {"json", 0, CLI_FLAG, AT(json), NULL, 0, 0, "print one JSON object"},
};

static int run_env_verb(lmdb_settings *set, const char *word, char **args, int count) {
    char message[CLI_MESSAGE] = "";
    cli_lmdb lmdb;
    const bool writes = strcmp(word, "drop") == 0;
    name_of(set, args[0], set->id);
    if (strcmp(word, "export") == 0) {
        return set->output != NULL ? copy(set->name, set->output, false, set->json != 0)
                                   : cli_usage("lmdb", "export wants -o FILE");
    }
    if (strcmp(word, "import") == 0) {
        return count == 2 ? copy(args[1], set->name, set->replace != 0, set->json != 0)
                          : cli_usage("lmdb", "expected: nigh lmdb import ENV X.nigh");
    }
    if (count != 1) {
        return cli_usage("lmdb", "'%s' is one too many", args[1]);
    }
    const nigh_status status = cli_lmdb_begin(&lmdb, set->name, writes, false, 0, message);
    if (status != NIGH_OK) {
        return cli_failed(status, args[0], message);
    }
    const int code = writes                       ? run_drop(&lmdb, set, args[0], message)
                     : strcmp(word, "list") == 0 ? run_list(&lmdb, set, message)
                                                  : run_check_all(&lmdb, set, args[0], message);
    cli_lmdb_end(&lmdb);
    return code;
}

static int run_lmdb(const cli_verb *verb, int argc, char **argv) {
    static lmdb_settings set;
    static const struct {
        const char *word;
        const cli_verb *verb;
        bool output;
    } files[] = {{"build", &cli_verb_build, true},
                 {"search", &cli_verb_search, false},
                 {"add", &cli_verb_add, false},
                 {"remove", &cli_verb_remove, false}};
    char **args = NULL;
    int count = 0;
    const char *word = argc > 1 ? argv[1] : "";
    for (size_t i = 0; i < CLI_COUNT(files) && argc > 2 && argv[2][0] != '-'; i++) {
        if (strcmp(word, files[i].word) == 0) {
            return run_words(files[i].verb, argc - 1, argv + 1, files[i].output);
        }
    }
    const uint32_t place = cli_name_place("check|list|drop|import|export", word);
    set.id = UINT32_MAX;
    int code = cli_parse(verb, argc - (place != 0), argv + (place != 0), &set, &args, &count);
    if (code != CLI_GO) {
        return code;
    }
    if (place == 0) {
        return cli_usage("lmdb", "there is no 'lmdb %s'; expected: nigh %s", word, verb->synopsis);
    }
    set.has_id = set.id != UINT32_MAX;
    set.id = set.has_id != 0 ? set.id : 0;
    return run_env_verb(&set, word, args, count);
}

const cli_verb cli_verb_lmdb = {
    "lmdb",
    "lmdb build|search|add|remove|check|list|drop|import|export ENV [...] [options]",
    "Work on indexes inside an LMDB environment.",
    "ENV is its folder or file; build and import make it. Up to 65536 indexes lie in a database,\n"
    "told apart by --id.\n"
    "  build ENV VECTORS    as nigh build, with all its options but -o\n"
    "  search ENV QUERIES   as nigh search\n"
    "  add ENV VECTORS, remove ENV KEY...\n"
    "                       as nigh add and nigh remove, in one transaction\n"
    "  check ENV            proves that values and indexes are sound\n"
    "  list ENV, drop ENV --id N\n"
    "  import ENV X.nigh, export ENV -o X.nigh\n"
    "                       the same index, from and to a file, byte for byte\n"
    "Other verbs that read an index take it by the name lmdb:ENV#ID or lmdb:ENV#ID/NAME.",
    "  nigh lmdb build words.env words.npy --keys words.txt --metric cosine --id 3\n"
    "  nigh lmdb search words.env queries.npy --id 3 -k 5\n"
    "  nigh lmdb import words.env words.nigh --id 4 --db indexes\n"
    "  nigh near lmdb:words.env#3 king\n"
    "  nigh lmdb check words.env",
    options,
    CLI_COUNT(options),
    1,
    2,
    run_lmdb};
