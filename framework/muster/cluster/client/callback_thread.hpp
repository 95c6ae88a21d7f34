#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include <muster/futures/future_state.hpp>

namespace muster::cluster {

/// A thread that runs callbacks of futures, in the order in which they come, so that those who
/// complete futures can go on. Thread-safe.
class CallbackThread {
 public:
  CallbackThread();   ///< throws as start_thread() does
  ~CallbackThread();  ///< runs what it has got
  CallbackThread(const CallbackThread&) = delete;
  CallbackThread& operator=(const CallbackThread&) = delete;

  /// `then` is called after them, if it is there.
  void post(detail::DoneCallbacks callbacks, std::function<void()> then);
  bool is_this_thread() const noexcept { return std::this_thread::get_id() == thread_.get_id(); }
  /// Runs what it has got, and ends. Not by itself.
  void end();

 private:
  struct Job {
    detail::DoneCallbacks callbacks;
    std::function<void()> then;
  };
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Job> jobs_;
  bool ending_ = false;
  std::thread thread_;  // the last: it uses the others
};

}  // namespace muster::cluster
