#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <muster/base/bytes.hpp>
#include <muster/base/error.hpp>
#include <muster/base/file.hpp>
#include <muster/plugin/plugin_info.hpp>

namespace muster::mapreduce {

/// A stretch of a file as an attempt gets it: with all that is needed to read it.
struct InputRange {
  std::filesystem::path path;
  std::string name;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  std::uint64_t file_size = 0;     ///< at planning time
  std::uint64_t lines_before = 0;  ///< newlines before `offset`; only with line_numbers
};

void encode(Bytes& out, const std::vector<InputRange>& ranges);
std::vector<InputRange> decode_input_ranges(ByteReader& in);

/// Where a position within a chunk lies, as "name, byte 123".
std::string describe_position(const std::vector<InputRange>& ranges, std::uint64_t position);

/// Thrown when a file is shorter than it was when the job was planned.
Error input_changed(const InputRange& range, std::uint64_t size_now);

/// Reads the records that start in the ranges of a chunk, in blocks of whole records.
///
/// A record's last byte is the delimiter that ends it, or the last byte of the file. A block is
/// about block_bytes large and grows for a record that is longer. Not thread-safe.
class BlockReader {
 public:
  struct Block {
    std::string_view bytes;  ///< valid until the next call; MUSTER_BLOCK_SLACK bytes may be read on
    const InputRange* range = nullptr;
    std::uint64_t offset = 0;      ///< in the file
    std::uint64_t position = 0;    ///< in the chunk
    std::uint64_t first_line = 0;  ///< from 1; 0 if line numbers were not asked for
  };

  /// `ranges` must outlive the reader.
  BlockReader(const std::vector<InputRange>& ranges, plugin::RecordFormat format, bool line_numbers,
              std::uint64_t record_bytes_max);

  /// The next block; nothing at the end. Throws Error(io) if a file cannot be read,
  /// Error(input_changed) if it has become shorter than planned, Error(limit) for a record above
  /// record_bytes_max (noticed when it outgrows the buffer, so shorter than a block never).
  std::optional<Block> next();

  /// Bytes consumed so far, for progress.
  std::uint64_t bytes_read() const noexcept { return bytes_read_; }

 private:
  bool open_next_range();
  void skip_to_first_record();
  void fill();
  bool at_end_of_file() const noexcept;
  std::optional<Block> cut_block();
  Block hand_out(std::size_t size);
  bool is_delimiter(char c) const noexcept;
  const char* first_delimiter(const char* from, const char* to) const noexcept;

  const std::vector<InputRange>& ranges_;
  plugin::RecordFormat format_;
  bool line_numbers_;
  std::uint64_t record_bytes_max_;

  std::size_t next_range_ = 0;
  const InputRange* range_ = nullptr;
  UniqueFd fd_;
  std::uint64_t range_position_ = 0;  // chunk position of the range's first byte
  std::vector<char> buffer_;
  std::size_t begin_ = 0;  // buffer_[begin_, end_) is read and not yet handed out
  std::size_t end_ = 0;
  std::uint64_t offset_ = 0;  // file offset of buffer_[begin_]
  std::uint64_t line_ = 0;    // number of the line that starts at begin_
  std::uint64_t bytes_read_ = 0;
};

/// The number of '\n' in a range: what line numbers in later ranges of the file build on.
/// Calls progress(bytes) as it goes. Throws as BlockReader::next().
std::uint64_t count_lines(const InputRange& range,
                          const std::function<void(std::uint64_t)>& progress);

}  // namespace muster::mapreduce
