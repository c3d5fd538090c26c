/* nigh_abi_image.c - the public functions that write images and headers
 * layer L15; uses: image, mutate
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "image.h"
#include "mutate.h"

#define NIGHI_SAVE_FLAGS ((uint32_t)(NIGH_SAVE_GRAPH_ONLY | NIGH_SAVE_PACKED))

static nigh_status nighi_save_flags(uint32_t flags) {
    if ((flags & ~NIGHI_SAVE_FLAGS) != 0) {
        return NIGH_E_INVALID;
    }
    return !NIGHI_HAS_PACKED && (flags & NIGH_SAVE_PACKED) != 0 ? NIGH_E_UNSUPPORTED : NIGH_OK;
}

NIGH_API nigh_status nigh_save_bytes(const nigh_index *index, uint32_t flags, uint64_t *bytes) {
    if (!NIGHI_HAS_CHANGES) {
        return NIGH_E_UNSUPPORTED;
    }
    if (index == NULL || bytes == NULL) {
        return NIGH_E_INVALID;
    }
    const nigh_status status = nighi_save_flags(flags);
    if (status == NIGH_OK) {
        *bytes = nighi_save_bytes(index, flags);
    }
    return status;
}

NIGH_API nigh_status nigh_save(const nigh_index *index, uint32_t flags, nigh_write_fn write,
                               void *user) {
    if (!NIGHI_HAS_CHANGES) {
        return NIGH_E_UNSUPPORTED;
    }
    if (index == NULL || write == NULL) {
        return NIGH_E_INVALID;
    }
    nigh_status status = nighi_save_flags(flags);
    if (status != NIGH_OK) {
        return status;
    }
    status = nighi_exclusive_begin(index);
    if (status == NIGH_OK) {
        status = nighi_save(index, flags, write, user);
        nighi_exclusive_end(index);
    }
    return status;
}

NIGH_API nigh_status nigh_header(const nigh_index *index, void *header) {
    if (!NIGHI_HAS_CHANGES) {
        return NIGH_E_UNSUPPORTED;
    }
    nighi_image_header now;
    if (index == NULL || header == NULL) {
        return NIGH_E_INVALID;
    }
    if (nighi_packed(index)) {
        return NIGH_E_READ_ONLY; /* its blocks are not those of that header */
    }
    if (index->writer == NULL && index->opened != 0) {
        return NIGH_E_OPEN;
    }
    const nigh_status status = nighi_exclusive_begin(index);
    if (status == NIGH_OK) {
        nighi_header_paged_get(index, &now);
        nighi_exclusive_end(index);
        nighi_copy(header, &now, sizeof now);
    }
    return status;
}

NIGH_API nigh_status nigh_seal(nigh_index *index) {
    if (!NIGHI_HAS_CHANGES) {
        return NIGH_E_UNSUPPORTED;
    }
    if (index == NULL) {
        return NIGH_E_INVALID;
    }
    nigh_status status = nighi_exclusive_begin(index);
    if (status == NIGH_OK) {
        status = nighi_seal(index);
        nighi_exclusive_end(index);
    }
    return status;
}
