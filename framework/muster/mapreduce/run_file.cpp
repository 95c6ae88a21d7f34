#include <algorithm>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <muster/base/checksum.hpp>
#include <muster/base/error.hpp>
#include <muster/mapreduce/run_file.hpp>

namespace muster::mapreduce {
namespace {

constexpr std::uint64_t magic = 0x314e55525453554dU;  // "MUSTRUN1"
constexpr std::size_t trailer_bytes = 4 * sizeof(std::uint64_t);
constexpr std::uint64_t block_bytes_max = std::uint64_t{1} << 30U;

Error corrupt(const std::filesystem::path& path, const char* what) {
  return Error(ErrorCode::corrupt, fmt::format("run file '{}': {}", path.string(), what));
}

Bytes read_exactly(int fd, std::uint64_t offset, std::uint64_t size,
                   const std::filesystem::path& path) {
  Bytes out(size, '\0');
  if (read_at(fd, out.data(), size, offset, path) != size) throw corrupt(path, "it ends early");
  return out;
}

std::vector<RunBlock> decode_index(std::string_view index, std::uint32_t partition) {
  std::vector<RunBlock> blocks;
  ByteReader in(index, "the index of a run file");
  for (std::uint64_t count = in.varint(); count > 0; --count) {
    RunBlock block;
    block.partition = static_cast<std::uint32_t>(in.varint());
    block.offset = in.varint();
    block.size = in.varint();
    block.records = in.varint();
    block.checksum = in.fixed<std::uint64_t>();
    if (block.partition == partition) blocks.push_back(block);
  }
  in.finish();
  return blocks;
}

}  // namespace

RunWriter::RunWriter(std::filesystem::path path)
    : path_(std::move(path)), fd_(open_file(path_, O_WRONLY | O_CREAT | O_TRUNC, 0600)) {
  Bytes head;
  ByteWriter(head).fixed(magic);
  append(head);
}

void RunWriter::append(std::string_view bytes) {
  write_all(fd_.get(), bytes, path_);
  offset_ += bytes.size();
}

void RunWriter::write(std::uint32_t partition, std::string_view block, std::uint64_t records) {
  if (block.size() > block_bytes_max) {
    throw Error(ErrorCode::limit,
                fmt::format("a key with its value takes more than {} bytes", block_bytes_max));
  }
  blocks_.push_back({partition, offset_, block.size(), records, checksum(block)});
  append(block);
}

void RunWriter::finish() {
  std::stable_sort(blocks_.begin(), blocks_.end(),
                   [](const RunBlock& a, const RunBlock& b) { return a.partition < b.partition; });
  Bytes index;
  ByteWriter out(index);
  out.varint(blocks_.size());
  for (const RunBlock& each : blocks_) {
    out.varint(each.partition);
    out.varint(each.offset);
    out.varint(each.size);
    out.varint(each.records);
    out.fixed(each.checksum);
  }
  Bytes trailer;
  ByteWriter end(trailer);
  end.fixed(offset_);
  end.fixed(static_cast<std::uint64_t>(index.size()));
  end.fixed(checksum(index));
  end.fixed(magic);
  append(index);
  append(trailer);
}

std::vector<RunBlock> read_run_index(int fd, const std::filesystem::path& path,
                                     std::uint32_t partition) {
  struct stat info {};
  if (::fstat(fd, &info) != 0 || static_cast<std::uint64_t>(info.st_size) < trailer_bytes) {
    throw corrupt(path, "it is too short");
  }
  const auto size = static_cast<std::uint64_t>(info.st_size);
  const Bytes trailer = read_exactly(fd, size - trailer_bytes, trailer_bytes, path);
  ByteReader in(trailer);
  const auto index_offset = in.fixed<std::uint64_t>();
  const auto index_size = in.fixed<std::uint64_t>();
  const auto index_checksum = in.fixed<std::uint64_t>();
  if (in.fixed<std::uint64_t>() != magic) throw corrupt(path, "it was not finished");
  const Bytes head = read_exactly(fd, 0, sizeof magic, path);
  if (ByteReader(head).fixed<std::uint64_t>() != magic) throw corrupt(path, "it is no run file");
  if (index_size > size || index_offset > size - index_size) {
    throw corrupt(path, "its trailer is damaged");
  }
  const Bytes index = read_exactly(fd, index_offset, index_size, path);
  if (checksum(index) != index_checksum) throw corrupt(path, "its index is damaged");
  std::vector<RunBlock> blocks = decode_index(index, partition);
  for (const RunBlock& each : blocks) {
    if (each.size > block_bytes_max) throw corrupt(path, "a block is too large");
  }
  return blocks;
}

RunReader::RunReader(std::filesystem::path path, std::uint32_t partition)
    : path_(std::move(path)), fd_(open_file(path_, O_RDONLY)) {
  blocks_ = read_run_index(fd_.get(), path_, partition);
  for (const RunBlock& each : blocks_) records_ += each.records;
}

std::optional<std::string_view> RunReader::next() {
  if (next_ == blocks_.size()) return std::nullopt;
  const RunBlock& block = blocks_[next_++];
  buffer_.resize(block.size);
  if (read_at(fd_.get(), buffer_.data(), block.size, block.offset, path_) != block.size) {
    throw corrupt(path_, "it ends early");
  }
  if (checksum(buffer_) != block.checksum) throw corrupt(path_, "a block is damaged");
  return buffer_;
}

}  // namespace muster::mapreduce
