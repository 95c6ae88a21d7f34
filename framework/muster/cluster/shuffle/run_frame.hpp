#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include <muster/wire/channel.hpp>
#include <muster/wire/message.hpp>

namespace muster::cluster {

/// A question or an answer about run files, as it is sent: uncounted.
template <class M>
wire::SharedFrame run_frame(const M& message) {
  Bytes frame = wire::to_frame(message);
  wire::FrameHeader header;
  header.type = static_cast<std::uint16_t>(M::type);
  wire::finish_frame(frame, header);
  return std::make_shared<const Bytes>(std::move(frame));
}

}  // namespace muster::cluster
