// consume.cpp - C++17 uses nigh.h as it is: an index, a lambda as callback, a search
// SPDX-License-Identifier: MIT OR Apache-2.0
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "nigh.h"
#ifdef WITH_HOSTED
#include "nigh_hosted.h"
#endif

namespace {

constexpr uint32_t dim = 4;
constexpr uint32_t count = 50;
static_assert(sizeof(nigh_config) == 80 && sizeof(nigh_progress) == 24, "the ABI is not C's");

void check(nigh_status status) {
    if (status != NIGH_OK) {
        std::fprintf(stderr, "%s\n", nigh_status_text(status));
        std::exit(1);
    }
}


// 64-byte aligned memory, given back with what holds it.
class Memory {
  public:
    explicit Memory(uint64_t bytes)
        : bytes_(bytes), memory_(std::aligned_alloc(64, (bytes + 63) / 64 * 64)) {}
    ~Memory() { std::free(memory_); }
    Memory(const Memory &) = delete;
    Memory &operator=(const Memory &) = delete;
    void *get() const { return memory_; }
    uint64_t bytes() const { return bytes_; }

  private:
    uint64_t bytes_;
    void *memory_;
};

template <typename Ask> uint64_t told(Ask ask) {
    uint64_t bytes = 0;
    check(ask(&bytes));
    return bytes;
}

} // namespace

int main() {
    std::vector<float> rows(count * dim);
    for (uint32_t i = 0; i < count * dim; i++) {
        rows[i] = static_cast<float>(i * 37 % 64) / 64;
    }
    nigh_config config{};
    config.struct_size = sizeof config;
    config.dim = dim;
    config.metric = NIGH_METRIC_L2;
    config.dtype = NIGH_DTYPE_F32;
    config.keys = NIGH_KEYS_IDENTITY;
    config.vectors = NIGH_VECTORS_EXTERNAL;
    nigh_options options{};
    options.struct_size = sizeof options;
    options.slot_max = count;
    nigh_index *index = nullptr;
    nigh_session *session = nullptr;

    Memory handle(told([&](auto *b) { return nigh_index_bytes(&config, &options, b); }));
    check(nigh_index_init(&config, &options, handle.get(), handle.bytes(), &index));
    Memory writer(told([&](auto *b) { return nigh_writer_bytes(index, b); }));
    check(nigh_writer_init(index, writer.get(), writer.bytes()));
    Memory blocks(told([&](auto *b) { return nigh_grow_bytes(index, count, 0, b); }));
    check(nigh_grow(index, count, 0, blocks.get(), blocks.bytes()));
    Memory scratch(told([&](auto *b) { return nigh_session_bytes(index, nullptr, b); }));
    check(nigh_session_init(index, nullptr, scratch.get(), scratch.bytes(), &session));

    const nigh_fetch_fn fetch = [](void *user, const uint32_t *slots, const uint64_t *,
                                   uint32_t asked, void *, const void **vectors) {
        const auto *all = static_cast<const std::vector<float> *>(user);
        for (uint32_t i = 0; i < asked; i++) {
            vectors[i] = all->data() + std::size_t{slots[i]} * dim;
        }
        return nigh_status{NIGH_OK};
    };
    check(nigh_index_fetch(index, fetch, nullptr, &rows));
    uint32_t done = 0, found = 0;
    check(nigh_insert(index, session, 0, nullptr, nullptr, nullptr, count, &done));
    uint64_t key = 0;
    float distance = -1;
    check(nigh_search(index, session, &rows[7 * dim], nullptr, 1, &key, nullptr, &distance, nullptr,
                      &found));
    std::printf("%llu at %g\n", static_cast<unsigned long long>(key), static_cast<double>(distance));
#ifdef WITH_HOSTED
    if (nigh_threads() == 0) {
        return 1;
    }
#endif
    return found == 1 && key == 7 && !(distance > 0) ? 0 : 1;
}
