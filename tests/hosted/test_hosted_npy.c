/* test_hosted_npy.c - heads of .npy files: all that NumPy writes, and all that it would not
 * layer T; uses: hosted.h, t.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "hosted.h"
#include "t.h"

static char message[256];

/* A file with this dictionary text, `data` bytes behind it; in memory of its exact size. */
static uint8_t *make(unsigned version, const char *text, size_t data, size_t *size) {
    size_t length = strlen(text);
    size_t before = version == 1 ? 10 : 12;
    uint8_t *bytes = malloc(before + length + data);
    t_assert(bytes != NULL);
    memcpy(bytes, "\x93NUMPY", 6);
    bytes[6] = (uint8_t)version;
    bytes[7] = 0;
    for (size_t i = 8; i < before; i++) {
        bytes[i] = (uint8_t)(length >> 8 * (i - 8));
    }
    memcpy(bytes + before, text, length);
    memset(bytes + before + length, 1, data);
    *size = before + length + data;
    return bytes;
}

/* Parses an exact copy; what is accepted must end where the file ends. */
static nigh_status parse(const uint8_t *bytes, size_t size, nighh_parsed *parsed) {
    nighh_errors errors = nighh_errors_begin(message, sizeof message, "x.npy");
    uint8_t *copy = malloc(size > 0 ? size : 1);
    nigh_status status = NIGH_OK;
    t_assert(copy != NULL);
    memcpy(copy, bytes, size);
    memset(parsed, 0, sizeof *parsed);
    status = nighh_parse_npy(copy, size, 0, parsed, &errors);
    free(copy);
    if (status == NIGH_OK) {
        t_assert(parsed->rows.count > 0 && parsed->rows.dim > 0);
        t_eq(parsed->offset + parsed->rows.count * parsed->rows.stride, size);
        t_eq(parsed->offset % nighh_element_bytes(parsed->rows.dtype), 0);
        t_eq(message[0], 0);
    } else {
        t_assert(strncmp(message, "x.npy: ", 7) == 0 && strlen(message) > 10);
    }
    return status;
}

/* `text` is padded so that the data begin at a multiple of 16 when pad is set. */
static nigh_status parse_text(unsigned version, const char *text, size_t data,
                              nighh_parsed *parsed) {
    char padded[1024];
    size_t size = 0;
    uint8_t *bytes = NULL;
    nigh_status status = NIGH_OK;
    size_t before = version == 1 ? 10 : 12;
    size_t length = strlen(text);
    memcpy(padded, text, length);
    while ((before + length + 1) % 16 != 0) {
        padded[length++] = ' ';
    }
    padded[length++] = '\n';
    padded[length] = 0;
    bytes = make(version, padded, data, &size);
    status = parse(bytes, size, parsed);
    free(bytes);
    return status;
}

static void good(const char *text, size_t data, uint32_t dtype, uint64_t count, uint32_t dim) {
    for (unsigned version = 1; version <= 3; version++) {
        nighh_parsed parsed;
        if (parse_text(version, text, data, &parsed) != NIGH_OK) {
            t_failf("%s: %s", text, message);
        }
        t_eq(parsed.rows.format, NIGH_ROWS_NPY);
        t_eq(parsed.rows.dtype, dtype);
        t_eq(parsed.rows.count, count);
        t_eq(parsed.rows.dim, dim);
    }
}

static void bad(const char *text, size_t data, nigh_status status, const char *says) {
    for (unsigned version = 1; version <= 3; version++) {
        nighh_parsed parsed;
        nigh_status got = parse_text(version, text, data, &parsed);
        if (got != status || strstr(message, says) == NULL) {
            t_failf("%s: %d, '%s' does not say '%s'", text, got, message, says);
        }
    }
}

TEST(accepts) {
    good("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }", 48, NIGH_DTYPE_F32, 3, 4);
    good("{'descr': '<f2', 'fortran_order': False, 'shape': (3, 4), }", 24, NIGH_DTYPE_F16, 3, 4);
    good("{'descr': '|i1', 'fortran_order': False, 'shape': (3, 4), }", 12, NIGH_DTYPE_I8, 3, 4);
    good("{'descr': '|u1', 'fortran_order': False, 'shape': (3, 4), }", 12, NIGH_DTYPE_U8, 3, 4);
    good("{'descr': '<i4', 'fortran_order': False, 'shape': (3, 4), }", 48, NIGH_ROWS_I32, 3, 4);
    good("{'descr': '<u8', 'fortran_order': False, 'shape': (5,), }", 40, NIGH_ROWS_U64, 1, 5);
    good("{'descr': '<f4', 'fortran_order': False, 'shape': (7,), }", 28, NIGH_DTYPE_F32, 1, 7);
    good("{'shape':(3,4),'fortran_order':False,'descr':'<f4'}", 48, NIGH_DTYPE_F32, 3, 4);
    good("{\"descr\": '<f4', 'fortran_order': False, \"shape\": (3, 4,)}", 48, NIGH_DTYPE_F32, 3,
         4);
    good("{'descr': '<f4', 'fortran_order': False, 'shape': (3L, 4L), }", 48, NIGH_DTYPE_F32, 3, 4);
    good("  {  'descr'  :\t'<f4' ,\n'fortran_order' : False , 'shape' : ( 3 , 4 ) } ", 48,
         NIGH_DTYPE_F32, 3, 4);
    good("{'descr': '<f4', 'fortran_order': True, 'shape': (1, 4), }", 16, NIGH_DTYPE_F32, 1, 4);
    good("{'descr': '<f4', 'fortran_order': True, 'shape': (4, 1), }", 16, NIGH_DTYPE_F32, 4, 1);
}

