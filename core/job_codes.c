/* job_codes.c - making the codes of an index, or dropping them
 * layer L14; uses: job, blocks, code, job_sample, mutate, source
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Phases: the span of elements is taken from a sample; every slot is encoded into memory that
 * nobody looks at yet; one word publishes it. */
#include "blocks.h"
#include "code.h"
#include "job.h"
#include "job_sample.h"
#include "mutate.h"
#include "source.h"

#define NIGHI_CODES_STEP 512u /* rows a task */

enum {
    NIGHI_CODES_TOUCH = 1, /* the pager hears of the codes' blocks */
    NIGHI_CODES_SAMPLE,    /* NIGHI_SAMPLE_PHASES */
    NIGHI_CODES_ENCODE = NIGHI_CODES_SAMPLE + NIGHI_SAMPLE_PHASES,
    NIGHI_CODES_PUBLISH
};

typedef struct nighi_codes_job {
    nighi_region region; /* what NIGHI_CODE becomes */
    nigh_config config;  /* what the configuration becomes */
    nighi_coding coding; /* in the end */
    nighi_sampler *sampler;
    uint32_t slot_count;
    uint32_t encoded; /* slots, in this attempt */
    uint32_t attempt;
    uint32_t *dirty; /* donated: a bit a block, as the writer's */
    bool donated;    /* the region lies in the job's memory */
} nighi_codes_job;

