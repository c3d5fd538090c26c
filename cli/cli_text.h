/* cli_text.h - what comes as lines of text: vectors on stdin, keys
 * layer C; uses: cli_common.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGH_CLI_TEXT_H
#define NIGH_CLI_TEXT_H
#include "cli_common.h"

/* A list of byte strings, one after another. */
typedef struct cli_keys {
    const char *path;  /* for messages: a file, then */
    const char *where; /* ", line ", or " " */
    const char *bytes;
    const uint32_t *lengths;
    uint64_t *offsets; /* count + 1 of them */
    uint64_t count;
    const void *owned[2]; /* for nigh_close */
} cli_keys;

/* Rows of numbers separated by blanks or commas; *floats by nigh_close. */
int cli_text_vectors(float **floats, uint64_t *count, uint32_t *dim, uint64_t *memory_bytes);
/* One key a line (LF or CRLF), `-` is stdin. */
int cli_keys_open(cli_keys *keys, const char *path);
/* Keys from arguments. */
int cli_keys_arguments(cli_keys *keys, char **args, int count);
void cli_keys_close(cli_keys *keys);
/* Every key 1..length_max bytes long and there once; a message names the line. */
int cli_keys_check(const cli_keys *keys, uint32_t length_max);
/* Keys as decimal numbers; *numbers by nigh_close. */
int cli_keys_numbers(const cli_keys *keys, uint64_t **numbers);

#endif /* NIGH_CLI_TEXT_H */
