/* job_draft.h - codes that only a job looks at: are they good enough to choose links on?
 * layer L13; uses: arena, base, job_sample, state
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * One span for all elements does not resolve near neighbours where a few elements are far larger
 * than the others, or a few vectors than most. So a sample compares the order of neighbours on the
 * draft with the true one: agreement is 64 when the nearer quarter on the draft is the nearer
 * quarter in truth, about 16 by chance, 58 to 63 for word vectors, sentences, clusters. */
#ifndef NIGHI_JOB_DRAFT_H
#define NIGHI_JOB_DRAFT_H
#include "arena.h"
#include "base.h"
#include "job_sample.h"
#include "state.h"

#define NIGHI_DRAFT_LEAST 256u /* vectors; fewer are soon compared in truth */
#define NIGHI_JUDGED 64u       /* nodes that tell */
#define NIGHI_JUDGE_NONE 0xffu /* one that was not asked */

/* A draft of `slots` codes, and the sample of as many vectors that it wants; stride 0 where there
 * is none: the index has codes, wants no draft, or has few vectors. Also tells the job what its
 * sessions need. */
NIGHI_FN void nighi_draft_layout(nighi_arena *arena, nigh_job *job, uint32_t slots,
                                 nighi_draft *draft, nighi_sampler *sampler);
/* What session->query and entries[count], nearest first on the draft, tell: *agree, or
 * NIGHI_JUDGE_NONE for too few. Changes session->slots, vectors, orders. */
NIGHI_FN nigh_status nighi_draft_judge(const nigh_index *index, nigh_session *session,
                                       const uint64_t *entries, uint32_t count, uint8_t *agree);
/* Will it do, by agree[NIGHI_JUDGED]? */
NIGHI_FN bool nighi_draft_will_do(const uint8_t *agree);

#endif
