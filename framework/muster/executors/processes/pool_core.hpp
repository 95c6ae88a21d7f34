#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <muster/base/adaptive_spin.hpp>
#include <muster/base/adaptive_yield.hpp>
#include <muster/base/forks.hpp>
#include <muster/executors/process_pool.hpp>
#include <muster/executors/processes/child_handle.hpp>
#include <muster/executors/processes/wakeup.hpp>
#include <muster/executors/processes/zygote_link.hpp>
#include <muster/executors/task.hpp>
#include <muster/executors/task_queue.hpp>

namespace muster::detail {

/// What an epoll event is about: one of these two, or a process, by its name + pool_event_children.
inline constexpr std::uint64_t pool_event_wake = 0;
inline constexpr std::uint64_t pool_event_zygote = 1;
inline constexpr std::uint64_t pool_event_children = 2;

/// The pool behind ProcessPoolExecutor; shared, so that who cancels or waits keeps it alive.
///
/// Two parties may take replies and complete futures: the pool's own thread (the pump), which alone
/// starts and buries processes, and one thread that waits for a future of the pool (the leader). A
/// reply so wakes the thread that wants it, and not another one which then wakes that. submit()
/// sends straight into a ring if a process has room.
///
/// Rules, and why:
/// - `mutex_` guards the queue, the sending side of the processes, and what tasks say about where
///   they are. `receiving_` guards the receiving side. The set of processes is changed by the pump
///   alone, under both. Order: receiving_, mutex_, the lock of a future's state; states call us
///   with theirs released.
/// - A task is claimed (TaskBase::start) under mutex_ by whoever decides its outcome, so that this
///   happens once. Futures are completed, results decoded and on_output called with no lock held,
///   since all of that runs code of the user. The leader leaves callbacks to the pump: they may
///   take longer than the leader wants to wait.
/// - A process wakes nobody while somebody looks at its ring, which the pump does not while it runs
///   code of the user; otherwise the leader, if there is one, or the pump (ParentSleeper). Whoever
///   goes to sleep, or away, says so, and then looks once more;
///   whoever makes work for a sleeper does it first, and then looks who sleeps. So a wake-up is
///   neither lost nor sent in vain.
class PoolCore final : public TaskHome,
                       public WorkControl,
                       public std::enable_shared_from_this<PoolCore> {
 public:
  PoolCore(ProcessPoolOptions options, std::shared_ptr<ZygoteLink> zygote);
  ~PoolCore() override;
  PoolCore(const PoolCore&) = delete;
  PoolCore& operator=(const PoolCore&) = delete;

  void start();  ///< the pump; once
  void execute(TaskPtr task);
  std::optional<TaskProgress> progress(SharedStateBase& work) const;
  bool await_killed(Duration timeout);
  void shutdown(bool wait, bool cancel_pending);
  bool drain(std::optional<Duration> timeout);
  /// False in a forked child: there nothing but this may be called, and it must not be destroyed.
  bool is_here() const noexcept { return home_process_.is_here(); }
  void terminate(int signal);
  unsigned max_workers() const noexcept { return options_.max_workers; }
  std::vector<pid_t> worker_pids() const;
  /// Kills a process for the memory that it takes: what it runs ends like that, if it has started.
  /// False if there is no such process any more.
  bool end_for_memory(pid_t pid);

  std::shared_ptr<WorkControl> control() noexcept override { return shared_from_this(); }
  bool cancel(SharedStateBase& work) override;
  CancelRung stop(SharedStateBase& work, const StopOptions& options) override;
  bool started(SharedStateBase& work) override;
  bool expire(SharedStateBase& work, const std::exception_ptr& error, bool also_running) override;
  void lend_thread(SharedStateBase& work, std::optional<TimePoint> deadline) override;

 private:
  using Lock = std::unique_lock<std::mutex>;

  /// A task whose outcome is decided and not yet told.
  struct Completion {
    TaskPtr task;
    FrameKind kind = FrameKind::value;
    Bytes payload;
    std::exception_ptr error;  // if set, it alone counts
  };

  /// What one of the two receiving parties works on.
  struct Batch {
    std::vector<Reply> replies;
    std::vector<Completion> completions;
  };

  // pool_core.cpp: what other threads call.
  AreaGeometry geometry() const;
  void throw_if_closed() const;
  void refuse_if_forked() const;
  bool has_room() const;
  bool may_exceed() const;
  void await_room(Lock& lock);
  void notify_pump();
  void task_left() noexcept;
  void join();

  // pool_control.cpp: how a task fares, and ending it before its time. With mutex_.
  bool holds(const TaskBase& task) const;
  bool waits_for_pump(const SharedStateBase& work) const;
  std::optional<DoneCallbacks> withdraw(TaskBase& task, bool also_running);
  std::vector<DoneCallbacks> cancel_unstarted();
  bool await_burial(Lock& lock, std::uint64_t name, Duration timeout);

  // pool_dispatch.cpp: which process gets what. With mutex_.
  bool is_alone(const TaskBase& task) const;
  bool is_spent(ChildHandle& child) const;
  ChildHandle* pick_existing();
  ChildHandle* pick_or_start(bool alone);
  ChildHandle* start_child(bool fresh);
  bool can_start() const;
  void send(ChildHandle& child, TaskPtr task);
  bool dispatch_next(ChildHandle* child);
  void dispatch_queue();
  void flush(ChildHandle& child);
  void refill(ChildHandle& child);
  ChildHandle* busiest();
  void rebalance();
  void close_idle();
  void requeue(TaskPtr task);
  void try_more_workers();
  void watch_run_time(TaskBase& task);

  // pool_receive.cpp: taking replies. receive() with receiving_.
  bool receive(Batch& batch);
  void apply_replies(ChildHandle& child, Batch& batch);
  bool reply_visible();
  bool any_in_frame() const;
  void update_sleepers();
  void leave_callbacks(std::vector<DoneCallbacks>&& due);
  void lead(SharedStateBase& work, std::optional<TimePoint> deadline);
  void leader_sleeps_until(std::optional<TimePoint> deadline, const std::function<bool()>& is_over);
  void wake_leader();

  // pool_pump.cpp: the pump's thread.
  class PumpWaits;
  class PumpAway;
  void set_pump_looks(bool looks);
  std::vector<DoneCallbacks> deliver(Batch& batch);  // also by the leader
  void pump();
  bool cycle();
  bool collect_replies();
  void collect_events(int timeout_ms);
  void collect_messages();
  void unwatch(const ChildHandle& child);
  void collect_last_words(std::uint64_t name);
  void apply_message(ReceivedMessage& received);
  void stop_processes();
  void print_lines();
  bool work_visible();
  void sleep();
  int sleep_ms();
  ChildHandle* find_child(std::uint64_t name);

  // pool_deaths.cpp: ends of processes. With both locks, by the pump.
  void bury(ChildHandle& child, const SpawnMessage& exit);
  void charge(ChildHandle& child, const SpawnMessage& exit, bool& started);
  bool may_run_again(TaskBase& task, bool for_memory) const;
  bool died_for_memory(const ChildHandle& child, const SpawnMessage& exit);
  void forget(ChildHandle& child);
  void spawn_failed(const std::string& reason);
  void initializer_failed(const Reply& reply);
  void break_pool(const std::string& reason);
  void lose_zygote();
  void end_overdue();
  void fail(TaskPtr task, std::exception_ptr error);

  ProcessPoolOptions options_;
  bool spin_pays_;
  const HomeProcess home_process_;
  const std::shared_ptr<ZygoteLink> link_;
  UniqueFd zygote_;  ///< the connection
  UniqueFd wake_;
  UniqueFd lead_;
  UniqueFd events_;

  mutable std::mutex mutex_;
  TaskQueue queue_;               // may hold tasks that were cancelled
  std::vector<TaskPtr> overdue_;  // sent, with a limit to their run time
  std::size_t overdue_kept_ = 0;  // how many were left when it was last tidied
  TimePoint pump_sleeps_until_ = TimePoint::max();
  std::vector<Completion> failed_;             // for the pump to tell
  std::vector<DoneCallbacks> left_callbacks_;  // for the pump to run
  std::uint64_t numbers_ = 0;
  std::size_t workers_max_;         // less than asked for, while the machine refuses more
  TimePoint workers_retry_;         // when to ask for more again
  std::condition_variable buried_;  // a process has ended
  std::condition_variable room_;    // the queue has become shorter, or the pool was closed
  bool closing_ = false;
  int stopping_signal_ = 0;
  std::optional<std::string> broken_;
  bool pump_looks_ = true;
  bool leader_looks_ = false;

  std::mutex receiving_;
  std::vector<std::unique_ptr<ChildHandle>> children_;  // read under either lock

  std::atomic<std::size_t> tasks_{0};  // taken and not ended or taken back
  std::atomic<bool> attention_{false};
  std::atomic<bool> pump_waits_{false};
  std::atomic<bool> leader_waits_{false};
  std::atomic<bool> has_leader_{false};

  // The leader's own.
  Batch lead_batch_;
  AdaptiveSpin lead_spin_;
  AdaptiveYield yield_;
  std::atomic<bool> woke_child_{false};  // by submitting

  // The pump's own.
  Batch batch_;
  AdaptiveSpin spin_;
  std::vector<ReceivedMessage> messages_;
  std::vector<std::string> lines_;
  std::uint64_t next_child_ = 0;
  std::uint64_t cycles_ = 0;
  std::uint64_t memory_kills_ = 0;  // in our control group, as last seen
  unsigned spawns_unanswered_ = 0;
  unsigned early_deaths_ = 0;
  unsigned early_kills_ = 0;
  unsigned unmanageable_ = 0;  // processes in a row that had to be given up
  bool zygote_lost_ = false;
  bool zygote_to_bury_ = false;

  std::mutex drain_mutex_;  // after all others
  std::condition_variable drained_;
  std::atomic<unsigned> drainers_{0};

  std::mutex join_mutex_;
  std::thread thread_;
  std::atomic<std::thread::id> pump_id_;  // none once it has ended: ids are used again
};

}  // namespace muster::detail
