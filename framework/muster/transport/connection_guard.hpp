#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <thread>
#include <unordered_map>

#include <zmq.hpp>

#include <muster/base/clock.hpp>
#include <muster/base/file.hpp>
#include <muster/transport/connection_limits.hpp>

namespace muster::transport {

/// Keeps the connections of a listening socket within limits. ZeroMQ has none: at the limit of open
/// files its thread tries to accept for ever, without a pause, and a message of endless parts takes
/// all memory.
///
/// ZeroMQ cannot be told to end a connection. But it tells the descriptor of each that it accepts,
/// and the guard, in a thread of its own, shuts down those that are to end: ZeroMQ then finds them
/// closed by the other side.
class ConnectionGuard {
 public:
  /// Made before the socket is bound, by the thread that owns it and that ends the guard; the
  /// socket must outlive it. Throws Error(limit) if there may be no connections at all.
  ConnectionGuard(zmq::context_t& context, zmq::socket_t& guarded, ConnectionLimits limits);
  ~ConnectionGuard();
  ConnectionGuard(const ConnectionGuard&) = delete;
  ConnectionGuard& operator=(const ConnectionGuard&) = delete;

  /// A whole message came over the connection of this message. Thread-safe.
  void heard(zmq::message_t& message);
  /// As of now. Thread-safe.
  ConnectionCounters counters() const;

 private:
  struct Connection {
    bool is_open = false;  ///< ZeroMQ has told of it: its first message may be seen earlier
    bool is_ended = false;
    std::uint64_t cookie = 0;  ///< the kernel's name of the socket, which nothing else ever has
    TimePoint came{};
    std::uint64_t messages = 0;
    std::uint64_t messages_seen = 0;  ///< as of the last look,
    std::uint64_t bytes_seen = 0;     ///< and what had arrived when the last one was complete
  };

  void run();
  bool take_events(TimePoint now);
  void accepted(TimePoint now, int descriptor);
  void look_at_all(TimePoint now);
  void end(int descriptor, Connection& connection);
  void report(TimePoint now);

  zmq::socket_t& guarded_;
  const ConnectionLimits limits_;
  const OpenFiles files_;              ///< when it began
  const std::size_t connections_max_;  ///< what both limits leave
  zmq::socket_t events_;

  mutable std::mutex mutex_;  ///< over the next two
  std::unordered_map<int, Connection> connections_;
  ConnectionCounters counters_;

  TimePoint look_at_{};
  ConnectionCounters reported_;
  bool is_full_ = false;
  TimePoint refused_last_{};
  TimePoint report_at_{};
  std::thread thread_;
};

}  // namespace muster::transport
