#pragma once

#include <memory>

namespace muster::transport {

/// ZeroMQ's threads, which all sockets of a program share. Made after muster::init(): it does not
/// survive a fork. The sockets must be gone before it is. Thread-safe.
class ZmqContext {
 public:
  struct Impl;

  /// `io_threads`: more than one only pays from about 1 GB/s on.
  explicit ZmqContext(int io_threads = 1);
  ~ZmqContext();
  ZmqContext(const ZmqContext&) = delete;
  ZmqContext& operator=(const ZmqContext&) = delete;

  Impl& impl() noexcept { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace muster::transport
