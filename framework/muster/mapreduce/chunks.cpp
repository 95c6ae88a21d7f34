#include <algorithm>

#include <fmt/format.h>

#include <muster/base/error.hpp>
#include <muster/mapreduce/chunks.hpp>

namespace muster::mapreduce {
namespace {

std::uint64_t target_bytes(std::uint64_t remaining, std::uint64_t total,
                           const ChunkOptions& options) {
  if (options.chunk_bytes) return *options.chunk_bytes;
  const std::uint64_t share = remaining / (std::uint64_t{3} * options.workers) * 2;
  const std::uint64_t fewest_bytes = std::max(chunk_bytes_min, total / chunks_max + 1);
  return std::clamp(share, fewest_bytes, std::max(fewest_bytes, chunk_bytes_max));
}

}  // namespace

std::vector<Chunk> cut_into_chunks(const std::vector<InputFile>& files,
                                   const ChunkOptions& options) {
  std::uint64_t remaining = 0;
  for (const InputFile& each : files) remaining += each.size;
  const std::uint64_t total = remaining;
  if (options.chunk_bytes && *options.chunk_bytes == 0) {
    throw Error(ErrorCode::usage, "--chunk-size cannot be 0");
  }
  if (options.chunk_bytes && remaining / *options.chunk_bytes >= chunks_max &&
      remaining > *options.chunk_bytes * chunks_max) {
    throw Error(ErrorCode::usage,
                fmt::format("--chunk-size {} would cut the input into more than {} chunks",
                            *options.chunk_bytes, chunks_max),
                "give a larger size");
  }
  std::vector<Chunk> chunks;
  std::uint64_t room = 0;
  for (std::uint32_t file = 0; file < files.size(); ++file) {
    for (std::uint64_t offset = 0; offset < files[file].size;) {
      if (room == 0) {
        room = target_bytes(remaining, total, options);
        chunks.emplace_back();
      }
      const std::uint64_t length = std::min(room, files[file].size - offset);
      chunks.back().push_back({file, offset, length});
      offset += length;
      room -= length;
      remaining -= length;
    }
  }
  return chunks;
}

std::uint64_t bytes_of(const Chunk& chunk) {
  std::uint64_t bytes = 0;
  for (const Range& each : chunk) bytes += each.length;
  return bytes;
}

}  // namespace muster::mapreduce
