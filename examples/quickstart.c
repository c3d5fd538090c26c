/* quickstart.c - three points, their neighbours, a file and back
 * layer E; uses: nigh_hosted.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <stdio.h>

#include "nigh_hosted.h"

int main(void) {
    const float points[3][2] = {{0, 1}, {1, 0}, {4, 4}};
    const uint64_t keys[3] = {10, 20, 30};
    nigh_config config = {
        .struct_size = sizeof config, .dim = 2, .metric = NIGH_METRIC_L2, .dtype = NIGH_DTYPE_F32};
    nigh_options options = {.struct_size = sizeof options, .slot_max = 1000};
    nigh_index *index = NULL;
    nigh_session *session = NULL;
    uint64_t near[2];
    float distances[2];
    uint32_t done = 0, found = 0;
    if (nigh_index_new(&config, &options, 1000, 0, &index) != NIGH_OK ||
        nigh_session_new(index, NULL, &session) != NIGH_OK ||
        nigh_insert(index, session, 0, keys, NULL, points, 3, &done) != NIGH_OK ||
        nigh_search(index, session, points[2], NULL, 2, near, NULL, distances, NULL, &found) !=
            NIGH_OK) {
        return 1;
    }
    for (uint32_t i = 0; i < found; i++) {
        printf("%llu at %g\n", (unsigned long long)near[i], (double)distances[i]);
    }
    return nigh_save_file(index, 0, "points.nigh", NULL, 0) == NIGH_OK ? 0 : 1;
}
