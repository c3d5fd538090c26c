/* test_hosted_rows.c - .fvecs and its like, raw files, writing and reading back, hostile bytes
 * layer T; uses: folder.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "folder.h"

static char message[256];
static nighh_errors quiet = {NULL, 0, "x"};

static void says(const char *text) {
    if (strstr(message, text) == NULL) {
        t_failf("'%s' does not say '%s'", message, text);
    }
}

static nigh_status open_rows(const char *path, uint32_t format, uint32_t dim, nigh_rows *rows,
                             const void **base) {
    rows->struct_size = sizeof *rows;
    return nigh_rows_open(path, format, dim, 0, rows, base, NULL, message, sizeof message);
}

static nigh_status write_rows(const char *path, uint32_t format, uint32_t dtype, uint32_t dim,
                              uint64_t stride, const void *bytes, uint64_t count) {
    nigh_rows shape = {.struct_size = sizeof shape,
                       .format = format,
                       .dtype = dtype,
                       .dim = dim,
                       .count = count,
                       .stride = stride};
    nigh_saver *saver = NULL;
    nigh_status status = nigh_save_begin(path, &saver, message, sizeof message);
    uint64_t half = count / 2;
    uint64_t step = stride != 0 ? stride : (uint64_t)dim * nighh_element_bytes(dtype);
    t_ok(status);
    status = nigh_rows_write(saver, &shape, 0, bytes, half);
    if (status == NIGH_OK) {
        status = nigh_rows_write(saver, &shape, half, (const uint8_t *)bytes + half * step,
                                 count - half);
    }
    if (status != NIGH_OK) {
        t_ok(nigh_close(saver));
        return status;
    }
    return nigh_save_commit(saver, message, sizeof message);
}

static const struct {
    const char *name;
    uint32_t format;
    uint32_t dtype;
    uint32_t element;
} kinds[] = {
    {"a.fvecs", NIGH_ROWS_FVECS, NIGH_DTYPE_F32, 4}, {"a.bvecs", NIGH_ROWS_BVECS, NIGH_DTYPE_U8, 1},
    {"a.ivecs", NIGH_ROWS_IVECS, NIGH_ROWS_I32, 4},  {"a.f32", NIGH_ROWS_RAW, NIGH_DTYPE_F32, 4},
    {"a.RAW", NIGH_ROWS_RAW, NIGH_DTYPE_F32, 4},     {"a.bin", NIGH_ROWS_RAW, NIGH_DTYPE_F32, 4},
    {"f4.npy", NIGH_ROWS_NPY, NIGH_DTYPE_F32, 4},    {"f2.npy", NIGH_ROWS_NPY, NIGH_DTYPE_F16, 2},
    {"i1.npy", NIGH_ROWS_NPY, NIGH_DTYPE_I8, 1},     {"u1.npy", NIGH_ROWS_NPY, NIGH_DTYPE_U8, 1},
    {"i4.npy", NIGH_ROWS_NPY, NIGH_ROWS_I32, 4},     {"u8.NPY", NIGH_ROWS_NPY, NIGH_ROWS_U64, 8},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static void round_trip(size_t kind, uint32_t dim, uint64_t count, uint64_t gap) {
    uint64_t row = (uint64_t)dim * kinds[kind].element;
    uint8_t *bytes = malloc((size_t)((row + gap) * count));
    const char *path = in_folder(kinds[kind].name);
    nigh_rows rows = {0};
    const void *base = NULL;
    t_assert(bytes != NULL);
    for (uint64_t i = 0; i < (row + gap) * count; i++) {
        bytes[i] = (uint8_t)(i * 7 % 251);
    }
    t_ok(write_rows(path, kinds[kind].format, kinds[kind].dtype, dim, gap ? row + gap : 0, bytes,
                    count));
    t_ok(open_rows(path, NIGH_ROWS_AUTO, kinds[kind].format == NIGH_ROWS_RAW ? dim : 0, &rows,
                   &base));
    t_eq(rows.struct_size, sizeof rows);
    t_eq(rows.format, kinds[kind].format);
    t_eq(rows.dtype, kinds[kind].dtype);
    t_eq(rows.dim, dim);
    t_eq(rows.count, count);
    t_eq((uintptr_t)base % kinds[kind].element, 0);
    for (uint64_t i = 0; i < count; i++) {
        t_bytes((const uint8_t *)base + i * rows.stride, bytes + i * (row + gap), row);
    }
    t_ok(nigh_close(base));
    t_ok(open_rows(path, kinds[kind].format, dim, &rows, &base));
    t_ok(nigh_close(base));
    if (kinds[kind].format != NIGH_ROWS_RAW) {
        t_is(open_rows(path, kinds[kind].format, dim + 1, &rows, &base), NIGH_E_MISMATCH);
        says("expected");
    }
    free(bytes);
}

TEST(written_and_read_back) {
    static const uint32_t dims[] = {1, 2, 3, 16, 100, 128, 960};
    folder_new();
    for (size_t kind = 0; kind < KINDS; kind++) {
        for (size_t d = 0; d < sizeof dims / sizeof dims[0]; d++) {
            round_trip(kind, dims[d], 1, 0);
            round_trip(kind, dims[d], 17, 0);
            round_trip(kind, dims[d], 18, 5);
        }
    }
    folder_drop();
}

TEST(write_refuses) {
    nigh_rows shape = {.struct_size = sizeof shape,
                       .format = NIGH_ROWS_FVECS,
                       .dtype = NIGH_DTYPE_F32,
                       .dim = 2,
                       .count = 4};
    nigh_rows bad = shape;
    nigh_saver *saver = NULL;
    float values[8] = {0};
    folder_new();
    t_ok(nigh_save_begin(in_folder("a"), &saver, NULL, 0));
    t_is(nigh_rows_write(NULL, &shape, 0, values, 4), NIGH_E_INVALID);
    t_is(nigh_rows_write(saver, NULL, 0, values, 4), NIGH_E_INVALID);
    t_is(nigh_rows_write(saver, &shape, 0, NULL, 4), NIGH_E_INVALID);
    t_is(nigh_rows_write(saver, &shape, 0, values, 5), NIGH_E_INVALID);
    t_is(nigh_rows_write(saver, &shape, 1, values, 1), NIGH_E_INVALID);
    bad.struct_size = 8;
    t_is(nigh_rows_write(saver, &bad, 0, values, 4), NIGH_E_INVALID);
    bad = shape;
    bad.stride = 7;
    t_is(nigh_rows_write(saver, &bad, 0, values, 4), NIGH_E_INVALID);
    bad.stride = 0;
    bad.dim = 0;
    t_is(nigh_rows_write(saver, &bad, 0, values, 4), NIGH_E_INVALID);
    for (uint32_t format = 0; format < 9; format++) {
        static const uint32_t dtypes[] = {0, 1, 2, 3, 4, 5, 6, NIGH_ROWS_I32, NIGH_ROWS_U64, 999};
        for (size_t d = 0; d < 10; d++) {
            int known = 0;
            for (size_t kind = 0; kind < KINDS; kind++) {
                known |= kinds[kind].format == format && kinds[kind].dtype == dtypes[d];
            }
            bad = shape;
            bad.format = format;
            bad.dtype = dtypes[d];
            if (!known) {
                t_is(nigh_rows_write(saver, &bad, 0, values, 1), NIGH_E_INVALID);
            }
        }
    }
    t_ok(nigh_rows_write(saver, &shape, 0, values, 3));
    bad = shape;
    bad.count = 3;
    t_is(nigh_rows_write(saver, &bad, 3, values, 0), NIGH_E_INVALID);
    t_is(nigh_save_commit(saver, message, sizeof message), NIGH_E_WRITE);
    says("3 of 4 rows");
    t_eq(folder_count(folder_path, 0), 0);
    folder_drop();
}

TEST(open_refuses) {
    nigh_rows rows = {.struct_size = sizeof rows};
    const void *base = message;
    static const uint8_t fvecs[] = {2, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 3, 0,
                                    0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 2, 0, 0, 0};
    folder_new();
    file_put(in_folder("a.fvecs"), fvecs, sizeof fvecs);
    file_put(in_folder("empty.fvecs"), "", 0);
    file_put(in_folder("a.dat"), fvecs, sizeof fvecs);
    t_is(open_rows(in_folder("none.npy"), 0, 0, &rows, &base), NIGH_E_IO);
    says("cannot open");
    t_is(open_rows(in_folder("empty.fvecs"), 0, 0, &rows, &base), NIGH_E_FORMAT);
    says("empty");
    t_is(open_rows(in_folder("a.dat"), 0, 0, &rows, &base), NIGH_E_INVALID);
    says("tell the format");
    t_is(open_rows(in_folder("a.fvecs"), 0, 0, &rows, &base), NIGH_E_FORMAT);
    says("row 1 says dim 3, row 0 2");
    t_is(open_rows(in_folder("a.fvecs"), NIGH_ROWS_NPY, 0, &rows, &base), NIGH_E_FORMAT);
    says("not a .npy file");
    t_is(open_rows(in_folder("a.fvecs"), NIGH_ROWS_RAW, 0, &rows, &base), NIGH_E_INVALID);
    t_is(open_rows(in_folder("a.fvecs"), NIGH_ROWS_RAW, 5, &rows, &base), NIGH_E_FORMAT);
    says("28 bytes are not whole rows of 5 floats");
    t_is(open_rows(in_folder("a.fvecs"), 7, 0, &rows, &base), NIGH_E_INVALID);
    t_is(nigh_rows_open(in_folder("a.fvecs"), 1, 0, NIGH_FILE_SHARED, &rows, &base, NULL, NULL, 0),
         NIGH_E_INVALID);
    rows.struct_size = 31;
    t_is(nigh_rows_open(in_folder("a.fvecs"), 1, 0, 0, &rows, &base, NULL, NULL, 0),
         NIGH_E_INVALID);
    t_assert(base == message && rows.count == 0);
    folder_drop();
}

/* Parses an exact copy, so that AddressSanitizer sees every byte read behind it; what is accepted
 * must lie inside. */
