#include <algorithm>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>

#include <muster/mapreduce/block_reader.hpp>
#include <muster/plugin/abi.h>

namespace muster::mapreduce {
namespace {

// Fits the second-level cache with room to spare: what is read is still there when it is mapped.
constexpr std::size_t block_bytes = std::size_t{256} << 10U;
constexpr std::uint64_t read_past_bytes = 4096;

}  // namespace

void encode(Bytes& out, const std::vector<InputRange>& ranges) {
  ByteWriter write(out);
  write.varint(ranges.size());
  for (const InputRange& each : ranges) {
    write.string(each.path.native());
    write.string(each.name);
    for (const std::uint64_t number :
         {each.offset, each.length, each.file_size, each.lines_before}) {
      write.varint(number);
    }
  }
}

std::vector<InputRange> decode_input_ranges(ByteReader& in) {
  std::vector<InputRange> ranges;
  for (std::uint64_t count = in.varint(); count > 0; --count) {
    InputRange& each = ranges.emplace_back();
    each.path = in.string();
    each.name = in.string();
    for (std::uint64_t* number :
         {&each.offset, &each.length, &each.file_size, &each.lines_before}) {
      *number = in.varint();
    }
    if (each.offset > each.file_size || each.length > each.file_size - each.offset) {
      throw Error(ErrorCode::corrupt,
                  fmt::format("a range of '{}' ends behind the file", each.name));
    }
  }
  return ranges;
}

std::string describe_position(const std::vector<InputRange>& ranges, std::uint64_t position) {
  for (const InputRange& each : ranges) {
    if (position < each.length) {
      return fmt::format("'{}', byte {}", each.name, each.offset + position);
    }
    position -= each.length;
  }
  return "the end of the chunk";
}

Error input_changed(const InputRange& range, std::uint64_t size_now) {
  return Error(ErrorCode::input_changed,
               fmt::format("input '{}' changed while it was read: it had {} bytes, now {}",
                           range.name, range.file_size, size_now),
               "run the job again when the file is complete");
}

BlockReader::BlockReader(const std::vector<InputRange>& ranges, plugin::RecordFormat format,
                         bool line_numbers, std::uint64_t record_bytes_max)
    : ranges_(ranges),
      format_(format),
      line_numbers_(line_numbers),
      record_bytes_max_(record_bytes_max),
      buffer_(block_bytes + MUSTER_BLOCK_SLACK) {}

bool BlockReader::is_delimiter(char c) const noexcept {
  if (format_ == plugin::RecordFormat::lines) return c == '\n';
  return c == ' ' || (c >= '\t' && c <= '\r');
}

const char* BlockReader::first_delimiter(const char* from, const char* to) const noexcept {
  if (format_ == plugin::RecordFormat::lines) {
    const void* at = std::memchr(from, '\n', static_cast<std::size_t>(to - from));
    return at != nullptr ? static_cast<const char*>(at) : to;
  }
  return std::find_if(from, to, [this](char c) { return is_delimiter(c); });
}

bool BlockReader::at_end_of_file() const noexcept {
  return offset_ + (end_ - begin_) == range_->file_size;
}

// Reads on behind end_, after moving what is left to the front. Grows a buffer that is full.
void BlockReader::fill() {
  const std::size_t held = end_ - begin_;
  if (held > record_bytes_max_) {
    throw Error(ErrorCode::limit,
                fmt::format("a record in '{}' at byte {} is longer than {} bytes", range_->name,
                            offset_, record_bytes_max_),
                "is this a text file?");
  }
  if (begin_ != 0) std::memmove(buffer_.data(), buffer_.data() + begin_, held);
  begin_ = 0;
  end_ = held;
  if (end_ + MUSTER_BLOCK_SLACK == buffer_.size()) {
    buffer_.resize(held * 2 + MUSTER_BLOCK_SLACK);
  }
  const std::uint64_t at = offset_ + held;
  // Past the range only the rest of its last record is of use: small steps that double.
  const std::uint64_t range_end = range_->offset + range_->length;
  const std::uint64_t of_use = (at < range_end ? range_end - at : held) + read_past_bytes;
  const std::uint64_t room = buffer_.size() - MUSTER_BLOCK_SLACK - end_;
  const auto wanted = static_cast<std::size_t>(std::min({room, of_use, range_->file_size - at}));
  const std::size_t got = read_at(fd_.get(), buffer_.data() + end_, wanted, at, range_->path);
  if (got < wanted) throw input_changed(*range_, at + got);
  end_ += got;
  bytes_read_ += got;
}

bool BlockReader::open_next_range() {
  if (range_ != nullptr) range_position_ += range_->length;
  if (next_range_ == ranges_.size()) return false;
  const InputRange* before = range_;
  range_ = &ranges_[next_range_++];
  if (before == nullptr || before->path != range_->path) {
    fd_ = open_file(range_->path, O_RDONLY);
  }
  begin_ = end_ = 0;
  line_ = line_numbers_ ? range_->lines_before + 1 : 0;
  offset_ = range_->offset;
  if (offset_ != 0) skip_to_first_record();
  return true;
}

// A record starts right after a delimiter, so the search begins one byte before the range.
void BlockReader::skip_to_first_record() {
  --offset_;
  for (;;) {
    if (begin_ == end_) {
      if (at_end_of_file() || offset_ >= range_->offset + range_->length) return;
      fill();
    }
    const char* const from = buffer_.data() + begin_;
    const char* const to = buffer_.data() + end_;
    const char* at = first_delimiter(from, to);
    const bool found = at != to;
    if (found) ++at;
    if (line_ != 0) {
      // The byte before the range is counted in lines_before already.
      const bool before = offset_ < range_->offset;
      line_ += static_cast<std::uint64_t>(std::count(from + (before ? 1 : 0), at, '\n'));
    }
    offset_ += static_cast<std::uint64_t>(at - from);
    begin_ += static_cast<std::size_t>(at - from);
    if (found) return;
  }
}

std::optional<BlockReader::Block> BlockReader::next() {
  for (;;) {
    if (range_ != nullptr && offset_ < range_->offset + range_->length) {
      if (auto block = cut_block()) return block;
    }
    if (!open_next_range()) return std::nullopt;
  }
}

// Cuts the longest block of whole records of this range from the buffer, reading as needed.
std::optional<BlockReader::Block> BlockReader::cut_block() {
  std::size_t searched = 0;  // bytes from begin_ known to hold no end of a record
  for (;;) {
    if (end_ - begin_ == searched && !at_end_of_file()) fill();
    const char* const from = buffer_.data() + begin_;
    const std::size_t held = end_ - begin_;
    const std::uint64_t owned = range_->offset + range_->length - offset_;
    if (owned <= held) {
      // The last record that starts in the range ends at the first delimiter from its last byte on.
      const char* to = first_delimiter(from + owned - 1, from + held);
      if (to != from + held) return hand_out(static_cast<std::size_t>(to + 1 - from));
      if (at_end_of_file()) return hand_out(held);
    } else {
      for (std::size_t size = held; size > searched; --size) {
        if (is_delimiter(from[size - 1])) return hand_out(size);
      }
    }
    searched = held;
  }
}

BlockReader::Block BlockReader::hand_out(std::size_t size) {
  Block block{{buffer_.data() + begin_, size},
              range_,
              offset_,
              range_position_ + (offset_ - range_->offset),
              line_};
  if (line_ != 0) {
    line_ += static_cast<std::uint64_t>(std::count(block.bytes.begin(), block.bytes.end(), '\n'));
  }
  begin_ += size;
  offset_ += size;
  return block;
}

std::uint64_t count_lines(const InputRange& range,
                          const std::function<void(std::uint64_t)>& progress) {
  const UniqueFd fd = open_file(range.path, O_RDONLY);
  std::vector<char> block(block_bytes);
  std::uint64_t lines = 0;
  for (std::uint64_t done = 0; done < range.length;) {
    const auto wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(block.size(), range.length - done));
    const std::size_t got =
        read_at(fd.get(), block.data(), wanted, range.offset + done, range.path);
    lines += static_cast<std::uint64_t>(
        std::count(block.begin(), block.begin() + static_cast<std::ptrdiff_t>(got), '\n'));
    progress(got);
    done += got;
    if (got < wanted) throw input_changed(range, range.offset + done);
  }
  return lines;
}

}  // namespace muster::mapreduce
