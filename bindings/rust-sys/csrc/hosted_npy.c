/* hosted_npy.c - the head of a NumPy .npy file: read from hostile bytes, written
 * layer H; uses: hosted.h
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The head is a Python dictionary of exactly three keys:
 *   \x93NUMPY major minor length {'descr': '<f4', 'fortran_order': False, 'shape': (3, 128), } \n
 * Strings here never hold escapes, numbers are non-negative; anything else is refused, as NumPy
 * does. Data must follow to its last byte and end there. */
#include "hosted.h"

#include <stdio.h>
#include <string.h>

#define MAGIC_BYTES 6u
#define HEAD_ALIGN 64u
#define TEXT_MAX 23u
#define EXPECTED "expected <f4 <f2 |i1 |u1 (keys: <i4 <u8)"

typedef unsigned long long ull;

typedef struct cursor {
    const uint8_t *at;
    const uint8_t *end;
    const nighh_errors *errors;
} cursor;

typedef struct head {
    char descr[TEXT_MAX + 1];
    bool fortran;
    uint32_t axes;
    uint64_t shape[2];
    uint32_t seen; /* bit 0 descr, 1 fortran_order, 2 shape */
} head;

static const struct {
    char name[4];
    uint32_t dtype;
    uint32_t bytes;
} dtypes[] = {
    {"<f4", NIGH_DTYPE_F32, 4}, {"<f2", NIGH_DTYPE_F16, 2}, {"|i1", NIGH_DTYPE_I8, 1},
    {"|u1", NIGH_DTYPE_U8, 1},  {"<i4", NIGH_ROWS_I32, 4},  {"<u8", NIGH_ROWS_U64, 8},
};
#define DTYPE_COUNT (sizeof dtypes / sizeof dtypes[0])

uint32_t nighh_element_bytes(uint32_t dtype) {
    for (size_t i = 0; i < DTYPE_COUNT; i++) {
        if (dtypes[i].dtype == dtype) {
            return dtypes[i].bytes;
        }
    }
    return 0;
}

const char *nighh_npy_name(uint32_t dtype) {
    for (size_t i = 0; i < DTYPE_COUNT; i++) {
        if (dtypes[i].dtype == dtype) {
            return dtypes[i].name;
        }
    }
    return NULL;
}

/* ---- Tokens --------------------------------------------------------------------------------- */

static nigh_status broken(const cursor *in, const char *what) {
    return nighh_fail(in->errors, NIGH_E_FORMAT, "broken .npy head: %s", what);
}

static uint8_t peek(cursor *in) {
    while (in->at < in->end && (*in->at == ' ' || *in->at == '\t' || *in->at == '\n')) {
        in->at++;
    }
    return in->at < in->end ? *in->at : 0;
}

static bool accept(cursor *in, char wanted) {
    if (peek(in) != (uint8_t)wanted) {
        return false;
    }
    in->at++;
    return true;
}

static bool accept_word(cursor *in, const char *word) {
    size_t length = strlen(word);
    (void)peek(in);
    if ((size_t)(in->end - in->at) < length || memcmp(in->at, word, length) != 0) {
        return false;
    }
    in->at += length;
    return true;
}

/* A quoted string of printable characters without escapes, at most TEXT_MAX long. */
static bool read_string(cursor *in, char *text) {
    uint8_t quote = peek(in);
    size_t length = 0;
    if (quote != '\'' && quote != '"') {
        return false;
    }
    in->at++;
    while (in->at < in->end && *in->at != quote) {
        if (*in->at < ' ' || *in->at > '~' || *in->at == '\\' || length == TEXT_MAX) {
            return false;
        }
        text[length++] = (char)*in->at++;
    }
    text[length] = 0;
    return accept(in, (char)quote);
}

static bool read_number(cursor *in, uint64_t *number) {
    uint8_t digit = peek(in);
    *number = 0;
    if (digit < '0' || digit > '9') {
        return false;
    }
    while (in->at < in->end && *in->at >= '0' && *in->at <= '9') {
        uint64_t value = (uint64_t)(*in->at - '0');
        if (*number > (UINT64_MAX - value) / 10) {
            return false;
        }
        *number = *number * 10 + value;
        in->at++;
    }
    if (in->at < in->end && *in->at == 'L') {
        in->at++; /* files that Python 2 wrote */
    }
    return true;
}

