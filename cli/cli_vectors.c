/* cli_vectors.c - opens vector files, converts their rows, tells what is wrong with one
 * layer C; uses: cli_vectors.h, cli_options.h (names), cli_text.h (stdin)
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "cli_vectors.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli_options.h"
#include "cli_text.h"

enum { DIM_MAX = 65535 };
#define COUNT_MAX 0x7ffffffeu

static bool ends_with(const char *path, const char *ending) {
    size_t length = strlen(path);
    size_t tail = strlen(ending);
    return length >= tail && strcmp(path + length - tail, ending) == 0;
}

static bool is_raw(const char *path, uint32_t format) {
    return format == NIGH_ROWS_RAW ||
           (format == NIGH_ROWS_AUTO &&
            (ends_with(path, ".f32") || ends_with(path, ".raw") || ends_with(path, ".bin")));
}

static int open_file(cli_vectors *vectors, const char *path, uint32_t format, uint32_t dim) {
    char message[CLI_MESSAGE];
    const void *base = NULL;
    nigh_rows rows = {.struct_size = sizeof rows};
    if (is_raw(path, format) && dim == 0) {
        cli_say("%s: raw floats need --dim D, the elements of a row", path);
        return CLI_USAGE;
    }
    nigh_status status = nigh_rows_open(path, format, dim, NIGH_FILE_WILLNEED, &rows, &base, NULL,
                                        message, sizeof message);
    if (status != NIGH_OK) {
        return cli_failed(status, path, message);
    }
    vectors->base = base;
    vectors->count = rows.count;
    vectors->stride = rows.stride;
    vectors->dim = rows.dim;
    vectors->native = rows.dtype;
    if (rows.format == NIGH_ROWS_TEXT || rows.dtype == NIGH_ROWS_I32 ||
        rows.dtype == NIGH_ROWS_U64) {
        cli_say("%s: not vectors; expected .npy (f4, f2, i1, u1), .fvecs, .bvecs or raw floats",
                path);
        return CLI_ERROR;
    }
    return CLI_OK;
}

static int open_stdin(cli_vectors *vectors) {
    float *floats = NULL;
    uint64_t count = 0;
    uint32_t dim = 0;
    int code = cli_text_vectors(&floats, &count, &dim, &vectors->memory_bytes);
    vectors->path = "standard input";
    vectors->base = (const uint8_t *)floats;
    vectors->count = count;
    vectors->dim = dim;
    vectors->stride = (uint64_t)dim * sizeof(float);
    vectors->native = NIGH_DTYPE_F32;
    return code;
}

static uint32_t element_bytes(uint32_t dtype, uint32_t dim) {
    return dtype == NIGH_DTYPE_F32 ? 4 * dim : dtype == NIGH_DTYPE_F16 ? 2 * dim : dim;
}

int cli_vectors_open(cli_vectors *vectors, const char *path, uint32_t format, uint32_t dim,
                     uint32_t raw_dim, bool packed) {
    memset(vectors, 0, sizeof *vectors);
    vectors->path = path;
    format = format != 0 ? format - 1 : NIGH_ROWS_AUTO;
    if (dim == 0 && is_raw(path, format)) {
        dim = raw_dim;
    }
    int code = strcmp(path, "-") == 0 ? open_stdin(vectors) : open_file(vectors, path, format, dim);
    if (code != CLI_OK) {
        return code;
    }
    vectors->element_bytes = element_bytes(vectors->native, vectors->dim);
    if (packed && vectors->native != NIGH_DTYPE_U8) {
        cli_say("%s: --packed needs rows of unsigned bytes, .npy of u1 or .bvecs", path);
        return CLI_ERROR;
    }
    if (packed) {
        vectors->native = NIGH_DTYPE_B1;
        vectors->dim *= 8;
    }
    if (vectors->dim == 0 || vectors->dim > DIM_MAX) {
        cli_say("%s: rows of %u elements; 1..%d expected", path, vectors->dim, DIM_MAX);
        return CLI_ERROR;
    }
    if (vectors->count > COUNT_MAX) {
        cli_say("%s: %llu rows; an index holds up to %u", path, (unsigned long long)vectors->count,
                COUNT_MAX);
        return CLI_ERROR;
    }
    return CLI_OK;
}

int cli_vectors_want(cli_vectors *vectors, uint32_t dtype, uint32_t metric) {
    char text[16];
    vectors->dtype = dtype;
    vectors->metric = metric;
    nigh_status status = nigh_row_bytes(vectors->dim, vectors->native, &vectors->native_bytes);
    if (status == NIGH_OK) {
        status = nigh_row_bytes(vectors->dim, dtype, &vectors->row_bytes);
    }
    if (status != NIGH_OK) {
        cli_say("rows of %u x %s: %s", vectors->dim,
                cli_name_at(CLI_DTYPES, dtype, text, sizeof text), cli_status_text(status));
        return CLI_ERROR;
    }
    return CLI_OK;
}

void cli_vectors_close(cli_vectors *vectors) {
    nigh_close(vectors->base);
    vectors->base = NULL;
}

bool cli_scratch_new(cli_scratch *scratch, const cli_vectors *vectors) {
    memset(scratch, 0, sizeof *scratch);
    scratch->native = cli_memory(CLI_CHUNK * vectors->native_bytes);
    scratch->floats = cli_memory((uint64_t)CLI_CHUNK * vectors->dim * sizeof(float));
    scratch->rows = cli_memory(CLI_CHUNK * vectors->row_bytes);
    return scratch->native != NULL && scratch->floats != NULL && scratch->rows != NULL;
}

void cli_scratch_free(cli_scratch *scratch) {
    nigh_close(scratch->native);
    nigh_close(scratch->floats);
    nigh_close(scratch->rows);
    memset(scratch, 0, sizeof *scratch);
}

/* Rows packed as nigh_row_bytes says; plain bytes of an .npy i1 get scale 1 and zero 0. */
static const uint8_t *gather(const cli_vectors *vectors, const cli_scratch *scratch, uint64_t first,
                             uint32_t count) {
    static const float scale = 1;
    const uint8_t *from = vectors->base + first * vectors->stride;
    if (vectors->native != NIGH_DTYPE_I8 && vectors->stride == vectors->native_bytes) {
        return from;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *to = scratch->native + i * vectors->native_bytes;
        memset(to, 0, (size_t)vectors->native_bytes);
        memcpy(to, from + i * vectors->stride, vectors->element_bytes);
        if (vectors->native == NIGH_DTYPE_I8) {
            memcpy(to + (vectors->dim + 3) / 4 * 4, &scale, sizeof scale);
        }
    }
    return scratch->native;
}

