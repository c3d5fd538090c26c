/* repack.c - regions of an index written in the other form: packed, or plain again
 * layer L8; uses: repack, bits, blocks, graph, keymap
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What a packed image leaves out follows from the rest, so that the plain image comes back byte for
 * byte: a link is marked when the node that it leads to has this one as its parent, upper records
 * are allotted in the order of slots, chains run in slot order. Nothing is kept but a few words. */
#include "repack.h"
#include "bits.h"
#include "blocks.h"
#include "graph.h"
#include "keymap.h"

enum { NIGHI_REPACK_WORDS = 64 };

typedef struct nighi_repacking {
    const nigh_index *index;
    nighi_put_fn put;
    void *user;
    uint64_t held; /* fields that do not fill a word yet */
    uint32_t bits;
    uint32_t used;
    uint32_t words[NIGHI_REPACK_WORDS];
} nighi_repacking;

static void nighi_out_flush(nighi_repacking *out) {
    out->put(out->user, out->words, (uint64_t)out->used * 4);
    out->used = 0;
}

static void nighi_out_word(nighi_repacking *out, uint32_t word) {
    out->words[out->used++] = word;
    if (out->used == NIGHI_REPACK_WORDS) {
        nighi_out_flush(out);
    }
}

/* A slot, or all ones for what is none. */
static void nighi_out_slot(nighi_repacking *out, uint32_t slot) {
    const uint32_t count = out->index->counts.slot_count;
    const uint32_t width = nighi_slot_bits(count);
    out->held |= (uint64_t)(slot < count ? slot : nighi_bits_mask(width)) << out->bits;
    out->bits += width;
    if (out->bits >= 32) {
        nighi_out_word(out, (uint32_t)out->held);
        out->held >>= 32;
        out->bits -= 32;
    }
}

static void nighi_out_end(nighi_repacking *out) {
    if (out->bits > 0) {
        nighi_out_word(out, (uint32_t)out->held);
    }
    out->held = 0;
    out->bits = 0;
}

/* ---- Packing -------------------------------------------------------------------------------- */

static void nighi_pack_row(nighi_repacking *out, const uint32_t *row, uint32_t degree_max) {
    for (uint32_t i = 0; i < degree_max; i++) {
        nighi_out_slot(out, row == NULL ? NIGHI_LINK_END : nighi_link_slot(row[i]));
    }
    nighi_out_end(out);
}

/* Bits in the order of layers, each 32 behind the number of those set before. */
typedef struct nighi_layer_bits {
    uint32_t at;
    uint32_t before;
    uint32_t bits;
} nighi_layer_bits;

static void nighi_pack_bit(nighi_repacking *out, nighi_layer_bits *layers, bool set) {
    layers->bits |= (uint32_t)set << layers->at % 32;
    if (++layers->at % 32 == 0) {
        nighi_out_word(out, layers->before);
        nighi_out_word(out, layers->bits);
        layers->before += nighi_popcount(layers->bits);
        layers->bits = 0;
    }
}

/* Nodes layer after layer: `layers` gets a bit for each, or the rows above layer 0 are written. */
static void nighi_pack_layers(nighi_repacking *out, nighi_layer_bits *layers) {
    const nigh_index *index = out->index;
    bool more = true;
    for (uint32_t level = 0; more && level <= NIGHI_LEVEL_MAX; level++) {
        more = false;
        for (uint32_t slot = 0; slot < index->counts.slot_count; slot++) {
            const uint32_t top = nighi_level(index, slot);
            more |= top > level;
            if (top >= level && layers != NULL) {
                nighi_pack_bit(out, layers, top > level);
            } else if (top >= level && level > 0) {
                nighi_pack_row(out, nighi_row(index, slot, level), index->config.m);
            }
        }
    }
}

static void nighi_pack_nodes(nighi_repacking *out) {
    const nighi_counts *counts = &out->index->counts;
    nighi_layer_bits layers = {0, 0, 0};
    nighi_pack_layers(out, &layers);
    if (layers.at % 32 != 0) {
        nighi_out_word(out, layers.before);
        nighi_out_word(out, layers.bits);
    }
    if (counts->deleted_count == 0 && counts->free_count == 0) {
        return;
    }
    for (uint32_t first = 0; first < counts->slot_count; first += 32) {
        uint32_t removed = 0;
        uint32_t absent = 0;
        for (uint32_t i = 0; i < 32 && first + i < counts->slot_count; i++) {
            const uint32_t word = nighi_node_word(out->index, first + i);
            removed |= (word >> 30 & 1) << i;
            absent |= (word >> 31) << i;
        }
        nighi_out_word(out, removed);
        nighi_out_word(out, absent);
    }
}

/* Where in the list the group behind the one that begins at `begin` does. */
static uint32_t nighi_pack_begin(const nigh_index *index, uint32_t group, uint32_t begin) {
    const uint32_t count = index->counts.slot_count;
    const uint32_t total = count - index->counts.free_count;
    const uint32_t end = nighi_min_u32((group + 1) * NIGHI_PACKED_GROUP, count);
    for (uint32_t bucket = group * NIGHI_PACKED_GROUP; bucket < end; bucket++) {
        uint32_t slot = *nighi_keymap_head(index, bucket);
        for (; slot < count && begin < total; begin++) {
            slot = *nighi_keymap_next(index, slot);
        }
    }
    return begin;
}

