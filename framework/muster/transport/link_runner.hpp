#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <muster/base/clock.hpp>
#include <muster/transport/dialer.hpp>
#include <muster/wire/link.hpp>

namespace muster::transport {

/// What a worker or a client does with its link. Called by the thread that runs it, and by no
/// other; what these throw ends LinkRunner::run().
class LinkOwner {
 public:
  virtual ~LinkOwner() = default;

  /// There is a session, and not the one that there was before: all that was sent in that one is
  /// void.
  virtual void on_session(TimePoint now) = 0;
  virtual void on_message(TimePoint now, wire::Message&& message) = 0;
  /// Why the coordinator does not let this side in, or not any more. `for_good`: it tries no more.
  virtual void on_refused(const wire::Refusal& refusal, bool for_good) = 0;
  /// A connection could not be made, or was lost.
  virtual void on_trouble(const std::string& trouble, const std::string& hint) = 0;
  /// The coordinator may have given this side up, or has: what was begun for it must not go on.
  virtual void on_lease_over(TimePoint now) { static_cast<void>(now); }
  /// What the next sign of life says.
  virtual wire::Heartbeat heartbeat() { return {}; }
  /// After everything else, once for each round: the place to send what has gathered.
  virtual void on_round(TimePoint now) = 0;
  /// When the next round is due at the latest; none: when something happens.
  virtual std::optional<TimePoint> next_deadline() { return std::nullopt; }
};

/// Runs a link over a dialer: the one thread that has both. All but wake() are for that thread.
class LinkRunner {
 public:
  /// All three must outlive it.
  LinkRunner(Dialer& dialer, wire::Link& link, LinkOwner& owner)
      : dialer_(dialer), link_(link), owner_(owner) {}

  /// Returns when the link has ended. Throws Error(usage) of an address that makes no sense.
  void run();
  /// The same in steps, for a thread that has many of them: first start(), then round() again and
  /// again, which does what there is to do and never waits. Nothing is closed in the end.
  void start();
  void round(TimePoint now);
  /// Makes a round soon. Of any thread.
  void wake() noexcept;

  /// Whether send() may be called, and the other side keeps up.
  bool can_send() const { return link_.is_open() && link_.has_room(); }
  /// Arrives, unless the session ends first. Throws Error(limit) of what is too long.
  template <class M>
  void send(const M& message) {
    link_.send(Clock::now(), message, out_);
  }
  /// Goes for good, when what was sent has arrived.
  void end(const std::string& reason) { link_.end(Clock::now(), reason, out_); }

 private:
  void note_state(TimePoint now);
  void take_frames(TimePoint now);
  void carry_out(TimePoint now);
  std::optional<TimePoint> next_deadline();

  Dialer& dialer_;
  wire::Link& link_;
  LinkOwner& owner_;
  wire::LinkOutput out_;
  Dialer::State seen_ = Dialer::State::closed;
  bool has_begun_ = false;  ///< there has been a session
  bool lease_is_over_ = false;
  std::atomic<bool> woken_{false};
};

}  // namespace muster::transport
