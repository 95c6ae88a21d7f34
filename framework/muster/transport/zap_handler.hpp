#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include <zmq.hpp>

#include <muster/transport/zmq_socket.hpp>

namespace muster::transport {

/// Answers ZeroMQ's question whether a key may come in (ZAP, RFC 27), in a thread of its own. One
/// for each context, and before a socket of that listens with keys.
class ZapHandler {
 public:
  using UserOf = std::function<std::optional<std::string>(std::string_view public_key)>;

  ZapHandler(zmq::context_t& context, UserOf user_of);
  ~ZapHandler();
  ZapHandler(const ZapHandler&) = delete;
  ZapHandler& operator=(const ZapHandler&) = delete;

 private:
  void run();
  void answer();

  zmq::socket_t questions_;
  UserOf user_of_;
  WakeFd stop_;
  std::thread thread_;
};

}  // namespace muster::transport
