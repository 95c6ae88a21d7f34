#include <algorithm>
#include <new>

#include <muster/executors/processes/frame.hpp>

namespace muster::detail {
namespace {

/// Buffers up to this size are used again, since touching fresh pages costs more than copying.
constexpr std::size_t payload_kept_max = std::size_t{16} << 20U;

}  // namespace

FrameReader::Outcome FrameReader::next(RingReader& ring) {
  if (complete_) {
    complete_ = false;
    header_got_ = 0;
    payload_got_ = 0;
    payload_lost_ = false;
    payload_.clear();
    if (payload_.capacity() > payload_kept_max) payload_ = Bytes();
  }
  const bool ready = read_header(ring) && header_.size <= payload_max_ && read_payload(ring);
  if (ready) {
    complete_ = true;
    return Outcome::frame;
  }
  const bool oversize = header_got_ == sizeof(header_) && header_.size > payload_max_;
  return ring.broken() || oversize ? Outcome::broken : Outcome::need_more;
}

bool FrameReader::read_header(RingReader& ring) {
  char* raw = reinterpret_cast<char*>(&header_);
  while (header_got_ < sizeof(header_)) {
    const std::size_t got = ring.read(raw + header_got_, sizeof(header_) - header_got_);
    if (got == 0) return false;
    header_got_ += got;
  }
  return true;
}

bool FrameReader::read_payload(RingReader& ring) {
  while (payload_got_ < header_.size) {
    const std::size_t ready = ring.available();
    if (ready == 0) return false;
    const auto want = static_cast<std::size_t>(
        std::min<std::uint64_t>(std::min(ready, piece_bytes), header_.size - payload_got_));
    // Reserved is address space alone: pages are taken as the bytes come.
    if (!payload_lost_) {
      try {
        if (payload_got_ == 0) payload_.reserve(static_cast<std::size_t>(header_.size));
        payload_.resize(static_cast<std::size_t>(payload_got_) + want);
      } catch (const std::bad_alloc&) {
        payload_lost_ = true;  // reported to whoever gets the frame
        payload_ = Bytes();
      }
    }
    char scrap[4096];
    payload_got_ += payload_lost_ ? ring.read(scrap, std::min(want, sizeof(scrap)))
                                  : ring.read(payload_.data() + payload_got_, want);
    if (ring.unpublished() >= piece_bytes) ring.publish();
  }
  return true;
}

}  // namespace muster::detail
