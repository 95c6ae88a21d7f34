#pragma once

#include <exception>
#include <functional>
#include <optional>
#include <stop_token>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include <muster/executors/call_codec.hpp>
#include <muster/executors/task.hpp>

namespace muster::detail {

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

/// Calls of F with A... in another process.
template <class F, class... A>
class RemoteInvocation {
  using Result = TaskResultType<F, A...>;

 public:
  static constexpr bool function_is_sendable = is_sendable_function<F>;
  static constexpr bool arguments_are_sendable = (ArgumentCodec<A>::is_sendable && ...);
  static constexpr bool result_is_sendable = ResultCodec<Result>::is_sendable;
  static constexpr bool is_sendable =
      function_is_sendable && arguments_are_sendable && result_is_sendable;

  static constexpr RemoteCall description() {
    if constexpr (is_sendable) {
      constexpr std::size_t size = (sizeof(F) + ... + sizeof(A));
      constexpr bool is_flat =
          size <= EncodedCall::borrowed_bytes_min && (ArgumentCodec<A>::is_flat_argument && ...);
      return {.function = &run, .is_flat = is_flat, .takes_stop_token = TakesStopToken<F, A...>};
    } else if constexpr (!function_is_sendable) {
      return {.refusal = "its function holds more than plain bytes"};
    } else if constexpr (!arguments_are_sendable) {
      return {.refusal = "one of its arguments cannot be encoded"};
    } else {
      return {.refusal = "its result cannot be encoded"};
    }
  }

  static void encode(EncodedCall& out, const std::tuple<F, A...>& call) {
    if constexpr (is_sendable) {
      std::apply(
          [&](const F& function, const A&... arguments) {
            FunctionCodec<F>::encode(out.bytes(), function);
            (ArgumentCodec<A>::encode(out, arguments), ...);
          },
          call);
    }
  }

 private:
  static void run(TaskContext& context, std::string_view call, ResultSink& sink) {
    ByteReader in(call, "a task's call");
    F function = FunctionCodec<F>::decode(in);
    std::tuple<typename ArgumentCodec<A>::Decoded...> arguments{
        typename ArgumentCodec<A>::Decoded(in)...};  // braces: left to right
    in.finish();
    const auto invoke = [&](typename ArgumentCodec<A>::Decoded&... each) -> decltype(auto) {
      if constexpr (has_remote_call<F>) {
        return function.call_remotely(each.pass()...);
      } else if constexpr (TakesStopToken<F, A...>) {
        return std::invoke(std::move(function), context.stop_token(), each.pass()...);
      } else {
        return std::invoke(std::move(function), each.pass()...);
      }
    };
    if constexpr (std::is_void_v<Result>) {
      std::apply(invoke, arguments);
      sink.send({});
    } else {
      const Result result = std::apply(invoke, arguments);
      ResultCodec<Result>::send(sink, result);
    }
  }
};

/// Does nothing for a function that can be sent to another process; others do not compile, and the
/// message says why and what to do.
template <class F>
constexpr void assert_sendable_function() {
  static_assert(!std::is_pointer_v<F> || std::is_function_v<std::remove_pointer_t<F>>,
                "a pointer to a function object means nothing in another process");
  static_assert(is_sendable_function<F> || std::is_pointer_v<F>,
                "this function cannot be sent to another process, because it holds more than plain "
                "bytes (a std::function, or a lambda that captures a string, a vector, a smart "
                "pointer): give a plain function, or capture nothing and pass what it needs as "
                "arguments");
}

/// The same for a function with its arguments and its result.
template <class F, class... A>
constexpr void assert_sendable_call() {
  assert_sendable_function<F>();
  [[maybe_unused]] const auto check_argument = []<class T>(std::type_identity<T>) {
    if constexpr (is_const_reference<T>) {
      assert_sendable<std::remove_const_t<typename T::type>>();
    } else if constexpr (!ArgumentCodec<T>::is_sendable) {
      assert_sendable<T>();
    }
  };
  (check_argument(std::type_identity<A>()), ...);
  using Result = TaskResultType<F, A...>;
  if constexpr (!ResultCodec<Result>::is_sendable) assert_sendable<Result>();
}

/// The same for a function that is mapped over inputs, of which many travel at once: a text pointer
/// among them would arrive as it is.
template <class F, class... Inputs>
constexpr void assert_sendable_map() {
  assert_sendable_function<F>();
  (assert_sendable<Inputs>(), ...);
  using Result = std::decay_t<std::invoke_result_t<F&, Inputs...>>;
  if constexpr (!ResultCodec<Result>::is_sendable) assert_sendable<Result>();
}

/// Whether T can be copied: std::is_copy_constructible says so of every vector, whatever is in it.
template <class T>
inline constexpr bool is_copyable = std::is_copy_constructible_v<T>;
template <class T>
requires requires { typename T::value_type; }
inline constexpr bool is_copyable<T> =
    std::is_copy_constructible_v<T> && is_copyable<typename T::value_type>;
template <class... T>
inline constexpr bool is_copyable<std::tuple<T...>> = (is_copyable<T> && ...);
template <class A, class B>
inline constexpr bool is_copyable<std::pair<A, B>> = is_copyable<A>&& is_copyable<B>;

struct NoStopSource {};

/// One call of `F` with copies of `A...`, which are moved into it.
template <class F, class... A>
class Task final : public SharedState<StoredType<TaskResultType<F, A...>>>, public TaskBase {
  using Result = TaskResultType<F, A...>;
  using Remote = RemoteInvocation<F, A...>;
  static constexpr bool stoppable = TakesStopToken<F, A...>;
  static constexpr bool copyable = is_copyable<F> && (is_copyable<A> && ...);

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
    end_call();
  }

