#include <array>
#include <exception>
#include <optional>

#include <muster/cluster/client/cluster_executor.hpp>
#include <muster/executors/process_pool.hpp>
#include <muster/executors/thread_pool.hpp>
#include <muster/patterns/rate_limited.hpp>
#include <muster/patterns/retrying.hpp>

#include "contract.hpp"
#include "support/local_cluster.hpp"

namespace muster::conformance {
namespace {

/// A decorator and what it decorates, as one executor.
template <class Decorator, class Options>
class Decorated final : public Executor {
 public:
  Decorated(std::unique_ptr<Executor> inner, Options options)
      : inner_(std::move(inner)), decorator_(*inner_, std::move(options)) {}

  void execute(detail::TaskPtr task) override { decorator_.execute(std::move(task)); }
  void shutdown(bool wait, bool cancel_pending) override {
    decorator_.shutdown(false, cancel_pending);
    // Without a wait the decorator may still have to hand tasks on.
    if (cancel_pending) inner_->shutdown(false, true);
    if (!wait) return;
    decorator_.shutdown(true);
    inner_->shutdown(true);
  }
  bool drain(std::optional<Duration> timeout) override { return decorator_.drain(timeout); }
  unsigned max_workers() const noexcept override { return decorator_.max_workers(); }

 private:
  std::unique_ptr<Executor> inner_;
  Decorator decorator_;
};

std::unique_ptr<Executor> make_threads(unsigned workers) {
  return std::make_unique<ThreadPoolExecutor>(ThreadPoolOptions{.max_workers = workers});
}

std::unique_ptr<Executor> make_processes(unsigned workers) {
  ProcessPoolOptions options;
  options.max_workers = workers;
  options.on_output = [](std::string_view) {};
  return std::make_unique<ProcessPoolExecutor>(std::move(options));
}

/// With its cluster.
class ClusterOfItsOwn final : public Executor {
 public:
  explicit ClusterOfItsOwn(unsigned workers)
      : cluster_({.workers = 1, .slots = workers}), executor_(cluster_.address()) {}

  void execute(detail::TaskPtr task) override { executor_.execute(std::move(task)); }
  void shutdown(bool wait, bool cancel_pending) override {
    executor_.shutdown(wait, cancel_pending);
  }
  bool drain(std::optional<Duration> timeout) override { return executor_.drain(timeout); }
  unsigned max_workers() const noexcept override { return executor_.max_workers(); }

 private:
  test::LocalCluster cluster_;
  ClusterExecutor executor_;
};

std::unique_ptr<Executor> make_cluster(unsigned workers) {
  return std::make_unique<ClusterOfItsOwn>(workers);
}

std::unique_ptr<Executor> make_retrying(unsigned workers) {
  RetryOptions options;  // every task is one that could be run again
  options.retry_if = [](const std::exception_ptr&) { return false; };
  return std::make_unique<Decorated<RetryingExecutor, RetryOptions>>(make_threads(workers),
                                                                     std::move(options));
}

std::unique_ptr<Executor> make_rate_limited(unsigned workers) {
  constexpr double quick = 1e6;
  return std::make_unique<Decorated<RateLimitedExecutor, RateLimitOptions>>(
      make_processes(workers), RateLimitOptions{.per_second = quick});
}

}  // namespace

std::span<const Kind> kinds() {
  static const std::array<Kind, 5> all = {{
      {.name = "threads", .make = make_threads, .takes_anything = true},
      {.name = "processes", .make = make_processes, .kills_running = true},
      {.name = "cluster", .make = make_cluster, .kills_running = true, .is_cluster = true},
      {.name = "retrying", .make = make_retrying, .is_decorator = true},
      {.name = "rate_limited",
       .make = make_rate_limited,
       .kills_running = true,
       .is_decorator = true},
  }};
  return all;
}

std::span<const Kind> sending_kinds() { return kinds().subspan(1, 2); }

}  // namespace muster::conformance
