#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <muster/base/bytes.hpp>
#include <muster/base/clock.hpp>
#include <muster/executors/function_codec.hpp>
#include <muster/executors/processes/ring.hpp>

namespace muster::detail {

enum class FrameKind : std::uint32_t {
  // parent to child
  task = 1,
  close = 2,       // nothing follows: end
  timed_task = 6,  // one that is to say when it starts
  initialize = 7,  // first, if at all; answered with `error` if it fails, and otherwise not
  // child to parent: exactly one for every task frame, in the order they were sent
  value = 3,
  error = 4,    // the payload is what encode_error_of made
  skipped = 5,  // the task had been withdrawn
};

/// Precedes every message in a ring. Both ends are forks of one program, so its layout is the
/// format.
struct FrameHeader {
  FrameKind kind = FrameKind::close;
  std::uint32_t slot = 0;
  std::uint64_t task = 0;
  std::uint64_t function = 0;  // the address of the RemoteFunction
  std::uint64_t size = 0;      // of the payload that follows
};
static_assert(sizeof(FrameHeader) == 32);

/// What a call may be larger than its arguments: by what is called.
inline constexpr std::size_t call_prefix_bytes = 2 * function_bytes_extra;

inline std::string_view as_bytes(const FrameHeader& header) {
  return {reinterpret_cast<const char*>(&header), sizeof(header)};
}

/// Large frames are written, read and made known in pieces, so that both ends copy at the same
/// time.
inline constexpr std::size_t piece_bytes = std::size_t{64} << 10U;

/// How long either end looks for the rest of a frame before it sleeps.
inline constexpr Duration rest_of_frame = std::chrono::microseconds(200);

/// Puts messages together from the pieces that a ring delivers; a message may be larger than the
/// ring. Not thread-safe.
class FrameReader {
 public:
  enum class Outcome {
    frame,      // header() and payload() are complete, until the next call
    need_more,  // the ring is empty
    broken,     // the ring or the header makes no sense; nothing more can be read
  };

  explicit FrameReader(std::uint64_t payload_max) : payload_max_(payload_max) {}

  Outcome next(RingReader& ring);

  /// A frame has begun and not ended: the rest is on its way.
  bool in_frame() const noexcept { return header_got_ != 0 && !complete_; }

  const FrameHeader& header() const noexcept { return header_; }
  Bytes& payload() noexcept { return payload_; }

  /// True if there was no memory for the payload: it was read and thrown away.
  bool payload_lost() const noexcept { return payload_lost_; }

 private:
  bool read_header(RingReader& ring);
  bool read_payload(RingReader& ring);

  std::uint64_t payload_max_;
  FrameHeader header_;
  Bytes payload_;
  std::size_t header_got_ = 0;
  std::uint64_t payload_got_ = 0;
  bool payload_lost_ = false;
  bool complete_ = false;
};

}  // namespace muster::detail
