/* save_map.c - words as keys: an index saved, mapped back read-only, and searched where it lies
 * layer E; uses: nigh_hosted.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "nigh_hosted.h"

static const char words[] = "redorangeyellowgreenblueviolet";
static const uint32_t lengths[6] = {3, 6, 6, 5, 4, 6};
static const float colours[6][3] = {{1, 0, 0},   {1, .6f, 0}, {1, 1, 0},
                                    {0, .8f, 0}, {0, 0, 1},   {.6f, 0, .8f}};

static void check(nigh_status status, const char *message) {
    if (status != NIGH_OK) {
        fprintf(stderr, "%s\n", message[0] != 0 ? message : nigh_status_text(status));
        exit(1);
    }
}

static void build(const char *path) {
    const nigh_config config = {.struct_size = sizeof config,
                                .dim = 3,
                                .metric = NIGH_METRIC_COSINE,
                                .dtype = NIGH_DTYPE_F32,
                                .keys = NIGH_KEYS_BYTES,
                                .key_bytes_max = 16};
    nigh_index *index = NULL;
    nigh_session *session = NULL;
    char message[256] = "";
    uint32_t done = 0;
    check(nigh_index_new(&config, NULL, 6, sizeof words - 1, &index), message);
    check(nigh_session_new(index, NULL, &session), message);
    check(nigh_insert(index, session, 0, words, lengths, colours, 6, &done), message);
    check(nigh_save_file(index, 0, path, message, sizeof message), message);
    check(nigh_close(session), message);
    check(nigh_close(index), message);
}

int main(int argc, char **argv) {
    const char *path = argc > 1 ? argv[1] : "colours.nigh";
    const float query[3] = {.9f, .1f, .1f};
    const nigh_session_options options = {
        .struct_size = sizeof options, .ef_max = 64, .flags = NIGH_SESSION_READ};
    nigh_index *index = NULL;
    nigh_session *session = NULL;
    char message[256] = "", near[3][16];
    uint32_t near_lengths[3], found = 0;
    float distances[3];
    build(path);
    check(nigh_index_open(path, 0, NULL, 0, 0, &index, message, sizeof message), message);
    check(nigh_session_new(index, &options, &session), message);
    check(nigh_search(index, session, query, NULL, 3, near, near_lengths, distances, NULL, &found),
          message);
    const char *name = near[0]; /* one after another, as they were handed in */
    for (uint32_t i = 0; i < found; name += near_lengths[i++]) {
        printf("%.*s at %g\n", (int)near_lengths[i], name, (double)distances[i]);
    }
    check(nigh_close(session), message);
    check(nigh_close(index), message);
    return 0;
}
