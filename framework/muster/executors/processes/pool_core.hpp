#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <muster/base/adaptive_spin.hpp>
#include <muster/executors/process_pool.hpp>
#include <muster/executors/processes/child_handle.hpp>
#include <muster/executors/processes/task_table.hpp>
#include <muster/executors/processes/wakeup.hpp>
#include <muster/futures/promise.hpp>

namespace muster::detail {

/// What an epoll event is about: one of these two, or a process, by its name + pool_event_children.
inline constexpr std::uint64_t pool_event_wake = 0;
inline constexpr std::uint64_t pool_event_zygote = 1;
inline constexpr std::uint64_t pool_event_children = 2;

/// The pool behind ProcessPoolExecutor; of its own, so that futures can hold it weakly.
///
/// One thread, the pump, takes replies, starts and buries processes and completes futures. submit()
/// sends straight into a ring if a process has room, so that the pump is not on the way of a task,
/// only of its result.
///
/// Rules, and why:
/// - `mutex_` guards tasks, queue, the sending side of the processes, and the set of processes,
///   which only the pump changes (so the pump may read it without). The receiving side belongs to
///   the pump alone.
/// - Futures are completed, and on_output is called, with no lock held, since both run code of the
///   user; a promise is moved out of the table first, so its outcome is decided once.
/// - Lock order: mutex_, then the lock of a future's state. States call us with theirs released.
/// - Whoever makes work for the pump sets `attention_` and then looks whether it sleeps; the pump
///   says that it sleeps and then looks for work. So a wake-up is neither lost nor sent in vain.
class PoolCore final : public CancelHandler, public std::enable_shared_from_this<PoolCore> {
 public:
  explicit PoolCore(ProcessPoolOptions options);
  ~PoolCore() override;
  PoolCore(const PoolCore&) = delete;
  PoolCore& operator=(const PoolCore&) = delete;

  void start();  ///< the pump; once
  SubmittedTask submit(TaskFunction function, Bytes argument, const RawTaskOptions& options);
  std::optional<TaskProgress> progress(TaskId task) const;
  bool await_killed(Duration timeout);
  void shutdown(bool wait, bool cancel_pending);
  unsigned max_workers() const noexcept { return options_.max_workers; }
  std::vector<pid_t> worker_pids() const;

  bool cancel_task(TaskId task) override;
  bool task_started(TaskId task) override;

 private:
  struct Completion {
    Promise<Bytes> promise;
    FrameKind kind = FrameKind::value;
    Bytes payload;
    std::exception_ptr error;  // if set, it alone counts
  };
  struct ReplyFrom {
    ChildHandle* child;
    Reply reply;
  };

  // pool_core.cpp: what other threads call.
  AreaGeometry geometry() const;
  void notify_pump();
  std::vector<DoneCallbacks> cancel_unstarted();
  std::optional<DoneCallbacks> withdraw(TaskId task, bool also_running);
  void join();

  // pool_dispatch.cpp: which process gets what. With the lock; but for send() by the pump alone.
  ChildHandle* pick_existing();
  ChildHandle* pick_or_start(bool fresh);
  ChildHandle* start_child(bool fresh);
  bool can_start() const;
  void send(ChildHandle& child, TaskId id, TaskRecord& record);
  void dispatch_queue();
  void rebalance();
  bool move_task(ChildHandle& from, ChildHandle& to);
  void close_idle();
  void requeue(ChildHandle& child);
  void try_more_workers();
  void spawn_failed(const std::string& reason);
  void break_pool(const std::string& reason);
  void lose_zygote();

  // pool_pump.cpp: the pump's thread.
  void pump();
  bool cycle();
  bool collect_replies();
  void collect_events(int timeout_ms);
  void collect_messages();
  void unwatch(const ChildHandle& child);
  void collect_last_words(const SpawnMessage& exit);
  void apply_replies();
  void apply_message(ReceivedMessage& received);
  void forget(ChildHandle& child);
  void bury(ChildHandle& child, const SpawnMessage& exit);
  void deliver();
  bool work_visible();
  void sleep();
  ChildHandle* find_child(std::uint64_t name);

  ProcessPoolOptions options_;
  bool spin_pays_;
  UniqueFd zygote_;
  UniqueFd wake_;
  UniqueFd events_;

  mutable std::mutex mutex_;
  TaskTable tasks_;
  std::deque<TaskId> queue_;  // may hold ids of tasks that were cancelled
  std::map<std::uint64_t, std::unique_ptr<ChildHandle>> children_;
  std::size_t workers_max_;         // less than asked for, while the machine refuses more
  TimePoint workers_retry_;         // when to ask for more again
  std::condition_variable buried_;  // a process has ended
  bool closing_ = false;
  std::optional<std::string> broken_;

  std::atomic<bool> attention_{false};
  std::atomic<bool> pump_sleeps_{false};

  // The pump's own.
  AdaptiveSpin spin_;
  std::vector<ReplyFrom> replies_;
  std::vector<Reply> batch_;
  std::vector<ReceivedMessage> messages_;
  std::vector<Completion> completions_;
  std::vector<std::string> lines_;
  std::uint64_t next_child_ = 0;
  std::uint64_t cycles_ = 0;
  unsigned spawns_unanswered_ = 0;
  unsigned early_deaths_ = 0;
  unsigned early_kills_ = 0;
  unsigned unmanageable_ = 0;  // processes in a row that had to be given up
  bool zygote_lost_ = false;
  bool zygote_to_bury_ = false;

  std::mutex join_mutex_;
  std::thread thread_;
  std::thread::id pump_id_;  // set by start(), then constant
};

}  // namespace muster::detail
