/* search_file.c - an index file of any kind searched with the floats of another file
 * layer E; uses: nigh_hosted.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nigh_hosted.h"

enum { K = 10 };

typedef struct hits {
    uint32_t found, slots[K], lengths[K];
    float distances[K];
    char keys[K * 511]; /* uint64_t[K], or strings one after another */
} hits;

static char message[256];

static void check(nigh_status status) {
    if (status != NIGH_OK) {
        fprintf(stderr, "%s\n", message[0] != 0 ? message : nigh_status_text(status));
        exit(1);
    }
}

static nigh_rows floats_of(const char *path, uint32_t dim, const void **base) {
    nigh_rows rows = {.struct_size = sizeof rows};
    check(nigh_rows_open(path, NIGH_ROWS_RAW, dim, 0, &rows, base, NULL, message, sizeof message));
    return rows;
}

/* A line for each: query, rank, key, the bits of the distance, slot. */
static void print(uint32_t query, const hits *at, const nigh_config *config) {
    const char *name = at->keys;
    for (uint32_t i = 0; i < at->found; i++) {
        uint32_t bits = 0;
        uint64_t number = 0;
        memcpy(&bits, &at->distances[i], sizeof bits);
        printf("%u\t%u\t", query, i);
        if (config->keys == NIGH_KEYS_BYTES) {
            printf("%.*s", (int)at->lengths[i], name);
            name += at->lengths[i];
        } else {
            memcpy(&number, at->keys + i * sizeof number, sizeof number);
            printf("%llu", (unsigned long long)number);
        }
        printf("\t%08x\t%u\n", bits, at->slots[i]);
    }
}

int main(int argc, char **argv) {
    const nigh_session_options reading = {.struct_size = sizeof reading,
                                          .flags = NIGH_SESSION_READ};
    nigh_search_options how = {.struct_size = sizeof how};
    nigh_config config = {.struct_size = sizeof config};
    nigh_index *index = NULL;
    nigh_session *session = NULL;
    const void *queries = NULL, *vectors = NULL;
    nigh_rows rows;
    static hits near;
    if (argc != 4 && argc != 5) {
        fprintf(stderr, "usage: search_file INDEX QUERIES.f32 EF [VECTORS.f32]\n");
        return 2;
    }
    check(nigh_index_open(argv[1], 0, NULL, 0, 0, &index, message, sizeof message));
    check(nigh_config_get(index, &config));
    check(nigh_session_new(index, &reading, &session));
    if (config.vectors == NIGH_VECTORS_EXTERNAL && argc == 5) {
        rows = floats_of(argv[4], config.dim, &vectors);
        check(nigh_index_borrow(index, vectors, rows.stride, (uint32_t)rows.count, 0));
    }
    rows = floats_of(argv[2], config.dim, &queries);
    how.ef = (uint32_t)strtoul(argv[3], NULL, 10);
    for (uint32_t q = 0; q < rows.count; q++) {
        check(nigh_search(index, session, (const char *)queries + q * rows.stride, &how, K,
                          near.keys, near.lengths, near.distances, near.slots, &near.found));
        print(q, &near, &config);
    }
    check(nigh_close(session));
    check(nigh_close(index));
    check(nigh_close(vectors));
    return nigh_close(queries) == NIGH_OK ? 0 : 1;
}