static nigh_status parse_copy(const uint8_t *bytes, size_t size, uint32_t format) {
    uint8_t *copy = malloc(size > 0 ? size : 1);
    nighh_parsed parsed = {.offset = 0};
    nigh_status status = NIGH_OK;
    t_assert(copy != NULL);
    memcpy(copy, bytes, size);
    status = nighh_parse_vecs(copy, size, format, 0, &parsed, &quiet);
    if (status == NIGH_OK) {
        const nigh_rows *rows = &parsed.rows;
        t_assert(rows->count > 0 && rows->dim > 0);
        t_eq(parsed.offset + (rows->count - 1) * rows->stride +
                 (uint64_t)rows->dim * nighh_element_bytes(rows->dtype),
             size);
    }
    free(copy);
    return status;
}

TEST(vecs_cut_and_flipped_everywhere) {
    for (uint32_t format = NIGH_ROWS_FVECS; format <= NIGH_ROWS_IVECS; format++) {
        enum { DIM = 5, COUNT = 6 };
        size_t row = 4 + DIM * (format == NIGH_ROWS_BVECS ? 1u : 4u);
        uint8_t bytes[COUNT * 24];
        memset(bytes, 0x3c, sizeof bytes);
        for (size_t i = 0; i < COUNT; i++) {
            memcpy(bytes + i * row, "\x05\0\0", 4);
        }
        for (size_t size = 0; size <= COUNT * row; size++) {
            t_eq(parse_copy(bytes, size, format) == NIGH_OK, size > 0 && size % row == 0);
        }
        for (size_t at = 0; at < COUNT * row; at++) {
            for (unsigned flip = 1; flip < 256; flip++) {
                nigh_status status = NIGH_OK;
                bytes[at] = (uint8_t)(bytes[at] ^ flip);
                status = parse_copy(bytes, COUNT * row, format); /* row 0 may become all the file */
                t_assert(at < 4 || (status == NIGH_OK) == (at % row >= 4));
                bytes[at] = (uint8_t)(bytes[at] ^ flip);
            }
        }
    }
}

