#include <muster/base/checksum.hpp>
#include <muster/base/error.hpp>
#include <muster/base/units.hpp>
#include <muster/wire/frame.hpp>

namespace muster::wire {
namespace {

constexpr std::uint32_t magic = 0x5254534d;  // "MSTR"
constexpr std::size_t checksum_at = frame_header_bytes - sizeof(std::uint64_t);

// The body's goes in as a number, so that neither part has to be copied behind the other.
std::uint64_t checksum_of(std::string_view header, std::string_view body) noexcept {
  char both[checksum_at + sizeof(std::uint64_t)];
  header.copy(both, checksum_at);
  const std::uint64_t of_body = checksum(body);
  std::memcpy(both + checksum_at, &of_body, sizeof(of_body));
  return checksum({both, sizeof(both)});
}

template <class T>
T read_at(std::string_view bytes, std::size_t at) noexcept {
  T out;
  std::memcpy(&out, bytes.data() + at, sizeof(T));
  return out;
}

FrameReading refused(FrameFault fault, std::uint16_t version = 0) noexcept {
  return {std::nullopt, fault, version};
}

}  // namespace

std::string_view to_string(FrameFault fault) noexcept {
  switch (fault) {
    case FrameFault::too_short:
      return "it is too short for a message";
    case FrameFault::foreign:
      return "it is no message of Muster's";
    case FrameFault::other_version:
      return "it is of another version of the protocol";
    case FrameFault::wrong_length:
      return "it is not as long as it says";
    case FrameFault::too_long:
      return "it is longer than messages may be";
    case FrameFault::damaged:
      return "its checksum does not match";
    case FrameFault::reserved_in_use:
      return "it has something where nothing may be";
  }
  return "unknown";
}

Bytes start_frame() { return Bytes(frame_header_bytes, '\0'); }

void finish_frame(Bytes& frame, const FrameHeader& header) {
  const std::size_t body_bytes = frame.size() - frame_header_bytes;
  if (body_bytes > body_bytes_max) {
    throw Error(ErrorCode::limit, "a message has " + format_bytes(body_bytes) +
                                      ", more than the limit of " + format_bytes(body_bytes_max));
  }
  Bytes head;
  ByteWriter writer(head);
  writer.fixed(magic);
  writer.fixed(protocol_version);
  writer.fixed(header.type);
  writer.fixed(static_cast<std::uint32_t>(body_bytes));
  writer.fixed(std::uint32_t{0});
  writer.fixed(header.epoch);
  writer.fixed(header.sequence);
  writer.fixed(header.acknowledged);
  writer.fixed(checksum_of(head, std::string_view(frame).substr(frame_header_bytes)));
  head.copy(frame.data(), frame_header_bytes);
}

FrameReading read_frame(std::string_view bytes) noexcept {
  if (bytes.size() < frame_header_bytes) return refused(FrameFault::too_short);
  if (read_at<std::uint32_t>(bytes, 0) != magic) return refused(FrameFault::foreign);
  // Before the checksum: another version may have another one, and is to be told so.
  const auto version = read_at<std::uint16_t>(bytes, 4);
  if (version != protocol_version) return refused(FrameFault::other_version, version);
  const auto body_bytes = read_at<std::uint32_t>(bytes, 8);
  if (body_bytes > body_bytes_max) return refused(FrameFault::too_long);
  const std::string_view body = bytes.substr(frame_header_bytes);
  if (body.size() != body_bytes) return refused(FrameFault::wrong_length);
  if (read_at<std::uint32_t>(bytes, 12) != 0) return refused(FrameFault::reserved_in_use);
  if (read_at<std::uint64_t>(bytes, checksum_at) != checksum_of(bytes, body)) {
    return refused(FrameFault::damaged);
  }
  const FrameHeader header{read_at<std::uint16_t>(bytes, 6), read_at<std::uint64_t>(bytes, 16),
                           read_at<std::uint64_t>(bytes, 24), read_at<std::uint64_t>(bytes, 32)};
  return {Frame{header, body}, FrameFault::too_short, version};
}

}  // namespace muster::wire
