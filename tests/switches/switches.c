/* switches.c - what a build of the whole library wrote, checked by builds with parts left out
 * layer T; uses: nothing
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * usage: switches make|check FILE. `make` writes images and answers; `check`, compiled with
 * switches, attaches each image, searches it, compares keys and distance bits, and where it can
 * inserts the same vectors anew and compares the image. What its switches leave out must be
 * refused with NIGH_E_UNSUPPORTED. Ends with "N passed, N failed". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nigh.h"

enum { COUNT = 700, QUERIES = 40, K = 10, MEMORY = 8 << 20 };

typedef struct shape {
    const char *name;
    uint32_t dim, metric, dtype, keys, codes, save, flags, removed;
} shape;

static const shape shapes[] = {
    {"u8 l2", 32, NIGH_METRIC_L2, NIGH_DTYPE_U8, NIGH_KEYS_IDENTITY, 0, 0, 0, 0},
    {"u8 ip", 37, NIGH_METRIC_IP, NIGH_DTYPE_U8, NIGH_KEYS_U64, 0, 0, 0, 0},
    {"u8 l1", 19, NIGH_METRIC_L1, NIGH_DTYPE_U8, NIGH_KEYS_U64, 0, 0, 0, 0},
    {"bits", 100, NIGH_METRIC_HAMMING, NIGH_DTYPE_B1, NIGH_KEYS_BYTES, 0, 0, 0, 0},
    {"u8 removed", 16, NIGH_METRIC_L2, NIGH_DTYPE_U8, NIGH_KEYS_U64, 0, 0, 0, 90},
    {"u8 exact", 16, NIGH_METRIC_L2, NIGH_DTYPE_U8, NIGH_KEYS_U64, 0, 0, NIGH_SEARCH_EXACT, 0},
    {"u8 packed", 24, NIGH_METRIC_L2, NIGH_DTYPE_U8, NIGH_KEYS_U64, 0, NIGH_SAVE_PACKED, 0, 0},
    {"f32", 24, NIGH_METRIC_L2, NIGH_DTYPE_F32, NIGH_KEYS_U64, 0, 0, 0, 0},
    {"codes l2", 48, NIGH_METRIC_L2, NIGH_DTYPE_F32, NIGH_KEYS_U64, NIGH_CODES_U7,
     NIGH_SAVE_GRAPH_ONLY, NIGH_SEARCH_CODES, 0},
    {"codes ip", 50, NIGH_METRIC_IP, NIGH_DTYPE_F32, NIGH_KEYS_IDENTITY, NIGH_CODES_U7,
     NIGH_SAVE_GRAPH_ONLY, NIGH_SEARCH_CODES, 0},
    {"codes l1", 20, NIGH_METRIC_L1, NIGH_DTYPE_F32, NIGH_KEYS_U64, NIGH_CODES_U7,
     NIGH_SAVE_GRAPH_ONLY, NIGH_SEARCH_CODES, 0},
    {"codes packed", 48, NIGH_METRIC_COSINE, NIGH_DTYPE_F32, NIGH_KEYS_U64, NIGH_CODES_U7,
     NIGH_SAVE_GRAPH_ONLY | NIGH_SAVE_PACKED, NIGH_SEARCH_CODES, 0},
};
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

/* What the switches leave out, beside what they let in. */
#ifdef NIGH_NO_FLOATS
enum { FLOATS = 0 };
#else
enum { FLOATS = 1 };
#endif
#ifdef NIGH_NO_BYTES
enum { BYTES = 0 };
#else
enum { BYTES = 1 };
#endif
#ifdef NIGH_NO_CODES
enum { CODES = 0 };
#else
enum { CODES = 1 };
#endif
#ifdef NIGH_NO_L1
enum { L1 = 0 };
#else
enum { L1 = 1 };
#endif
#ifdef NIGH_NO_STRINGS
enum { STRINGS = 0 };
#else
enum { STRINGS = 1 };
#endif
#ifdef NIGH_NO_PACKED
enum { PACKED = 0 };
#else
enum { PACKED = 1 };
#endif
#ifdef NIGH_NO_REMOVED
enum { REMOVED = 0 };
#else
enum { REMOVED = 1 };
#endif
#ifdef NIGH_NO_SOURCES
enum { SOURCES = 0 };
#else
enum { SOURCES = 1 };
#endif
#ifdef NIGH_SEARCH_ONLY
enum { CHANGES = 0 };
#else
enum { CHANGES = 1 };
#endif
#if defined(NIGH_NO_FILTERS) || defined(NIGH_NO_REMOVED)
enum { FILTERS = 0 };
#else
enum { FILTERS = 1 };
#endif
#ifdef NIGH_NO_CURSORS
enum { CURSORS = 0 };
#else
enum { CURSORS = 1 };
#endif
#ifdef NIGH_NO_SET
enum { SET = 0 };
#else
enum { SET = 1 };
#endif

