#include <utility>

#include <muster/base/thread.hpp>
#include <muster/cluster/client/callback_thread.hpp>

namespace muster::cluster {

CallbackThread::CallbackThread()
    : thread_(start_thread("a thread for callbacks", [this] { run(); })) {}

CallbackThread::~CallbackThread() { end(); }

void CallbackThread::end() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void CallbackThread::post(detail::DoneCallbacks callbacks, std::function<void()> then) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back({std::move(callbacks), std::move(then)});
  }
  changed_.notify_one();
}

void CallbackThread::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    // For ever: the owner ends it.
    changed_.wait(lock, [this] { return ending_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    std::vector<Job> taken = std::exchange(jobs_, {});
    lock.unlock();
    for (Job& each : taken) {
      each.callbacks.run();
      if (each.then) each.then();
    }
    taken.clear();
    lock.lock();
  }
}

}  // namespace muster::cluster
