/* oracle.h - brute force over its own copy of the live set, in double, sharing no code with nigh
 * layer T; uses: fixture
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGH_TEST_ORACLE_H
#define NIGH_TEST_ORACLE_H
#include "fixture.h"

enum { ORACLE_UNKNOWN = 0, ORACLE_LIVE = 1, ORACLE_DELETED = 2 };

typedef struct oracle {
    nigh_config config;
    uint64_t row_bytes;
    uint32_t room;    /* ids are below it */
    uint32_t live;    /* ids that are ORACLE_LIVE */
    uint32_t deleted; /* ids that are ORACLE_DELETED */
    uint8_t *state;   /* room: ORACLE_* */
    uint8_t *rows;    /* room x row_bytes */
} oracle;

/* Which ids may be found; NULL: all. */
typedef int oracle_filter(void *user, uint64_t id);

void oracle_init(oracle *o, const nigh_config *config, uint32_t room);
void oracle_drop(oracle *o);
void oracle_put(oracle *o, uint64_t id, const void *row); /* live, with this row */
void oracle_mark(oracle *o, uint64_t id, uint8_t state);
const uint8_t *oracle_row(const oracle *o, uint64_t id);

/* Element `i` of a row, decoded by the definition of the dtype. */
double oracle_element(const nigh_config *config, const void *row, uint32_t i);
/* The distance, and in *error what float arithmetic in any order may be off by. */
double oracle_distance(const nigh_config *config, const void *a, const void *b, double *error);

/* The hits are the `k` nearest (all that there are when fewer): right count, live, allowed, no
 * repeats, right distances, nearest first, the same distances as the oracle's own k nearest. */
void oracle_expect(const oracle *o, const fx_hits *h, const void *query, uint32_t k,
                   oracle_filter *filter, void *user);
/* The hits are sound (all of the above but complete): returns how many of them are among the k
 * nearest by distance. */
uint32_t oracle_recall(const oracle *o, const fx_hits *h, const void *query, uint32_t k,
                       oracle_filter *filter, void *user);
/* What a hit among the k nearest is at most away, float arithmetic included. */
double oracle_kth(const oracle *o, const void *query, uint32_t k);
/* min(k, live and allowed ids): what a search has to find. */
uint32_t oracle_count(const oracle *o, uint32_t k, oracle_filter *filter, void *user);
/* nigh_keys lists exactly the live ids, nigh_get gives their rows, the counts agree. */
void oracle_same_set(const oracle *o, fx *f);
/* A filter function for nigh_session_filter is a test's own; this one keeps id % 3 == 0. */
int oracle_third(void *user, uint64_t id);
#endif
