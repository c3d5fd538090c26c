# _hosted.py - what is used of nigh_hosted.h, and of csrc/, for cffi in ABI mode
# SPDX-License-Identifier: MIT OR Apache-2.0
"""A test compares each line with the headers."""

NIGH_E_IO = -100
NIGH_E_NO_MEMORY = -101
NIGH_E_CANCELLED = -102
NIGH_FILE_PRIVATE = 1
NIGH_FILE_SHARED = 2
NIGH_FILE_RANDOM = 4

MESSAGE_BYTES = 512

DECLARATIONS = """
typedef struct nigh_saver nigh_saver;
uint32_t nigh_features_hosted(void);
uint32_t nigh_threads(void);
nigh_status nigh_memory_new(uint64_t bytes, void **memory);
nigh_status nigh_close(const void *object);
nigh_status nigh_file_map(const char *path, uint32_t flags, void **address, uint64_t *bytes, \
char *message, uint32_t message_bytes);
nigh_status nigh_save_begin(const char *path, nigh_saver **saver, char *message, \
uint32_t message_bytes);
nigh_status nigh_save_write(void *saver, const void *bytes, uint64_t count);
nigh_status nigh_save_commit(nigh_saver *saver, char *message, uint32_t message_bytes);
nigh_status nigh_save_file(const nigh_index *index, uint32_t flags, const char *path, \
char *message, uint32_t message_bytes);
nigh_status nigh_python_reserve(const char *path, uint64_t bytes, char *message, \
uint32_t message_bytes);
nigh_status nigh_python_fetch(void *user, const uint32_t *slots, const uint64_t *keys, \
uint32_t count, void *scratch, const void **vectors);
void nigh_python_prefetch(void *user, const uint32_t *slots, const uint64_t *keys, \
uint32_t count);
typedef struct rows_by_key {
    const uint8_t *base;
    const int64_t *order;
    const float *codebooks;
    uint64_t stride;
    uint64_t count;
    uint64_t order_count;
    uint64_t first;
    uint32_t form;
    uint32_t dim;
    uint32_t subvectors;
    uint32_t centroids;
} rows_by_key;
typedef struct one_search {
    const nigh_index *index;
    nigh_session *session;
    const nigh_search_options *options;
    const void *query;
    uint64_t *keys;
    float *distances;
    uint32_t *slots;
    uint32_t k;
    uint32_t found;
} one_search;
nigh_status nigh_python_search(one_search *one);
"""
