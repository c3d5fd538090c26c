/* hnswlib.c - files of hnswlib: their header, and where things lie
 * layer L14; uses: hnswlib, blocks, image, num
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "hnswlib.h"
#include "blocks.h"
#include "image.h"
#include "num.h"

#define NIGHI_HNSWLIB_M0_MAX 65535u /* links are counted in 16 bits */

/* Reads numbers of W bytes one after another. */
typedef struct nighi_hnswlib_cursor {
    const uint8_t *at;
    uint32_t width;
} nighi_hnswlib_cursor;

static uint64_t nighi_hnswlib_take(nighi_hnswlib_cursor *cursor, uint32_t width) {
    const uint8_t *at = cursor->at;
    cursor->at += width;
    return width == 8 ? nighi_load_u64(at) : nighi_load_u32(at);
}

NIGHI_FN bool nighi_hnswlib_space(uint32_t metric, uint32_t dtype) {
    if (dtype == NIGH_DTYPE_U8) {
        return metric == NIGH_METRIC_L2;
    }
    return dtype == NIGH_DTYPE_F32 &&
           (metric == NIGH_METRIC_L2 || metric == NIGH_METRIC_IP || metric == NIGH_METRIC_COSINE);
}

/* Positive and finite? */
static bool nighi_hnswlib_mult_valid(uint64_t bits) {
    return bits >> 52 != 0 && bits >> 52 < 0x7ff;
}

/* Do offsets and sizes fit each other, with numbers of `width` bytes? */
static bool nighi_hnswlib_shape(nighi_hnswlib *from, uint32_t width, uint64_t *mult) {
    nighi_hnswlib_cursor cursor = {from->file, width};
    uint64_t words[6];
    from->width = width;
    from->head_bytes = 10 * width + 16;
    if (from->bytes < from->head_bytes) {
        return false;
    }
    for (uint32_t i = 0; i < 6; i++) {
        words[i] = nighi_hnswlib_take(&cursor, width);
    }
    const uint64_t top = nighi_hnswlib_take(&cursor, 4);
    const uint64_t entry = nighi_hnswlib_take(&cursor, 4);
    const uint64_t m_above = nighi_hnswlib_take(&cursor, width);
    const uint64_t m0 = nighi_hnswlib_take(&cursor, width);
    const uint64_t m = nighi_hnswlib_take(&cursor, width);
    *mult = nighi_hnswlib_take(&cursor, 8);
    const uint64_t ef = nighi_hnswlib_take(&cursor, width);
    if (words[0] != 0 || m0 > NIGHI_HNSWLIB_M0_MAX || words[5] != NIGHI_HNSWLIB_LINKS + m0 * 4 ||
        words[4] < words[5] || words[4] > UINT32_MAX - width || words[3] != words[4] + width) {
        return false;
    }
    from->max_elements = words[1];
    from->count = words[2] > words[1] ? UINT32_MAX : (uint32_t)nighi_min_u64(words[2], UINT32_MAX);
    from->element_bytes = (uint32_t)words[3];
    from->label_offset = (uint32_t)words[4];
    from->vector_offset = (uint32_t)words[5];
    from->top = (uint32_t)top;
    from->entry = (uint32_t)entry;
    from->m = m != m_above ? UINT32_MAX : (uint32_t)nighi_min_u64(m, UINT32_MAX - 1);
    from->m0 = (uint32_t)m0;
    from->ef_build = (uint32_t)nighi_min_u64(ef, UINT32_MAX);
    return true;
}