TEST(refuses_other_arrays) {
    static const char *const dtypes[] = {">f4", "<f8", "|b1", "<i8", ">u8", "<i2", "f4", "=f4",
                                         "<c8", "|O", "<U4", "|S3", "|V2", "", "<f44", "<f4 "};
    char text[128];
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (3, 4), }",
                 dtypes[i]);
        bad(text, 48, NIGH_E_UNSUPPORTED, "expected <f4");
        bad(text, 48, NIGH_E_UNSUPPORTED, dtypes[i]);
    }
    bad("{'descr': '<f4', 'fortran_order': True, 'shape': (3, 4), }", 48, NIGH_E_UNSUPPORTED,
        "expected C order");
    bad("{'descr': '<f4', 'fortran_order': False, 'shape': (), }", 4, NIGH_E_UNSUPPORTED, "0 axes");
    bad("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2, 2), }", 48, NIGH_E_UNSUPPORTED,
        "3 axes");
    bad("{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (3, 4), }", 48,
        NIGH_E_UNSUPPORTED, "structures");
    bad("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 4), }", 0, NIGH_E_FORMAT, "no rows");
    bad("{'descr': '<f4', 'fortran_order': False, 'shape': (4, 0), }", 0, NIGH_E_FORMAT, "no rows");
}

TEST(refuses_broken_heads) {
    static const char *const texts[] = {
        "", "{", "}", "{}", "x", "{'descr'}", "{'descr':}", "{,}", "{'descr': '<f4',,}",
        "{'descr': '<f4' 'fortran_order': False, 'shape': (3, 4), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } x",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), ",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), 'x': 1}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), 'shape': (3, 4)}",
        "{'descr': '<f4', 'fortran_order': False}",
        "{'descr': '<f4', 'shape': (3, 4)}",
        "{'fortran_order': False, 'shape': (3, 4)}",
        "{'descr': '<f4, 'fortran_order': False, 'shape': (3, 4), }",
        "{'descr': '<f4\", 'fortran_order': False, 'shape': (3, 4), }",
        "{'descr': <f4, 'fortran_order': False, 'shape': (3, 4), }",
        "{'descr': '\\x3cf4', 'fortran_order': False, 'shape': (3, 4), }",
        "{'descr': '\x01', 'fortran_order': False, 'shape': (3, 4), }",
        "{'descr': 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'fortran_order': False, 'shape': (3, 4), }",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': (3, 4), }",
        "{'descr': '<f4', 'fortran_order': false, 'shape': (3, 4), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': [3, 4], }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (12), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3 4), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3,,4), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-3, 4), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3.0, 4), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (0x3, 4), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 18446744073709551616), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3LL, 4), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,"
        "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,"
        "1,1,1,1,1,1), }",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        bad(texts[i], 48, NIGH_E_FORMAT, "broken .npy head");
    }
}

TEST(refuses_sizes_that_do_not_fit) {
    char text[160];
    bad("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }", 47, NIGH_E_FORMAT,
        "cut short?");
    bad("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }", 0, NIGH_E_FORMAT,
        "0 bytes of data: cut short?");
    bad("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }", 49, NIGH_E_FORMAT,
        "more than one");
    bad("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }", 64, NIGH_E_FORMAT,
        "more than one");
    /* products that wrap to 48 bytes or 0 */
    static const char *const shapes[][2] = {{"4611686018427387904", "4"},
                                            {"4611686018427387907", "4"},
                                            {"18446744073709551615", "1"},
                                            {"2305843009213693952", "2"},
                                            {"9223372036854775808", "2"},
                                            {"3", "4611686018427387908"},
                                            {"4294967296", "4294967296"}};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        snprintf(text, sizeof text, "{'descr': '<f4', 'fortran_order': False, 'shape': (%s, %s)}",
                 shapes[i][0], shapes[i][1]);
        bad(text, 48, NIGH_E_FORMAT, "shape");
        bad(text, 0, NIGH_E_FORMAT, "shape");
    }
}

