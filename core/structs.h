/* structs.h - callers' structures of any age
 * layer L2; uses: base
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGHI_STRUCTS_H
#define NIGHI_STRUCTS_H
#include "base.h"

#define NIGHI_STRUCT_MAX 1024u /* a larger struct_size is garbage */

/* Copies a caller's structure of any age: a shorter one gets zeros, a longer one must have them. */
NIGHI_FN nigh_status nighi_struct_take(void *to, uint32_t size, uint32_t size_v1,
                                       const void *from);
/* Fills as much of a caller's structure as it has room for; its struct_size stays. */
NIGHI_FN nigh_status nighi_struct_give(void *to, const void *from, uint32_t size,
                                       uint32_t size_v1);
/* Is it one, with room for its first version? */
NIGHI_FN bool nighi_struct_room(const void *to, uint32_t size_v1);

#endif
