/* jobs.c - jobs for tests: their keys in one array, their memory, running them to the end
 * layer T; uses: data, jobs
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "jobs.h"

#include <stdlib.h>

#include "data.h"
#include "t.h"

fx_keys fx_keys_of(const nigh_config *config, const uint64_t *ids, uint32_t count) {
    const int strings = config->keys == NIGH_KEYS_BYTES;
    fx_keys keys = {fx_malloc((uint64_t)count * 512), NULL, count};
    uint64_t at = 0;
    keys.lengths = strings ? fx_malloc((uint64_t)count * sizeof *keys.lengths) : NULL;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t length = fx_key(config, ids[i], keys.bytes + at);
        at += length;
        if (strings) {
            keys.lengths[i] = length;
        }
    }
    return keys;
}

fx_keys fx_keys_from(const nigh_config *config, uint64_t first, uint32_t count) {
    uint64_t *ids = fx_malloc((uint64_t)count * sizeof *ids);
    for (uint32_t i = 0; i < count; i++) {
        ids[i] = first + i;
    }
    fx_keys keys = fx_keys_of(config, ids, count);
    free(ids);
    return keys;
}

void fx_keys_drop(fx_keys *keys) {
    free(keys->bytes);
    free(keys->lengths);
    memset(keys, 0, sizeof *keys);
}

nigh_job_options fx_job_options(uint32_t kind) {
    nigh_job_options options = {0};
    options.struct_size = sizeof options;
    options.kind = kind;
    return options;
}

nigh_status fx_job_begin(fx *f, const nigh_job_options *options, const fx_keys *keys,
                         const void *vectors, uint32_t count, nigh_job **job) {
    uint64_t bytes = 0;
    nigh_status status = nigh_job_bytes(f->index, options, count, &bytes);
    if (status != NIGH_OK) {
        return status;
    }
    return nigh_job_begin(f->index, options, keys != NULL ? keys->bytes : NULL,
                          keys != NULL ? keys->lengths : NULL, vectors, count, fx_take(f, bytes),
                          bytes, job);
}

nigh_status fx_job_step(nigh_job *job, nigh_session *session, nigh_progress *progress) {
    nigh_progress now = {0};
    now.struct_size = sizeof now;
    nigh_status status = nigh_job_run(job, session, &now);
    t_assert(now.state >= NIGH_JOB_MORE && now.state <= NIGH_JOB_DONE);
    t_assert(now.done >= progress->done && now.done <= now.total);
    t_assert(progress->total == 0 || progress->total == now.total);
    *progress = now;
    return status;
}

nigh_status fx_job_finish(nigh_job *job, nigh_session **sessions, uint32_t count, uint64_t seed,
                          nigh_progress *progress) {
    rng r = {seed};
    nigh_status status = NIGH_OK;
    memset(progress, 0, sizeof *progress);
    while (status == NIGH_OK && progress->state != NIGH_JOB_DONE) {
        status = fx_job_step(job, sessions[rng_below(&r, count)], progress);
        t_assert(progress->state != NIGH_JOB_WAIT); /* nobody else is at work */
    }
    t_ok(nigh_job_end(job));
    return status;
}

nigh_status fx_build(fx *f, uint64_t first, uint32_t count, const void *rows, uint32_t *done) {
    nigh_job *job = NULL;
    nigh_progress progress = {0};
    const nigh_job_options options = fx_job_options(NIGH_JOB_BUILD);
    fx_keys keys = fx_keys_from(&f->config, first, count);
    nigh_status status = fx_job_begin(f, &options, &keys, rows, count, &job);
    if (status == NIGH_OK) {
        status = fx_job_finish(job, &f->session, 1, 1, &progress);
        t_eq(progress.total, count);
        t_assert(status != NIGH_OK || progress.done == count);
    }
    if (done != NULL) {
        *done = (uint32_t)progress.done;
    }
    fx_keys_drop(&keys);
    return status;
}

nigh_status fx_codes(fx *f, uint32_t codes, float code_min, float code_max) {
    nigh_job *job = NULL;
    nigh_progress progress = {0};
    nigh_job_options options = fx_job_options(NIGH_JOB_CODES);
    options.codes = codes;
    options.code_min = code_min;
    options.code_max = code_max;
    nigh_stats before = fx_stats(f->index);
    nigh_status status = fx_job_begin(f, &options, NULL, NULL, 0, &job);
    if (status != NIGH_OK) {
        return status;
    }
    status = fx_job_finish(job, &f->session, 1, 1, &progress);
    nigh_session_options so =
        fx_session_options(f->ef_max, 0, before.writable ? 0 : (uint32_t)NIGH_SESSION_READ);
    f->session = fx_session(f, &so);
    t_ok(nigh_config_get(f->index, &f->config));
    return status;
}

nigh_status fx_work(fx *f, uint32_t kind, uint32_t count, uint64_t seed) {
    nigh_session *sessions[8];
    nigh_job *job = NULL;
    nigh_progress progress = {0};
    const nigh_job_options options = fx_job_options(kind);
    t_assert(count >= 1 && count <= 8);
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t least = kind == NIGH_JOB_REFINE ? 512 : 16;
        nigh_session_options so = fx_session_options(least + 30 * i, 0, 0);
        sessions[i] = fx_session(f, &so);
    }
    nigh_status status = fx_job_begin(f, &options, NULL, NULL, 0, &job);
    if (status == NIGH_OK) {
        status = fx_job_finish(job, sessions, count, seed, &progress);
        t_assert(status != NIGH_OK || progress.done == progress.total);
    }
    return status;
}

nigh_stats fx_stats(const nigh_index *index) {
    nigh_stats stats = {0};
    stats.struct_size = sizeof stats;
    t_ok(nigh_stats_get(index, &stats));
    return stats;
}

nigh_session_stats fx_cost(const nigh_session *session) {
    nigh_session_stats stats = {0};
    stats.struct_size = sizeof stats;
    t_ok(nigh_session_stats_get(session, &stats));
    return stats;
}
