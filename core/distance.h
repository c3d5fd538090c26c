/* distance.h - which batch function serves a metric and a dtype
 * layer L4; uses: base, metric
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGHI_DISTANCE_H
#define NIGHI_DISTANCE_H
#include "metric.h"

/* The batch function for metric->metric, dtype and trailer_offset. */
NIGHI_FN nighi_batch_fn nighi_batch_pick(const nighi_metric *metric);

#endif
