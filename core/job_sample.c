/* job_sample.c - the span of codes from a sample of vectors, in tasks
 * layer L14; uses: job_sample, code, graph, job, num, source
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "job_sample.h"
#include "code.h"
#include "graph.h"
#include "job.h"
#include "num.h"
#include "source.h"

#define NIGHI_SAMPLE_ELEMENTS (1u << 18)
#define NIGHI_SAMPLE_ROWS_MAX 1024u
#define NIGHI_SAMPLE_ROWS_MIN 16u
#define NIGHI_SAMPLE_TAIL 2000u /* one element in so many may lie beyond either end */
#define NIGHI_SAMPLE_STEP 64u   /* rows a task: below a millisecond where each is fetched alone */

NIGHI_FN void nighi_sampler_begin(nighi_sampler *sampler, const nigh_config *config,
                                  uint32_t count) {
    const uint32_t wanted =
        nighi_max_u32(nighi_min_u32(NIGHI_SAMPLE_ELEMENTS / config->dim, NIGHI_SAMPLE_ROWS_MAX),
                      NIGHI_SAMPLE_ROWS_MIN);
    nighi_fill(sampler, 0, sizeof *sampler);
    sampler->config = *config;
    sampler->count = count;
    sampler->rows = nighi_min_u32(wanted, count);
}

static bool nighi_sampler_given(const nighi_sampler *sampler) {
    return sampler->config.code_min < sampler->config.code_max;
}

NIGHI_FN uint32_t nighi_sampler_tasks(const nighi_sampler *sampler) {
    return nighi_sampler_given(sampler)
               ? 0
               : (sampler->rows + NIGHI_SAMPLE_STEP - 1) / NIGHI_SAMPLE_STEP;
}

/* A phase that is run again counts anew. */
static void nighi_sampler_fresh(nighi_sampler *sampler, nigh_job *job) {
    const uint32_t version = nighi_lock(&job->lock);
    if (sampler->attempt != job->attempt) {
        sampler->attempt = job->attempt;
        sampler->all = 0;
        nighi_fill(sampler->bins, 0, sizeof sampler->bins);
    }
    nighi_unlock(&job->lock, version, true);
}

static void nighi_sampler_count(nighi_sampler *sampler, const float *floats) {
    for (uint32_t i = 0; i < sampler->config.dim; i++) {
        const uint32_t key = nighi_order_f32(floats[i]) >> 16;
        if (sampler->phase == 0) {
            nighi_add(&sampler->bins[0][key >> 8], 1u);
            continue;
        }
        for (uint32_t end = 0; end < 2; end++) {
            if (key >> 8 == sampler->found[end]) {
                nighi_add(&sampler->bins[end][key & 0xff], 1u);
            }
        }
    }
    nighi_add(&sampler->all, sampler->config.dim);
}

NIGHI_FN nigh_status nighi_sampler_task(nighi_sampler *sampler, nighi_floats_fn get, nigh_job *job,
                                        nigh_session *session, uint32_t task) {
    const uint32_t from = task * NIGHI_SAMPLE_STEP;
    const uint32_t to = nighi_min_u32(sampler->rows, from + NIGHI_SAMPLE_STEP);
    nighi_sampler_fresh(sampler, job);
    for (uint32_t row = from; row < to; row++) {
        const uint32_t at = (uint32_t)((uint64_t)row * sampler->count / sampler->rows);
        const float *floats = NULL;
        const nigh_status status = get(job, session, at, &floats);
        if (status != NIGH_OK) {
            return status;
        }
        if (floats != NULL) {
            nighi_sampler_count(sampler, floats);
        }
    }
    return NIGH_OK;
}

/* The last bin with fewer than `limit` elements below it; *below becomes that many. */
static uint32_t nighi_sampler_find(const uint32_t *bins, uint64_t limit, uint32_t *below) {
    uint32_t bin = 0;
    while (bin + 1 < NIGHI_SAMPLE_BINS && (uint64_t)*below + bins[bin] < limit) {
        *below += bins[bin++];
    }
    return bin;
}

NIGHI_FN void nighi_sampler_next(nighi_sampler *sampler, nighi_coding *coding) {
    const nigh_config *config = &sampler->config;
    const uint32_t all = sampler->all;
    const uint32_t tail = config->codes == NIGH_CODES_B1 ? all / 2 : all / NIGHI_SAMPLE_TAIL;
    const uint64_t limits[2] = {(uint64_t)tail + 1, all - tail};
    const bool first = sampler->phase++ == 0;
    for (uint32_t end = 0; end < 2; end++) {
        const uint32_t *bins = sampler->bins[first ? 0 : end];
        const uint32_t bin = nighi_sampler_find(bins, limits[end], &sampler->below[end]);
        sampler->found[end] = first ? bin : sampler->found[end] << 8 | bin;
    }
    sampler->all = 0;
    nighi_fill(sampler->bins, 0, sizeof sampler->bins);
    if (first) {
        return;
    }
    if (nighi_sampler_given(sampler)) {
        nighi_code_span(config, config->code_min, config->code_max, coding);
    } else if (all == 0) {
        nighi_code_span(config, -1.0f, 1.0f, coding);
    } else {
        const float low = nighi_f32_from_order(sampler->found[0] << 16);
        const float high = nighi_f32_from_order(sampler->found[1] << 16 | 0xffffu);
        nighi_code_span(config, low, high, coding);
    }
}

NIGHI_FN nigh_status nighi_slot_floats(nigh_job *job, nigh_session *session, uint32_t slot,
                                       const float **floats) {
    const nigh_index *index = job->index;
    const void *vector = NULL;
    *floats = NULL;
    if (!nighi_node_present(nighi_node_word(index, slot))) {
        return NIGH_OK;
    }
    const nigh_status status = nighi_vectors(index, session, &slot, 1, &vector);
    if (status == NIGH_OK) {
        nighi_row_from_stored(index, vector, session->row);
        *floats = nighi_code_floats(index, session->row, session->query_scratch);
    }
    return status;
}

NIGHI_FN nigh_status nighi_slots_encode(nigh_job *job, nigh_session *session,
                                        const nighi_coding *coding, const nighi_region *region,
                                        uint32_t from, uint32_t to, uint32_t *clamped) {
    *clamped = 0;
    for (uint32_t slot = from; slot < to; slot++) {
        const float *floats = NULL;
        uint8_t *record = nighi_record(region, slot);
        const nigh_status status = nighi_slot_floats(job, session, slot, &floats);
        if (status != NIGH_OK) {
            return status;
        }
        nighi_fill(record, 0, region->stride);
        *clamped +=
            floats == NULL ? 0 : nighi_code_encode(coding, job->index->config.dim, floats, record);
    }
    return NIGH_OK;
}
