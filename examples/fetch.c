/* fetch.c - vectors that stay in a file, read by a callback; nigh.h alone, its memories by hand
 * layer E; uses: nigh.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "nigh.h"

enum { COUNT = 1000, DIM = 8, K = 3 };

/* Rows of the file into scratch. A failure comes back from nigh_insert or nigh_search. */
static nigh_status fetch(void *user, const uint32_t *slots, const uint64_t *keys, uint32_t count,
                         void *scratch, const void **vectors) {
    float *row = (float *)scratch;
    (void)keys;
    for (uint32_t i = 0; i < count; i++, row += DIM) {
        if (fseek((FILE *)user, (long)(slots[i] * DIM * sizeof *row), SEEK_SET) != 0 ||
            fread(row, sizeof *row, DIM, (FILE *)user) != DIM) {
            return NIGH_E_USER - 1;
        }
        vectors[i] = row;
    }
    return NIGH_OK;
}

static void check(nigh_status status) {
    if (status != NIGH_OK) {
        fprintf(stderr, "%s\n", nigh_status_text(status));
        exit(1);
    }
}

/* Memory of the size that a *_bytes function has just told; nigh wants it 64-byte aligned. */
static void *memory(nigh_status told, const uint64_t *bytes) {
    void *made = NULL;
    check(told);
    made = aligned_alloc(64, (size_t)((*bytes + 63) / 64 * 64));
    check(made != NULL ? NIGH_OK : NIGH_E_MEMORY);
    return made;
}

static FILE *file_of_rows(void) {
    FILE *file = tmpfile();
    for (uint32_t i = 0; file != NULL && i < COUNT * DIM; i++) {
        const float value = (float)(i * 2654435761u >> 20) / 4096;
        fwrite(&value, sizeof value, 1, file);
    }
    check(file != NULL && fflush(file) == 0 ? NIGH_OK : NIGH_E_WRITE);
    return file;
}

int main(void) {
    const float query[DIM] = {.5f, .5f, .5f, .5f, .5f, .5f, .5f, .5f};
    const nigh_options options = {.struct_size = sizeof options, .slot_max = COUNT};
    const nigh_config config = {.struct_size = sizeof config,
                                .dim = DIM,
                                .metric = NIGH_METRIC_L2,
                                .dtype = NIGH_DTYPE_F32,
                                .keys = NIGH_KEYS_IDENTITY,
                                .vectors = NIGH_VECTORS_EXTERNAL};
    FILE *file = file_of_rows();
    nigh_index *index = NULL;
    nigh_session *session = NULL;
    uint64_t bytes = 0, keys[K];
    uint32_t done = 0, found = 0;
    float distances[K];
    void *handle = memory(nigh_index_bytes(&config, &options, &bytes), &bytes);
    check(nigh_index_init(&config, &options, handle, bytes, &index));
    void *writer = memory(nigh_writer_bytes(index, &bytes), &bytes);
    check(nigh_writer_init(index, writer, bytes));
    void *blocks = memory(nigh_grow_bytes(index, COUNT, 0, &bytes), &bytes);
    check(nigh_grow(index, COUNT, 0, blocks, bytes));
    void *scratch = memory(nigh_session_bytes(index, NULL, &bytes), &bytes);
    check(nigh_session_init(index, NULL, scratch, bytes, &session));

    check(nigh_index_fetch(index, fetch, NULL, file));
    check(nigh_insert(index, session, 0, NULL, NULL, NULL, COUNT, &done));
    check(nigh_search(index, session, query, NULL, K, keys, NULL, distances, NULL, &found));
    for (uint32_t i = 0; i < found; i++) {
        printf("%llu at %g\n", (unsigned long long)keys[i], (double)distances[i]);
    }
    free(scratch);
    free(blocks);
    free(writer);
    free(handle);
    return fclose(file) != 0;
}
