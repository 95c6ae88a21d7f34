#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <muster/base/bytes.hpp>
#include <muster/base/clock.hpp>
#include <muster/executors/remote_call.hpp>
#include <muster/executors/task_options.hpp>
#include <muster/futures/future.hpp>

namespace muster::detail {

class TaskBase;

/// Owns one reference to a task. Move-only.
class TaskPtr {
 public:
  TaskPtr() = default;
  explicit TaskPtr(TaskBase* task) noexcept : task_(task) {}  ///< takes a reference over
  static inline TaskPtr share(TaskBase& task) noexcept;       ///< adds a reference
  TaskPtr(TaskPtr&& other) noexcept : task_(std::exchange(other.task_, nullptr)) {}
  TaskPtr& operator=(TaskPtr other) noexcept {
    std::swap(task_, other.task_);
    return *this;
  }
  inline ~TaskPtr();

  TaskBase* get() const noexcept { return task_; }
  TaskBase* operator->() const noexcept { return task_; }
  TaskBase& operator*() const noexcept { return *task_; }
  TaskBase* release() noexcept { return std::exchange(task_, nullptr); }
  explicit operator bool() const noexcept { return task_ != nullptr; }

 private:
  TaskBase* task_ = nullptr;
};

/// What a task that was handed to an executor may ask of it. It outlives every task it holds.
class TaskHome {
 public:
  virtual ~TaskHome() = default;

  /// True if the calling thread runs tasks of this executor; then `task` is run right away.
  virtual bool run_nested(TaskBase&) noexcept { return false; }

  /// The one whose tasks the calling thread runs, null for most threads. A task whose state says
  /// that it is done may have outlived its home: it is compared with this before it is used.
  static TaskHome*& of_this_thread() noexcept;

  /// Who cancels its tasks; null if their state alone decides.
  virtual std::shared_ptr<WorkControl> control() noexcept { return nullptr; }
};

/// Sees what came of a task before anybody else does. Decorators of executors are made of these.
class TaskWatch {
 public:
  virtual ~TaskWatch() = default;

  /// The task has run; value or error are kept in it, and not visible. A watch that moves `task`
  /// out has taken it back: it makes it pending again with TaskBase::rearm(), or ends it. Called by
  /// the thread that ran it, with no lock held.
  virtual void on_outcome(TaskPtr& task) noexcept = 0;

  TaskWatch* outer() const noexcept { return outer_.get(); }  ///< who is told next

 private:
  friend class TaskBase;
  std::unique_ptr<TaskWatch> outer_;
};

/// What few tasks have, in memory of its own.
struct TaskExtras {
  std::string called() const {
    return options.name.empty() ? "the task" : "task '" + options.name + "'";
  }

  TaskOptions options;
  std::unique_ptr<TaskWatch> watches;  ///< the innermost, that is the last added, first
  std::optional<EncodedCall> call;     ///< process pool: the call as it is sent, if it is not flat
  unsigned deaths = 0;                 ///< process pool: of processes that ran it
  unsigned memory_deaths = 0;          ///< those of them that were for lack of memory

  /// Of total_timeout, the task's own or that of the task which submitted it.
  std::optional<TimePoint> total_deadline;
  bool deadline_is_inherited = false;
  bool expired = false;  ///< a deadline ended it; a run_timeout does not count
  std::optional<TimePoint> queue_deadline;
  std::atomic<unsigned> retries{0};         ///< runs after which the task was taken back
  std::atomic<bool> stop_requested{false};  ///< by cancel(), while it ran
};

/// Work as executors see it: a function with its arguments, and the future for its result, in one
/// piece of memory.
///
/// Whoever takes it from a queue calls start(), and if that is true invoke() and then finish(),
/// once. In a process pool the call happens elsewhere: accept() or refuse() stand for invoke().
/// The fields below belong to the executor that holds it.
class TaskBase {
 public:
  TaskBase(const TaskBase&) = delete;
  TaskBase& operator=(const TaskBase&) = delete;

  SharedStateBase& state() const noexcept { return *state_; }

  /// False if it was cancelled, or runs already.
  bool start() noexcept { return state_->try_start(); }

  /// Calls the function, keeps what comes of it, and destroys function and arguments.
  virtual void invoke() noexcept = 0;
  /// Instead of invoke(): the outcome is this error.
  virtual void refuse(std::exception_ptr error) noexcept = 0;
  /// Before refuse(): keeps what another process said of the error (error_codec.hpp) as it is, and
  /// stands for it. False if it wants the error itself.
  virtual bool keep_description(Bytes& description) noexcept {
    static_cast<void>(description);
    return false;
  }

