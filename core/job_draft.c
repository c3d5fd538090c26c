/* job_draft.c - codes that only a job looks at: are they good enough to choose links on?
 * layer L14; uses: job_draft, code, job, space
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "job_draft.h"
#include "code.h"
#include "job.h"
#include "space.h"

#define NIGHI_JUDGE_LEAST 52u /* of 64: agreement below which it will not do */

NIGHI_FN void nighi_draft_layout(nighi_arena *arena, nigh_job *job, uint32_t slots,
                                 nighi_draft *draft, nighi_sampler *sampler) {
    nigh_config config;
    *draft = (nighi_draft){0};
    if (slots >= NIGHI_DRAFT_LEAST && nighi_code_drafts(&job->index->config, &config)) {
        draft->region.stride = nighi_code_stride(&config);
        arena->used = nighi_round_up(arena->used, NIGHI_CACHE_LINE);
        draft->region.base = nighi_arena_take(arena, slots, draft->region.stride);
        if (sampler != NULL) {
            nighi_sampler_begin(sampler, &config, slots);
        }
    }
    job->draft_bytes = draft->region.stride;
}

NIGHI_FN nigh_status nighi_draft_judge(const nigh_index *index, nigh_session *session,
                                       const uint64_t *entries, uint32_t count, uint8_t *agree) {
    const nighi_probe probe = {&session->query, NULL, 0};
    const uint32_t among = nighi_min_u32(count, nighi_min_u32(2 * index->config.m0, 64));
    const uint32_t near = among / 4;
    uint32_t same = 0;
    nighi_space space;
    *agree = NIGHI_JUDGE_NONE;
    if (near < 2) {
        return NIGH_OK;
    }
    for (uint32_t i = 0; i < among; i++) {
        session->slots[i] = nighi_entry_slot(entries[i]);
    }
    nighi_space_get(index, NIGHI_ON_VECTORS, &space);
    nighi_space_take(&space, session, session->slots, session->vectors, among);
    const nigh_status status =
        nighi_space_score(&space, session, &probe, session->slots, session->vectors, among);
    for (uint32_t i = 0; status == NIGH_OK && i < near; i++) {
        uint32_t nearer = 0;
        for (uint32_t j = 0; j < among; j++) {
            nearer += session->orders[j] < session->orders[i];
        }
        same += nearer < near;
    }
    if (status == NIGH_OK) {
        *agree = (uint8_t)(same * 64 / near);
    }
    return status;
}

NIGHI_FN bool nighi_draft_will_do(const uint8_t *agree) {
    uint32_t sum = 0;
    uint32_t asked = 0;
    for (uint32_t i = 0; i < NIGHI_JUDGED; i++) {
        asked += agree[i] != NIGHI_JUDGE_NONE;
        sum += agree[i] != NIGHI_JUDGE_NONE ? agree[i] : 0;
    }
    return sum >= asked * NIGHI_JUDGE_LEAST;
}
