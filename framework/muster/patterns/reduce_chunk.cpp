#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include <muster/base/error.hpp>
#include <muster/patterns/reduce_chunk.hpp>

namespace muster::detail {
namespace {

constexpr int reduce_buffer_default = 16384;
constexpr Duration work_per_chunk = std::chrono::milliseconds(1);

int positive(int given, const char* name) {
  if (given > 0) return given;
  throw Error(ErrorCode::usage, fmt::format("map_reduce: {} is {}", name, given),
              fmt::format("give a {} of at least 1, or none", name));
}

}  // namespace

ReduceSizer::ReduceSizer(const MapOptions& options, unsigned workers)
    : is_fixed_(options.chunk_size.has_value()) {
  const int buffer = positive(options.buffer_size.value_or(reduce_buffer_default), "buffer size");
  // Several tasks for each worker, or the last ones would work alone.
  const int chunks_wanted = static_cast<int>(std::clamp(4 * workers, 1U, 4096U));
  if (is_fixed_) {
    const int chunk = std::min(positive(*options.chunk_size, "chunk size"), buffer);
    chunk_ = static_cast<std::size_t>(chunk);
    chunks_max_ = buffer / chunk;
  } else {
    chunks_max_ = std::min(chunks_wanted, buffer);
  }
  chunk_max_ = static_cast<std::size_t>(buffer / chunks_max_);
}

void ReduceSizer::measured(Duration elapsed) noexcept {
  if (is_fixed_) return;
  // Doubling and halving: what is measured is the chunk of a while ago, and times are noisy.
  if (elapsed < work_per_chunk / 2) chunk_ = std::min(2 * chunk_, chunk_max_);
  if (elapsed > work_per_chunk * 2) chunk_ = std::max<std::size_t>(chunk_ / 2, 1);
}

}  // namespace muster::detail
