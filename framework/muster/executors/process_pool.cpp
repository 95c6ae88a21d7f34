#include <utility>

#include <muster/executors/process_pool.hpp>
#include <muster/executors/processes/pool_core.hpp>

namespace muster {

ProcessPoolExecutor::ProcessPoolExecutor(ProcessPoolOptions options) {
  init();
  core_ = std::make_shared<detail::PoolCore>(std::move(options));
  core_->start();
}

ProcessPoolExecutor::~ProcessPoolExecutor() { core_->shutdown(true, false); }

SubmittedTask ProcessPoolExecutor::submit_raw(TaskFunction function, Bytes argument,
                                              RawTaskOptions options) {
  return core_->submit(function, std::move(argument), options);
}

std::optional<TaskProgress> ProcessPoolExecutor::progress(TaskId task) const {
  return core_->progress(task);
}

bool ProcessPoolExecutor::kill(TaskId task) { return core_->cancel_task(task); }

bool ProcessPoolExecutor::await_killed(Duration timeout) { return core_->await_killed(timeout); }

void ProcessPoolExecutor::shutdown(bool wait, bool cancel_pending) {
  core_->shutdown(wait, cancel_pending);
}

unsigned ProcessPoolExecutor::max_workers() const noexcept { return core_->max_workers(); }

std::vector<pid_t> ProcessPoolExecutor::worker_pids() const { return core_->worker_pids(); }

}  // namespace muster
