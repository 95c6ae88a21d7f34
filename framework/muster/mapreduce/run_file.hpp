#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

#include <muster/base/bytes.hpp>
#include <muster/base/file.hpp>

namespace muster::mapreduce {

/// One block of a run file.
struct RunBlock {
  std::uint32_t partition = 0;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  std::uint64_t records = 0;
  std::uint64_t checksum = 0;
};

/// Writes a run file: what one map attempt hands to the reducers.
///
/// Layout: magic; blocks of encoded records, each of one partition; the index of the blocks, by
/// partition; a trailer with the index's place, size and XXH3, and the magic again. A file without
/// a sound trailer was not finished. It is not fsynced: run files do not outlive their job.
/// Not thread-safe. Throws Error(io or no_space) that names the path.
class RunWriter {
 public:
  explicit RunWriter(std::filesystem::path path);

  /// Throws Error(limit) for a block above 1 GiB, which a single large record may be.
  void write(std::uint32_t partition, std::string_view block, std::uint64_t records);
  /// Writes index and trailer; nothing may be written after it.
  void finish();

  std::uint64_t bytes() const noexcept { return offset_; }

 private:
  void append(std::string_view bytes);

  std::filesystem::path path_;
  UniqueFd fd_;
  std::uint64_t offset_ = 0;
  std::vector<RunBlock> blocks_;
};

/// The blocks of one partition of a run file. Throws as RunReader.
std::vector<RunBlock> read_run_index(int fd, const std::filesystem::path& path,
                                     std::uint32_t partition);

/// Reads one partition of a run file. Not thread-safe. Throws Error(io), and Error(corrupt) for
/// whatever does not match its checksum.
class RunReader {
 public:
  RunReader(std::filesystem::path path, std::uint32_t partition);

  /// The next block, checked; valid until the next call.
  std::optional<std::string_view> next();

  std::uint64_t records() const noexcept { return records_; }  ///< of all blocks

 private:
  std::filesystem::path path_;
  UniqueFd fd_;
  std::vector<RunBlock> blocks_;
  std::size_t next_ = 0;
  std::uint64_t records_ = 0;
  Bytes buffer_;
};

}  // namespace muster::mapreduce
