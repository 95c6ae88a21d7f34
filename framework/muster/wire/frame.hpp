#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include <muster/base/bytes.hpp>

/// What travels between coordinator, workers and clients.
namespace muster::wire {

/// Raised by every change that an older program would misread.
inline constexpr std::uint16_t protocol_version = 1;

inline constexpr std::size_t frame_header_bytes = 48;

/// The largest body that is accepted. Larger things travel in pieces, and not with the control
/// messages.
inline constexpr std::uint32_t body_bytes_max = std::uint32_t{16} << 20U;

/// What stands before every message, in little-endian order and of fixed size:
///
///   magic 4 · version 2 · type 2 · body bytes 4 · zero 4 · epoch 8 · sequence 8 · acknowledged 8 ·
///   checksum 8
///
/// Rationale: it is checked as a whole before anything looks into the body. The checksum (XXH3-64
/// of all else) finds damage, and what was not meant for us; who is allowed to speak is decided by
/// the transport's keys.
struct FrameHeader {
  std::uint16_t type = 0;
  std::uint64_t epoch = 0;     ///< of the coordinator's life that it belongs to; 0: none known yet
  std::uint64_t sequence = 0;  ///< of this sender to this receiver in this epoch; 0: not counted
  std::uint64_t acknowledged = 0;  ///< all up to here has arrived from the receiver

  friend bool operator==(const FrameHeader&, const FrameHeader&) = default;
};

/// Why bytes are no frame.
enum class FrameFault : std::uint8_t {
  too_short,        ///< not even a header
  foreign,          ///< no frame of ours
  other_version,    ///< of a protocol that this program does not speak
  wrong_length,     ///< the body is not as long as the header says
  too_long,         ///< the header announces more than body_bytes_max
  damaged,          ///< the checksum does not match
  reserved_in_use,  ///< a field that must be zero is not
};

/// For logs: "its checksum does not match".
std::string_view to_string(FrameFault fault) noexcept;

/// A frame that was found to be sound. Refers to the bytes that it was read from.
struct Frame {
  FrameHeader header;
  std::string_view body;
};

/// What became of reading one: a frame, or why there is none.
struct FrameReading {
  std::optional<Frame> frame = std::nullopt;
  FrameFault fault = FrameFault::too_short;  ///< if there is no frame
  std::uint16_t version = 0;                 ///< of other_version: the one that the sender speaks
};

/// Making a frame takes two calls, so that the body is written where it is sent from: first room
/// for the header, behind which the body is appended; then the header. A body that is longer than
/// body_bytes_max: Error(limit).
Bytes start_frame();
void finish_frame(Bytes& frame, const FrameHeader& header);

/// Bytes from anybody. Takes no memory and throws nothing.
FrameReading read_frame(std::string_view bytes) noexcept;

}  // namespace muster::wire
