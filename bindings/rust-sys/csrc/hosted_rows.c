/* hosted_rows.c - row files by any format: mapped and parsed, or written into a saver
 * layer H; uses: hosted.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "hosted.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct opened {
    nighh_mapping mapping;
    uint32_t *lengths; /* TEXT only */
} opened;

static const struct {
    const char *ending;
    uint32_t format;
} endings[] = {
    {".fvecs", NIGH_ROWS_FVECS}, {".bvecs", NIGH_ROWS_BVECS}, {".ivecs", NIGH_ROWS_IVECS},
    {".npy", NIGH_ROWS_NPY},     {".f32", NIGH_ROWS_RAW},     {".raw", NIGH_ROWS_RAW},
    {".bin", NIGH_ROWS_RAW},     {".txt", NIGH_ROWS_TEXT},    {".keys", NIGH_ROWS_TEXT},
    {".lst", NIGH_ROWS_TEXT},
};

uint32_t nighh_rows_format(const char *path) {
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot != NULL && i < sizeof endings / sizeof endings[0]; i++) {
        if (strcasecmp(dot, endings[i].ending) == 0) {
            return endings[i].format;
        }
    }
    return NIGH_ROWS_AUTO;
}

static nigh_status parse_raw(uint64_t size, uint32_t dim, nighh_parsed *parsed,
                             const nighh_errors *errors) {
    nigh_rows *rows = &parsed->rows;
    if (dim == 0) {
        return nighh_fail(errors, NIGH_E_INVALID, "a raw file needs the dim told");
    }
    rows->format = NIGH_ROWS_RAW;
    rows->dtype = NIGH_DTYPE_F32;
    rows->dim = dim;
    rows->stride = (uint64_t)dim * 4;
    rows->count = size / rows->stride;
    if (size % rows->stride != 0) {
        return nighh_fail(errors, NIGH_E_FORMAT, "%llu bytes are not whole rows of %u floats",
                          (unsigned long long)size, (unsigned)dim);
    }
    return NIGH_OK;
}

static nigh_status parse(opened *file, uint32_t format, uint32_t dim, nighh_parsed *parsed,
                         const nighh_errors *errors) {
    uint8_t *bytes = file->mapping.address;
    uint64_t size = file->mapping.bytes;
    switch (format) {
    case NIGH_ROWS_NPY:
        return nighh_parse_npy(bytes, size, dim, parsed, errors);
    case NIGH_ROWS_RAW:
        return parse_raw(size, dim, parsed, errors);
    case NIGH_ROWS_TEXT:
        return nighh_parse_lines(bytes, size, &file->lengths, parsed, errors);
    default:
        return nighh_parse_vecs(bytes, size, format, dim, parsed, errors);
    }
}

static nigh_status opened_release(void *context) {
    opened *file = context;
    nigh_status status = nighh_unmap(&file->mapping);
    free(file->lengths);
    free(file);
    return status;
}

static nigh_status rows_open(opened *file, uint32_t format, uint32_t dim, uint32_t flags,
                             nighh_parsed *parsed, const nighh_errors *errors) {
    nigh_status status = NIGH_OK;
    if (format == NIGH_ROWS_AUTO) {
        format = nighh_rows_format(errors->path);
    }
    if (format == NIGH_ROWS_AUTO) {
        return nighh_fail(errors, NIGH_E_INVALID,
                          "its name does not end as .fvecs .bvecs .ivecs .npy .f32 .raw .bin .txt "
                          ".keys or .lst: tell the format");
    }
    flags |= format == NIGH_ROWS_TEXT ? (uint32_t)NIGH_FILE_PRIVATE : 0;
    status = nighh_map(errors->path, flags, &file->mapping, errors);
    if (status == NIGH_OK) {
        status = parse(file, format, dim, parsed, errors);
    }
    if (status == NIGH_OK) {
        const uint8_t *base = (const uint8_t *)file->mapping.address + parsed->offset;
        if (nighh_own(base, opened_release, file) != NIGH_OK) {
            status = nighh_fail(errors, NIGH_E_NO_MEMORY, "no memory");
        }
    }
    return status;
}