static void nighi_pack_keymap(nighi_repacking *out) {
    const nigh_index *index = out->index;
    const uint32_t count = index->counts.slot_count;
    uint32_t begin = 0;
    uint32_t bucket = 0;
    uint32_t slot = NIGHI_NONE;
    for (uint32_t record = 0; record < (count + 31) / 32; record++) {
        for (uint32_t i = 0; i < NIGHI_PACKED_GROUPS; i++) {
            nighi_out_word(out, begin);
            begin = nighi_pack_begin(index, record * NIGHI_PACKED_GROUPS + i, begin);
        }
        for (uint32_t i = 0; i < 32; i++) {
            while (slot >= count && bucket < count) {
                slot = *nighi_keymap_head(index, bucket++);
            }
            nighi_out_slot(out, slot);
            slot = slot < count ? *nighi_keymap_next(index, slot) : slot;
        }
    }
}

/* ---- Unpacking ------------------------------------------------------------------------------ */

static bool nighi_is_parent(const nigh_index *index, uint32_t slot, uint32_t of) {
    return of < index->counts.slot_count && of != index->counts.root && !nighi_unrooted(index) &&
           nighi_packed_link(index, nighi_row0(index, of), 0) == slot;
}

static void nighi_unpack_links0(nighi_repacking *out) {
    const nigh_index *index = out->index;
    for (uint32_t slot = 0; slot < index->counts.slot_count; slot++) {
        const uint32_t *place = nighi_row0(index, slot);
        for (uint32_t i = 0; i < index->config.m0; i++) {
            const uint32_t link = nighi_packed_link(index, place, i);
            const uint32_t mark = nighi_is_parent(index, slot, link) ? NIGHI_LINK_MARK : 0;
            nighi_out_word(out, link | mark);
        }
    }
}

static void nighi_unpack_upper(nighi_repacking *out) {
    const nigh_index *index = out->index;
    for (uint32_t slot = 0; slot < index->counts.slot_count; slot++) {
        const uint32_t top = nighi_level(index, slot);
        for (uint32_t level = 1; level <= top; level++) {
            const uint32_t *place = nighi_packed_place(index, slot, level);
            for (uint32_t i = 0; i < index->config.m; i++) {
                const uint32_t more = i == 0 && level < top ? NIGHI_LINK_MARK : 0;
                nighi_out_word(out, nighi_packed_link(index, place, i) | more);
            }
        }
    }
}

static void nighi_unpack_nodes(nighi_repacking *out) {
    const nigh_index *index = out->index;
    const uint32_t count = index->counts.slot_count;
    const bool keyed = index->config.keys != NIGH_KEYS_IDENTITY;
    uint32_t record = 0;
    for (uint32_t slot = 0; slot < count; slot++) {
        const uint32_t word = nighi_node_word(index, slot);
        const uint32_t top = nighi_level(index, slot);
        nighi_out_word(out,
                       (word & ~NIGHI_UPPER_NONE) | (top > 0 ? record : NIGHI_UPPER_NONE));
        record += top;
        if (keyed) {
            nighi_out_word(out, nighi_node_present(word)
                                    ? nighi_packed_chain(
                                          index, nighi_keymap_bucket(index, slot, count), slot)
                                    : NIGHI_NONE);
        }
    }
}

static void nighi_unpack_keymap(nighi_repacking *out) {
    for (uint32_t bucket = 0; bucket < out->index->counts.slot_count; bucket++) {
        nighi_out_word(out, nighi_packed_chain(out->index, bucket, NIGHI_NONE));
    }
}

/* ---- All of it ------------------------------------------------------------------------------ */

NIGHI_FN bool nighi_repacks(uint32_t region) {
    return region == NIGHI_LINKS0 || region == NIGHI_UPPER || region == NIGHI_NODE ||
           region == NIGHI_KEYMAP;
}

static void nighi_pack(nighi_repacking *out, uint32_t region) {
    const nigh_index *index = out->index;
    if (region == NIGHI_LINKS0) {
        for (uint32_t slot = 0; slot < index->counts.slot_count; slot++) {
            nighi_pack_row(out, nighi_row0(index, slot), index->config.m0);
        }
    } else if (region == NIGHI_UPPER) {
        nighi_pack_layers(out, NULL);
    } else if (region == NIGHI_NODE) {
        nighi_pack_nodes(out);
    } else {
        nighi_pack_keymap(out);
    }
}

NIGHI_FN void nighi_repack(const nigh_index *index, uint32_t region, nighi_put_fn put,
                           void *user) {
    nighi_repacking out = {.index = index, .put = put, .user = user};
    if (index->regions[region].stride == 0) {
        return;
    }
    if (!nighi_packed(index)) {
        nighi_pack(&out, region);
    } else if (region == NIGHI_LINKS0) {
        nighi_unpack_links0(&out);
    } else if (region == NIGHI_UPPER) {
        nighi_unpack_upper(&out);
    } else if (region == NIGHI_NODE) {
        nighi_unpack_nodes(&out);
    } else {
        nighi_unpack_keymap(&out);
    }
    nighi_out_flush(&out);
}
