/* loop_linux.h - searches in a C loop: what a search costs without Go
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef CBENCH_LOOP_H
#define CBENCH_LOOP_H
#include <stdint.h>

typedef struct nigh_index nigh_index;
typedef struct cbench cbench;

/* A session of its own for an index of the caller's, whose handle stays open; NULL: none. */
cbench *cbench_open(const nigh_index *index);
/* Answers `count` queries of `dim` floats one after another, k each; the sum of all keys, or
 * UINT64_MAX when a search failed. */
uint64_t cbench_search(cbench *bench, const float *queries, uint32_t count, uint32_t dim,
                       uint32_t k, uint32_t ef);
/* The same through nigh_search_batch, `count` queries a call, into arrays of its own. */
uint64_t cbench_batch(cbench *bench, const float *queries, uint32_t count, uint32_t k, uint32_t ef);
void cbench_close(cbench *bench);
/* Processor time of the whole process. */
uint64_t cbench_cpu_ns(void);
#endif
