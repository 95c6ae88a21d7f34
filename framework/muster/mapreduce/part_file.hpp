#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>
#include <vector>

#include <muster/base/checksum.hpp>
#include <muster/base/file.hpp>
#include <muster/plugin/abi.h>

namespace muster::mapreduce {

/// What a part holds, as it stands in the manifest. The checksum is XXH3-64 of the text.
struct PartTotals {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  std::uint64_t checksum = 0;
};

/// How an attempt writes its output.
enum class PartFormat : std::uint8_t {
  text,    ///< the lines as they are: a file of the output directory
  framed,  ///< the lines with their extents, to be merged by key for standard output
};

/// Writes the output of one attempt.
/// Not thread-safe. Throws Error(io or no_space) that names the path.
class PartWriter {
 public:
  PartWriter(std::filesystem::path path, PartFormat format, bool lasting);

  /// Whole lines, in order. For framed parts the extents must cover the text, and more than 1 GiB
  /// at a time, which a single line may be, throws Error(limit).
  void write(std::string_view text, const muster_line_extent* lines, std::uint64_t count);
  /// fsyncs a part that is to last.
  PartTotals finish();

 private:
  std::filesystem::path path_;
  PartFormat format_;
  bool lasting_;
  UniqueFd fd_;
  PartTotals totals_;
  Checksum checksum_;
};

/// Merges framed parts, each sorted by key bytes, into one sorted stream of lines, passed to
/// `write` in large pieces. Reads each part once, a block at a time.
/// Throws Error(io or corrupt), and what `write` throws.
void merge_parts(const std::vector<std::filesystem::path>& parts,
                 const std::function<void(std::string_view)>& write);

}  // namespace muster::mapreduce
