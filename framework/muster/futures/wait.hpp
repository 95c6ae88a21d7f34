#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <ranges>
#include <span>
#include <unordered_set>
#include <utility>
#include <vector>

#include <muster/base/clock.hpp>
#include <muster/futures/future.hpp>

namespace muster {

/// What wait() waits for.
enum class ReturnWhen : std::uint8_t {
  all_completed,    ///< until all are done
  first_completed,  ///< until one is done, cancelled ones included
  first_exception,  ///< as soon as one fails (a cancelled one has not failed); else as
                    ///< all_completed
};

/// How long wait() waits.
struct WaitOptions {
  ReturnWhen return_when = ReturnWhen::all_completed;  ///< for which of them
  std::optional<Duration> timeout = std::nullopt;      ///< none: for ever; 0: only look
};

/// The futures given to wait(), each once.
template <class T>
struct WaitResult {
  std::vector<Future<T>> done;      ///< finished or cancelled; in the order given
  std::vector<Future<T>> not_done;  ///< the others; in the order given
};

namespace detail {

/// Waits until enough of `states` are done or the timeout is over. No state may occur twice.
void wait_for_states(std::span<SharedStateBase* const> states, const WaitOptions& options);

}  // namespace detail

/// Waits for futures, of any executors. A future given twice counts, and is returned, once. A
/// timeout never throws: what is not done by then is in `not_done`. A cancelled future is done.
template <std::ranges::input_range Futures>
auto wait(Futures&& futures, const WaitOptions& options = {}) {
  using AnyFuture = std::ranges::range_value_t<Futures>;
  WaitResult<typename AnyFuture::value_type> result;
  std::vector<AnyFuture> unique;
  std::vector<detail::SharedStateBase*> states;
  std::unordered_set<AnyFuture> seen;
  for (const AnyFuture& future : futures) {
    if (!seen.insert(future).second) continue;
    unique.push_back(future);
    states.push_back(&detail::FutureAccess::state(future));
  }
  detail::wait_for_states(states, options);
  for (AnyFuture& future : unique) {
    (future.done() ? result.done : result.not_done).push_back(std::move(future));
  }
  return result;
}

}  // namespace muster
