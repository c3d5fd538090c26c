/* check.h - proves that an index is sound, in one pass, and never prints
 * layer L12; uses: base, state
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGHI_CHECK_H
#define NIGHI_CHECK_H
#include "base.h"
#include "state.h"

/* nigh_report.fault; docs/FORMAT.md says what each rule is. */
enum {
    NIGHI_FAULT_COUNTS = 1,
    NIGHI_FAULT_ENTRY = 2,
    NIGHI_FAULT_UPPER = 3,
    NIGHI_FAULT_LINK_RANGE = 4,
    NIGHI_FAULT_LINK_TWICE = 5,
    NIGHI_FAULT_LINK_ABSENT = 6,
    NIGHI_FAULT_ROW_TAIL = 7,
    NIGHI_FAULT_LINK_LEVEL = 8,
    NIGHI_FAULT_PARENT = 9,
    NIGHI_FAULT_MARK = 10,
    NIGHI_FAULT_CHILDREN = 11,
    NIGHI_FAULT_CHAIN = 12,
    NIGHI_FAULT_KEY_TWICE = 13,
    NIGHI_FAULT_KEY_LOST = 14,
    NIGHI_FAULT_KEY_BYTES = 15,
    NIGHI_FAULT_VECTOR = 16,
    NIGHI_FAULT_CHECKSUM = 17,
    NIGHI_FAULT_PADDING = 18,
    NIGHI_FAULT_CODE = 19
};

NIGHI_FN nigh_status nighi_check(const nigh_index *index, nigh_session *session,
                                 nigh_report *report);

#endif
