/* nigh_abi_hnswlib.c - the public functions of hnswlib's files: check arguments, call the core
 * layer L15; uses: hnswlib, image, mutate, structs
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "hnswlib.h"
#include "image.h"
#include "mutate.h"
#include "structs.h"

enum { NIGHI_FILE_CONFIG_V1 = 56, NIGHI_HNSWLIB_V1 = 56 };

_Static_assert(sizeof(nigh_hnswlib) == NIGHI_HNSWLIB_V1, "what a file holds grows at its end");

NIGH_API nigh_status nigh_hnswlib_config(const void *file, uint64_t file_bytes, nigh_config *config,
                                         nigh_hnswlib *hnswlib) {
    if (!(NIGHI_HAS_CHANGES && NIGHI_HAS_FLOATS)) {
        return NIGH_E_UNSUPPORTED;
    }
    nigh_config c;
    nigh_hnswlib facts;
    if (file == NULL || config == NULL ||
        nighi_struct_take(&c, sizeof c, NIGHI_FILE_CONFIG_V1, config) != NIGH_OK ||
        (hnswlib != NULL && !nighi_struct_room(hnswlib, NIGHI_HNSWLIB_V1))) {
        return NIGH_E_INVALID;
    }
    c.m = 0; /* the file's: whatever they were is no error */
    c.m0 = 0;
    c.ef_build = 0;
    nighi_config_complete(&c);
    if (!nighi_config_valid(&c)) {
        return NIGH_E_INVALID;
    }
    nigh_status status = nighi_hnswlib_config(file, file_bytes, &c, &facts);
    if (status == NIGH_OK) {
        status = nighi_struct_give(config, &c, sizeof c, NIGHI_FILE_CONFIG_V1);
    }
    if (status == NIGH_OK && hnswlib != NULL) {
        status = nighi_struct_give(hnswlib, &facts, sizeof facts, NIGHI_HNSWLIB_V1);
    }
    return status;
}

NIGH_API nigh_status nigh_hnswlib_read(nigh_index *index, const void *file, uint64_t file_bytes) {
    if (!(NIGHI_HAS_CHANGES && NIGHI_HAS_FLOATS)) {
        return NIGH_E_UNSUPPORTED;
    }
    if (index == NULL || file == NULL) {
        return NIGH_E_INVALID;
    }
    if (index->writer == NULL) {
        return NIGH_E_READ_ONLY;
    }
    nigh_status status = nighi_exclusive_begin(index);
    if (status == NIGH_OK) {
        status = nighi_hnswlib_read(index, file, file_bytes);
        nighi_exclusive_end(index);
    }
    return status;
}

NIGH_API nigh_status nigh_hnswlib_write(const nigh_index *index, nigh_session *session,
                                        uint32_t flags, uint64_t max_elements, nigh_write_fn write,
                                        void *user) {
    if (!(NIGHI_HAS_CHANGES && NIGHI_HAS_FLOATS)) {
        return NIGH_E_UNSUPPORTED;
    }
    if (index == NULL || session == NULL || write == NULL || session->index != index ||
        (flags & ~(uint32_t)NIGH_HNSWLIB_32) != 0) {
        return NIGH_E_INVALID;
    }
    nigh_status status = nighi_exclusive_begin(index);
    if (status == NIGH_OK) {
        status = nighi_hnswlib_write(index, session, flags, max_elements, write, user);
        nighi_exclusive_end(index);
    }
    return status;
}
