#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <muster/base/clock.hpp>
#include <muster/wire/channel.hpp>

namespace muster::transport {

/// A frame that has arrived, where the transport has put it: large ones are not copied. A copy of
/// this refers to the same bytes.
struct ReceivedFrame {
  std::string_view bytes = {};
  std::shared_ptr<const void> owner = {};  ///< of the bytes, which live as long
};

/// The side that connects: one connection at a time, and as many one after the other as it takes.
/// Nothing of an old one is ever received by way of a new one. For one thread, but for wake().
class Dialer {
 public:
  enum class State : std::uint8_t {
    closed,
    connecting,
    open,
    lost,  ///< trouble() says why; connect() tries again
  };

  Dialer() = default;
  Dialer(const Dialer&) = delete;
  Dialer& operator=(const Dialer&) = delete;
  virtual ~Dialer() = default;

  /// Begins a new connection; what there was of an old one is dropped. If that cannot be, the state
  /// is `lost`. Throws Error(usage) of an address that makes no sense.
  virtual void connect() = 0;
  /// What was sent gets `linger` to leave.
  virtual void close(Duration linger) = 0;
  /// As of the last wait() or receive().
  virtual State state() const = 0;
  /// Why the connection was lost, or was refused; for people.
  virtual const std::string& trouble() const = 0;
  virtual const std::string& hint() const = 0;  ///< what can be done about it

  /// Returns when receive() may have something, the state has changed since it was called, wake()
  /// was called, or it is time. None: no time.
  virtual void wait(std::optional<TimePoint> until) = 0;
  /// Never blocks. False if there is nothing.
  virtual bool receive(ReceivedFrame& out) = 0;
  /// Never blocks. False if the frame was dropped: the other side does not keep up, or there is no
  /// connection.
  virtual bool send(const wire::SharedFrame& frame) = 0;
  /// Ends a wait(), now or the next one. Of any thread.
  virtual void wake() noexcept = 0;
};

}  // namespace muster::transport
