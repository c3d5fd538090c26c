/* cli_text.c - reads and checks keys, and vectors that come as text
 * layer C; uses: cli_text.h, cli_options.h (numbers)
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "cli_text.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli_options.h"

/* Doubles a block of nigh_memory_new; NULL after a message, the old block is then closed. */
static void *grow(void *old, uint64_t used, uint64_t bytes) {
    void *memory = cli_memory(bytes);
    if (memory != NULL && used != 0) {
        memcpy(memory, old, (size_t)used);
    }
    nigh_close(old);
    return memory;
}

static int read_failed(void) {
    cli_say("cannot read standard input: %s", strerror(errno));
    return CLI_ERROR;
}

/* One line of numbers after *used floats; false after a message. */
static bool take_line(char *line, uint64_t number, float **floats, uint64_t *used, uint64_t *room) {
    for (char *at = line;;) {
        char *end = NULL;
        at += strspn(at, " \t,;[]\r\n");
        if (*at == 0) {
            return true;
        }
        float value = strtof(at, &end);
        if (end == at) {
            cli_say("standard input, line %" PRIu64 ": '%.*s' is not a number", number,
                    (int)strcspn(at, " \t,;[]\r\n"), at);
            return false;
        }
        if (*used == *room) {
            *room *= 2;
            *floats = grow(*floats, *used * sizeof(float), *room * sizeof(float));
            if (*floats == NULL) {
                return false;
            }
        }
        (*floats)[(*used)++] = value;
        at = end;
    }
}

int cli_text_vectors(float **floats, uint64_t *count, uint32_t *dim, uint64_t *memory_bytes) {
    char *line = NULL;
    size_t line_bytes = 0;
    uint64_t room = 65536;
    uint64_t used = 0;
    uint64_t number = 0;
    int code = CLI_OK;
    *floats = cli_memory(room * sizeof(float));
    *count = 0;
    *dim = 0;
    while (*floats != NULL && code == CLI_OK && getline(&line, &line_bytes, stdin) > 0) {
        uint64_t before = used;
        code = take_line(line, ++number, floats, &used, &room) ? CLI_OK : CLI_ERROR;
        uint64_t width = used - before;
        if (code != CLI_OK || width == 0) {
            continue;
        }
        if (*dim != 0 && width != *dim) {
            cli_say("standard input, line %" PRIu64 ": %" PRIu64 " numbers, %u expected as before",
                    number, width, *dim);
            code = CLI_ERROR;
        }
        *dim = (uint32_t)width;
        (*count)++;
    }
    free(line);
    if (*floats == NULL || code != CLI_OK) {
        return CLI_ERROR;
    }
    if (ferror(stdin)) {
        return read_failed();
    }
    if (*count == 0) {
        cli_say("standard input: no numbers; expected one vector a line");
        return CLI_ERROR;
    }
    *memory_bytes = room * sizeof(float);
    return CLI_OK;
}

static int make_offsets(cli_keys *keys) {
    keys->offsets = cli_memory((keys->count + 1) * sizeof(uint64_t));
    if (keys->offsets == NULL) {
        return CLI_ERROR;
    }
    for (uint64_t i = 0; i < keys->count; i++) {
        keys->offsets[i + 1] = keys->offsets[i] + keys->lengths[i];
    }
    return CLI_OK;
}

/* All of stdin; lines moved together, as nigh_rows_open does with a file. */
static int open_stdin(cli_keys *keys) {
    uint64_t room = 65536;
    uint64_t used = 0;
    uint64_t lines = 0;
    char *bytes = cli_memory(room);
    for (size_t got = 1; bytes != NULL && got != 0;) {
        if (used == room) {
            room *= 2;
            bytes = grow(bytes, used, room);
        }
        got = bytes != NULL ? fread(bytes + used, 1, (size_t)(room - used), stdin) : 0;
        used += got;
    }
    keys->owned[0] = bytes;
    if (bytes == NULL || ferror(stdin)) {
        return bytes == NULL ? CLI_ERROR : read_failed();
    }
    for (uint64_t i = 0; i < used; i++) {
        lines += bytes[i] == '\n' || i + 1 == used;
    }
    uint32_t *lengths = cli_memory(lines * sizeof(uint32_t));
    keys->owned[1] = lengths;
    keys->lengths = lengths;
    keys->bytes = bytes;
    uint64_t to = 0;
    for (uint64_t from = 0; lengths != NULL && from < used; keys->count++) {
        const char *end = memchr(bytes + from, '\n', (size_t)(used - from));
        uint64_t length = (end != NULL ? (uint64_t)(end - bytes) : used) - from;
        uint64_t next = from + length + 1;
        length -= length != 0 && bytes[from + length - 1] == '\r';
        memmove(bytes + to, bytes + from, (size_t)length);
        lengths[keys->count] = (uint32_t)length;
        to += length;
        from = next;
    }
    return lengths != NULL ? CLI_OK : CLI_ERROR;
}

