/* smoke.c - a program without an allocator: builds, saves, searches, prints one digest
 * layer T; uses: nothing
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The digest is over the image and over the keys and distance bits of 100 answers. It is the same
 * from every compiler, flag, processor and kernel; tools/test_amalgam.py compares. Some vectors
 * are tiny: in a process where subnormals are flushed to zero, an unprotected kernel gives another
 * digest. With an argument: that feature word. */
#include <stdio.h>
#include <stdlib.h>

#include "nigh.h"

enum { DIM = 37, COUNT = 600, QUERIES = 100, K = 10 };

static uint64_t state = 42;

static float next_float(int tiny) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    float value = (float)((int32_t)(state >> 40) - 0x800000) / 8388608.0f;
    return tiny ? value * 0x1p-70f : value; /* its square is subnormal */
}

static void fill(float *vector, int tiny) {
    for (int i = 0; i < DIM; i++) {
        vector[i] = next_float(tiny);
    }
}

static void need(nigh_status status, const char *what) {
    if (status != NIGH_OK) {
        printf("%s: %s\n", what, nigh_status_text(status));
        exit(1);
    }
}

/* No allocator here either. */
static void *memory(uint64_t bytes) {
    static _Alignas(64) uint8_t arena[4 << 20];
    static uint64_t used;
    uint8_t *block = arena + used;
    used += (bytes + 63) & ~(uint64_t)63;
    if (used > sizeof arena) {
        printf("the arena is too small\n");
        exit(1);
    }
    return block;
}

static void digest(uint64_t *sum, const void *bytes, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        *sum = (*sum ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3u;
    }
}

static nigh_status take(void *user, const void *bytes, uint64_t count) {
    digest(user, bytes, count);
    return NIGH_OK;
}

static void search(const nigh_index *index, nigh_session *session, uint64_t *sum) {
    for (int i = 0; i < QUERIES; i++) {
        float query[DIM];
        uint64_t keys[K];
        float distances[K];
        uint32_t found = 0;
        fill(query, i % 2);
        need(nigh_search(index, session, query, NULL, K, keys, NULL, distances, NULL, &found),
             "search");
        digest(sum, keys, found * sizeof keys[0]);
        digest(sum, distances, found * sizeof distances[0]);
    }
}

int main(int count, char **arguments) {
    nigh_config config = {.struct_size = sizeof config, .dim = DIM, .metric = NIGH_METRIC_L2,
                          .dtype = NIGH_DTYPE_F32, .m = 8, .ef_build = 40, .seed = 42};
    nigh_options options = {.struct_size = sizeof options, .slot_max = COUNT};
    nigh_index *index = NULL;
    nigh_session *session = NULL;
    uint64_t bytes = 0;
    uint64_t sum = 0xcbf29ce484222325u;
    options.features = count > 1 ? (uint32_t)strtoul(arguments[1], NULL, 0) : 0;
    need(nigh_index_bytes(&config, &options, &bytes), "index_bytes");
    need(nigh_index_init(&config, &options, memory(bytes), bytes, &index), "index_init");
    need(nigh_writer_bytes(index, &bytes), "writer_bytes");
    need(nigh_writer_init(index, memory(bytes), bytes), "writer_init");
    need(nigh_grow_bytes(index, COUNT, 0, &bytes), "grow_bytes");
    need(nigh_grow(index, COUNT, 0, memory(bytes), bytes), "grow");
    need(nigh_session_bytes(index, NULL, &bytes), "session_bytes");
    need(nigh_session_init(index, NULL, memory(bytes), bytes, &session), "session_init");
    for (uint64_t key = 0; key < COUNT; key++) {
        float vector[DIM];
        uint32_t done = 0;
        fill(vector, key % 3 == 0);
        need(nigh_insert(index, session, 0, &key, NULL, vector, 1, &done), "insert");
    }
    need(nigh_save(index, 0, take, &sum), "save");
    search(index, session, &sum);
    printf("%016llx\n", (unsigned long long)sum);
    return 0;
}