  /// How the call travels to another process.
  virtual const RemoteCall& remote() const noexcept = 0;
  /// Appends the call, which refers to the task's arguments. Only while they are there, that is
  /// before invoke() and its kin. Throws what the codec of an argument throws.
  virtual void encode(EncodedCall& out) const = 0;
  /// Instead of invoke(): keeps the result that another process encoded, or the error met in
  /// decoding it.
  virtual void accept(Bytes&& result) noexcept = 0;

  /// Triggers the std::stop_token that the function has, if it takes one.
  virtual void trigger_stop() noexcept = 0;

  /// Makes the outcome visible, whoever watches, and gives up the reference of whoever calls this;
  /// see finish(). Function and arguments are destroyed by then. The callbacks that are due are the
  /// caller's to run.
  [[nodiscard]] virtual DoneCallbacks complete_and_drop() noexcept = 0;

  /// From now on what stands for invoke() leaves function and arguments alone, so that the task can
  /// be run again. False if they cannot be copied. To be called before the task is queued.
  virtual bool make_repeatable() noexcept = 0;
  /// After a run that failed, of a repeatable task: forgets the error and makes the task pending.
  /// It has no home then: whoever keeps it calls move_to().
  virtual void rearm() noexcept = 0;
  /// The error that is kept, null if none.
  virtual std::exception_ptr kept_error() const noexcept = 0;

  /// The memory for what few tasks have; made when asked for first.
  TaskExtras& extras() {
    if (extras_ == nullptr) extras_ = std::make_unique<TaskExtras>();
    return *extras_;
  }
  TaskExtras* extras_if_any() const noexcept { return extras_.get(); }

  /// Adds a watch, which is told before those that were added earlier: decorators add theirs from
  /// the outside in. To be called before the task is queued.
  void add_watch(std::unique_ptr<TaskWatch> watch) {
    watch->outer_ = std::move(extras().watches);
    extras_->watches = std::move(watch);
  }
  /// Removes those that were added after `watch`, by executors inside of the one that has taken the
  /// task back: they will add theirs again.
  void drop_watches_inside(const TaskWatch& watch) noexcept {
    while (extras_->watches.get() != &watch) extras_->watches = std::move(extras_->watches->outer_);
  }
  bool is_watched() const noexcept { return extras_ != nullptr && extras_->watches != nullptr; }

  /// For whoever takes a task of which others have the future already, and controls it from now on
  /// (TaskHome::control). Nobody if null. False if the task has been cancelled.
  bool move_to(TaskHome* to) noexcept { return state_->hand_over(home, to); }

  /// cancel() was called while it ran, and asked it to stop.
  bool stop_requested() const noexcept {
    return extras_ != nullptr && extras_->stop_requested.load(std::memory_order_relaxed);
  }
  /// For whoever does so. Only a task with extras remembers it: nobody asks the others.
  void note_stop_request() noexcept {
    if (extras_ != nullptr) extras_->stop_requested.store(true, std::memory_order_relaxed);
  }

  std::uint64_t sequence = 0;
  std::atomic<TaskHome*> home{nullptr};
  int priority = 0;
  std::uint32_t slot = 0;   ///< process pool: where at its process
  void* process = nullptr;  ///< process pool: the process it was sent to

 protected:
  explicit TaskBase(SharedStateBase& state) noexcept : state_(&state) {}
  ~TaskBase() = default;

 private:
  SharedStateBase* state_;
  std::unique_ptr<TaskExtras> extras_;
};

inline TaskPtr TaskPtr::share(TaskBase& task) noexcept {
  task.state().add_reference();
  return TaskPtr(&task);
}

inline TaskPtr::~TaskPtr() {
  if (task_ != nullptr && task_->state().drop_reference()) delete &task_->state();
}

/// After invoke() and its kin: makes the outcome visible, unless a watch takes the task back. The
/// callbacks that are due are run when what is returned is destroyed, or told to.
DoneCallbacks finish(TaskPtr task) noexcept;

/// Says how a task is to be run, before it is.
void set_options(TaskBase& task, const TaskOptions& options);

/// Where tasks go to be run.
class TaskSink {
 public:
  virtual ~TaskSink() = default;
  /// Takes a task to run. Throws Error(broken) if no more are taken.
  virtual void execute(TaskPtr task) = 0;
};

/// sink.execute(task), of a task that may have deadlines: if it throws, they are forgotten.
void execute_armed(TaskSink& sink, TaskPtr task);

}  // namespace muster::detail
