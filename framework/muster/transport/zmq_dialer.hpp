#pragma once

#include <memory>
#include <optional>
#include <string>

#include <muster/transport/curve.hpp>
#include <muster/transport/dialer.hpp>
#include <muster/transport/zmq_context.hpp>

namespace muster::transport {

/// DEALER sockets, one for each connection. The context must outlive it.
class ZmqDialer final : public Dialer {
 public:
  /// Throws Error(usage) if the address makes no sense.
  ZmqDialer(ZmqContext& context, const std::string& address,
            std::optional<DialerKeys> keys = std::nullopt);
  ~ZmqDialer() override;

  void connect() override;
  void close(Duration linger) override;
  State state() const override { return state_; }
  const std::string& trouble() const override { return trouble_; }
  const std::string& hint() const override { return hint_; }
  void wait(std::optional<TimePoint> until) override;
  bool receive(ReceivedFrame& out) override;
  bool send(const wire::SharedFrame& frame) override;
  void wake() noexcept override;

  /// The listener did not want its key, the last time.
  bool was_refused() const noexcept { return was_refused_; }

 private:
  struct Sockets;
  void open_sockets();
  void look_at_events();

  std::unique_ptr<Sockets> sockets_;
  std::string address_;
  std::optional<DialerKeys> keys_;
  State state_ = State::closed;
  std::string trouble_;
  std::string hint_;
  bool was_refused_ = false;
};

}  // namespace muster::transport
