/* mutate.h - insert, set, remove, unremove
 * layer L12; uses: base, state, keymap
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGHI_MUTATE_H
#define NIGHI_MUTATE_H
#include "base.h"
#include "keymap.h"
#include "state.h"

#define NIGHI_EXCLUSIVE                                                                            \
    0x80000000u /* in nighi_writer.gate: a call that wants no writer beside it */

/* A writing call begins and ends; NIGH_E_BUSY beside an exclusive one, NIGH_E_READ_ONLY without
 * writer state. */
NIGHI_FN nigh_status nighi_write_begin(nigh_index *index);
NIGHI_FN void nighi_write_end(nigh_index *index);
/* The same for a call that wants no writer beside it; without writer state always NIGH_OK. */
NIGHI_FN nigh_status nighi_exclusive_begin(const nigh_index *index);
NIGHI_FN void nighi_exclusive_end(const nigh_index *index);

/* One vector. `set`: a known key gets it as its new vector. `row` NULL: from the source. `key`
 * NULL: identity keys, the next slot. */
NIGHI_FN nigh_status nighi_put(nigh_index *index, nigh_session *session, const nighi_key *key,
                               const void *row, uint32_t flags, bool set);
/* One key: `removed` true marks it, false takes the mark back. */
NIGHI_FN nigh_status nighi_mark(nigh_index *index, const nighi_key *key, bool removed);
/* Nobody grows the index until the release. Without writer state nobody else may anyway. */
NIGHI_FN uint32_t nighi_growth_hold(const nigh_index *index);
NIGHI_FN void nighi_growth_release(const nigh_index *index, uint32_t version);
/* Growth beside searches and writers; a pager and the replacement of a cut block want no writer. */
NIGHI_FN nigh_status nighi_grow_shared(nigh_index *index, uint32_t slots, uint64_t key_bytes,
                                       void *memory, uint64_t memory_bytes);

#endif
