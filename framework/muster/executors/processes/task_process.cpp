#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>

#include <sys/prctl.h>
#include <unistd.h>

#include <muster/base/error.hpp>
#include <muster/base/freed_memory.hpp>
#include <muster/base/units.hpp>
#include <muster/executors/code_address.hpp>
#include <muster/executors/error_codec.hpp>
#include <muster/executors/processes/process_setup.hpp>
#include <muster/executors/processes/task_process.hpp>
#include <muster/executors/processes/wakeup.hpp>
#include <muster/executors/remote_call.hpp>
#include <muster/executors/task_context.hpp>

namespace muster::detail {
namespace {

constexpr int exit_broken_ring = 70;  // EX_SOFTWARE of sysexits.h

bool in_task_process_flag = false;

std::uint64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  statm >> size >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

RemoteFunction function_of(const FrameHeader& frame) {
  const auto function = reinterpret_cast<RemoteFunction>(frame.function);
  require_code(reinterpret_cast<const void*>(function));
  return function;
}

[[noreturn]] void await_kill() {
  // The parent has announced it, and if the parent dies, the kernel kills us.
  for (;;) ::pause();
}

}  // namespace

// Sends a result as the reply to one task.
class TaskProcess::Sink final : public ResultSink {
 public:
  Sink(TaskProcess& process, const FrameHeader& task) : process_(process), task_(task) {}

  void send(std::string_view result) override {
    const std::uint64_t bytes_max = process_.area_.geometry().message_bytes_max;
    if (result.size() > bytes_max) {
      throw Error(ErrorCode::limit, "the result has " + format_bytes(result.size()) +
                                        ", more than the limit of " + format_bytes(bytes_max));
    }
    std::fflush(stdout);  // before the reply, so that a task's output precedes its end
    process_.reply(task_, FrameKind::value, result);
  }

 private:
  TaskProcess& process_;
  const FrameHeader& task_;
};

TaskProcess::TaskProcess(SharedArea area, int wake, int lead)
    : area_(std::move(area)),
      header_(area_.header()),
      wake_(wake),
      lead_(lead),
      retire_rss_bytes_(area_.geometry().retire_rss_bytes),
      stop_(header_),
      input_(header_.to_child, area_.to_child_data(), area_.geometry().ring_bytes),
      output_(header_.to_parent, area_.to_parent_data(), area_.geometry().ring_bytes),
      frames_(area_.geometry().message_bytes_max + call_prefix_bytes),
      spin_(area_.geometry().spin != 0) {}

void TaskProcess::run() {
  while (await_frame()) {
    if (frames_.header().kind == FrameKind::initialize) {
      initialize(frames_.header(), frames_.payload());
    } else {
      run_task(frames_.header(), frames_.payload(), frames_.payload_lost());
    }
    if (retire_rss_bytes_ != 0 && resident_bytes() > retire_rss_bytes_) {
      header_.wants_to_retire.store(1, std::memory_order_relaxed);
    }
  }
}

// If it fails, that is reported, and this process does nothing any more.
void TaskProcess::initialize(const FrameHeader& frame, std::string_view call) {
  class NoResult final : public ResultSink {
    void send(std::string_view) override {}
  } sink;
  const auto error = encode_error_of([&] {
    TaskContext context(TaskId{}, header_.position, header_.progress, stop_);
    function_of(frame)(context, call, sink);
  });
  if (!error) return;
  fail(frame, *error);
  await_kill();
}

/// Waits for the next task. False if there is to be none.
bool TaskProcess::await_frame() {
  for (;;) {
    const FrameReader::Outcome outcome = frames_.next(input_);
    if (outcome == FrameReader::Outcome::broken) std::_Exit(exit_broken_ring);
    if (outcome == FrameReader::Outcome::frame) {
      if (input_.unpublished() >= input_.capacity() / 4) publish_consumed();
      return frames_.header().kind != FrameKind::close;
    }
    publish_consumed();
    sleep_until(child_awaits_input, frames_.in_frame(),
                [this] { return input_.available() != 0 || input_.broken(); });
  }
}

void TaskProcess::run_task(const FrameHeader& task, std::string_view call, bool call_lost) {
  std::atomic<std::uint64_t>& slot = header_.slots[task.slot % slots_max];
  const TaskId id{task.task};
  header_.position.store(0, std::memory_order_relaxed);
  header_.progress.store(0, std::memory_order_relaxed);
  if (task.kind == FrameKind::timed_task) {
    const Duration now = Clock::now().time_since_epoch();
    header_.started_ns.store(now.count(), std::memory_order_relaxed);
  }
  std::uint64_t expected = slot_word(id, SlotState::queued);
  if (!slot.compare_exchange_strong(expected, slot_word(id, SlotState::running))) {
    reply(task, FrameKind::skipped, {});
    return;
  }
  const auto error = encode_error_of([&] {
    if (call_lost) {
      throw Error(ErrorCode::limit,
                  "no memory in the task process for an argument of " + format_bytes(task.size));
    }
    TaskContext context(id, header_.position, header_.progress, stop_);
    Sink sink(*this, task);
    function_of(task)(context, call, sink);
  });
  if (error) fail(task, *error);
  stop_.task_ended();
  // The parent may have seen the reply and given the slot to another task already: then it is not
  // ours to change.
  expected = slot_word(id, SlotState::running);
  slot.compare_exchange_strong(expected, slot_word(id, SlotState::done));
  // The parent is about to kill it, or has sent SIGTERM, which the task has survived.
  if (expected == slot_word(id, SlotState::withdrawn)) std::_Exit(0);
}

void TaskProcess::fail(const FrameHeader& task, std::string_view error) {
  std::fflush(stdout);
  reply(task, FrameKind::error, error);
}

void TaskProcess::reply(const FrameHeader& task, FrameKind kind, std::string_view payload) {
  FrameHeader header = task;
  header.kind = kind;
  header.size = payload.size();
  push(as_bytes(header));
  push(payload);
  output_.publish();
  if (std::exchange(slept_, false) &&
      header_.parent_sleeps.load(std::memory_order_relaxed) == parent_looks) {
    yield_();  // who woke this process, and looks for the reply, may wait for this very CPU
    if (output_.is_drained()) return;
  }
  notify_parent();
}

void TaskProcess::push(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t written = output_.write(bytes.substr(0, piece_bytes));
    bytes.remove_prefix(written);
    if (output_.broken()) std::_Exit(exit_broken_ring);
    if (bytes.empty()) return;
    output_.publish();
    notify_parent();
    if (written != 0) continue;
    sleep_until(child_awaits_space, true,
                [this] { return output_.space() != 0 || output_.broken(); });
  }
}

