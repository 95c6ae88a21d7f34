#include <muster/base/futex.hpp>
#include <muster/executors/processes/stop_watcher.hpp>

namespace muster::detail {

std::stop_token StopWatcher::token_for(TaskId task) {
  std::stop_token token;
  {
    const std::lock_guard lock(mutex_);
    task_ = task.value;
    source_ = std::stop_source();
    token = source_.get_token();
    if (!watching_) std::thread([this] { watch(); }).detach();  // ends with the process
    watching_ = true;
  }
  pass_on();  // it may have been asked before
  return token;
}

void StopWatcher::task_ended() noexcept {
  const std::lock_guard lock(mutex_);
  task_ = 0;
}

void StopWatcher::watch() {
  for (;;) {
    const std::uint32_t seen = header_.stop_count.load(std::memory_order_acquire);
    pass_on();
    futex_wait_shared(header_.stop_count, seen);  // without end: so is the process's life
  }
}

void StopWatcher::pass_on() {
  std::stop_source source{std::nostopstate};
  {
    const std::lock_guard lock(mutex_);
    const bool asked = task_ != 0 && header_.stop_task.load(std::memory_order_acquire) == task_;
    if (asked) source = source_;
  }
  // With no lock held: it runs the task's own stop callbacks.
  if (source.stop_possible()) source.request_stop();
}

}  // namespace muster::detail