static const float *to_floats(const cli_vectors *vectors, const cli_scratch *scratch,
                              const uint8_t *native, uint32_t count) {
    if (vectors->native == NIGH_DTYPE_F32) {
        return (const float *)(const void *)native;
    }
    nigh_status status =
        nigh_convert(vectors->dim, vectors->native, count, NULL, NULL, native, scratch->floats);
    return status == NIGH_OK ? scratch->floats : NULL;
}

static bool convert(const cli_vectors *vectors, const cli_scratch *scratch, const uint8_t *native,
                    uint32_t count, uint8_t *rows) {
    const float *floats = to_floats(vectors, scratch, native, count);
    return floats != NULL &&
           nigh_convert(vectors->dim, vectors->dtype, count, floats, rows, NULL, NULL) == NIGH_OK;
}

uint32_t cli_vectors_read(const cli_vectors *vectors, const cli_scratch *scratch, uint64_t first,
                          uint32_t count, const void **rows) {
    const uint8_t *native = gather(vectors, scratch, first, count);
    uint32_t good = 0;
    *rows = native;
    if (vectors->native == vectors->dtype) {
        return count;
    }
    *rows = scratch->rows;
    if (convert(vectors, scratch, native, count, scratch->rows)) {
        return count;
    }
    while (good < count && convert(vectors, scratch, native + good * vectors->native_bytes, 1,
                                   scratch->rows + good * vectors->row_bytes)) {
        good++;
    }
    return good;
}

