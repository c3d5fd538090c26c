/* one_search.c - a search for one vector, called with one argument
 * layer B; uses: nigh.h
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A call through libffi costs by its arguments, ten of them as much as a dozen distances, and so
 * does each pointer that is made of an array. A session keeps all that its searches are called
 * with; what changes from one to the next is the query that is copied there. */
#include "nigh.h"

#include <stddef.h>

/* What nigh_search is called with; `found` is written. */
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

NIGH_API nigh_status nigh_python_search(one_search *one);

nigh_status nigh_python_search(one_search *one) {
    return nigh_search(one->index, one->session, one->query, one->options, one->k, one->keys, NULL,
                       one->distances, one->slots, &one->found);
}
