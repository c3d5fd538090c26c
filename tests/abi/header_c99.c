/* header_c99.c - the public headers alone, as strict C99: compiled, never run
 * layer T; uses: nothing
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "nigh.h"
#include "nigh_hosted.h"
#include "nigh_lmdb.h"

uint32_t header_c99(void);
uint32_t header_c99(void) {
    nigh_config config = {.struct_size = sizeof(nigh_config),
                          .dim = 4,
                          .metric = NIGH_METRIC_L2,
                          .dtype = NIGH_DTYPE_F32};
    uint64_t bytes = 0;
    return (uint32_t)nigh_index_bytes(&config, 0, &bytes) + nigh_version();
}
