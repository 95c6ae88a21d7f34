#include <chrono>

#include <fmt/format.h>

#include <muster/base/error.hpp>
#include <muster/executors/map_results.hpp>

namespace muster::detail {
namespace {

constexpr int buffer_default = 16384;
constexpr Duration work_per_task = std::chrono::milliseconds(1);

std::size_t positive(int given, const char* name) {
  if (given > 0) return static_cast<std::size_t>(given);
  throw Error(ErrorCode::usage, fmt::format("map: {} is {}", name, given),
              fmt::format("give a {} of at least 1, or none", name));
}

}  // namespace

ChunkSizer::ChunkSizer(const MapOptions& options, unsigned workers)
    : is_fixed_(options.chunk_size.has_value()),
      buffer_(positive(options.buffer_size.value_or(buffer_default), "buffer size")),
      // Several tasks for each worker, or the last ones would work alone.
      chunk_max_(std::max<std::size_t>(buffer_ / (std::size_t{4} * workers), 1)) {
  if (is_fixed_) chunk_ = positive(*options.chunk_size, "chunk size");
}

void ChunkSizer::measured(std::size_t inputs, Duration elapsed) noexcept {
  if (is_fixed_) return;
  const auto spent = static_cast<std::size_t>(std::max<Duration::rep>(elapsed.count(), 1));
  const std::size_t fitting = static_cast<std::size_t>(work_per_task.count()) * inputs / spent;
  chunk_ = std::clamp<std::size_t>(std::min(fitting, 2 * chunk_), 1, chunk_max_);
}

}  // namespace muster::detail
