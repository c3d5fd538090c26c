/* repack.h - regions of an index written in the other form: packed, or plain again
 * layer L7; uses: base, state
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGHI_REPACK_H
#define NIGHI_REPACK_H
#include "base.h"
#include "state.h"

/* Takes the next bytes of a region. */
typedef void (*nighi_put_fn)(void *user, const void *bytes, uint64_t count);

/* Is this region another one in a packed image? */
NIGHI_FN bool nighi_repacks(uint32_t region);
/* Writes such a region as it is in a packed image if the index is plain, else as in a plain one. Of
 * an index that nigh_check would refuse it may be too much or too little. */
NIGHI_FN void nighi_repack(const nigh_index *index, uint32_t region, nighi_put_fn put, void *user);

#endif