NIGHI_FN nigh_status nighi_hnswlib_open(const void *file, uint64_t bytes, uint32_t row_bytes,
                                        bool external, nighi_hnswlib *from) {
    uint64_t mult = 0;
    *from = (nighi_hnswlib){.file = file, .bytes = bytes};
    if (!nighi_hnswlib_shape(from, 8, &mult) && !nighi_hnswlib_shape(from, 4, &mult)) {
        return NIGH_E_FORMAT;
    }
    const uint32_t vector_bytes = from->label_offset - from->vector_offset;
    if (vector_bytes != row_bytes && (vector_bytes != 0 || !external)) {
        return NIGH_E_MISMATCH;
    }
    if (from->m == UINT32_MAX || from->count == UINT32_MAX) {
        return NIGH_E_CORRUPT; /* M is not maxM; more elements than there is room for */
    }
    if (from->m < 2 || from->m > 1024 || from->m0 < nighi_max_u32(from->m, 4) || from->m0 > 2048 ||
        from->ef_build == 0 || from->ef_build > 65535 || from->count >= NIGHI_SELF_NEW) {
        return NIGH_E_UNSUPPORTED;
    }
    const uint64_t least = (uint64_t)from->element_bytes + 4; /* each has a size of its layers */
    if (!nighi_hnswlib_mult_valid(mult) ||
        nighi_mul_add(from->count, least, from->head_bytes) > bytes) {
        return NIGH_E_CORRUPT;
    }
    if (from->count == 0) {
        if (from->top != UINT32_MAX || from->entry != UINT32_MAX) {
            return NIGH_E_CORRUPT;
        }
        from->top = 0;
        from->entry = NIGHI_NONE;
        return NIGH_OK;
    }
    if (from->entry >= from->count || from->top > INT32_MAX) {
        return NIGH_E_CORRUPT;
    }
    return from->top > NIGHI_LEVEL_MAX ? NIGH_E_UNSUPPORTED : NIGH_OK;
}

NIGHI_FN const uint8_t *nighi_hnswlib_element(const nighi_hnswlib *from, uint32_t slot) {
    return from->file + from->head_bytes + (size_t)slot * from->element_bytes;
}

NIGHI_FN uint64_t nighi_hnswlib_label(const nighi_hnswlib *from, uint32_t slot) {
    const uint8_t *at = nighi_hnswlib_element(from, slot) + from->label_offset;
    return from->width == 8 ? nighi_load_u64(at) : nighi_load_u32(at);
}

NIGHI_FN void nighi_hnswlib_above_begin(const nighi_hnswlib *from, nighi_hnswlib_above *above) {
    const uint64_t at = from->head_bytes + (uint64_t)from->count * from->element_bytes;
    *above = (nighi_hnswlib_above){.at = at};
}

NIGHI_FN nigh_status nighi_hnswlib_above_next(const nighi_hnswlib *from,
                                              nighi_hnswlib_above *above) {
    const uint32_t list = NIGHI_HNSWLIB_LINKS + from->m * 4;
    if (from->bytes - above->at < 4) {
        return NIGH_E_CORRUPT;
    }
    const uint32_t bytes = nighi_load_u32(from->file + (size_t)above->at);
    above->lists = above->at + 4;
    if (bytes % list != 0 || bytes > from->bytes - above->lists) {
        return NIGH_E_CORRUPT;
    }
    above->levels = bytes / list;
    above->at = above->lists + bytes;
    return above->levels > from->top ? NIGH_E_CORRUPT : NIGH_OK;
}

/* Counts what is above layer 0; the entry point is on top, and nothing follows the last list. */
static nigh_status nighi_hnswlib_count(const nighi_hnswlib *from, uint64_t *upper) {
    nighi_hnswlib_above above;
    nighi_hnswlib_above_begin(from, &above);
    uint32_t entry_top = 0;
    *upper = 0;
    for (uint32_t slot = 0; slot < from->count; slot++) {
        const nigh_status status = nighi_hnswlib_above_next(from, &above);
        if (status != NIGH_OK) {
            return status;
        }
        entry_top = slot == from->entry ? above.levels : entry_top;
        *upper += above.levels;
    }
    if (above.at != from->bytes || entry_top != from->top) {
        return NIGH_E_CORRUPT;
    }
    return *upper >= NIGHI_SLOT_MAX / 2 ? NIGH_E_UNSUPPORTED : NIGH_OK;
}

static void nighi_hnswlib_labels(const nighi_hnswlib *from, nigh_hnswlib *facts) {
    facts->identity = 1;
    for (uint32_t slot = 0; slot < from->count; slot++) {
        const uint64_t label = nighi_hnswlib_label(from, slot);
        facts->identity = label == slot ? facts->identity : 0;
        facts->label_max = label > facts->label_max ? label : facts->label_max;
        facts->deleted_count += nighi_hnswlib_element(from, slot)[2] & NIGHI_HNSWLIB_DELETED;
    }
}

