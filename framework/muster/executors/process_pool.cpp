#include <csignal>
#include <memory>
#include <utility>

#include <muster/base/forks.hpp>
#include <muster/executors/process_pool.hpp>
#include <muster/executors/processes/pool_core.hpp>
#include <muster/executors/processes/raw_task.hpp>

namespace muster {

ProcessPoolExecutor::ProcessPoolExecutor(ProcessPoolOptions options) {
  init();
  core_ = std::make_shared<detail::PoolCore>(std::move(options), detail::own_zygote());
  core_->start();
}

ProcessPoolExecutor::~ProcessPoolExecutor() {
  core_->shutdown(true, false);
  if (core_->is_here()) return;
  // A forked child has no thread to join, and the task processes are not its own to end.
  keep_for_ever(std::move(core_));
}

Future<Bytes> ProcessPoolExecutor::submit_raw(TaskFunction function, Bytes argument,
                                              const TaskOptions& options) {
  if (function == nullptr) throw Error(ErrorCode::usage, "the task has no function");
  auto* made = new detail::RawTask(function, std::move(argument));
  detail::TaskPtr task(made);
  auto future =
      detail::FutureAccess::make<Bytes>(detail::StatePtr<detail::SharedState<Bytes>>::share(*made));
  detail::set_options(*task, options);
  execute(std::move(task));
  return future;
}

void ProcessPoolExecutor::execute(detail::TaskPtr task) { core_->execute(std::move(task)); }

std::optional<TaskProgress> ProcessPoolExecutor::progress_of(detail::SharedStateBase& work) const {
  return core_->progress(work);
}

bool ProcessPoolExecutor::await_killed(Duration timeout) { return core_->await_killed(timeout); }

void ProcessPoolExecutor::shutdown(bool wait, bool cancel_pending) {
  core_->shutdown(wait, cancel_pending);
}

bool ProcessPoolExecutor::drain(std::optional<Duration> timeout) { return core_->drain(timeout); }

void ProcessPoolExecutor::terminate_workers() { core_->terminate(SIGTERM); }
void ProcessPoolExecutor::kill_workers() { core_->terminate(SIGKILL); }

unsigned ProcessPoolExecutor::max_workers() const noexcept { return core_->max_workers(); }

std::vector<pid_t> ProcessPoolExecutor::worker_pids() const { return core_->worker_pids(); }

}  // namespace muster