static void nighi_codes_layout(nighi_arena *arena, nigh_job *job) {
    nigh_index *index = job->index;
    const uint32_t kind = job->options.codes;
    nighi_region shape[NIGHI_REGION_COUNT] = {{0}};
    nigh_config config = index->config;
    nighi_codes_job *codes = nighi_arena_take(arena, 1, sizeof *codes);
    nighi_sampler *sampler = nighi_arena_take(arena, 1, sizeof *sampler);
    config.codes = kind;
    config.code_min = job->options.code_min;
    config.code_max = job->options.code_max;
    nighi_regions_shape(shape, &config);
    nighi_region region = shape[NIGHI_CODE];
    uint32_t *dirty = NULL;
    const bool donated = kind != NIGH_CODES_NONE &&
                         (index->config.codes != kind || index->regions[NIGHI_CODE].stride == 0);
    if (donated) {
        const uint64_t whole = (uint64_t)1 << region.shift;
        region.block_max = (uint32_t)((index->slot_max + whole - 1) >> region.shift);
        region.capacity = nighi_slot_capacity(index);
        region.block_count = (uint32_t)((region.capacity + whole - 1) >> region.shift);
        region.table = nighi_arena_take(arena, region.block_max, sizeof *region.table);
        dirty = nighi_arena_take(arena, (region.block_max + 31) / 32, 4);
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
    *codes = (nighi_codes_job){
        .region = region, .config = config, .sampler = sampler, .dirty = dirty, .donated = donated};
    codes->slot_count = nighi_load_acquire(&index->counts.slot_count);
    nighi_sampler_begin(codes->sampler, &codes->config, codes->slot_count);
    job->total = codes->slot_count;
}

static uint32_t nighi_codes_tasks(const nighi_codes_job *codes) {
    return (codes->slot_count + NIGHI_CODES_STEP - 1) / NIGHI_CODES_STEP;
}

/* Of codes that have their room already: the pager may move blocks. */
static nigh_status nighi_codes_touch(nigh_job *job) {
    nighi_codes_job *codes = job->state;
    nigh_index *index = job->index;
    const uint32_t step = 1u << codes->region.shift;
    nigh_status status = NIGH_OK;
    for (uint32_t slot = 0; slot < codes->slot_count && status == NIGH_OK; slot += step) {
        status = nighi_touch(index, NIGHI_CODE, slot);
    }
    codes->region = index->regions[NIGHI_CODE];
    return status;
}

static nigh_status nighi_codes_encode(nigh_job *job, nigh_session *session, uint32_t task) {
    nighi_codes_job *codes = job->state;
    uint32_t clamped = 0;
    const uint32_t from = task * NIGHI_CODES_STEP;
    const uint32_t to = nighi_min_u32(codes->slot_count, from + NIGHI_CODES_STEP);
    const nigh_status status =
        nighi_slots_encode(job, session, &codes->coding, &codes->region, from, to, &clamped);
    if (status != NIGH_OK) {
        return status;
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

/* Counts of slots are read meanwhile (nigh_stats_get): the stride, which says that a region counts,
 * comes last. */
static void nighi_codes_region(nigh_index *index, const nighi_codes_job *codes) {
    const nighi_region *from = &codes->region;
    nighi_region *region = &index->regions[NIGHI_CODE];
    region->shift = from->shift;
    region->block_max = from->block_max;
    if (index->writer != NULL) {
        nighi_fill(codes->dirty, 0, (uint64_t)((from->block_max + 31) / 32) * 4);
        index->writer->dirty[NIGHI_CODE] = codes->dirty;
    }
    nighi_unfollow(index); /* a store has none of these blocks, and no bit says so */
    nighi_store(&region->block_count, from->block_count);
    nighi_store(&region->table, from->table);
    nighi_store(&region->base, from->base);
    nighi_store(&region->capacity, from->capacity);
    nighi_store_release(&region->stride, from->stride);
    nighi_store(&index->outgrown, 1u);
}

static void nighi_codes_config(nigh_index *index, const nigh_config *config) {
    const uint32_t version = nighi_load(&index->recoded);
    nighi_store(&index->recoded, version + 1);
    nighi_store_release(&index->config.codes, config->codes);
    nighi_store_f32(&index->config.code_min, config->code_min);
    nighi_store_f32(&index->config.code_max, config->code_max);
    nighi_store_release(&index->recoded, version + 2);
}

static nigh_status nighi_codes_publish(nigh_job *job) {
    nigh_index *index = job->index;
    const nighi_codes_job *codes = job->state;
    if (codes->donated) {
        const uint32_t version = nighi_growth_hold(index);
        nighi_codes_region(index, codes);
        nighi_growth_release(index, version);
    }
    nighi_codes_config(index, &codes->config);
    nighi_coding_set(index, &codes->coding);
    nighi_store(&index->changed, 1u);
    if (codes->slot_count > 0 || codes->config.code_min < codes->config.code_max) {
        nighi_store_release(&index->coding.active, 1u);
    } /* else the first build finds the span */
    return NIGH_OK;
}

static nigh_status nighi_codes_drop(nigh_index *index) {
    const nigh_config none = {.codes = NIGH_CODES_NONE};
    nighi_store_release(&index->coding.active, 0u);
    nighi_codes_config(index, &none);
    nighi_store(&index->coding.clamped, 0u);
    const uint32_t version = nighi_growth_hold(index);
    nighi_store(&index->regions[NIGHI_CODE].stride, 0u); /* searches under way have the rest */
    nighi_growth_release(index, version);
    nighi_store(&index->outgrown, 1u); /* the image in place still has them: save */
    nighi_store(&index->changed, 1u);
    return NIGH_OK;
}

static bool nighi_codes_next(nigh_job *job) {
    nighi_codes_job *codes = job->state;
    if (job->options.codes == NIGH_CODES_NONE) {
        job->task_count = 1;
        return job->phase++ == 0;
    }
    if (job->phase >= NIGHI_CODES_SAMPLE && job->phase < NIGHI_CODES_ENCODE) {
        nighi_sampler_next(codes->sampler, &codes->coding);
    }
    job->phase++;
    job->task_count = job->phase == NIGHI_CODES_TOUCH    ? !codes->donated
                      : job->phase < NIGHI_CODES_ENCODE  ? nighi_sampler_tasks(codes->sampler)
                      : job->phase == NIGHI_CODES_ENCODE ? nighi_codes_tasks(codes)
                                                         : 1;
    return job->phase <= NIGHI_CODES_PUBLISH;
}

static nigh_status nighi_codes_task(nigh_job *job, nigh_session *session, uint32_t task) {
    const nigh_index *index = job->index;
    nighi_codes_job *codes = job->state;
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
    switch (job->phase) {
    case NIGHI_CODES_TOUCH:
        return nighi_codes_touch(job);
    case NIGHI_CODES_ENCODE:
        return nighi_codes_encode(job, session, task);
    case NIGHI_CODES_PUBLISH:
        return nighi_codes_publish(job);
    default:
        return nighi_sampler_task(codes->sampler, nighi_slot_floats, job, session, task);
    }
}

NIGHI_FN const nighi_job_kind *nighi_job_codes(void) {
    static const nighi_job_kind kind = {nighi_codes_layout, nighi_codes_next, nighi_codes_task,
                                        NULL};
    return &kind;
}