static int passed, failed;
static void expect(int good, const char *what, const char *name) {
    passed += good;
    failed += !good;
    if (!good) {
        printf("%s: %s\n", name, what);
    }
}

static uint64_t state;
static uint32_t next(void) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33);
}

/* A row of a shape; for searches by codes, a code. */
static void fill(const shape *s, int query, uint8_t *row) {
    if ((query && (s->flags & NIGH_SEARCH_CODES) != 0) || s->dtype == NIGH_DTYPE_U8) {
        for (uint32_t i = 0; i < s->dim; i++) {
            row[i] = (uint8_t)(query && s->codes != 0 ? 1 + next() % 127 : next() % 256);
        }
    } else if (s->dtype == NIGH_DTYPE_B1) {
        for (uint32_t i = 0; i < (s->dim + 7) / 8; i++) {
            row[i] = (uint8_t)next();
        }
        row[s->dim / 8] &= (uint8_t)(s->dim % 8 == 0 ? 255 : (1u << s->dim % 8) - 1);
    } else {
        for (uint32_t i = 0; i < s->dim; i++) {
            const float value = (float)((int32_t)(next() % 20001) - 10000) / 10000.0f;
            memcpy(row + i * sizeof value, &value, sizeof value);
        }
    }
}

static uint8_t *memory(uint64_t bytes) {
    void *block = NULL;
    if (bytes > MEMORY || posix_memalign(&block, 64, bytes + 64) != 0) {
        printf("no memory\n");
        exit(1);
    }
    return block;
}

typedef struct image {
    uint8_t *bytes;
    uint64_t size;
} image;

static nigh_status put(void *user, const void *bytes, uint64_t count) {
    image *to = user;
    memcpy(to->bytes + to->size, bytes, count);
    to->size += count;
    return NIGH_OK;
}

static nigh_session *session_of(const nigh_index *index) {
    const nigh_session_options options = {.struct_size = sizeof options, .ef_max = 64};
    uint64_t bytes = 0;
    nigh_session *session = NULL;
    if (nigh_session_bytes(index, &options, &bytes) != NIGH_OK ||
        nigh_session_init(index, &options, memory(bytes), bytes, &session) != NIGH_OK) {
        return NULL;
    }
    return session;
}

