#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include <muster/base/error.hpp>
#include <muster/executors/map_sizes.hpp>

namespace muster::detail {
namespace {

constexpr int buffer_default = 16384;
constexpr std::size_t buffer_first = 1024;
constexpr std::int64_t buffer_bytes_default = std::int64_t{256} << 20U;
constexpr Duration work_per_task = std::chrono::milliseconds(1);

std::size_t positive(std::int64_t given, const char* name) {
  if (given > 0) return static_cast<std::size_t>(given);
  throw Error(ErrorCode::usage, fmt::format("map: {} is {}", name, given),
              fmt::format("give a {} of at least 1, or none", name));
}

std::size_t inputs_max(const MapOptions& options) {
  return positive(options.buffer_size.value_or(buffer_default), "buffer size");
}

}  // namespace

ChunkSizer::ChunkSizer(const MapOptions& options, unsigned workers)
    : is_fixed_(options.chunk_size.has_value()),
      // Several tasks for each worker, or the last ones would work alone.
      chunk_max_(std::max<std::size_t>(inputs_max(options) / (std::size_t{4} * workers), 1)) {
  if (is_fixed_) chunk_ = positive(*options.chunk_size, "chunk size");
}

void ChunkSizer::measured(std::size_t inputs, Duration elapsed) noexcept {
  if (is_fixed_) return;
  const auto spent = static_cast<std::size_t>(std::max<Duration::rep>(elapsed.count(), 1));
  const std::size_t fitting = static_cast<std::size_t>(work_per_task.count()) * inputs / spent;
  chunk_ = std::clamp<std::size_t>(std::min(fitting, 2 * chunk_), 1, chunk_max_);
}

MapBuffer::MapBuffer(const MapOptions& options)
    : inputs_max_(inputs_max(options)),
      allowed_(options.buffer_size ? inputs_max_ : std::min(inputs_max_, buffer_first)),
      bytes_max_(positive(options.buffer_bytes.value_or(buffer_bytes_default), "buffer_bytes")) {}

bool MapBuffer::has_memory(std::size_t bytes) const noexcept {
  if (flying_ == 0 && bytes == 0) return true;
  const std::size_t taken = flying_bytes_ + arrived_bytes_ + bytes;
  return taken < bytes_max_ && flying_ * bytes_of_result_ < bytes_max_ - taken;
}

void MapBuffer::sent(std::size_t inputs, std::size_t bytes) noexcept {
  taken_ += inputs;
  flying_ += inputs;
  flying_bytes_ += bytes;
}

void MapBuffer::arrived(std::size_t inputs, std::size_t bytes, std::size_t result_bytes) noexcept {
  flying_ -= inputs;
  flying_bytes_ -= bytes;
  arrived_bytes_ = result_bytes;
  // An error among large results does not make the next ones small.
  bytes_of_result_ = std::max(result_bytes / inputs, bytes_of_result_ - bytes_of_result_ / 8);
  allowed_ = inputs_max_;
}

}  // namespace muster::detail
