/* structs.c - callers' structures of any age
 * layer L2; uses: structs
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "structs.h"

NIGHI_FN nigh_status nighi_struct_take(void *to, uint32_t size, uint32_t size_v1,
                                       const void *from) {
    uint32_t given = 0;
    nighi_fill(to, 0, size);
    if (from == NULL) {
        return NIGH_OK;
    }
    nighi_copy(&given, from, 4);
    if (given < size_v1 || given > NIGHI_STRUCT_MAX) {
        return NIGH_E_INVALID;
    }
    for (uint32_t i = size; i < given; i++) {
        if (((const uint8_t *)from)[i] != 0) {
            return NIGH_E_INVALID;
        }
    }
    nighi_copy(to, from, nighi_min_u32(given, size));
    return NIGH_OK;
}

NIGHI_FN nigh_status nighi_struct_give(void *to, const void *from, uint32_t size,
                                       uint32_t size_v1) {
    uint32_t given = 0;
    nighi_copy(&given, to, 4);
    if (given < size_v1 || given > NIGHI_STRUCT_MAX) {
        return NIGH_E_INVALID;
    }
    nighi_copy((uint8_t *)to + 4, (const uint8_t *)from + 4, nighi_min_u32(given, size) - 4);
    return NIGH_OK;
}

NIGHI_FN bool nighi_struct_room(const void *to, uint32_t size_v1) {
    uint32_t given = 0;
    nighi_copy(&given, to, 4);
    return given >= size_v1 && given <= NIGHI_STRUCT_MAX;
}