/* ---- The dictionary ------------------------------------------------------------------------- */

static nigh_status read_shape(cursor *in, head *out) {
    uint64_t number = 0;
    bool comma = true;
    if (!accept(in, '(')) {
        return broken(in, "shape is not a tuple");
    }
    while (!accept(in, ')')) {
        if (!comma || !read_number(in, &number)) {
            return broken(in, "shape is not a tuple of numbers");
        }
        if (out->axes < 2) {
            out->shape[out->axes] = number;
        }
        if (out->axes == 64) {
            return broken(in, "too many axes");
        }
        out->axes++;
        comma = accept(in, ',');
    }
    if (out->axes == 1 && !comma) {
        return broken(in, "shape is not a tuple");
    }
    return NIGH_OK;
}

static nigh_status read_value(cursor *in, const char *key, head *out) {
    static const char *const keys[] = {"descr", "fortran_order", "shape"};
    uint32_t which = 0;
    while (which < 3 && strcmp(key, keys[which]) != 0) {
        which++;
    }
    if (which == 3 || (out->seen & 1u << which) != 0) {
        return broken(in, which == 3 ? "an unknown key" : "a key twice");
    }
    out->seen |= 1u << which;
    if (which == 0 && peek(in) == '[') {
        return nighh_fail(in->errors, NIGH_E_UNSUPPORTED, "an array of structures; " EXPECTED);
    }
    if (which == 0) {
        return read_string(in, out->descr) ? NIGH_OK : broken(in, "descr is not a plain string");
    }
    if (which == 2) {
        return read_shape(in, out);
    }
    out->fortran = accept_word(in, "True");
    return out->fortran || accept_word(in, "False") ? NIGH_OK
                                                    : broken(in, "fortran_order is no bool");
}

static nigh_status read_head(cursor *in, head *out) {
    char key[TEXT_MAX + 1];
    bool comma = true;
    if (!accept(in, '{')) {
        return broken(in, "no dictionary");
    }
    while (!accept(in, '}')) {
        nigh_status status = NIGH_OK;
        if (!comma || !read_string(in, key) || !accept(in, ':')) {
            return broken(in, "no dictionary");
        }
        status = read_value(in, key, out);
        if (status != NIGH_OK) {
            return status;
        }
        comma = accept(in, ',');
    }
    (void)peek(in);
    if (in->at != in->end || out->seen != 7) {
        return broken(in, out->seen != 7 ? "a key is missing" : "text behind the dictionary");
    }
    return NIGH_OK;
}

/* ---- The file ------------------------------------------------------------------------------- */

/* Finds the dictionary's place; afterwards `in` spans it and *offset is where the data begins. */
static nigh_status find_head(const uint8_t *bytes, uint64_t size, cursor *in, uint64_t *offset) {
    uint64_t before = MAGIC_BYTES + 2;
    uint64_t length = 0;
    if (size < before || memcmp(bytes, "\x93NUMPY", MAGIC_BYTES) != 0) {
        return nighh_fail(in->errors, NIGH_E_FORMAT, "not a .npy file");
    }
    if (bytes[6] < 1 || bytes[6] > 3 || bytes[7] != 0) {
        return nighh_fail(in->errors, NIGH_E_UNSUPPORTED, ".npy version %u.%u; expected 1.0 to 3.0",
                          (unsigned)bytes[6], (unsigned)bytes[7]);
    }
    before += bytes[6] == 1 ? 2 : 4;
    if (size < before) {
        return broken(in, "cut short");
    }
    for (uint64_t i = before; i > MAGIC_BYTES + 2; i--) {
        length = length << 8 | bytes[i - 1];
    }
    if (length > size - before) {
        return broken(in, "longer than the file");
    }
    in->at = bytes + before;
    in->end = in->at + length;
    *offset = before + length;
    return NIGH_OK;
}

