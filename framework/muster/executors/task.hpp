#pragma once

#include <concepts>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <stop_token>
#include <tuple>
#include <type_traits>
#include <utility>

#include <muster/futures/future.hpp>

namespace muster {

struct TaskOptions {
  /// Higher runs earlier: a task overtakes at most 1,000 tasks for each step by which its priority
  /// is higher than theirs, so that none waits for ever (aging).
  int priority = 0;
};

namespace detail {

class TaskBase;

/// Owns one reference to a task. Move-only.
class TaskPtr {
 public:
  TaskPtr() = default;
  explicit TaskPtr(TaskBase* task) noexcept : task_(task) {}  ///< takes a reference over
  TaskPtr(TaskPtr&& other) noexcept : task_(std::exchange(other.task_, nullptr)) {}
  TaskPtr& operator=(TaskPtr other) noexcept {
    std::swap(task_, other.task_);
    return *this;
  }
  inline ~TaskPtr();

  TaskBase* get() const noexcept { return task_; }
  TaskBase* operator->() const noexcept { return task_; }
  TaskBase* release() noexcept { return std::exchange(task_, nullptr); }
  explicit operator bool() const noexcept { return task_ != nullptr; }

 private:
  TaskBase* task_ = nullptr;
};

/// Who may run a task on a thread that waits for it.
class TaskHome {
 public:
  virtual ~TaskHome() = default;
  /// True if the calling thread runs tasks of this executor; then `task` is run right away.
  virtual bool run_nested(TaskBase& task) noexcept = 0;
};

/// Work as executors see it: a function with its arguments, and the future for its result, in one
/// piece of memory.
///
/// Whoever takes it from a queue calls start(), and if that is true run(), once. The fields below
/// belong to the executor that holds it.
class TaskBase {
 public:
  TaskBase(const TaskBase&) = delete;
  TaskBase& operator=(const TaskBase&) = delete;

  SharedStateBase& state() const noexcept { return *state_; }

  /// False if it was cancelled, or runs already.
  bool start() noexcept { return state_->try_start(); }

  /// Calls the function, keeps what comes of it, and destroys function and arguments.
  virtual void invoke() noexcept = 0;
  /// Makes the outcome visible. The task may be gone when this returns, unless a TaskPtr holds it.
  virtual void complete() noexcept = 0;
  /// Instead of invoke(): the outcome is this error.
  virtual void refuse(std::exception_ptr error) noexcept = 0;

  TaskBase* next = nullptr;
  std::uint64_t sequence = 0;
  TaskHome* home = nullptr;
  TaskOptions options;

 protected:
  explicit TaskBase(SharedStateBase& state) noexcept : state_(&state) {}
  ~TaskBase() = default;

 private:
  SharedStateBase* state_;
};

inline TaskPtr::~TaskPtr() {
  if (task_ != nullptr && task_->state().drop_reference()) delete &task_->state();
}

/// Where tasks go to be run.
class TaskSink {
 public:
  virtual ~TaskSink() = default;
  /// Takes a task to run. Throws Error(broken) if no more are taken.
  virtual void execute(TaskPtr task) = 0;
};

template <class F, class... A>
concept TakesStopToken = std::invocable<F, std::stop_token, A...>;

template <class F, class... A>
struct TaskResult {
  using type = std::invoke_result_t<F, A...>;
};
template <class F, class... A>
requires TakesStopToken<F, A...>
struct TaskResult<F, A...> {
  using type = std::invoke_result_t<F, std::stop_token, A...>;
};

/// What a future of f(args...) holds: a reference is copied out.
template <class F, class... A>
using TaskResultType = std::decay_t<typename TaskResult<std::decay_t<F>, std::decay_t<A>...>::type>;

struct NoStopSource {};

/// One call of `F` with copies of `A...`, which are moved into it.
template <class F, class... A>
class Task final : public SharedState<StoredType<TaskResultType<F, A...>>>, public TaskBase {
  using Result = TaskResultType<F, A...>;
  static constexpr bool stoppable = TakesStopToken<F, A...>;

 public:
  template <class Function, class... Arguments>
  explicit Task(Function&& function, Arguments&&... arguments)
      : TaskBase(static_cast<SharedStateBase&>(*this)),
        call_(std::in_place, std::forward<Function>(function),
              std::forward<Arguments>(arguments)...) {}

  void invoke() noexcept override {
    try {
      if constexpr (std::is_void_v<Result>) {
        call();
        this->emplace_value([] { return VoidValue(); });
      } else {
        this->emplace_value([this]() -> Result { return call(); });
      }
    } catch (...) {
      this->keep_error(std::current_exception());
    }
    // Before the future completes: who waits for it may count on what the function held being free.
    call_.reset();
  }

  void complete() noexcept override { SharedStateBase::complete(); }

  void refuse(std::exception_ptr error) noexcept override {
    call_.reset();
    this->keep_error(std::move(error));
  }

  bool run_here() noexcept override { return home != nullptr && home->run_nested(*this); }

  void request_stop() noexcept override {
    if constexpr (stoppable) stop_.request_stop();
  }

 private:
  decltype(auto) call() {
    const auto pass_on = [](F& function, auto&&... all) -> decltype(auto) {
      return std::invoke(std::move(function), std::forward<decltype(all)>(all)...);
    };
    return std::apply(
        [&](F& function, A&... arguments) -> decltype(auto) {
          if constexpr (stoppable) {
            return pass_on(function, stop_.get_token(), std::move(arguments)...);
          } else {
            return pass_on(function, std::move(arguments)...);
          }
        },
        *call_);
  }

  std::optional<std::tuple<F, A...>> call_;
  [[no_unique_address]] std::conditional_t<stoppable, std::stop_source, NoStopSource> stop_;
};

/// A task and the future for it.
template <class F, class... A>
auto make_task(F&& function, A&&... arguments) {
  using Made = Task<std::decay_t<F>, std::decay_t<A>...>;
  using Result = TaskResultType<F, A...>;
  auto* made = new Made(std::forward<F>(function), std::forward<A>(arguments)...);
  // The reference the state was made with is the executor's; the future shares it.
  TaskPtr task(made);
  auto state = StatePtr<SharedState<StoredType<Result>>>::share(*made);
  return std::pair(std::move(task), FutureAccess::make<Result>(std::move(state)));
}

}  // namespace detail
}  // namespace muster
