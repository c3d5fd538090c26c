/* jobs.h - jobs for tests: their keys in one array, their memory, running them to the end
 * layer T; uses: fixture
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGH_TEST_JOBS_H
#define NIGH_TEST_JOBS_H
#include "fixture.h"

/* Keys as jobs and nigh_insert take them; free() by fx_keys_drop. */
typedef struct fx_keys {
    uint8_t *bytes;
    uint32_t *lengths; /* NULL but for byte strings */
    uint32_t count;
} fx_keys;

/* The keys of ids[count], or of first, first + 1, ... */
fx_keys fx_keys_of(const nigh_config *config, const uint64_t *ids, uint32_t count);
fx_keys fx_keys_from(const nigh_config *config, uint64_t first, uint32_t count);
void fx_keys_drop(fx_keys *keys);

nigh_job_options fx_job_options(uint32_t kind);
/* Begins a job in memory of exactly the size asked for, owned by the fixture. keys NULL: none. */
nigh_status fx_job_begin(fx *f, const nigh_job_options *options, const fx_keys *keys,
                         const void *vectors, uint32_t count, nigh_job **job);
/* One call of nigh_job_run; progress is never less than it was in *progress. */
nigh_status fx_job_step(nigh_job *job, nigh_session *session, nigh_progress *progress);
/* Runs with sessions[count], drawn at random by `seed`, until it is done or fails, and ends it. */
nigh_status fx_job_finish(nigh_job *job, nigh_session **sessions, uint32_t count, uint64_t seed,
                          nigh_progress *progress);
/* A whole BUILD of ids first ... with the fixture's session; *done: how many are in. */
nigh_status fx_build(fx *f, uint64_t first, uint32_t count, const void *rows, uint32_t *done);
/* A whole CODES; the fixture's session is made anew, as it may want more room. */
nigh_status fx_codes(fx *f, uint32_t codes, float code_min, float code_max);
/* A whole REFINE or VACUUM, by sessions of its own: `count` of different sizes, drawn by `seed`. */
nigh_status fx_work(fx *f, uint32_t kind, uint32_t count, uint64_t seed);
nigh_stats fx_stats(const nigh_index *index);
nigh_session_stats fx_cost(const nigh_session *session);
#endif