/* What the dictionary says, against what this library can use. */
static nigh_status check_kind(const head *read, const nighh_errors *errors, nigh_rows *rows) {
    for (size_t i = 0; i < DTYPE_COUNT && rows->dtype == 0; i++) {
        rows->dtype = strcmp(read->descr, dtypes[i].name) == 0 ? dtypes[i].dtype : 0;
    }
    if (rows->dtype == 0) {
        return nighh_fail(errors, NIGH_E_UNSUPPORTED, "dtype '%s'; " EXPECTED
                          ", as array.astype('<f4') gives", read->descr);
    }
    if (read->axes != 1 && read->axes != 2) {
        return nighh_fail(errors, NIGH_E_UNSUPPORTED, "%u axes; expected 2 (rows, dim), or 1",
                          (unsigned)read->axes);
    }
    if (read->axes == 2 && read->fortran && read->shape[0] > 1 && read->shape[1] > 1) {
        return nighh_fail(errors, NIGH_E_UNSUPPORTED,
                          "column order; expected C order, as numpy.ascontiguousarray gives");
    }
    return NIGH_OK;
}

nigh_status nighh_parse_npy(const uint8_t *bytes, uint64_t size, uint32_t dim,
                            nighh_parsed *parsed, const nighh_errors *errors) {
    cursor in = {bytes, bytes, errors};
    head read = {{0}, false, 0, {0, 0}, 0};
    nigh_rows *rows = &parsed->rows;
    uint64_t width = 0;
    uint32_t element = 0;
    nigh_status status = find_head(bytes, size, &in, &parsed->offset);
    status = status == NIGH_OK ? read_head(&in, &read) : status;
    status = status == NIGH_OK ? check_kind(&read, errors, rows) : status;
    if (status != NIGH_OK) {
        return status;
    }
    rows->format = NIGH_ROWS_NPY;
    rows->count = read.axes == 2 ? read.shape[0] : 1;
    width = read.axes == 2 ? read.shape[1] : read.shape[0];
    if (rows->count == 0 || width == 0 || width > INT32_MAX) {
        return nighh_fail(errors, NIGH_E_FORMAT, "shape (%llu, %llu): no rows, or too long ones",
                          (ull)rows->count, (ull)width);
    }
    rows->dim = (uint32_t)width;
    if (dim != 0 && rows->dim != dim) {
        return nighh_fail(errors, NIGH_E_MISMATCH, "dim is %u, expected %u", (unsigned)rows->dim,
                          (unsigned)dim);
    }
    element = nighh_element_bytes(rows->dtype);
    rows->stride = width * element;
    size -= parsed->offset;
    if (size % rows->stride != 0 || size / rows->stride != rows->count) {
        bool less = size / rows->stride < rows->count;
        return nighh_fail(errors, NIGH_E_FORMAT,
                          "shape (%llu, %llu) of %s, but %llu bytes of data: %s",
                          (ull)rows->count, (ull)width, read.descr, (ull)size,
                          less ? "cut short?" : "more than one array?");
    }
    if (parsed->offset % element != 0) {
        return nighh_fail(errors, NIGH_E_UNSUPPORTED, "data at byte %llu, not a multiple of %u",
                          (ull)parsed->offset, (unsigned)element);
    }
    return NIGH_OK;
}

uint32_t nighh_npy_head(uint32_t dtype, uint64_t count, uint32_t dim, char *out) {
    const uint32_t before = MAGIC_BYTES + 4;
    int text = snprintf(out + before, 2 * HEAD_ALIGN - before,
                        "{'descr': '%s', 'fortran_order': False, 'shape': (%llu, %u), }",
                        nighh_npy_name(dtype), (ull)count, (unsigned)dim);
    uint32_t used = before + (uint32_t)text;
    uint32_t length = (used + HEAD_ALIGN) / HEAD_ALIGN * HEAD_ALIGN; /* at least one for \n */
    memset(out + used, ' ', length - used);
    out[length - 1] = '\n';
    memcpy(out, "\x93NUMPY\x01\x00", before - 2);
    out[before - 2] = (char)((length - before) & 0xff);
    out[before - 1] = (char)((length - before) >> 8);
    return length;
}