bool cli_vectors_fit(const cli_vectors *vectors) {
    return vectors->native == vectors->dtype &&
           (vectors->native == NIGH_DTYPE_I8 || vectors->stride >= vectors->native_bytes);
}

int cli_vectors_all(cli_vectors *vectors, const void **rows, void **memory) {
    cli_scratch scratch = {NULL, NULL, NULL};
    int code = CLI_OK;
    *memory = NULL;
    *rows = vectors->base;
    if (vectors->native == vectors->dtype && vectors->native != NIGH_DTYPE_I8 &&
        vectors->stride == vectors->row_bytes) {
        return CLI_OK;
    }
    uint8_t *all = cli_memory_at(vectors->spill, vectors->count * vectors->row_bytes);
    *memory = all;
    *rows = all;
    vectors->memory_bytes += vectors->count * vectors->row_bytes;
    if (all == NULL || !cli_scratch_new(&scratch, vectors)) {
        code = CLI_ERROR;
    }
    for (uint64_t at = 0; at < vectors->count && code == CLI_OK;) {
        const void *part = NULL;
        uint64_t left = vectors->count - at;
        uint32_t good = cli_vectors_read(vectors, &scratch, at,
                                         left < CLI_CHUNK ? (uint32_t)left : CLI_CHUNK, &part);
        memcpy(all + at * vectors->row_bytes, part, (size_t)(good * vectors->row_bytes));
        at += good;
        if (good == 0) {
            cli_say("%s: row %llu %s", vectors->path, (unsigned long long)at,
                    cli_vectors_fault(vectors, at));
            code = CLI_ERROR;
        }
    }
    cli_scratch_free(&scratch);
    return code;
}

static float half_value(uint32_t half) {
    uint32_t bits = (half & 0x7fffu) << 13; /* infinity and NaN are told by their exponent */
    float value = 0;
    bits += (half & 0x7c00u) == 0x7c00u ? 0x70000000u : 0;
    memcpy(&value, &bits, sizeof value);
    return value; /* scaled by 2^-112 and without sign: enough to see zero, infinity, NaN */
}

static float element(const cli_vectors *vectors, const uint8_t *row, uint32_t i) {
    float value = 0;
    uint16_t half = 0;
    if (vectors->native == NIGH_DTYPE_F32) {
        memcpy(&value, row + 4 * (size_t)i, sizeof value);
    } else if (vectors->native == NIGH_DTYPE_F16) {
        memcpy(&half, row + 2 * (size_t)i, sizeof half);
        value = half_value(half);
    } else {
        value = row[vectors->native == NIGH_DTYPE_B1 ? i / 8 : i]; /* only whether it is zero */
    }
    return value;
}

const char *cli_vectors_fault(const cli_vectors *vectors, uint64_t row) {
    const uint8_t *from = vectors->base + row * vectors->stride;
    bool zero = true;
    for (uint32_t i = 0; i < vectors->dim; i++) {
        float value = element(vectors, from, i);
        if (isnan(value)) {
            return "holds NaN";
        }
        if (isinf(value)) {
            return "holds infinity";
        }
        zero = zero && value == 0;
    }
    if (zero && vectors->metric == NIGH_METRIC_COSINE) {
        return "holds only zeros, which cosine cannot measure";
    }
    return "holds a value that the index's type cannot";
}

uint64_t cli_vectors_first_fault(const cli_vectors *vectors, uint64_t first) {
    for (uint64_t row = first; row < vectors->count; row++) {
        const uint8_t *from = vectors->base + row * vectors->stride;
        bool zero = vectors->metric == NIGH_METRIC_COSINE;
        for (uint32_t i = 0; i < vectors->dim; i++) {
            float value = element(vectors, from, i);
            if (!isfinite(value)) {
                return row;
            }
            zero = zero && value == 0;
        }
        if (zero) {
            return row;
        }
    }
    return vectors->count;
}