nigh_status nigh_rows_open(const char *path, uint32_t format, uint32_t dim, uint32_t flags,
                           nigh_rows *rows, const void **base, const uint32_t **key_lengths,
                           char *message, uint32_t message_bytes) {
    nighh_errors errors = nighh_errors_begin(message, message_bytes, path);
    nighh_parsed parsed = {.offset = 0};
    opened *file = NULL;
    nigh_status status = NIGH_OK;
    if (path == NULL || rows == NULL || base == NULL || format > NIGH_ROWS_TEXT ||
        rows->struct_size < NIGHH_ROWS_BYTES_MIN || (flags & ~(uint32_t)NIGHH_HINTS) != 0) {
        return nighh_fail(&errors, NIGH_E_INVALID, "wrong argument");
    }
    file = calloc(1, sizeof *file);
    if (file == NULL) {
        return nighh_fail(&errors, NIGH_E_NO_MEMORY, "no memory");
    }
    status = rows_open(file, format, dim, flags, &parsed, &errors);
    if (status != NIGH_OK) {
        (void)opened_release(file);
        return status;
    }
    parsed.rows.struct_size = rows->struct_size;
    *rows = parsed.rows;
    *base = (const uint8_t *)file->mapping.address + parsed.offset;
    if (key_lengths != NULL) {
        *key_lengths = file->lengths;
    }
    return NIGH_OK;
}

/* ---- Write ---------------------------------------------------------------------------------- */

static bool fits(uint32_t format, uint32_t dtype) {
    switch (format) {
    case NIGH_ROWS_FVECS:
    case NIGH_ROWS_RAW:
        return dtype == NIGH_DTYPE_F32;
    case NIGH_ROWS_BVECS:
        return dtype == NIGH_DTYPE_U8;
    case NIGH_ROWS_IVECS:
        return dtype == NIGH_ROWS_I32;
    case NIGH_ROWS_NPY:
        return nighh_element_bytes(dtype) != 0;
    default:
        return false;
    }
}

nigh_status nigh_rows_write(nigh_saver *saver, const nigh_rows *shape, uint64_t first,
                            const void *rows, uint64_t count) {
    nigh_status status = NIGH_OK;
    nighh_row_count *total = saver != NULL ? nighh_saver_rows(saver) : NULL;
    const uint8_t *row = rows;
    uint64_t row_bytes = 0;
    uint64_t stride = 0;
    if (total == NULL || shape == NULL || shape->struct_size < NIGHH_ROWS_BYTES_MIN ||
        !fits(shape->format, shape->dtype) || shape->dim == 0 || shape->dim > INT32_MAX ||
        first != total->done || first > shape->count || count > shape->count - first ||
        (rows == NULL && count > 0) || (total->begun && total->expected != shape->count)) {
        return NIGH_E_INVALID;
    }
    row_bytes = (uint64_t)shape->dim * nighh_element_bytes(shape->dtype);
    stride = shape->stride != 0 ? shape->stride : row_bytes;
    if (stride < row_bytes) {
        return NIGH_E_INVALID;
    }
    if (!total->begun && shape->format == NIGH_ROWS_NPY) {
        char head[128];
        uint32_t length = nighh_npy_head(shape->dtype, shape->count, shape->dim, head);
        status = nigh_save_write(saver, head, length);
    }
    total->begun = true;
    total->expected = shape->count;
    for (uint64_t i = 0; i < count && status == NIGH_OK; i++) {
        if (shape->format <= NIGH_ROWS_IVECS) {
            status = nigh_save_write(saver, &shape->dim, sizeof shape->dim);
        }
        if (status == NIGH_OK) {
            status = nigh_save_write(saver, row, row_bytes);
            row += stride;
        }
    }
    total->done += status == NIGH_OK ? count : 0;
    return status;
}
