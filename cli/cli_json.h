/* cli_json.h - writes one JSON object to stdout, piece by piece
 * layer C; uses: nothing
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGH_CLI_JSON_H
#define NIGH_CLI_JSON_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct cli_json {
    uint32_t depth;
    char closer[8];
    bool filled[8];
} cli_json;

/* Everything takes its name, or NULL within an array and for the outermost object. */
void cli_json_open(cli_json *json, const char *name, char bracket); /* '{' or '[' */
void cli_json_close(cli_json *json); /* the outermost ends the line */
void cli_json_bytes(cli_json *json, const char *name, const void *bytes, size_t count);
void cli_json_text(cli_json *json, const char *name, const char *text);
void cli_json_u64(cli_json *json, const char *name, uint64_t value);
void cli_json_i64(cli_json *json, const char *name, int64_t value);
/* Not a number and infinity become null: JSON has no word for them. */
void cli_json_real(cli_json *json, const char *name, double value, int digits);
void cli_json_bool(cli_json *json, const char *name, bool value);
void cli_json_null(cli_json *json, const char *name);

#endif /* NIGH_CLI_JSON_H */
