#pragma once

#include <optional>
#include <string>
#include <utility>

#include <muster/transport/zmq_context.hpp>
#include <muster/transport/zmq_dialer.hpp>

namespace muster::cluster {

/// A dialer with the threads of ZeroMQ that it needs.
class OwningDialer final : public transport::Dialer {
 public:
  OwningDialer(const std::string& address, std::optional<transport::DialerKeys> keys)
      : dialer_(context_, address, std::move(keys)) {}

  void connect() override { dialer_.connect(); }
  void close(Duration linger) override { dialer_.close(linger); }
  State state() const override { return dialer_.state(); }
  const std::string& trouble() const override { return dialer_.trouble(); }
  const std::string& hint() const override { return dialer_.hint(); }
  void wait(std::optional<TimePoint> until) override { dialer_.wait(until); }
  bool receive(transport::ReceivedFrame& out) override { return dialer_.receive(out); }
  bool send(const wire::SharedFrame& frame) override { return dialer_.send(frame); }
  void wake() noexcept override { dialer_.wake(); }

 private:
  transport::ZmqContext context_;
  transport::ZmqDialer dialer_;
};

}  // namespace muster::cluster