/* Inserts the vectors of a shape, removes some, and saves; the first status that is not NIGH_OK. */
static nigh_status build(const shape *s, image *to) {
    const nigh_config config = {.struct_size = sizeof config, .dim = s->dim, .metric = s->metric,
                                .dtype = s->dtype, .keys = s->keys, .m = 6, .ef_build = 40,
                                .seed = 7, .codes = s->codes,
                                .code_min = s->codes == 0 ? 0.0f : -1.0f,
                                .code_max = s->codes == 0 ? 0.0f : 1.0f};
    const nigh_options options = {.struct_size = sizeof options, .slot_max = COUNT};
    uint64_t bytes = 0;
    nigh_index *index = NULL;
    nigh_status status = nigh_index_bytes(&config, &options, &bytes);
    if (status != NIGH_OK) {
        return status;
    }
    status = nigh_index_init(&config, &options, memory(bytes), bytes, &index);
    if (status != NIGH_OK || (status = nigh_writer_bytes(index, &bytes)) != NIGH_OK ||
        (status = nigh_writer_init(index, memory(bytes), bytes)) != NIGH_OK ||
        (status = nigh_grow_bytes(index, COUNT, COUNT * 8, &bytes)) != NIGH_OK ||
        (status = nigh_grow(index, COUNT, COUNT * 8, memory(bytes), bytes)) != NIGH_OK) {
        return status;
    }
    nigh_session *session = session_of(index);
    state = 42;
    for (uint64_t i = 0; i < COUNT && status == NIGH_OK; i++) {
        const uint64_t key = s->keys == NIGH_KEYS_IDENTITY ? i : i * 2654435761u + 5;
        const uint32_t length = 1 + (uint32_t)(i % 8);
        uint8_t row[512];
        uint32_t done = 0;
        uint64_t string = i | (uint64_t)(i + 1) << 16 | (uint64_t)(i + 2) << 40;
        fill(s, 0, row);
        const int strings = s->keys == NIGH_KEYS_BYTES;
        const uint32_t whole = strings ? 8 : length;
        status = nigh_insert(index, session, 0, strings ? &string : &key,
                             strings ? &whole : NULL, row, 1, &done);
    }
    for (uint64_t i = 0; i < s->removed && status == NIGH_OK; i++) {
        const uint64_t key = i * 7 % COUNT * 2654435761u + 5;
        uint32_t done = 0;
        status = nigh_remove(index, session, &key, NULL, 1, &done);
    }
    to->size = 0;
    return status == NIGH_OK ? nigh_save(index, s->save, put, to) : status;
}

typedef struct answer {
    uint8_t keys[K * 512];
    uint32_t lengths[K];
    float distances[K];
    uint32_t found;
} answer;

static nigh_status ask(const shape *s, const nigh_index *index, nigh_session *session,
                       const uint8_t *query, answer *out) {
    nigh_search_options options = {.struct_size = sizeof options, .ef = 24, .flags = s->flags};
    memset(out, 0, sizeof *out);
    return nigh_search(index, session, query, &options, K, out->keys,
                       s->keys == NIGH_KEYS_BYTES ? out->lengths : NULL, out->distances, NULL,
                       &out->found);
}

static nigh_status attached(const image *from, nigh_index **index) {
    const nigh_options options = {.struct_size = sizeof options, .flags = NIGH_OPEN_VERIFY};
    uint64_t bytes = 0;
    nigh_status status = nigh_attach_bytes(from->bytes, from->size, &options, &bytes);
    if (status == NIGH_OK) {
        status = nigh_attach(from->bytes, from->size, &options, memory(bytes), bytes, index);
    }
    return status;
}

static int make(FILE *file) {
    image to = {memory(MEMORY), 0};
    for (int i = 0; i < SHAPES; i++) {
        const shape *s = &shapes[i];
        nigh_index *index = NULL;
        if (build(s, &to) != NIGH_OK || attached(&to, &index) != NIGH_OK) {
            printf("%s: not built\n", s->name);
            return 1;
        }
        nigh_session *session = session_of(index);
        fwrite(&to.size, sizeof to.size, 1, file);
        fwrite(to.bytes, 1, to.size, file);
        state = 1000;
        for (int q = 0; q < QUERIES; q++) {
            uint8_t query[512];
            answer out;
            fill(s, 1, query);
            const nigh_status status = ask(s, index, session, query, &out);
            if (status != NIGH_OK || out.found != K) {
                printf("%s: %s\n", s->name, nigh_status_text(status));
                return 1;
            }
            fwrite(&out, sizeof out, 1, file);
        }
    }
    return 0;
}

