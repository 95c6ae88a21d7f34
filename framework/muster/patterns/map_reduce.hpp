#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <ranges>
#include <type_traits>
#include <utility>

#include <muster/executors/sending_executor.hpp>
#include <muster/patterns/reduce_chunk.hpp>

namespace muster {

/// A reduce function of which (a, b), c gives the same as a, (b, c). Made by associative().
template <class F>
struct Associative {
  F function;  ///< the reduce function itself
};

/// Says of a reduce function that it is associative, so that map_reduce() may also reduce inside
/// the tasks: `map_reduce(pool, inputs, map, associative(std::plus<>()), 0)`. It need not be
/// commutative.
template <class F>
Associative<F> associative(F function) {
  return {std::move(function)};
}

/// Calls map(input) in the executor for every input, and folds what that returns in the order of
/// the inputs, in the calling thread: `value = reduce(value, mapped)`, beginning with `init`. So
/// reduce needs to be neither associative nor commutative. Both arguments are handed over as
/// rvalues, so they may be move-only.
///
/// Inputs are taken lazily by the calling thread: at most options.buffer_size of them are between
/// the input and the fold. A range given as an lvalue must not change meanwhile.
///
/// What map, reduce or the range throw ends it and is thrown: of several mapped exceptions the one
/// of the first input. TimeoutError if the last result is not there options.timeout after the call.
/// In either case nothing more starts; what runs already runs on, and its result is dropped. Throws
/// Error(usage) for sizes below 1, and what Executor::submit() throws.
///
/// Thread-safe, as far as the inputs are. `map` is copied into every task, and nothing in a task
/// refers to the caller, so it may be used with any executor, of processes too.
template <std::ranges::input_range Inputs, class Map, class Reduce, class Value,
          ExecutorReference E>
Value map_reduce(E&& executor, Inputs&& inputs, Map map, Reduce reduce, Value init,
                 const MapOptions& options = {}) {
  using Input = std::ranges::range_value_t<Inputs>;
  static_assert(std::invocable<Map&, Input>, "map_reduce: map cannot be called with an input");
  using Mapped = std::decay_t<std::invoke_result_t<Map&, Input>>;
  static_assert(!std::is_void_v<Mapped>, "map_reduce: map returns nothing that could be reduced");
  static_assert(std::invocable<Reduce&, Value, Mapped>,
                "map_reduce: reduce cannot be called with (init, what map returns)");
  static_assert(std::convertible_to<std::invoke_result_t<Reduce&, Value, Mapped>, Value>,
                "map_reduce: what reduce returns does not convert to the type of init");
  auto results =
      detail::as_executor(executor).map(std::move(map), std::forward<Inputs>(inputs), options);
  for (auto& mapped : results) {
    init = static_cast<Value>(std::invoke(reduce, std::move(init), std::move(mapped)));
  }
  return init;
}

/// The same for a reduce function that is associative(): each task maps and reduces a chunk of
/// inputs, and only one value a chunk travels back. Inside the tasks everything is of init's type:
/// what map returns is converted to that, and reduce called with two of it. `init` takes part once.
/// `reduce` too is copied into every task.
template <std::ranges::input_range Inputs, class Map, class Reduce, class Value,
          ExecutorReference E>
Value map_reduce(E&& executor, Inputs&& inputs, Map map, Associative<Reduce> reduce, Value init,
                 const MapOptions& options = {}) {
  using Input = std::ranges::range_value_t<Inputs>;
  static_assert(std::invocable<Map&, Input>, "map_reduce: map cannot be called with an input");
  using Mapped = std::decay_t<std::invoke_result_t<Map&, Input>>;
  static_assert(!std::is_void_v<Mapped>, "map_reduce: map returns nothing that could be reduced");
  static_assert(std::convertible_to<Mapped, Value>,
                "map_reduce: what map returns does not convert to the type of init, which an "
                "associative reduce works on");
  static_assert(
      std::invocable<Reduce&, Value, Value>,
      "map_reduce: an associative reduce cannot be called with two values of init's type");
  static_assert(std::convertible_to<std::invoke_result_t<Reduce&, Value, Value>, Value>,
                "map_reduce: what reduce returns does not convert to the type of init");
  detail::ReduceSizer sizer(options, detail::as_executor(executor).max_workers());
  const MapOptions by_chunk{.timeout = options.timeout,
                            .chunk_size = 1,
                            .buffer_size = sizer.chunks_max(),
                            .buffer_bytes = options.buffer_bytes};
  auto results = detail::as_executor(executor).map(
      detail::ReduceChunk<Map, Reduce, Value, Input>{std::move(map), reduce.function},
      detail::InputChunks<Inputs>(std::forward<Inputs>(inputs), sizer), by_chunk);
  for (auto& [partial, elapsed_ns] : results) {
    sizer.measured(Duration(elapsed_ns));
    init = static_cast<Value>(std::invoke(reduce.function, std::move(init), std::move(partial)));
  }
  return init;
}

}  // namespace muster
