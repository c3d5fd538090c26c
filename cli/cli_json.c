/* cli_json.c - JSON by RFC 8259: valid UTF-8 passes, any other byte becomes U+FFFD
 * layer C; uses: cli_json.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "cli_json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Length of the valid UTF-8 sequence at `at`, 0 if there is none (overlong, surrogate, cut). */
static size_t utf8_length(const unsigned char *at, size_t left) {
    size_t length = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    if (length == 0 || at[0] > 0xf4 || length > left) {
        return 0;
    }
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
        (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f)) {
        return 0;
    }
    return length;
}

static void put_string(const unsigned char *bytes, size_t count) {
    putchar('"');
    for (size_t i = 0; i < count;) {
        size_t length = utf8_length(bytes + i, count - i);
        if (length == 0) {
            fputs("\\ufffd", stdout);
            i++;
        } else if (bytes[i] == '"' || bytes[i] == '\\') {
            printf("\\%c", bytes[i++]);
        } else if (bytes[i] < 0x20 || bytes[i] == 0x7f) {
            printf("\\u%04x", bytes[i++]);
        } else {
            fwrite(bytes + i, 1, length, stdout);
            i += length;
        }
    }
    putchar('"');
}

static void put_name(cli_json *json, const char *name) {
    if (json->depth != 0) {
        if (json->filled[json->depth - 1]) {
            putchar(',');
        }
        json->filled[json->depth - 1] = true;
    }
    if (name != NULL) {
        put_string((const unsigned char *)name, strlen(name));
        putchar(':');
    }
}

void cli_json_open(cli_json *json, const char *name, char bracket) {
    put_name(json, name);
    putchar(bracket);
    json->closer[json->depth] = bracket == '{' ? '}' : ']';
    json->filled[json->depth] = false;
    json->depth++;
}

void cli_json_close(cli_json *json) {
    json->depth--;
    putchar(json->closer[json->depth]);
    if (json->depth == 0) {
        putchar('\n');
    }
}

void cli_json_bytes(cli_json *json, const char *name, const void *bytes, size_t count) {
    put_name(json, name);
    put_string(bytes, count);
}

void cli_json_text(cli_json *json, const char *name, const char *text) {
    cli_json_bytes(json, name, text, strlen(text));
}

void cli_json_u64(cli_json *json, const char *name, uint64_t value) {
    put_name(json, name);
    printf("%" PRIu64, value);
}

void cli_json_i64(cli_json *json, const char *name, int64_t value) {
    put_name(json, name);
    printf("%" PRId64, value);
}

void cli_json_real(cli_json *json, const char *name, double value, int digits) {
    put_name(json, name);
    if (isfinite(value)) {
        printf("%.*g", digits, value);
    } else {
        fputs("null", stdout);
    }
}

void cli_json_bool(cli_json *json, const char *name, bool value) {
    put_name(json, name);
    fputs(value ? "true" : "false", stdout);
}

void cli_json_null(cli_json *json, const char *name) {
    put_name(json, name);
    fputs("null", stdout);
}
