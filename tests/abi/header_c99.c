/* header_c99.c - nigh.h alone, as strict C99: compiled, never run
 * layer T; uses: nothing
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "nigh.h"

uint32_t header_c99(void);
uint32_t header_c99(void) {
    nigh_config config = {sizeof(nigh_config),
                          4,
                          NIGH_METRIC_L2,
                          NIGH_DTYPE_F32,
                          0,
                          0,
                          0,
                          0,
                          0,
                          0,
                          0,
                          0,
                          0,
                          0,
                          0,
                          0,
                          0,
                          0,
                          0};
    uint64_t bytes = 0;
    return (uint32_t)nigh_index_bytes(&config, 0, &bytes) + nigh_version();
}
