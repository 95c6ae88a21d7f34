#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <muster/base/bytes.hpp>
#include <muster/base/clock.hpp>
#include <muster/wire/channel.hpp>
#include <muster/wire/sessions.hpp>

/// How frames get from one program to another. They may get lost, also without a word, when a
/// connection breaks; wire::Channel is for that.
namespace muster::transport {

/// The side that others connect to. For one thread, but for wake().
class Listener {
 public:
  struct Arrived {
    wire::PeerId peer;
    std::string user = {};  ///< the key that the peer has proven to own; empty without keys
    Bytes bytes;
  };
  enum class Sent : std::uint8_t {
    queued,  ///< it may still get lost
    gone,    ///< there is no such connection any more
    full,    ///< the peer does not keep up: the frame was dropped
  };

  Listener() = default;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  virtual ~Listener() = default;

  /// What others connect to, with the port that was chosen if it was 0.
  virtual const std::string& address() const = 0;

  /// Returns when receive() may have something, wake() was called, or it is time. None: no time.
  virtual void wait(std::optional<TimePoint> until) = 0;
  /// Never blocks. False if there is nothing, or only what is no frame.
  virtual bool receive(Arrived& out) = 0;
  /// Never blocks.
  virtual Sent send(wire::PeerId peer, const wire::SharedFrame& frame) = 0;
  /// Ends a wait(), now or the next one. Of any thread.
  virtual void wake() noexcept = 0;
};

}  // namespace muster::transport
