#include <algorithm>

#include <muster/scheduling/retry_policy.hpp>

namespace muster::scheduling {

std::optional<Duration> RetryPolicy::charge(FailureRecord& record, FailureCause cause,
                                            const RetryBudgets& budgets) {
  ++record.failures;
  const std::uint32_t charged = ++record.charges[cause];
  if (charged >= budgets.of(cause)) return std::nullopt;
  const bool may_pass = cause == FailureCause::killed || cause == FailureCause::input_lost;
  return may_pass ? delay_after(charged) : Duration::zero();
}

Duration RetryPolicy::delay_after(std::uint32_t failures) {
  if (failures < 2) return Duration::zero();
  Duration delay = std::min(back_off_.first, back_off_.longest);
  for (std::uint32_t n = 2; n < failures && delay < back_off_.longest; ++n)
    delay = std::min(delay * 2, back_off_.longest);
  const double factor = 0.5 + random_.unit() / 2;
  return Duration(static_cast<Duration::rep>(static_cast<double>(delay.count()) * factor));
}

}  // namespace muster::scheduling