/* May this build open such an image? */
static int opens(const shape *s) {
    const int coded = s->codes != 0;
    return (BYTES || s->dtype == NIGH_DTYPE_F32) && (FLOATS || coded || s->dtype > NIGH_DTYPE_I8) &&
           (CODES || !coded) && (L1 || s->metric != NIGH_METRIC_L1) &&
           (STRINGS || s->keys != NIGH_KEYS_BYTES) && (REMOVED || s->removed == 0) &&
           (PACKED || (s->save & NIGH_SAVE_PACKED) == 0) &&
           (SOURCES || !FLOATS || (s->save & NIGH_SAVE_GRAPH_ONLY) == 0);
}

static void check_refused(const shape *s, nigh_index *index, nigh_session *session) {
    const uint32_t bits[(COUNT + 31) / 32] = {1};
    uint8_t query[512];
    uint64_t key = 5;
    uint32_t done = 0;
    fill(s, 1, query);
    const nigh_search_options options = {.struct_size = sizeof options, .flags = s->flags};
    expect(nigh_session_filter(session, bits, COUNT, NULL, NULL) ==
               (FILTERS ? NIGH_OK : NIGH_E_UNSUPPORTED),
           "filter", s->name);
    expect((nigh_cursor_begin(index, session, query, &options) == NIGH_E_UNSUPPORTED) == !CURSORS ||
               (s->flags & NIGH_SEARCH_EXACT) != 0,
           "cursor", s->name);
    if (!CHANGES) {
        expect(nigh_writer_init(index, query, 1) == NIGH_E_UNSUPPORTED, "writer", s->name);
        expect(nigh_remove(index, session, &key, &done, 1, &done) == NIGH_E_UNSUPPORTED, "remove",
               s->name);
        expect(nigh_save(index, 0, put, NULL) == NIGH_E_UNSUPPORTED, "save", s->name);
    }
    if (!SET) {
        expect(nigh_set(index, session, 0, &key, &done, query, 1, &done) == NIGH_E_UNSUPPORTED,
               "set", s->name);
    }
}

static void check_shape(const shape *s, image *from, image *again, FILE *file) {
    nigh_index *index = NULL;
    if (fread(&from->size, sizeof from->size, 1, file) != 1 || from->size > MEMORY ||
        fread(from->bytes, 1, from->size, file) != from->size) {
        printf("the file ends\n");
        exit(1);
    }
    const nigh_status status = attached(from, &index);
    expect(status == (opens(s) ? NIGH_OK : NIGH_E_UNSUPPORTED), nigh_status_text(status), s->name);
    nigh_session *session = status == NIGH_OK ? session_of(index) : NULL;
    const int exact = (s->flags & NIGH_SEARCH_EXACT) != 0 && !REMOVED;
    int same = session != NULL || status != NIGH_OK;
    state = 1000;
    for (int q = 0; q < QUERIES; q++) {
        uint8_t query[512];
        static answer expected, out;
        fill(s, 1, query);
        if (fread(&expected, sizeof expected, 1, file) != 1) {
            printf("the file ends\n");
            exit(1);
        }
        if (session != NULL) {
            const nigh_status found = ask(s, index, session, query, &out);
            same &= exact ? found == NIGH_E_UNSUPPORTED
                          : found == NIGH_OK && memcmp(&out, &expected, sizeof out) == 0;
        }
    }
    expect(same, "other answers", s->name);
    if (session != NULL) {
        check_refused(s, index, session);
    }
    if (CHANGES && (s->save & NIGH_SAVE_PACKED) == 0 && (FLOATS || s->codes == 0) && opens(s)) {
        const nigh_status built = build(s, again);
        expect(built == NIGH_OK && again->size == from->size &&
                   memcmp(again->bytes, from->bytes, from->size) == 0,
               "other bytes", s->name);
    }
}

int main(int count, char **arguments) {
    const int makes = count > 2 && strcmp(arguments[1], "make") == 0;
    FILE *file = count > 2 ? fopen(arguments[2], makes ? "wb" : "rb") : NULL;
    if (file == NULL) {
        return 2;
    }
    if (makes) {
        return make(file);
    }
    image from = {memory(MEMORY), 0};
    image again = {memory(MEMORY), 0};
    for (int i = 0; i < SHAPES; i++) {
        check_shape(&shapes[i], &from, &again, file);
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}
