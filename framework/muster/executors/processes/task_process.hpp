#pragma once

#include <string_view>

#include <sys/types.h>

#include <muster/base/adaptive_spin.hpp>
#include <muster/base/adaptive_yield.hpp>
#include <muster/executors/processes/frame.hpp>
#include <muster/executors/processes/ring.hpp>
#include <muster/executors/processes/shared_area.hpp>
#include <muster/executors/processes/stop_watcher.hpp>
#include <muster/executors/processes/wakeup.hpp>

namespace muster::detail {

struct TaskProcessSetup {
  int memory;  // memfd of the SharedArea
  int wake;    // eventfd that wakes the pool's thread
  int lead;    // eventfd that wakes a thread that waits for a future
  int output;  // becomes stdout and stderr
  pid_t zygote;
};

/// The child's end: takes tasks from its ring, runs them one by one, and puts the replies into the
/// other ring. It may block, on input and on space, since its only duty is to the parent.
/// Single-threaded itself; a task may use threads.
class TaskProcess {
 public:
  TaskProcess(SharedArea area, int wake, int lead);

  /// Returns when the parent asked to close.
  void run();

 private:
  class Sink;

  void run_task(const FrameHeader& task, std::string_view call, bool call_lost);
  void initialize(const FrameHeader& frame, std::string_view call);
  void fail(const FrameHeader& task, std::string_view error);
  void reply(const FrameHeader& task, FrameKind kind, std::string_view payload);
  void push(std::string_view bytes);
  bool await_frame();
  void publish_consumed();
  void notify_parent();

  template <class Ready>
  void sleep_until(ChildSleep reason, bool in_frame, Ready ready);

  SharedArea area_;
  SharedHeader& header_;
  int wake_;
  int lead_;
  std::uint64_t retire_rss_bytes_;
  StopWatcher stop_;
  RingReader input_;
  RingWriter output_;
  FrameReader frames_;
  AdaptiveSpin spin_;
  AdaptiveYield yield_;
  bool slept_ = false;
};

/// The whole life of a task process, from just after the fork.
[[noreturn]] void task_process_main(const TaskProcessSetup& setup) noexcept;

/// True in a process that task_process_main was called in.
bool is_task_process() noexcept;

}  // namespace muster::detail
