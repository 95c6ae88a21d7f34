#include <utility>

#include <muster/patterns/rate_core.hpp>
#include <muster/patterns/rate_limited.hpp>

namespace muster {

RateLimitedExecutor::RateLimitedExecutor(Executor& inner, RateLimitOptions options)
    : core_(std::make_shared<detail::RateCore>(inner, options)) {}

RateLimitedExecutor::~RateLimitedExecutor() { core_->shutdown(true, false); }

void RateLimitedExecutor::execute(detail::TaskPtr task) {
  core_->execute(std::nullopt, std::move(task));
}

void RateLimitedExecutor::execute_for(std::string_view key, detail::TaskPtr task) {
  core_->execute(key, std::move(task));
}

void RateLimitedExecutor::shutdown(bool wait, bool cancel_pending) {
  core_->shutdown(wait, cancel_pending);
}

bool RateLimitedExecutor::drain(std::optional<Duration> timeout) { return core_->drain(timeout); }

unsigned RateLimitedExecutor::max_workers() const noexcept { return core_->max_workers(); }

std::size_t RateLimitedExecutor::waiting_count() const { return core_->waiting_count(); }

std::size_t RateLimitedExecutor::key_count() const { return core_->key_count(); }

}  // namespace muster
