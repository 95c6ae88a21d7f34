#include <array>

#include <muster/executors/process_pool.hpp>
#include <muster/executors/thread_pool.hpp>

#include "contract.hpp"

namespace muster::conformance {
namespace {

/// Passes everything on: what a decorator of executors is at the least.
class PassThrough final : public Executor {
 public:
  explicit PassThrough(std::unique_ptr<Executor> inner) : inner_(std::move(inner)) {}

  void execute(detail::TaskPtr task) override { inner_->execute(std::move(task)); }
  void shutdown(bool wait, bool cancel_pending) override { inner_->shutdown(wait, cancel_pending); }
  unsigned max_workers() const noexcept override { return inner_->max_workers(); }

 private:
  std::unique_ptr<Executor> inner_;
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

std::unique_ptr<Executor> make_decorated(unsigned workers) {
  return std::make_unique<PassThrough>(make_threads(workers));
}

}  // namespace

std::span<const Kind> kinds() {
  static const std::array<Kind, 3> all = {{
      {.name = "threads", .make = make_threads, .shares_memory = true, .takes_anything = true},
      {.name = "processes",
       .make = make_processes,
       .kills_running = true,
       .isolates_crashes = true},
      {.name = "decorated", .make = make_decorated, .shares_memory = true, .takes_anything = true},
  }};
  return all;
}

}  // namespace muster::conformance
