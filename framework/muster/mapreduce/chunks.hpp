#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <muster/mapreduce/input_files.hpp>

namespace muster::mapreduce {

/// A stretch of one file. Whoever reads it takes the records that start in it: the cut may fall
/// anywhere, and a record that crosses it belongs to the stretch in which it starts.
struct Range {
  std::uint32_t file = 0;  ///< index into the job's files
  std::uint64_t offset = 0;
  std::uint64_t length = 0;

  friend bool operator==(const Range&, const Range&) = default;
};

/// What one attempt reads: stretches of one or several files, in input order.
using Chunk = std::vector<Range>;

struct ChunkOptions {
  unsigned workers = 1;
  std::optional<std::uint64_t> chunk_bytes;  ///< fixed size; empty: guided sizes
};

inline constexpr std::uint64_t chunk_bytes_max = std::uint64_t{256} << 20U;
inline constexpr std::uint64_t chunk_bytes_min = std::uint64_t{4} << 20U;
inline constexpr std::uint64_t chunks_max = 1'000'000;

/// Cuts the files into chunks that cover every byte once, in order; empty files are passed over.
///
/// Guided sizes (Polychronopoulos and Kuck, "Guided self-scheduling", IEEE ToC 1987): each chunk is
/// a share of what remains, between chunk_bytes_max and chunk_bytes_min. Large ones first, because
/// every chunk hands a table of mostly the same keys to the reducers; small ones last, because they
/// even out when the workers finish. From 256 TiB of input on, chunks are larger than
/// chunk_bytes_max, so that there are never more than chunks_max of them.
/// Throws Error(usage) if a fixed size gives more than chunks_max chunks.
std::vector<Chunk> cut_into_chunks(const std::vector<InputFile>& files,
                                   const ChunkOptions& options);

/// Sum of the lengths.
std::uint64_t bytes_of(const Chunk& chunk);

}  // namespace muster::mapreduce
