#include <utility>

#include <muster/base/forks.hpp>
#include <muster/executors/thread_pool.hpp>
#include <muster/executors/threads/thread_pool_core.hpp>

namespace muster {

ThreadPoolExecutor::ThreadPoolExecutor(ThreadPoolOptions options)
    : core_(std::make_unique<detail::ThreadPoolCore>(std::move(options))) {}

ThreadPoolExecutor::~ThreadPoolExecutor() {
  core_->shutdown(true, false);
  // A forked child has none of the threads, and somebody may have waited for the pool at the fork.
  if (!core_->is_here()) keep_for_ever(std::shared_ptr<detail::ThreadPoolCore>(std::move(core_)));
}

void ThreadPoolExecutor::shutdown(bool wait, bool cancel_pending) {
  core_->shutdown(wait, cancel_pending);
}

bool ThreadPoolExecutor::drain(std::optional<Duration> timeout) { return core_->drain(timeout); }

void ThreadPoolExecutor::execute(detail::TaskPtr task) { core_->execute(std::move(task)); }

unsigned ThreadPoolExecutor::max_workers() const noexcept { return core_->max_workers(); }

unsigned ThreadPoolExecutor::thread_count() const { return core_->thread_count(); }

}  // namespace muster