NIGHI_FN nigh_status nighi_hnswlib_config(const void *file, uint64_t bytes, nigh_config *config,
                                          nigh_hnswlib *facts) {
    nighi_hnswlib from;
    uint64_t upper = 0;
    const uint64_t row_bytes = nighi_row_bytes(config->dim, config->dtype);
    if (!nighi_hnswlib_space(config->metric, config->dtype)) {
        return NIGH_E_UNSUPPORTED;
    }
    nigh_status status = nighi_hnswlib_open(file, bytes, (uint32_t)row_bytes,
                                            config->vectors == NIGH_VECTORS_EXTERNAL, &from);
    if (status == NIGH_OK) {
        status = nighi_hnswlib_count(&from, &upper);
    }
    if (status != NIGH_OK) {
        return status;
    }
    const uint32_t flags = config->build_flags & ~(uint32_t)NIGH_BUILD_UNROOTED;
    config->m = from.m;
    config->m0 = from.m0;
    config->ef_build = from.ef_build;
    config->build_flags = flags | (from.count > 1 ? (uint32_t)NIGH_BUILD_UNROOTED : 0);
    const uint64_t drawn = nighi_upper_draw(config, 0, from.count);
    *facts = (nigh_hnswlib){.struct_size = sizeof *facts,
                            .bits = from.width * 8,
                            .slot_count = from.count,
                            .upper_count = (uint32_t)upper,
                            .upper_extra = upper > drawn ? (uint32_t)(upper - drawn) : 0,
                            .vector_stride = from.element_bytes,
                            .vector_offset = from.head_bytes + from.vector_offset,
                            .max_elements = from.max_elements};
    nighi_hnswlib_labels(&from, facts);
    return NIGH_OK;
}

/* ---- 1 / ln(m) ------------------------------------------------------------------------------ */

/* x * a / b, rounded; a and b below 2^12. */
static uint64_t nighi_mul_ratio(uint64_t x, uint32_t a, uint32_t b) {
    const uint64_t high = (x >> 32) * a;
    const uint64_t low = (high % b << 32) + (x & UINT32_MAX) * a + b / 2;
    return (high / b << 32) + low / b;
}

/* In integers, so that the core needs no logarithm and no doubles: m = 2^e (1 + z) / (1 - z), hence
 * ln m = e ln 2 + 2 (z + z^3 / 3 + ...), z below 1/3. The last place may not be a C library's. */
NIGHI_FN uint64_t nighi_hnswlib_mult(uint32_t m) {
    const uint32_t e = 31 - (uint32_t)__builtin_clz(m);
    const uint32_t a = m - (1u << e); /* z = a / b */
    const uint32_t b = m + (1u << e);
    uint64_t sum = 0; /* in units of 2^-63 */
    uint64_t power = nighi_mul_ratio((uint64_t)1 << 63, a, b);
    for (uint32_t n = 1; power != 0; n += 2) {
        sum += (power + n / 2) / n;
        power = nighi_mul_ratio(nighi_mul_ratio(power, a, b), a, b);
    }
    const uint64_t ln2 = 0xb17217f7d1cf79b; /* in units of 2^-60, as the whole */
    const uint64_t whole = e * ln2 + ((sum + 2) >> 2);
    const uint32_t drop = 63 - (uint32_t)__builtin_clzll(whole) - 52;
    const uint64_t divisor = (whole + ((uint64_t)1 << (drop - 1))) >> drop; /* 53 bits */
    uint64_t quotient = 0; /* of 2^105, digit by digit */
    uint64_t rest = 1;
    for (uint32_t i = 0; i < 105; i++) {
        rest <<= 1;
        quotient <<= 1;
        if (rest >= divisor) {
            rest -= divisor;
            quotient |= 1;
        }
    }
    quotient += 2 * rest > divisor;
    const uint64_t exponent = 1023 + 7 - drop; /* the divisor's is drop - 8 */
    return exponent << 52 | (quotient & (((uint64_t)1 << 52) - 1));
}