void TaskProcess::publish_consumed() {
  input_.publish();  // of large frames, pieces were before
  std::atomic_thread_fence(std::memory_order_seq_cst);
  // Not taken back here: the parent may have been given this space already, and wait for more.
  if (header_.parent_awaits_space.load(std::memory_order_relaxed) != 0) notify_parent();
}

/// Wakes whoever sleeps in the parent. The fence stands between what was published before and the
/// look at the flag; the parent sets the flag, fences, and looks at the rings. One of the two sees
/// the other.
void TaskProcess::notify_parent() {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (header_.parent_sleeps.load(std::memory_order_relaxed) == parent_looks) return;
  const std::uint32_t sleeper = header_.parent_sleeps.exchange(parent_looks);
  if (sleeper != parent_looks) signal_eventfd(sleeper == leader_sleeps ? lead_ : wake_);
}

template <class Ready>
void TaskProcess::sleep_until(ChildSleep reason, bool in_frame, Ready ready) {
  if (spin_.until(ready, in_frame ? rest_of_frame : Duration::zero())) return;
  slept_ = true;
  for (;;) {
    header_.child_sleeps.store(reason, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    const bool is_ready = ready();
    if (!is_ready) futex_wait_shared(header_.child_sleeps, reason);
    header_.child_sleeps.store(child_awake, std::memory_order_relaxed);
    if (is_ready || ready()) return;
  }
}

void task_process_main(const TaskProcessSetup& setup) noexcept {
  in_task_process_flag = true;
  die_with_parent(setup.zygote);
  reset_signals();
  ::prctl(PR_SET_NAME, "muster-task");
  try {
    SharedArea area = SharedArea::map(setup.memory);
    point_to_null(STDIN_FILENO, STDIN_FILENO);
    ::dup2(setup.output, STDOUT_FILENO);
    ::dup2(setup.output, STDERR_FILENO);
    int kept[] = {setup.wake, setup.lead};
    keep_only(kept);
    apply_limits(area.geometry().limits);
    keep_freed_memory();
    // A pipe would make stdout fully buffered, and what a task printed would die with it. With a
    // buffer of our own, since otherwise the old one, set up for another mode, would stay in use.
    static char buffer[BUFSIZ];
    ::setvbuf(stdout, buffer, _IOLBF, sizeof(buffer));
    TaskProcess(std::move(area), kept[0], kept[1]).run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "muster: the task process cannot go on: %s\n", error.what());
    std::_Exit(exit_broken_ring);
  }
  std::fflush(nullptr);
  std::_Exit(0);
}

bool is_task_process() noexcept { return in_task_process_flag; }

}  // namespace muster::detail
