#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include <muster/base/forks.hpp>
#include <muster/cluster/client/callback_thread.hpp>
#include <muster/cluster/client/cluster_executor.hpp>
#include <muster/cluster/code/own_program.hpp>
#include <muster/executors/task.hpp>
#include <muster/transport/link_runner.hpp>
#include <muster/wire/link.hpp>

namespace muster::cluster {

/// What is behind ClusterExecutor; shared, so that who cancels or waits keeps it alive.
///
/// Threads: whoever submits encodes the call and puts it into a queue. The link's thread sends what
/// is in the queue, as far as the window lets it, and completes futures; their callbacks run in a
/// thread of their own, so that none holds up the signs of life.
/// `mutex_` guards calls and queues. A task is claimed (TaskBase::start) under it by whoever
/// decides its outcome; what runs code of the user is called without it.
class ClusterCore final : public detail::TaskHome,
                          public WorkControl,
                          public std::enable_shared_from_this<ClusterCore>,
                          private transport::LinkOwner {
 public:
  /// The program is what workers run.
  ClusterCore(std::unique_ptr<transport::Dialer> dialer, ClusterOptions options,
              OwnProgram program);
  ~ClusterCore() override;

  /// Connects, and returns when the coordinator has let it in. Throws Error(io or usage).
  void start();
  void execute(detail::TaskPtr task);
  void shutdown(bool wait, bool cancel_pending);
  bool drain(std::optional<Duration> timeout);
  unsigned slots() const noexcept { return slots_.load(); }
  unsigned workers() const noexcept { return workers_.load(); }
  bool is_here() const noexcept { return home_process_.is_here(); }
  void refuse_if_forked() const;  ///< throws Error(usage)

  std::shared_ptr<WorkControl> control() noexcept override { return shared_from_this(); }
  bool cancel(detail::SharedStateBase& work) override;
  CancelRung stop(detail::SharedStateBase& work, const StopOptions& options) override;
  bool started(detail::SharedStateBase& work) override;
  bool expire(detail::SharedStateBase& work, const std::exception_ptr& error,
              bool also_running) override;

 private:
  using Lock = std::unique_lock<std::mutex>;
  using Number = std::uint64_t;

  struct Open {
    detail::TaskPtr task;
    Bytes bytes;
    std::optional<wire::CallOptions> options;
    bool sent = false;
    bool started = false;
    bool asked_back = false;
    unsigned losses = 0;  ///< how often a coordinator has forgotten it after it was sent
  };
  /// A task that was claimed, and what came of it.
  struct Completion {
    detail::TaskPtr task;
    wire::CallEnd end;
    std::exception_ptr error;  // if set, it alone counts
  };

  // The link's thread.
  void run();
  void on_session(TimePoint now) override;
  void on_message(TimePoint now, wire::Message&& message) override;
  void on_refused(const wire::Refusal& refusal, bool for_good) override;
  void on_trouble(const std::string& trouble, const std::string& hint) override;
  void on_round(TimePoint now) override;
  std::optional<TimePoint> next_deadline() override;
  void take_ends(wire::Ends&& ends);
  void give_code(const wire::CodeWanted& wanted);
  void send_calls();
  bool send_some_calls();
  void send_withdrawals();
  void break_all(const std::string& reason);
  std::vector<Completion> send_again();
  void deliver(std::vector<Completion>& completions);

  // With the lock.
  void throw_if_closed() const;
  bool holds(const detail::TaskBase& task) const;
  Open* find(const detail::TaskBase& task);
  void forget(const detail::TaskBase& task);
  void withdraw(Number number, wire::Withdrawals::How how);
  bool await_recall(Lock& lock, detail::TaskBase& task, Duration timeout);
  std::optional<detail::DoneCallbacks> cancel_here(detail::TaskBase& task);
  std::vector<detail::DoneCallbacks> cancel_unstarted(Lock& lock);

  void wake();
  void task_left() noexcept;
  void join();

  const ClusterOptions options_;
  const OwnProgram program_;
  const HomeProcess home_process_;
  std::unique_ptr<transport::Dialer> dialer_;
  wire::Link link_;
  transport::LinkRunner runner_;

  mutable std::mutex mutex_;
  std::unordered_map<Number, Open> calls_;
  std::deque<Number> unsent_;  // may name calls that have ended
  std::vector<wire::Withdrawals::Withdrawal> withdrawals_;
  std::size_t in_flight_ = 0;  // calls that were sent,
  std::size_t bytes_in_flight_ = 0;
  Number last_number_ = 0;
  bool closing_ = false;
  std::optional<std::string> broken_;
  bool had_session_ = false;
  std::optional<wire::Refusal> refused_;
  std::string trouble_;
  std::string hint_ = "is muster-coordinator running there, and may it be reached?";
  std::condition_variable connected_;
  std::condition_variable news_;  // of a call that was asked back

  std::optional<TimePoint> lost_since_;  // the link's own
  std::atomic<unsigned> slots_{1};
  std::atomic<unsigned> workers_{0};

  std::mutex idle_mutex_;  // after the other
  std::condition_variable idle_;
  std::size_t tasks_ = 0;  // with idle_mutex_: taken and not ended, callbacks included

  CallbackThread callbacks_;
  std::mutex join_mutex_;
  std::thread thread_;
};

}  // namespace muster::cluster
