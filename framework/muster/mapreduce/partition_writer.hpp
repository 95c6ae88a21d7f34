#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include <muster/base/bytes.hpp>

namespace muster::mapreduce {

/// Collects encoded records per partition and passes them on in blocks large enough that neither
/// the call nor the write behind it counts. `Sink` is called as
/// sink(partition, std::string_view block, records). Not thread-safe.
template <class Sink>
class PartitionWriter {
 public:
  PartitionWriter(std::uint32_t partitions, Sink sink)
      : sink_(std::move(sink)),
        block_bytes_(std::clamp<std::size_t>(buffers_bytes / partitions, block_min, block_max)),
        buffers_(partitions) {}

  /// The buffer to append one record to; follow with `appended`.
  Bytes& buffer(std::uint32_t partition) { return buffers_[partition].bytes; }

  void appended(std::uint32_t partition) {
    Buffer& buffer = buffers_[partition];
    ++buffer.records;
    if (buffer.bytes.size() >= block_bytes_) pass_on(partition);
  }

  void flush() {
    for (std::uint32_t i = 0; i < buffers_.size(); ++i) {
      if (buffers_[i].records != 0) pass_on(i);
    }
  }

 private:
  static constexpr std::size_t buffers_bytes = std::size_t{32} << 20U;
  static constexpr std::size_t block_min = std::size_t{4} << 10U;
  static constexpr std::size_t block_max = std::size_t{256} << 10U;

  struct Buffer {
    Bytes bytes;
    std::uint64_t records = 0;
  };

  void pass_on(std::uint32_t partition) {
    Buffer& buffer = buffers_[partition];
    sink_(partition, std::string_view(buffer.bytes), buffer.records);
    buffer.bytes.clear();
    buffer.records = 0;
  }

  Sink sink_;
  std::size_t block_bytes_;
  std::vector<Buffer> buffers_;
};

}  // namespace muster::mapreduce