TEST(vecs_dims_out_of_range) {
    static const uint8_t dims[][4] = {{0, 0, 0, 0},
                                      {0xff, 0xff, 0xff, 0xff},
                                      {0, 0, 0, 0x80},
                                      {0xff, 0xff, 0xff, 0x7f},
                                      {0, 0, 0, 0x40}};
    for (size_t i = 0; i < sizeof dims / sizeof dims[0]; i++) {
        for (uint32_t format = NIGH_ROWS_FVECS; format <= NIGH_ROWS_IVECS; format++) {
            t_is(parse_copy(dims[i], 4, format), NIGH_E_FORMAT);
        }
    }
}

TEST(large_files_are_sampled) {
    enum { COUNT = 400000, STRIDE = 8, END = 65536 };
    uint8_t *bytes = calloc(COUNT, STRIDE);
    uint64_t found = 0;
    t_assert(bytes != NULL);
    for (uint64_t i = 0; i < COUNT; i++) {
        bytes[i * STRIDE] = 1;
    }
    t_eq(nighh_odd_row(bytes, COUNT, STRIDE, 1, 0), COUNT);
    for (uint64_t i = 0; i < COUNT; i += i < END || i >= COUNT - END ? 997 : 1) {
        bytes[i * STRIDE] = 2;
        if (i % 1000 == 0 || i < END || i >= COUNT - END) {
            t_eq(nighh_odd_row(bytes, COUNT, STRIDE, 1, UINT64_MAX), i);
        }
        if (i < END || i >= COUNT - END) {
            t_eq(nighh_odd_row(bytes, COUNT, STRIDE, 1, 0), i);
        } else if (i < END + 3000) {
            found += nighh_odd_row(bytes, COUNT, STRIDE, 1, 0) == i;
        }
        bytes[i * STRIDE] = 1;
        i += i >= END + 3000 && i < COUNT - END - 3000 ? 5000 : 0;
    }
    t_assert(found >= 9 && found <= 12); /* of 3000 about every 257th */
    free(bytes);
}

SUITE {
    RUN(written_and_read_back);
    RUN(write_refuses);
    RUN(open_refuses);
    RUN(vecs_cut_and_flipped_everywhere);
    RUN(vecs_dims_out_of_range);
    RUN(large_files_are_sampled);
}
