/* job_sample.c - the span of codes from a sample of vectors
 * layer L14; uses: job_sample, code, num
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Quantiles without memory: a threshold is found bit by bit, each by one pass that counts. */
#include "job_sample.h"
#include "code.h"
#include "num.h"

#define NIGHI_SAMPLE_ELEMENTS (1u << 18)
#define NIGHI_SAMPLE_ROWS_MAX 1024u
#define NIGHI_SAMPLE_ROWS_MIN 16u
#define NIGHI_SAMPLE_TAIL 2000u /* one element in so many may lie beyond either end */

typedef struct nighi_sample {
    nighi_floats_fn get;
    void *user;
    nigh_session *session;
    uint32_t dim;
    uint32_t count; /* vectors there */
    uint32_t rows;  /* of them looked at */
} nighi_sample;

/* The upper half of an element's order. */
static uint32_t nighi_sample_key(float value) { return nighi_order_f32(value) >> 16; }

/* How many elements lie below each of two keys; all of them. */
static nigh_status nighi_sample_count(const nighi_sample *sample, const uint32_t *keys,
                                      uint32_t *below, uint32_t *all) {
    below[0] = 0;
    below[1] = 0;
    *all = 0;
    for (uint32_t row = 0; row < sample->rows; row++) {
        const uint32_t at = (uint32_t)((uint64_t)row * sample->count / sample->rows);
        const float *floats = NULL;
        const nigh_status status = sample->get(sample->user, sample->session, at, &floats);
        if (status != NIGH_OK) {
            return status;
        }
        for (uint32_t i = 0; floats != NULL && i < sample->dim; i++) {
            const uint32_t key = nighi_sample_key(floats[i]);
            below[0] += key < keys[0];
            below[1] += key < keys[1];
        }
        *all += floats != NULL ? sample->dim : 0;
    }
    return NIGH_OK;
}

NIGHI_FN nigh_status nighi_sample_span(nighi_floats_fn get, void *user, nigh_session *session,
                                       const nigh_config *config, uint32_t count,
                                       nighi_coding *coding) {
    const uint32_t wanted =
        nighi_max_u32(nighi_min_u32(NIGHI_SAMPLE_ELEMENTS / config->dim, NIGHI_SAMPLE_ROWS_MAX),
                      NIGHI_SAMPLE_ROWS_MIN);
    const nighi_sample sample = {get,         user,  session,
                                 config->dim, count, nighi_min_u32(wanted, count)};
    uint32_t found[2] = {0, 0}; /* largest keys with no more than the wanted share below */
    uint32_t all = 0;
    if (config->code_min < config->code_max) {
        nighi_code_span(config, config->code_min, config->code_max, coding);
        return NIGH_OK;
    }
    for (uint32_t bit = 1u << 15; bit != 0; bit >>= 1) {
        const uint32_t keys[2] = {found[0] | bit, found[1] | bit};
        uint32_t below[2];
        const nigh_status status = nighi_sample_count(&sample, keys, below, &all);
        if (status != NIGH_OK) {
            return status;
        }
        const uint32_t tail = config->codes == NIGH_CODES_B1 ? all / 2 : all / NIGHI_SAMPLE_TAIL;
        found[0] = below[0] <= tail ? keys[0] : found[0];
        found[1] = below[1] < all - tail ? keys[1] : found[1];
    }
    const float low = nighi_f32_from_order(found[0] << 16);
    const float high = nighi_f32_from_order(found[1] << 16 | 0xffffu);
    if (all == 0) {
        nighi_code_span(config, -1.0f, 1.0f, coding);
    } else {
        nighi_code_span(config, low, high, coding);
    }
    return NIGH_OK;
}
