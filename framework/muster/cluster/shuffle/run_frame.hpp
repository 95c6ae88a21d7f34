#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include <muster/wire/channel.hpp>
#include <muster/wire/message.hpp>

namespace muster::cluster {

/// Finishes a frame about run files: they are uncounted.
inline void finish_run_frame(Bytes& frame, wire::MessageType type) {
  wire::FrameHeader header;
  header.type = static_cast<std::uint16_t>(type);
  wire::finish_frame(frame, header);
}

/// A question or an answer about run files, as it is sent.
template <class M>
wire::SharedFrame run_frame(const M& message) {
  Bytes frame = wire::to_frame(message);
  finish_run_frame(frame, M::type);
  return std::make_shared<const Bytes>(std::move(frame));
}

}  // namespace muster::cluster
