/* colours.h - an index of named colours, made and searched on the device: for the examples
 * layer E; uses: nigh
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A colour is a vector of three bytes. All memory is COLOURS_BYTES that the caller brings, aligned
 * to 64 bytes; what is left of it says how much it really took. C and C++. */
#ifndef COLOURS_H
#define COLOURS_H
#include <stdint.h>

#include "nigh.h"

enum { COLOURS_BYTES = 11264 };

typedef struct colour {
    const char *name;
    uint8_t rgb[3];
} colour;

static const colour colours_known[] = {
    {"black", {0, 0, 0}},        {"white", {255, 255, 255}},  {"grey", {128, 128, 128}},
    {"silver", {192, 192, 192}}, {"red", {230, 25, 35}},      {"maroon", {128, 0, 0}},
    {"brown", {150, 75, 0}},     {"orange", {255, 140, 0}},   {"gold", {255, 215, 0}},
    {"yellow", {255, 245, 60}},  {"olive", {128, 128, 0}},    {"lime", {120, 255, 50}},
    {"green", {30, 140, 50}},    {"teal", {0, 128, 128}},     {"cyan", {60, 235, 245}},
    {"sky", {120, 190, 250}},    {"blue", {25, 60, 220}},     {"navy", {0, 0, 100}},
    {"indigo", {75, 0, 130}},    {"violet", {140, 60, 200}},  {"magenta", {245, 30, 225}},
    {"pink", {255, 180, 200}},   {"salmon", {250, 130, 110}}, {"beige", {245, 235, 210}},
};
enum { COLOURS_COUNT = sizeof colours_known / sizeof colours_known[0] };

typedef struct colours {
    nigh_index *index;
    nigh_session *session;
    uint8_t *memory; /* what is left */
    uint32_t bytes;
} colours;

/* The next `bytes` of the memory, in multiples of 64. */
static inline nigh_status colours_take(colours *c, uint64_t bytes, void **taken) {
    const uint32_t whole = ((uint32_t)bytes + 63) & ~(uint32_t)63;
    if (bytes > c->bytes || whole > c->bytes) {
        return NIGH_E_MEMORY;
    }
    *taken = c->memory;
    c->memory += whole;
    c->bytes -= whole;
    return NIGH_OK;
}

/* Handle, writer state, room for all colours, a session: the four memories of an index. */
static inline nigh_status colours_room(colours *c, const nigh_config *config) {
    nigh_options options = {};
    nigh_session_options small = {};
    nigh_status status;
    uint64_t bytes = 0;
    void *memory = 0;
    options.struct_size = sizeof options;
    options.slot_max = COLOURS_COUNT;
    small.struct_size = sizeof small;
    small.ef_max = config->ef_build;
    if ((status = nigh_index_bytes(config, &options, &bytes)) != NIGH_OK ||
        (status = colours_take(c, bytes, &memory)) != NIGH_OK ||
        (status = nigh_index_init(config, &options, memory, bytes, &c->index)) != NIGH_OK ||
        (status = nigh_writer_bytes(c->index, &bytes)) != NIGH_OK ||
        (status = colours_take(c, bytes, &memory)) != NIGH_OK ||
        (status = nigh_writer_init(c->index, memory, bytes)) != NIGH_OK ||
        (status = nigh_grow_bytes(c->index, COLOURS_COUNT, 0, &bytes)) != NIGH_OK ||
        (status = colours_take(c, bytes, &memory)) != NIGH_OK ||
        (status = nigh_grow(c->index, COLOURS_COUNT, 0, memory, bytes)) != NIGH_OK ||
        (status = nigh_session_bytes(c->index, &small, &bytes)) != NIGH_OK ||
        (status = colours_take(c, bytes, &memory)) != NIGH_OK) {
        return status;
    }
    return nigh_session_init(c->index, &small, memory, bytes, &c->session);
}

static inline nigh_status colours_begin(colours *c, void *memory) {
    nigh_config config = {};
    nigh_status status;
    uint32_t i;
    config.struct_size = sizeof config;
    config.dim = 3;
    config.metric = NIGH_METRIC_L2;
    config.dtype = NIGH_DTYPE_U8;
    config.keys = NIGH_KEYS_IDENTITY;
    config.m = 4;
    config.ef_build = 16;
    c->memory = (uint8_t *)memory;
    c->bytes = COLOURS_BYTES;
    status = colours_room(c, &config);
    for (i = 0; i < COLOURS_COUNT && status == NIGH_OK; i++) {
        uint32_t done = 0;
        status = nigh_insert(c->index, c->session, 0, 0, 0, colours_known[i].rgb, 1, &done);
    }
    return status;
}

/* The known colour that is nearest to this one, and its squared distance. */
static inline nigh_status colours_near(colours *c, uint8_t red, uint8_t green, uint8_t blue,
                                       const char **name, float *distance) {
    const uint8_t rgb[3] = {red, green, blue};
    uint32_t slot = 0, found = 0;
    nigh_search_options how = {};
    nigh_status status;
    how.struct_size = sizeof how;
    how.ef = 8;
    status = nigh_search(c->index, c->session, rgb, &how, 1, 0, 0, distance, &slot, &found);
    *name = status == NIGH_OK && found == 1 ? colours_known[slot].name : "?";
    return status;
}
#endif
