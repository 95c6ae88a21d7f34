#include <algorithm>
#include <memory>
#include <string>

#include <fcntl.h>
#include <fmt/format.h>

#include <muster/base/error.hpp>
#include <muster/mapreduce/part_file.hpp>

namespace muster::mapreduce {
namespace {

struct FrameHeader {
  std::uint64_t lines = 0;
  std::uint64_t text_bytes = 0;
  std::uint64_t checksum = 0;  // of all that follows and of the two numbers above
};

constexpr std::uint64_t frame_bytes_max = std::uint64_t{1} << 30U;

std::uint64_t frame_checksum(std::string_view extents, std::string_view text) {
  const std::uint64_t sizes[] = {extents.size(), text.size()};
  Checksum sum;
  sum.add({reinterpret_cast<const char*>(sizes), sizeof sizes});
  sum.add(extents);
  sum.add(text);
  return sum.value();
}

template <class T>
std::string_view raw_bytes(const T* values, std::size_t count) {
  return {reinterpret_cast<const char*>(values), count * sizeof(T)};
}

// Steps through the lines of one framed part. The file is open only while a block is read: there
// may be more parts than a process may have files open.
class FramedReader {
 public:
  explicit FramedReader(const std::filesystem::path& path) : path_(path) { advance(); }

  bool at_end() const noexcept { return at_end_; }
  std::string_view line() const noexcept {
    return std::string_view(text_).substr(start_, lines_[next_ - 1].line_size);
  }
  std::string_view key() const noexcept { return line().substr(0, lines_[next_ - 1].key_size); }

  void advance() {
    if (next_ != 0) start_ += lines_[next_ - 1].line_size;
    if (next_ == lines_.size() && !load()) return;
    const muster_line_extent& extent = lines_[next_++];
    if (extent.key_size > extent.line_size || extent.line_size > text_.size() - start_) {
      throw damaged();
    }
  }

 private:
  Error damaged() const {
    return Error(ErrorCode::corrupt, fmt::format("output part '{}' is damaged", path_.string()));
  }

  bool load() {
    const UniqueFd fd = open_file(path_, O_RDONLY);
    FrameHeader header;
    if (!read(fd, reinterpret_cast<char*>(&header), sizeof header, true)) {
      at_end_ = true;
      return false;
    }
    if (header.lines == 0 || header.lines > header.text_bytes ||
        header.text_bytes > frame_bytes_max) {
      throw damaged();
    }
    lines_.resize(header.lines);
    read(fd, reinterpret_cast<char*>(lines_.data()), lines_.size() * sizeof lines_[0], false);
    text_.resize(header.text_bytes);
    read(fd, text_.data(), text_.size(), false);
    const std::string_view extents = raw_bytes(lines_.data(), lines_.size());
    if (frame_checksum(extents, text_) != header.checksum) throw damaged();
    next_ = start_ = 0;
    return true;
  }

  bool read(const UniqueFd& fd, char* out, std::size_t size, bool may_end) {
    const std::size_t got = read_at(fd.get(), out, size, offset_, path_);
    if (got == 0 && may_end) return false;
    if (got != size) throw damaged();
    offset_ += got;
    return true;
  }

  std::filesystem::path path_;
  std::uint64_t offset_ = 0;
  std::vector<muster_line_extent> lines_;
  std::string text_;
  std::size_t next_ = 0;   // index of the line after the current one
  std::size_t start_ = 0;  // where the current line starts in text_
  bool at_end_ = false;
};

}  // namespace

PartWriter::PartWriter(std::filesystem::path path, PartFormat format, bool lasting)
    : path_(std::move(path)),
      format_(format),
      lasting_(lasting),
      fd_(open_file(path_, O_WRONLY | O_CREAT | O_TRUNC)) {}

void PartWriter::write(std::string_view text, const muster_line_extent* lines,
                       std::uint64_t count) {
  if (count == 0 && !text.empty()) {
    throw Error(ErrorCode::plugin,
                fmt::format("the plugin wrote {} bytes of output as 0 lines", text.size()));
  }
  if (count == 0) return;
  if (format_ == PartFormat::framed) {
    if (text.size() > frame_bytes_max) {
      throw Error(ErrorCode::limit,
                  fmt::format("a line of the result is longer than {} bytes", frame_bytes_max),
                  "with -o it may have 4 GiB");
    }
    const std::string_view extents = raw_bytes(lines, count);
    const FrameHeader header{count, text.size(), frame_checksum(extents, text)};
    write_all(fd_.get(), raw_bytes(&header, 1), path_);
    write_all(fd_.get(), extents, path_);
  }
  write_all(fd_.get(), text, path_);
  checksum_.add(text);
  totals_.records += count;
  totals_.bytes += text.size();
}

PartTotals PartWriter::finish() {
  if (lasting_) sync_file(fd_.get(), path_);
  totals_.checksum = checksum_.value();
  return totals_;
}

void merge_parts(const std::vector<std::filesystem::path>& parts,
                 const std::function<void(std::string_view)>& write) {
  std::vector<std::unique_ptr<FramedReader>> heap;
  for (const auto& each : parts) {
    auto reader = std::make_unique<FramedReader>(each);
    if (!reader->at_end()) heap.push_back(std::move(reader));
  }
  const auto later = [](const auto& a, const auto& b) { return b->key() < a->key(); };
  std::make_heap(heap.begin(), heap.end(), later);

  constexpr std::size_t piece_bytes = std::size_t{256} << 10U;
  std::string piece;
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), later);
    FramedReader& first = *heap.back();
    piece.append(first.line());
    if (piece.size() >= piece_bytes) {
      write(piece);
      piece.clear();
    }
    first.advance();
    if (first.at_end()) {
      heap.pop_back();
    } else {
      std::push_heap(heap.begin(), heap.end(), later);
    }
  }
  if (!piece.empty()) write(piece);
}

}  // namespace muster::mapreduce
