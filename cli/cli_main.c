/* cli_main.c - the nigh command: finds the verb and runs it
 * layer C; uses: cli_verbs.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cli_verbs.h"

static const cli_verb *const verbs[] = {
    &cli_verb_build,          &cli_verb_search, &cli_verb_near,   &cli_verb_add,
    &cli_verb_remove,         &cli_verb_codes,  &cli_verb_refine, &cli_verb_vacuum,
    &cli_verb_pack,           &cli_verb_info,   &cli_verb_check,  &cli_verb_sha,
    &cli_verb_import_hnswlib, &cli_verb_export_hnswlib, &cli_verb_lmdb};

static int print_help(void) {
    printf("Usage: nigh VERB ...\n\nFind nearest neighbours in indexes that are single files.\n\n");
    for (size_t i = 0; i < CLI_COUNT(verbs); i++) {
        printf("  %-14s %s\n", verbs[i]->name, verbs[i]->summary);
    }
    printf("  %-14s %s\n\n", "help", "Print this, or the help of a verb.");
    printf("nigh VERB --help tells its options, nigh --version the version and kernels.\n"
           "Results go to stdout, with --json as one JSON object; messages and a progress bar (on\n"
           "a terminal only, without colour when NO_COLOR is set) go to stderr.\n"
           "\nExamples:\n"
           "  nigh build words.npy --keys words.txt --metric cosine -o words.nigh\n"
           "  nigh near words.nigh king -k 5\n"
           "  nigh search words.nigh queries.npy --json\n");
    cli_exit_codes();
    return cli_flush(CLI_OK);
}

static int print_version(void) {
    static const char *const levels[] = {"scalar", "sse4", "avx2", "avx512", "neon"};
    static const uint32_t bits[] = {NIGH_CPU_SCALAR, NIGH_CPU_SSE41, NIGH_CPU_AVX2, NIGH_CPU_AVX512,
                                    NIGH_CPU_NEON};
    uint32_t version = nigh_version();
    uint32_t features = nigh_features_hosted();
    printf("nigh %u.%u.%u\nkernels:", version >> 16, version >> 8 & 255u, version & 255u);
    for (size_t i = 0; i < CLI_COUNT(levels); i++) {
        if ((features & bits[i]) != 0) {
            printf(" %s", levels[i]);
        }
    }
    printf("\n");
    return cli_flush(CLI_OK);
}

static const cli_verb *find(const char *name) {
    for (size_t i = 0; i < CLI_COUNT(verbs); i++) {
        if (strcmp(verbs[i]->name, name) == 0) {
            return verbs[i];
        }
    }
    return NULL;
}

static int run_help(int argc, char **argv) {
    static char flag[] = "--help";
    if (argc < 3) {
        return print_help();
    }
    const cli_verb *verb = find(argv[2]);
    if (verb == NULL) {
        return cli_usage("", "there is no verb '%s'", argv[2]);
    }
    char *words[] = {argv[2], flag, NULL};
    return verb->run(verb, 2, words);
}

int main(int argc, char **argv) {
    cli_signals();
    if (argc < 2) {
        return cli_usage("", "a verb is missing; expected nigh VERB ...");
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        return run_help(argc, argv);
    }
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        return print_version();
    }
    const cli_verb *verb = find(name);
    if (verb == NULL) {
        return cli_usage("",
                         "there is no %s '%s'; expected build, search, near, add, remove, codes, "
                         "refine, vacuum, pack, info, check, sha, lmdb or help",
                         name[0] == '-' ? "option" : "verb", name);
    }
    return verb->run(verb, argc - 1, argv + 1);
}
