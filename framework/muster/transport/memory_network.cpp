#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <utility>

#include <muster/transport/memory_network.hpp>

namespace muster::transport {
namespace {

constexpr std::size_t frames_max = 10'000;  // to a dialer; and to the listener, from all of them

/// Where a thread waits, and is woken.
struct Bell {
  std::condition_variable rung;
  bool ringing = false;

  void ring() {
    ringing = true;
    rung.notify_all();
  }

  void wait(std::unique_lock<std::mutex>& lock, std::optional<TimePoint> until) {
    const auto is_rung = [this] { return ringing; };
    if (until) {
      rung.wait_until(lock, *until, is_rung);
    } else {
      rung.wait(lock, is_rung);  // for ever, as asked
    }
    ringing = false;
  }
};

struct Wire {
  std::deque<wire::SharedFrame> to_dialer;
  Bell* dialer = nullptr;
  bool lost = false;
};

}  // namespace

struct MemoryNetwork::Shared {
  bool loses() {
    if (to_lose == 0) return false;
    --to_lose;
    ++lost;
    return true;
  }

  void cut() {
    lost += to_listener.size();
    to_listener.clear();
    for (auto& [peer, wire] : wires) {
      lost += wire->to_dialer.size();
      wire->to_dialer.clear();
      wire->lost = true;
      wire->dialer->ring();
    }
    wires.clear();
  }

  std::mutex mutex;
  bool reachable = true;
  std::uint64_t to_lose = 0;
  std::uint64_t lost = 0;
  std::uint64_t last_peer = 0;
  std::map<wire::PeerId, std::shared_ptr<Wire>> wires;
  std::deque<std::pair<wire::PeerId, wire::SharedFrame>> to_listener;
  Bell* listener = nullptr;
};

namespace {

using Shared = MemoryNetwork::Shared;

class MemoryListener final : public Listener {
 public:
  explicit MemoryListener(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {
    const std::lock_guard lock(shared_->mutex);
    shared_->listener = &bell_;
  }
  ~MemoryListener() override {
    const std::lock_guard lock(shared_->mutex);
    shared_->listener = nullptr;
    shared_->cut();
  }

  const std::string& address() const override { return address_; }

  void wait(std::optional<TimePoint> until) override {
    std::unique_lock lock(shared_->mutex);
    if (shared_->to_listener.empty()) bell_.wait(lock, until);
  }

  bool receive(Arrived& out) override {
    const std::lock_guard lock(shared_->mutex);
    if (shared_->to_listener.empty()) return false;
    auto& [peer, frame] = shared_->to_listener.front();
    out = {peer, {}, *frame};
    shared_->to_listener.pop_front();
    return true;
  }

  Sent send(wire::PeerId peer, const wire::SharedFrame& frame) override {
    const std::lock_guard lock(shared_->mutex);
    const auto found = shared_->wires.find(peer);
    if (found == shared_->wires.end()) return Sent::gone;
    Wire& wire = *found->second;
    if (wire.to_dialer.size() >= frames_max) return Sent::full;
    if (shared_->loses()) return Sent::queued;
    wire.to_dialer.push_back(frame);
    wire.dialer->ring();
    return Sent::queued;
  }

  void wake() noexcept override {
    const std::lock_guard lock(shared_->mutex);
    bell_.ring();
  }

 private:
  std::shared_ptr<Shared> shared_;
  Bell bell_;
  std::string address_ = "memory";
};

class MemoryDialer final : public Dialer {
 public:
  explicit MemoryDialer(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}
  ~MemoryDialer() override { close(Duration::zero()); }

  void connect() override {
    const std::lock_guard lock(shared_->mutex);
    drop();
    if (!shared_->reachable || shared_->listener == nullptr) {
      state_ = State::lost;
      trouble_ = "nobody listens";
      return;
    }
    peer_ = {++shared_->last_peer};
    wire_ = std::make_shared<Wire>();
    wire_->dialer = &bell_;
    shared_->wires.emplace(peer_, wire_);
    state_ = State::open;
  }

  void close(Duration /*linger*/) override {
    const std::lock_guard lock(shared_->mutex);
    drop();
    state_ = State::closed;
  }

  State state() const override { return state_; }
  const std::string& trouble() const override { return trouble_; }
  const std::string& hint() const override { return hint_; }

  void wait(std::optional<TimePoint> until) override {
    std::unique_lock lock(shared_->mutex);
    const bool is_news = notice() || (wire_ && !wire_->to_dialer.empty());
    if (!is_news) bell_.wait(lock, until);
    notice();
  }

  bool receive(ReceivedFrame& out) override {
    const std::lock_guard lock(shared_->mutex);
    notice();
    if (!wire_ || wire_->to_dialer.empty()) return false;
    const wire::SharedFrame frame = std::move(wire_->to_dialer.front());
    wire_->to_dialer.pop_front();
    out = {*frame, frame};
    return true;
  }

  bool send(const wire::SharedFrame& frame) override {
    const std::lock_guard lock(shared_->mutex);
    if (!wire_ || wire_->lost || shared_->to_listener.size() >= frames_max) return false;
    if (shared_->loses()) return true;
    shared_->to_listener.emplace_back(peer_, frame);
    if (shared_->listener != nullptr) shared_->listener->ring();
    return true;
  }

  void wake() noexcept override {
    const std::lock_guard lock(shared_->mutex);
    bell_.ring();
  }

 private:
  bool notice() {
    if (!wire_ || !wire_->lost) return false;
    drop();
    state_ = State::lost;
    trouble_ = "the connection was cut";
    return true;
  }

  void drop() {
    if (wire_) shared_->wires.erase(peer_);
    wire_.reset();
  }

  std::shared_ptr<Shared> shared_;
  std::shared_ptr<Wire> wire_;
  wire::PeerId peer_;
  Bell bell_;
  State state_ = State::closed;
  std::string trouble_;
  const std::string hint_ = "it is a test's network";
};

}  // namespace

MemoryNetwork::MemoryNetwork() : shared_(std::make_shared<Shared>()) {}

std::unique_ptr<Listener> MemoryNetwork::listen() {
  return std::make_unique<MemoryListener>(shared_);
}

std::unique_ptr<Dialer> MemoryNetwork::dial() { return std::make_unique<MemoryDialer>(shared_); }

void MemoryNetwork::cut() {
  const std::lock_guard lock(shared_->mutex);
  shared_->cut();
}

void MemoryNetwork::set_reachable(bool reachable) {
  const std::lock_guard lock(shared_->mutex);
  shared_->reachable = reachable;
}

void MemoryNetwork::lose_next(std::uint64_t frames) {
  const std::lock_guard lock(shared_->mutex);
  shared_->to_lose = frames;
}

std::uint64_t MemoryNetwork::lost() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->lost;
}

}  // namespace muster::transport