int cli_keys_open(cli_keys *keys, const char *path) {
    char message[CLI_MESSAGE];
    nigh_rows rows = {.struct_size = sizeof rows};
    const void *base = NULL;
    memset(keys, 0, sizeof *keys);
    keys->path = path;
    keys->where = ", line ";
    if (strcmp(path, "-") == 0) {
        keys->path = "standard input";
        int code = open_stdin(keys);
        return code == CLI_OK ? make_offsets(keys) : code;
    }
    nigh_status status = nigh_rows_open(path, NIGH_ROWS_TEXT, 0, NIGH_FILE_SEQUENTIAL, &rows, &base,
                                        &keys->lengths, message, sizeof message);
    if (status != NIGH_OK) {
        return cli_failed(status, path, message);
    }
    keys->bytes = base;
    keys->owned[0] = base;
    keys->count = rows.count;
    return make_offsets(keys);
}

int cli_keys_arguments(cli_keys *keys, char **args, int count) {
    uint64_t bytes = 0;
    memset(keys, 0, sizeof *keys);
    keys->path = "argument";
    keys->where = " ";
    keys->count = (uint64_t)count;
    for (int i = 0; i < count; i++) {
        bytes += strlen(args[i]);
    }
    char *text = cli_memory(bytes);
    uint32_t *lengths = cli_memory((uint64_t)count * sizeof(uint32_t));
    keys->owned[0] = text;
    keys->owned[1] = lengths;
    keys->bytes = text;
    keys->lengths = lengths;
    if (text == NULL || lengths == NULL) {
        return CLI_ERROR;
    }
    for (int i = 0; i < count; i++) {
        lengths[i] = (uint32_t)strlen(args[i]);
        memcpy(text, args[i], lengths[i]);
        text += lengths[i];
    }
    return make_offsets(keys);
}

void cli_keys_close(cli_keys *keys) {
    nigh_close(keys->offsets);
    nigh_close(keys->owned[0]);
    nigh_close(keys->owned[1]);
    memset(keys, 0, sizeof *keys);
}

static uint64_t hash(const char *bytes, uint32_t length) {
    uint64_t sum = 0xcbf29ce484222325u; /* FNV-1a */
    for (uint32_t i = 0; i < length; i++) {
        sum = (sum ^ (unsigned char)bytes[i]) * 0x100000001b3u;
    }
    return sum ^ sum >> 32;
}

/* Places i in the table, or finds the same key there: its number + 1. */
static uint32_t place(const cli_keys *keys, uint32_t *table, uint64_t mask, uint64_t i) {
    const char *key = keys->bytes + keys->offsets[i];
    for (uint64_t at = hash(key, keys->lengths[i]) & mask;; at = (at + 1) & mask) {
        if (table[at] == 0) {
            table[at] = (uint32_t)i + 1;
            return 0;
        }
        uint64_t other = table[at] - 1;
        if (keys->lengths[other] == keys->lengths[i] &&
            memcmp(keys->bytes + keys->offsets[other], key, keys->lengths[i]) == 0) {
            return table[at];
        }
    }
}

static int check_lengths(const cli_keys *keys, uint32_t length_max) {
    for (uint64_t i = 0; i < keys->count; i++) {
        if (keys->lengths[i] == 0) {
            cli_say("%s%s%" PRIu64 ": an empty key", keys->path, keys->where, i + 1);
            return CLI_ERROR;
        }
        if (keys->lengths[i] > length_max) {
            cli_say("%s%s%" PRIu64 ": a key of %u bytes, at most %u are possible", keys->path,
                    keys->where, i + 1, keys->lengths[i], length_max);
            return CLI_ERROR;
        }
    }
    return CLI_OK;
}

int cli_keys_check(const cli_keys *keys, uint32_t length_max) {
    uint64_t slots = 16;
    int code = check_lengths(keys, length_max);
    while (slots < keys->count * 2) {
        slots *= 2;
    }
    if (code != CLI_OK) {
        return code;
    }
    uint32_t *table = cli_memory(slots * sizeof(uint32_t));
    if (table == NULL) {
        return CLI_ERROR;
    }
    for (uint64_t i = 0; i < keys->count; i++) {
        uint32_t other = place(keys, table, slots - 1, i);
        if (other != 0) {
            cli_say("%s%s%" PRIu64 ": the key '%.*s' is there already%s%u", keys->path, keys->where,
                    i + 1, (int)keys->lengths[i], keys->bytes + keys->offsets[i], keys->where,
                    other);
            code = CLI_ERROR;
            break;
        }
    }
    nigh_close(table);
    return code;
}

int cli_keys_numbers(const cli_keys *keys, uint64_t **numbers) {
    *numbers = cli_memory(keys->count * sizeof(uint64_t));
    if (*numbers == NULL) {
        return CLI_ERROR;
    }
    for (uint64_t i = 0; i < keys->count; i++) {
        const char *key = keys->bytes + keys->offsets[i];
        if (!cli_number(key, keys->lengths[i], &(*numbers)[i])) {
            cli_say("%s%s%" PRIu64 ": '%.*s' is not a number; this index has keys 0..2^64-1",
                    keys->path, keys->where, i + 1, (int)keys->lengths[i], key);
            return CLI_ERROR;
        }
    }
    return CLI_OK;
}