  void refuse(std::exception_ptr error) noexcept override {
    this->keep_error(std::move(error));
    end_call();
  }

  /// For whoever an executor has refused it to: hands the function with its arguments to `take`, to
  /// make another task of, and this one has ended. False if a deadline had ended it before.
  template <class Take>
  bool take_back(std::exception_ptr refusal, Take take) {
    if (!start()) return false;
    take(std::move(*call_));
    refuse(std::move(refusal));
    SharedStateBase::complete().run();  // no watch is told: it never ran
    return true;
  }

  const RemoteCall& remote() const noexcept override {
    static constexpr RemoteCall description = Remote::description();
    return description;
  }

  void encode(EncodedCall& out) const override { Remote::encode(out, *call_); }

  void accept(Bytes&& result) noexcept override {
    if constexpr (Remote::is_sendable) {
      try {
        if constexpr (std::is_void_v<Result>) {
          this->emplace_value([] { return VoidValue(); });
        } else {
          this->emplace_value(
              [&]() -> Result { return ResultCodec<Result>::decode(std::move(result)); });
        }
      } catch (...) {
        this->keep_error(std::current_exception());
      }
      end_call();
    }
  }

  DoneCallbacks complete_and_drop() noexcept override {
    if (repeatable_) call_.reset();
    return SharedStateBase::complete_and_drop();
  }

  bool make_repeatable() noexcept override {
    repeatable_ = copyable;
    return copyable;
  }

  void rearm() noexcept override {
    if constexpr (stoppable) {
      this->reopen(home, [this] { stop_ = std::stop_source(); });
    } else {
      this->reopen(home, [] {});
    }
  }

  std::exception_ptr kept_error() const noexcept override { return this->error(); }

  bool run_here() noexcept override {
    // One that is watched may be queued again while its old place in a queue still points to it.
    TaskHome* const here = home.load(std::memory_order_acquire);
    return here != nullptr && here == TaskHome::of_this_thread() && !is_watched() &&
           here->run_nested(*this);
  }

  std::shared_ptr<WorkControl> control() noexcept override {
    TaskHome* const here = home.load(std::memory_order_acquire);
    return here != nullptr ? here->control() : nullptr;
  }

  std::optional<std::stop_source> note_stop() noexcept override {
    if constexpr (stoppable) {
      note_stop_request();
      return stop_;
    } else {
      return std::nullopt;
    }
  }

  void trigger_stop() noexcept override {
    if constexpr (stoppable) stop_.request_stop();
  }

 private:
  // Before the future completes: who waits for it may count on what the function held being free.
  void end_call() noexcept {
    if (!repeatable_) call_.reset();
  }

  Result call() {
    if constexpr (copyable) {
      if (repeatable_) {
        std::tuple<F, A...> copy = *call_;
        return call_with(copy);
      }
    }
    return call_with(*call_);
  }

  decltype(auto) call_with(std::tuple<F, A...>& call) {
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
        call);
  }

  std::optional<std::tuple<F, A...>> call_;
  bool repeatable_ = false;
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
  auto state = StatePtr<SharedState<StoredType<Result>>>::share_new(*made);
  return std::pair(std::move(task), FutureAccess::make<Result>(std::move(state)));
}

}  // namespace muster::detail
