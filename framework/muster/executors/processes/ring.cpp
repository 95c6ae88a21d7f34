#include <algorithm>
#include <bit>
#include <cstring>

#include <muster/base/assert.hpp>
#include <muster/executors/processes/ring.hpp>

namespace muster::detail {

RingWriter::RingWriter(RingControl& control, char* data, std::size_t capacity)
    : control_(control), data_(data), capacity_(capacity) {
  MUSTER_ASSERT(std::has_single_bit(capacity));
}

std::size_t RingWriter::space(std::size_t wanted) {
  if (broken_) return 0;
  std::size_t free = capacity_ - static_cast<std::size_t>(position_ - consumed_);
  if (free >= wanted) return free;
  const std::uint64_t consumed = control_.consumed.load(std::memory_order_acquire);
  if (consumed < consumed_ || consumed > position_) {
    broken_ = true;
    return 0;
  }
  consumed_ = consumed;
  return capacity_ - static_cast<std::size_t>(position_ - consumed_);
}

std::size_t RingWriter::write(std::string_view bytes) {
  const std::size_t size = std::min(bytes.size(), space(bytes.size()));
  const std::size_t offset = static_cast<std::size_t>(position_) & (capacity_ - 1);
  const std::size_t before_end = std::min(size, capacity_ - offset);
  std::memcpy(data_ + offset, bytes.data(), before_end);
  std::memcpy(data_, bytes.data() + before_end, size - before_end);
  position_ += size;
  return size;
}

RingReader::RingReader(RingControl& control, const char* data, std::size_t capacity)
    : control_(control), data_(data), capacity_(capacity) {
  MUSTER_ASSERT(std::has_single_bit(capacity));
}

std::size_t RingReader::available() {
  if (broken_) return 0;
  if (written_ != position_) return static_cast<std::size_t>(written_ - position_);
  const std::uint64_t written = control_.written.load(std::memory_order_acquire);
  if (written < position_ || written - position_ > capacity_) {
    broken_ = true;
    return 0;
  }
  written_ = written;
  return static_cast<std::size_t>(written_ - position_);
}

std::size_t RingReader::read(char* out, std::size_t size) {
  size = std::min(size, available());
  const std::size_t offset = static_cast<std::size_t>(position_) & (capacity_ - 1);
  const std::size_t before_end = std::min(size, capacity_ - offset);
  std::memcpy(out, data_ + offset, before_end);
  std::memcpy(out + before_end, data_, size - before_end);
  position_ += size;
  return size;
}

}  // namespace muster::detail
