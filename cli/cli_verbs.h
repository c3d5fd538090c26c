/* cli_verbs.h - the table of verbs, and the key-bytes rule that two of them share
 * layer C; uses: cli_json.h, cli_options.h, cli_text.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGH_CLI_VERBS_H
#define NIGH_CLI_VERBS_H
#include "cli_json.h"
#include "cli_options.h"
#include "cli_text.h"

extern const cli_verb cli_verb_build;
extern const cli_verb cli_verb_search;
extern const cli_verb cli_verb_near;
extern const cli_verb cli_verb_add;
extern const cli_verb cli_verb_remove;
extern const cli_verb cli_verb_codes;
extern const cli_verb cli_verb_refine;
extern const cli_verb cli_verb_vacuum;
extern const cli_verb cli_verb_pack;
extern const cli_verb cli_verb_info;
extern const cli_verb cli_verb_check;
extern const cli_verb cli_verb_sha;
extern const cli_verb cli_verb_import_hnswlib;
extern const cli_verb cli_verb_export_hnswlib;
extern const cli_verb cli_verb_lmdb;

/* Checks an index and prints what it found: a line, or an object into *json.
 * @returns CLI_OK, CLI_FAILED (broken), CLI_ERROR */
int cli_check_index(const char *path, cli_json *json);

/* Room for these keys: a key never crosses a block, so each block may lose a longest key less 1. */
uint64_t cli_key_room(const cli_keys *keys, const nigh_config *config);

#endif /* NIGH_CLI_VERBS_H */
