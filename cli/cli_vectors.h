/* cli_vectors.h - the rows of a vector file in the type that an index wants
 * layer C; uses: cli_common.h
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 *   file rows --> native rows (a nigh dtype) --> f32 --> rows of the index
 * A step that is not needed is left out; if none is, rows are read where the file is mapped. */
#ifndef NIGH_CLI_VECTORS_H
#define NIGH_CLI_VECTORS_H
#include "cli_common.h"

typedef struct cli_vectors {
    const char *path;
    const uint8_t *base; /* row 0 in the mapped file, or numbers read from stdin */
    uint64_t count;
    uint64_t stride;
    uint32_t dim;
    uint32_t element_bytes; /* of a whole row in the file */
    uint32_t native;        /* NIGH_DTYPE_* of the file's rows */
    uint32_t dtype;         /* NIGH_DTYPE_* wanted */
    uint32_t metric;        /* NIGH_METRIC_*, to say what is wrong with a row */
    uint64_t native_bytes;  /* nigh_row_bytes of native */
    uint64_t row_bytes;     /* nigh_row_bytes of dtype */
    uint64_t memory_bytes;  /* allocated for this file's rows */
    const char *spill;      /* they are a file beside this one, or NULL */
} cli_vectors;

/* Buffers of one thread for CLI_CHUNK rows. */
typedef struct cli_scratch {
    uint8_t *native;
    float *floats;
    uint8_t *rows;
} cli_scratch;

/* Opens a file, or `-`: numbers as text on stdin, a row a line. format is a place in CLI_FORMATS,
 * dim the user's (0: none given) and raw_dim what raw rows have without it; packed: u8 rows are
 * packed bits. CLI_OK or an exit code after a message. */
int cli_vectors_open(cli_vectors *vectors, const char *path, uint32_t format, uint32_t dim,
                     uint32_t raw_dim, bool packed);
/* Chooses the type of rows to hand out and the metric that they must suit. */
int cli_vectors_want(cli_vectors *vectors, uint32_t dtype, uint32_t metric);
void cli_vectors_close(cli_vectors *vectors);

bool cli_scratch_new(cli_scratch *scratch, const cli_vectors *vectors);
void cli_scratch_free(cli_scratch *scratch);
/* Up to CLI_CHUNK rows from `first` on; returns how many came out whole. 0: row `first` cannot be
 * converted (NaN, infinity, out of range). */
uint32_t cli_vectors_read(const cli_vectors *vectors, const cli_scratch *scratch, uint64_t first,
                          uint32_t count, const void **rows);
/* The file's rows can lie under an index as they are: nigh_index_borrow(base, stride, count, 0). */
bool cli_vectors_fit(const cli_vectors *vectors);
/* All rows in memory (nigh_close), or where the file is mapped when that needs no conversion:
 * *memory is NULL then. An unusable row is an error that names it. */
int cli_vectors_all(cli_vectors *vectors, const void **rows, void **memory);
/* What is wrong with a row, in words: "holds NaN". */
const char *cli_vectors_fault(const cli_vectors *vectors, uint64_t row);
/* First row from `first` on that an index would refuse, or count. */
uint64_t cli_vectors_first_fault(const cli_vectors *vectors, uint64_t first);

#endif /* NIGH_CLI_VECTORS_H */
