// hnswlib.cpp - hnswlib's index as functions that a WebAssembly module exports
// SPDX-License-Identifier: MIT OR Apache-2.0
//
// What hnswlib-wasm could be: no embind, rows and results in the module's memory. One index.
#include <cstdint>
#include <cstdlib>

#include "hnswlib.h"

#define EXPORT(name) extern "C" __attribute__((export_name(#name)))

static hnswlib::HierarchicalNSW<float> *graph;

EXPORT(create)
void create(uint32_t dim, uint32_t inner_product, uint32_t rows, uint32_t m, uint32_t ef_build) {
    hnswlib::SpaceInterface<float> *space = nullptr;
    if (inner_product != 0) {
        space = new hnswlib::InnerProductSpace(dim);
    } else {
        space = new hnswlib::L2Space(dim);
    }
    graph = new hnswlib::HierarchicalNSW<float>(space, rows, m, ef_build, 100);
}

EXPORT(room) void *room(uint32_t bytes) { return malloc(bytes); }

EXPORT(add) void add(const float *row, uint32_t label) { graph->addPoint(row, label); }

EXPORT(search)
uint32_t search(const float *query, uint32_t k, uint32_t ef, uint32_t *labels) {
    graph->setEf(ef);
    auto hits = graph->searchKnn(query, k);
    const uint32_t count = static_cast<uint32_t>(hits.size());
    for (uint32_t i = count; i-- > 0; hits.pop()) {
        labels[i] = static_cast<uint32_t>(hits.top().second);
    }
    return count;
}
