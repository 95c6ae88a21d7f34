#include "simulated_workers.hpp"

#include <algorithm>
#include <chrono>
#include <numeric>
#include <random>
#include <utility>
#include <variant>

#include <muster/transport/link_runner.hpp>
#include <muster/transport/zmq_context.hpp>
#include <muster/transport/zmq_dialer.hpp>

namespace muster::test {
namespace {

using namespace std::chrono_literals;

wire::Hello hello_of(unsigned number) {
  std::random_device random;
  wire::Hello out{.role = wire::Role::worker};
  out.instance = std::uint64_t{random()} << 32U | random();
  out.name = "simulated-" + std::to_string(number);
  out.host = "nowhere";
  out.version = "0";
  out.room = wire::WorkerRoom{};
  return out;
}

}  // namespace

class SimulatedWorkers::Worker final : public transport::LinkOwner {
 public:
  Worker(transport::ZmqContext& context, const std::string& address, unsigned number)
      : dialer_(context, address),
        link_(hello_of(number), {}, std::random_device()()),
        runner_(dialer_, link_, *this) {
    runner_.start();
  }

  void round(TimePoint now) { runner_.round(now); }
  bool is_connected() const { return link_.is_open(); }

  std::uint64_t sessions = 0;
  std::uint64_t lost = 0;
  std::uint64_t given_back = 0;

 private:
  void on_session(TimePoint /*now*/) override {
    ++sessions;
    ends_.ends.clear();
    must_tell_state_ = true;
  }
  void on_message(TimePoint /*now*/, wire::Message&& message) override {
    const auto* const calls = std::get_if<wire::Calls>(&message);
    if (calls == nullptr) return;
    for (const wire::Call& each : calls->calls)
      ends_.ends.push_back({each.number, wire::EndKind::returned, {}});
  }
  void on_refused(const wire::Refusal& /*refusal*/, bool /*for_good*/) override {}
  void on_trouble(const std::string& /*trouble*/, const std::string& /*hint*/) override { ++lost; }
  void on_round(TimePoint /*now*/) override {
    if (!runner_.can_send()) return;
    if (std::exchange(must_tell_state_, false))
      runner_.send(wire::WorkerState{wire::WorkerState::Kind::paused, "it is simulated"});
    if (ends_.ends.empty()) return;
    given_back += ends_.ends.size();
    runner_.send(std::exchange(ends_, {}));
  }

  transport::ZmqDialer dialer_;
  wire::Link link_;
  transport::LinkRunner runner_;
  bool must_tell_state_ = false;
  wire::Ends ends_;
};

/// As many as one context of ZeroMQ has sockets for, and the thread that they share.
class SimulatedWorkers::Group {
 public:
  static constexpr unsigned workers_max = 250;

  Group(const std::string& address, unsigned first, unsigned count) {
    for (unsigned i = 0; i < count; ++i)
      workers_.push_back(std::make_unique<Worker>(context_, address, first + i));
    thread_ = std::thread([this] { run(); });
  }
  ~Group() {
    stopping_.store(true);
    thread_.join();
  }

  // As of the last round.
  std::atomic<unsigned> connected{0};
  std::atomic<std::uint64_t> sessions{0};
  std::atomic<std::uint64_t> lost{0};
  std::atomic<std::uint64_t> given_back{0};

 private:
  void run() {
    while (!stopping_.load()) {
      for (const auto& each : workers_) each->round(Clock::now());
      connected = static_cast<unsigned>(std::count_if(
          workers_.begin(), workers_.end(), [](const auto& each) { return each->is_connected(); }));
      sessions = sum(&Worker::sessions);
      lost = sum(&Worker::lost);
      given_back = sum(&Worker::given_back);
      std::this_thread::sleep_for(10ms);  // bounded poll
    }
  }
  std::uint64_t sum(std::uint64_t Worker::*count) const {
    return std::accumulate(
        workers_.begin(), workers_.end(), std::uint64_t{0},
        [&](std::uint64_t so_far, const auto& each) { return so_far + (*each).*count; });
  }

  transport::ZmqContext context_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

SimulatedWorkers::SimulatedWorkers(const std::string& address, unsigned count) {
  for (unsigned first = 0; first < count; first += Group::workers_max) {
    groups_.push_back(
        std::make_unique<Group>(address, first, std::min(Group::workers_max, count - first)));
  }
}

SimulatedWorkers::~SimulatedWorkers() = default;

unsigned SimulatedWorkers::connected() const {
  unsigned out = 0;
  for (const auto& each : groups_) out += each->connected;
  return out;
}

std::uint64_t SimulatedWorkers::sessions() const {
  std::uint64_t out = 0;
  for (const auto& each : groups_) out += each->sessions;
  return out;
}

std::uint64_t SimulatedWorkers::lost() const {
  std::uint64_t out = 0;
  for (const auto& each : groups_) out += each->lost;
  return out;
}

std::uint64_t SimulatedWorkers::given_back() const {
  std::uint64_t out = 0;
  for (const auto& each : groups_) out += each->given_back;
  return out;
}

}  // namespace muster::test
