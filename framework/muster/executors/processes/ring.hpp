#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace muster::detail {

inline constexpr std::size_t cache_line = 64;

/// The shared part of a byte ring for one producer and one consumer, who may be two processes. The
/// indices count bytes since the start and never wrap; each has a cache line of its own, so that
/// producer and consumer do not fight over one.
struct RingControl {
  alignas(cache_line) std::atomic<std::uint64_t> written{0};   // by the producer alone
  alignas(cache_line) std::atomic<std::uint64_t> consumed{0};  // by the consumer alone
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free, "shared between processes");

// Rules of both ends, and why:
// - An end keeps its own index in private memory, and reads the other end's only when the cached
//   copy says that there is nothing left to do: a shared line is touched once a batch.
// - The other end may be a process that is dying and has scribbled over the area. What it wrote is
//   checked before use: an index that is impossible makes the ring `broken`, for ever. No value it
//   can write leads to an access outside the data.
// - What is written or read counts for the other end only after publish().

/// The producer's end. One thread at a time. Owns nothing: control and data outlive it.
class RingWriter {
 public:
  /// `capacity` is a power of two.
  RingWriter(RingControl& control, char* data, std::size_t capacity);

  /// Free bytes, asking the consumer's index only if fewer than `wanted` are known to be free.
  std::size_t space(std::size_t wanted = 1);

  /// Copies as much as fits and returns how much that was.
  std::size_t write(std::string_view bytes);

  void publish() { control_.written.store(position_, std::memory_order_release); }
  /// The consumer has read all that was written.
  bool is_drained() const noexcept {
    return control_.consumed.load(std::memory_order_acquire) == position_;
  }
  bool broken() const noexcept { return broken_; }

 private:
  RingControl& control_;
  char* data_;
  std::size_t capacity_;
  std::uint64_t position_ = 0;
  std::uint64_t consumed_ = 0;  // the consumer's index as last seen
  bool broken_ = false;
};

/// The consumer's end. One thread at a time. Owns nothing.
class RingReader {
 public:
  RingReader(RingControl& control, const char* data, std::size_t capacity);

  /// Bytes ready, asking the producer's index only if none are known.
  std::size_t available();

  /// Copies up to `size` bytes out of those available, and returns how many.
  std::size_t read(char* out, std::size_t size);

  std::uint64_t position() const noexcept { return position_; }  ///< bytes read since the start

  /// Bytes read that the producer does not know to be free yet.
  std::size_t unpublished() const noexcept {
    return static_cast<std::size_t>(position_ - published_);
  }
  void publish() {
    control_.consumed.store(position_, std::memory_order_release);
    published_ = position_;
  }
  std::size_t capacity() const noexcept { return capacity_; }
  bool broken() const noexcept { return broken_; }

 private:
  RingControl& control_;
  const char* data_;
  std::size_t capacity_;
  std::uint64_t position_ = 0;
  std::uint64_t published_ = 0;
  std::uint64_t written_ = 0;  // the producer's index as last seen
  bool broken_ = false;
};

}  // namespace muster::detail
