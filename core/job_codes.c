/* job_codes.c - making the codes of an index, or dropping them
 * layer L14; uses: job, blocks, code, graph, job_sample, source
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Phases: the span of elements is taken from a sample; every slot is encoded into memory that
 * nobody looks at yet; one word publishes it. */
#include "blocks.h"
#include "code.h"
#include "graph.h"
#include "job.h"
#include "job_sample.h"
#include "source.h"

#define NIGHI_CODES_STEP 512u /* rows a task */

enum { NIGHI_CODES_SAMPLE = 1, NIGHI_CODES_ENCODE = 2, NIGHI_CODES_PUBLISH = 3 };

typedef struct nighi_codes_job {
    nighi_region region; /* what NIGHI_CODE becomes */
    nigh_config config;  /* what the configuration becomes */
    nighi_coding coding; /* in the end */
    uint32_t slot_count;
    uint32_t encoded; /* slots, in this attempt */
    uint32_t attempt;
    bool donated; /* the region lies in the job's memory */
} nighi_codes_job;

static void nighi_codes_layout(nighi_arena *arena, nigh_job *job) {
    nigh_index *index = job->index;
    const uint32_t kind = job->options.codes;
    nighi_region shape[NIGHI_REGION_COUNT] = {{0}};
    nigh_config config = index->config;
    nighi_codes_job *codes = nighi_arena_take(arena, 1, sizeof *codes);
    config.codes = kind;
    config.code_min = job->options.code_min;
    config.code_max = job->options.code_max;
    nighi_regions_shape(shape, &config);
    nighi_region region = shape[NIGHI_CODE];
    const bool donated = kind != NIGH_CODES_NONE &&
                         (index->config.codes != kind || index->regions[NIGHI_CODE].stride == 0);
    if (donated) {
        const uint64_t whole = (uint64_t)1 << region.shift;
        region.block_max = (uint32_t)((index->slot_max + whole - 1) >> region.shift);
        region.capacity = nighi_slot_capacity(index);
        region.block_count = (uint32_t)((region.capacity + whole - 1) >> region.shift);
        region.table = nighi_arena_take(arena, region.block_max, sizeof *region.table);
        arena->used = nighi_round_up(arena->used, NIGHI_CACHE_LINE);
        region.base = nighi_arena_take(arena, region.capacity, region.stride);
    } else if (kind != NIGH_CODES_NONE) {
        region = index->regions[NIGHI_CODE];
    }
    if (codes == NULL) {
        return;
    }
    for (uint32_t block = 0; donated && block < region.block_count; block++) {
        region.table[block] = region.base + ((uint64_t)block << region.shift) * region.stride;
    }
    job->state = codes;
    *codes = (nighi_codes_job){.region = region, .config = config, .donated = donated};
    codes->slot_count = nighi_load_acquire(&index->counts.slot_count);
    job->total = codes->slot_count;
}

