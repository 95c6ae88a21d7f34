#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <muster/base/clock.hpp>
#include <muster/http/http_message.hpp>

namespace muster::http {

struct HttpLimits {
  std::size_t connections = 64;  ///< at a time; more are closed at once
  std::uint32_t header_bytes = 8192;
  std::uint64_t body_bytes = 16384;
  Duration read_within = std::chrono::seconds(30);   ///< a request, from the end of the last on
  Duration reply_within = std::chrono::seconds(10);  ///< then it is answered with 503
};

/// Serves HTTP/1.1 on an address of this machine alone, in a thread of its own. It has no
/// encryption, so it listens on no other: whoever is elsewhere comes through a tunnel or a proxy.
class HttpServer {
 public:
  /// Called in the server's thread, for each request; it replies, now or later. What it throws is
  /// answered with 500, and logged.
  using Handler = std::function<void(HttpRequest&&, HttpReply)>;

  /// Listens at "127.0.0.1:7680", "[::1]:7680" or "localhost:7680"; port 0: any that is free.
  /// `log` is called by the server's thread, too, and must not throw. Throws Error(usage) for an
  /// address that is none, or of another kind; Error(io) if it is in use.
  HttpServer(const std::string& address, HttpLimits limits, Handler handler,
             std::function<void(const std::string&)> log);
  /// Ends connections as they are.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// With the port that was chosen: "127.0.0.1:7680".
  const std::string& address() const noexcept;

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace muster::http