TEST(refuses_versions_and_other_files) {
    size_t size = 0;
    nighh_parsed parsed;
    uint8_t *bytes = make(1, "{'descr': '|u1', 'fortran_order': False, 'shape': (3, 4), }", 12,
                          &size);
    t_ok(parse(bytes, size, &parsed));
    for (unsigned major = 0; major < 256; major++) {
        bytes[6] = (uint8_t)major;
        if (major < 1 || major > 3) {
            t_is(parse(bytes, size, &parsed), NIGH_E_UNSUPPORTED);
            t_assert(strstr(message, "expected 1.0 to 3.0") != NULL);
        }
    }
    bytes[6] = 1;
    bytes[7] = 1;
    t_is(parse(bytes, size, &parsed), NIGH_E_UNSUPPORTED);
    free(bytes);
    t_is(parse((const uint8_t *)"PK\3\4 an .npz", 12, &parsed), NIGH_E_FORMAT);
}

TEST(refuses_data_out_of_line) {
    size_t size = 0;
    nighh_parsed parsed;
    char text[128] = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }";
    for (int i = 0; i < 16; i++) {
        uint8_t *bytes = make(1, text, 48, &size);
        t_is(parse(bytes, size, &parsed), (size - 48) % 4 == 0 ? NIGH_OK : NIGH_E_UNSUPPORTED);
        free(bytes);
        strcat(text, " ");
    }
}

/* Every prefix is refused; every changed byte is refused or leaves the rows inside the file. */
TEST(cut_and_flipped_everywhere) {
    for (unsigned version = 1; version <= 3; version++) {
        size_t size = 0;
        nighh_parsed parsed;
        uint8_t *bytes = make(version,
                              "{'descr': '|u1', 'fortran_order': False, 'shape': (3, 4), }  \n", 12,
                              &size);
        t_ok(parse(bytes, size, &parsed));
        for (size_t cut = 0; cut < size; cut++) {
            t_assert(parse(bytes, cut, &parsed) != NIGH_OK);
        }
        for (size_t at = 0; at < size - 12; at++) {
            uint8_t before = bytes[at];
            for (unsigned value = 0; value < 256; value++) {
                bytes[at] = (uint8_t)value;
                (void)parse(bytes, size, &parsed);
            }
            bytes[at] = before;
        }
        free(bytes);
    }
}

TEST(random_dictionaries_do_not_crash) {
    static const char *const parts[] = {"{", "}", "(", ")", ",", ":", "'", "\"", "descr", "shape",
                                        "fortran_order", "<f4", "True", "False", "[", "]", " ",
                                        "3", "99999999999999999999", "\n", "L", "-", "\\",
                                        "'shape'", "'descr': '<f4'", "(1, 2)",
                                        "'fortran_order': False"};
    uint64_t random = t_seed();
    for (int i = 0; i < (t_small() ? 2000 : 100000); i++) {
        char text[512] = "{";
        nighh_parsed parsed;
        for (int j = 0; j < 14; j++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            strcat(text, parts[(random >> 33) % (sizeof parts / sizeof parts[0])]);
        }
        (void)parse_text(1 + (unsigned)i % 3, text, 8, &parsed);
    }
}

TEST(heads_written_are_read) {
    static const uint64_t counts[] = {1, 9, 10, 99999, 1u << 31, UINT64_C(1) << 60, UINT64_MAX};
    static const uint32_t dtypes[] = {NIGH_DTYPE_F32, NIGH_DTYPE_F16, NIGH_DTYPE_I8,
                                      NIGH_DTYPE_U8, NIGH_ROWS_I32, NIGH_ROWS_U64};
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        for (size_t d = 0; d < sizeof dtypes / sizeof dtypes[0]; d++) {
            char head[128];
            uint32_t length = nighh_npy_head(dtypes[d], counts[c], INT32_MAX, head);
            t_assert(length <= sizeof head && length % 64 == 0 && head[length - 1] == '\n');
            t_eq((uint8_t)head[8] + 256 * (uint8_t)head[9], length - 10);
        }
    }
}

SUITE {
    RUN(accepts);
    RUN(refuses_other_arrays);
    RUN(refuses_broken_heads);
    RUN(refuses_sizes_that_do_not_fit);
    RUN(refuses_versions_and_other_files);
    RUN(refuses_data_out_of_line);
    RUN(cut_and_flipped_everywhere);
    RUN(random_dictionaries_do_not_crash);
    RUN(heads_written_are_read);
}
