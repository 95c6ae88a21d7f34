#include <algorithm>
#include <cmath>
#include <utility>

#include <muster/patterns/retry_core.hpp>
#include <muster/patterns/retrying.hpp>

namespace muster {
namespace {

RetryOptions checked(RetryOptions options) {
  const auto check = [](bool is_sound, const char* message) {
    if (!is_sound) throw Error(ErrorCode::usage, message);
  };
  check(options.attempts_max >= 1, "RetryOptions: attempts_max is 0; give at least 1");
  check(options.delay >= Duration::zero() && options.delay_max >= Duration::zero(),
        "RetryOptions: a delay is negative");
  check(options.backoff >= 1 && std::isfinite(options.backoff),
        "RetryOptions: backoff is below 1: delays would shrink");
  check(options.jitter >= 0 && options.jitter <= 1, "RetryOptions: jitter is not from 0 to 1");
  return options;
}

}  // namespace

Duration retry_delay(const RetryOptions& options, unsigned failures, double random) noexcept {
  if (options.delay == Duration::zero()) return Duration::zero();  // 0 times infinity is no number
  const auto longest = static_cast<double>(options.delay_max.count());
  const double grown =
      static_cast<double>(options.delay.count()) * std::pow(options.backoff, failures - 1.0);
  const double factor = 1 + options.jitter * (2 * random - 1);
  const double delay = std::min(grown, longest) * factor;
  // The jitter may exceed the longest delay; nothing may exceed what a Duration can say.
  const auto representable = static_cast<double>(Duration::max().count()) / 2;
  return Duration(static_cast<Duration::rep>(std::min(delay, representable)));
}

RetryingExecutor::RetryingExecutor(Executor& inner, RetryOptions options)
    : core_(std::make_shared<detail::RetryCore>(inner, checked(std::move(options)))) {}

RetryingExecutor::~RetryingExecutor() { core_->shutdown(true, false); }

void RetryingExecutor::execute(detail::TaskPtr task) { core_->execute(std::move(task)); }

void RetryingExecutor::shutdown(bool wait, bool cancel_pending) {
  core_->shutdown(wait, cancel_pending);
}

bool RetryingExecutor::drain(std::optional<Duration> timeout) { return core_->drain(timeout); }

unsigned RetryingExecutor::max_workers() const noexcept { return core_->max_workers(); }

RetryStatistics RetryingExecutor::statistics() const { return core_->statistics(); }

}  // namespace muster
