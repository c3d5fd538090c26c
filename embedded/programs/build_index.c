/* build_index.c - an index made on a board has the bytes that the same insertions give on a PC
 * layer T; uses: board, board_index, sha256
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Blobs: image, an index of the first row, for its configuration; rows, of floats. Prints the
 * SHA-256 of what nigh_save writes, plain and packed, after single insertions, removals, and of
 * what a job builds. */
#include <stddef.h>

#include "board.h"
#include "board_index.h"
#include "sha256.h"

BOARD_BLOB(image);
BOARD_BLOB(rows);

static nigh_status into_sum(void *user, const void *bytes, uint64_t count) {
    sha256_add(user, bytes, count);
    return NIGH_OK;
}

static void print_sum(const char *name, const nigh_index *index, uint32_t flags) {
    sha256 sum;
    char text[65];
    sha256_begin(&sum);
    board_check(nigh_save(index, flags, into_sum, &sum), "nigh_save");
    sha256_end(&sum, text);
    board_text(name);
    board_text(" ");
    board_text(text);
    board_text("\n");
}

static void make(board_index *b, const nigh_config *config, uint32_t count) {
    const nigh_options options = {.struct_size = sizeof options, .slot_max = count};
    uint64_t bytes = 0;
    board_check(nigh_index_bytes(config, &options, &b->handle_bytes), "nigh_index_bytes");
    board_check(nigh_index_init(config, &options, board_memory(b->handle_bytes), b->handle_bytes,
                                &b->index),
                "nigh_index_init");
    board_check(nigh_writer_bytes(b->index, &bytes), "nigh_writer_bytes");
    board_check(nigh_writer_init(b->index, board_memory(bytes), bytes), "nigh_writer_init");
    board_check(nigh_grow_bytes(b->index, count, 0, &bytes), "nigh_grow_bytes");
    board_line("ram blocks", bytes);
    board_check(nigh_grow(b->index, count, 0, board_memory(bytes), bytes), "nigh_grow");
    board_session(b, config->ef_build, 0, 0);
}

static void insert(board_index *b, const uint8_t *converted, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t key = i;
        uint32_t done = 0;
        board_mark_begin();
        const nigh_status status = nigh_insert(b->index, b->session, 0, &key, NULL,
                                               converted + i * b->row_bytes, 1, &done);
        board_mark_end();
        board_check(status, "nigh_insert");
    }
}

static void take_out(board_index *b, uint32_t count) {
    for (uint64_t key = 1; key < count; key += 7) {
        uint32_t done = 0;
        board_check(nigh_remove(b->index, b->session, &key, NULL, 1, &done), "nigh_remove");
    }
}

#ifndef NIGH_NO_JOBS
static void work(board_index *b, uint32_t kind, const uint8_t *converted, uint32_t count) {
    const nigh_job_options options = {.struct_size = sizeof options, .kind = kind};
    uint64_t *keys = board_memory(count * sizeof *keys);
    nigh_progress progress = {.struct_size = sizeof progress};
    nigh_job *job = NULL;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        keys[i] = i;
    }
    board_check(nigh_job_bytes(b->index, &options, count, &bytes), "nigh_job_bytes");
    board_line("ram job", bytes);
    board_check(nigh_job_begin(b->index, &options, count != 0 ? keys : NULL, NULL, converted,
                               count, board_memory(bytes), bytes, &job),
                "nigh_job_begin");
    while (progress.state != NIGH_JOB_DONE) {
        board_check(nigh_job_run(job, b->session, &progress), "nigh_job_run");
    }
    board_check(nigh_job_end(job), "nigh_job_end");
}
#endif

int main(void) {
    static board_index one, b;
    nigh_report report = {.struct_size = sizeof report};
    board_attach(&one, image, BOARD_BLOB_BYTES(image), 16, 16, 0);
    nigh_config config = one.config;
    const uint32_t count =
        (uint32_t)BOARD_BLOB_BYTES(rows) / (uint32_t)(config.dim * sizeof(float));
    uint8_t *converted = board_memory(count * one.row_bytes);
    board_check(nigh_convert(config.dim, config.dtype, count, (const float *)(const void *)rows,
                             converted, NULL, NULL),
                "nigh_convert");
    make(&b, &config, count);
    insert(&b, converted, count);
    print_sum("inserted", b.index, 0);
    print_sum("packed", b.index, NIGH_SAVE_PACKED);
    take_out(&b, count);
    print_sum("removed", b.index, 0);
    board_check(nigh_check(b.index, b.session, &report), "nigh_check");
    board_check(report.status, "the report");
#ifndef NIGH_NO_JOBS
    work(&b, NIGH_JOB_VACUUM, NULL, 0);
    print_sum("vacuumed", b.index, 0);
    make(&b, &config, count);
    work(&b, NIGH_JOB_BUILD, converted, count);
    print_sum("built", b.index, 0);
#endif
    board_report(&b);
    board_line("stack used", board_stack_used());
    return 0;
}