static nigh_status nighi_codes_floats(void *user, nigh_session *session, uint32_t slot,
                                      const float **floats) {
    const nigh_index *index = user;
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

static nigh_status nighi_codes_sample(nigh_job *job, nigh_session *session) {
    nighi_codes_job *codes = job->state;
    nigh_index *index = job->index;
    if (!codes->donated) { /* the pager may move blocks */
        const uint32_t step = 1u << codes->region.shift;
        nigh_status status = NIGH_OK;
        for (uint32_t slot = 0; slot < codes->slot_count && status == NIGH_OK; slot += step) {
            status = nighi_touch(index, NIGHI_CODE, slot);
        }
        if (status != NIGH_OK) {
            return status;
        }
        codes->region = index->regions[NIGHI_CODE];
    }
    return nighi_sample_span(nighi_codes_floats, index, session, &codes->config, codes->slot_count,
                             &codes->coding);
}

static nigh_status nighi_codes_encode(nigh_job *job, nigh_session *session, uint32_t task) {
    nighi_codes_job *codes = job->state;
    uint32_t clamped = 0;
    const uint32_t from = task * NIGHI_CODES_STEP;
    const uint32_t to = nighi_min_u32(codes->slot_count, from + NIGHI_CODES_STEP);
    for (uint32_t slot = from; slot < to; slot++) {
        const float *floats = NULL;
        uint8_t *record = nighi_record(&codes->region, slot);
        const nigh_status status = nighi_codes_floats(job->index, session, slot, &floats);
        if (status != NIGH_OK) {
            return status;
        }
        nighi_fill(record, 0, codes->region.stride);
        clamped += floats == NULL
                       ? 0
                       : nighi_code_encode(&codes->coding, codes->config.dim, floats, record);
    }
    const uint32_t version = nighi_lock(&job->lock);
    if (codes->attempt != job->attempt) {
        codes->attempt = job->attempt;
        codes->coding.clamped = 0;
        codes->encoded = 0;
    }
    const uint32_t before = codes->coding.clamped;
    codes->coding.clamped = before > UINT32_MAX - clamped ? UINT32_MAX : before + clamped;
    codes->encoded += to - from;
    job->done = job->done < codes->encoded ? codes->encoded : job->done;
    nighi_unlock(&job->lock, version, true);
    return NIGH_OK;
}

static nigh_status nighi_codes_publish(nigh_job *job) {
    nigh_index *index = job->index;
    const nighi_codes_job *codes = job->state;
    if (codes->donated) {
        index->regions[NIGHI_CODE] = codes->region;
        index->outgrown = index->image != NULL;
    }
    index->config.codes = codes->config.codes; /* no more of it: searches read the rest */
    index->config.code_min = codes->config.code_min;
    index->config.code_max = codes->config.code_max;
    const uint32_t version = nighi_load(&index->coding.version);
    index->coding.op = codes->coding.op;
    index->coding.kind = codes->coding.kind;
    index->coding.stride = codes->coding.stride;
    index->coding.center = codes->coding.center;
    index->coding.steps = codes->coding.steps;
    nighi_store(&index->coding.clamped, codes->coding.clamped);
    nighi_store(&index->coding.version, version + 1);
    nighi_store(&index->changed, 1u);
    if (codes->slot_count > 0 || codes->config.code_min < codes->config.code_max) {
        nighi_store_release(&index->coding.active, 1u);
    } /* else the first build finds the span */
    return NIGH_OK;
}

static nigh_status nighi_codes_drop(nigh_index *index) {
    nighi_store_release(&index->coding.active, 0u);
    index->config.codes = NIGH_CODES_NONE;
    index->config.code_min = 0.0f;
    index->config.code_max = 0.0f;
    nighi_store(&index->coding.clamped, 0u);
    index->regions[NIGHI_CODE].stride = 0;  /* the rest stays for searches under way */
    index->outgrown = index->image != NULL; /* the image in place still has them: save */
    nighi_store(&index->changed, 1u);
    return NIGH_OK;
}

static bool nighi_codes_next(nigh_job *job) {
    nighi_codes_job *codes = job->state;
    job->phase++;
    job->task_count = 1;
    if (job->options.codes == NIGH_CODES_NONE) {
        return job->phase == 1;
    }
    if (job->phase == NIGHI_CODES_ENCODE) {
        job->task_count = (codes->slot_count + NIGHI_CODES_STEP - 1) / NIGHI_CODES_STEP;
        codes->coding.clamped = 0;
        job->done = 0;
    }
    return job->phase <= NIGHI_CODES_PUBLISH;
}

static nigh_status nighi_codes_task(nigh_job *job, nigh_session *session, uint32_t task) {
    const nigh_index *index = job->index;
    if (job->options.codes == NIGH_CODES_NONE) {
        return nighi_codes_drop(job->index);
    }
    if (nighi_coded(index)) {
        return NIGH_E_EXISTS;
    }
    const nigh_status status = nighi_source_ready(index, index->counts.slot_count);
    if (status != NIGH_OK) {
        return status;
    }
    return job->phase == NIGHI_CODES_SAMPLE   ? nighi_codes_sample(job, session)
           : job->phase == NIGHI_CODES_ENCODE ? nighi_codes_encode(job, session, task)
                                              : nighi_codes_publish(job);
}

NIGHI_FN const nighi_job_kind *nighi_job_codes(void) {
    static const nighi_job_kind kind = {nighi_codes_layout, nighi_codes_next, nighi_codes_task,
                                        NULL};
    return &kind;
}
