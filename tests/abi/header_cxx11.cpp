// header_cxx11.cpp - nigh.h alone, as strict C++11, with the layouts that every binding relies on
// layer T; uses: nothing
// SPDX-License-Identifier: MIT OR Apache-2.0
#include "nigh.h"

#include <cstdint>

static_assert(sizeof(nigh_config) == 80, "no padding");
static_assert(sizeof(nigh_stats) == 80, "no padding");
static_assert(sizeof(nigh_report) == 40, "no padding");

std::uint32_t header_cxx11();
std::uint32_t header_cxx11() {
    nigh_config config = nigh_config();
    std::uint64_t bytes = 0;
    config.struct_size = sizeof config;
    nigh_fetch_fn fetch = nullptr;
    return std::uint32_t(nigh_index_bytes(&config, nullptr, &bytes)) + nigh_version() +
           std::uint32_t(nigh_index_fetch(nullptr, fetch, nullptr, nullptr));
}
