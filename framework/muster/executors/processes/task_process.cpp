#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

#include <sys/prctl.h>
#include <unistd.h>

#include <muster/base/error.hpp>
#include <muster/base/units.hpp>
#include <muster/executors/error_codec.hpp>
#include <muster/executors/processes/process_setup.hpp>
#include <muster/executors/processes/task_process.hpp>
#include <muster/executors/task_context.hpp>

namespace muster::detail {
namespace {

constexpr int exit_broken_ring = 70;  // EX_SOFTWARE of sysexits.h

bool in_task_process_flag = false;

[[noreturn]] void await_kill() {
  // The parent has announced it, and if the parent dies, the kernel kills us.
  for (;;) ::pause();
}

Bytes call_checked(const FrameHeader& task, TaskContext& context, std::string_view argument,
                   bool argument_lost, std::uint64_t bytes_max) {
  if (argument_lost) {
    throw Error(ErrorCode::limit,
                "no memory in the task process for an argument of " + format_bytes(task.size));
  }
  const auto function = reinterpret_cast<TaskFunction>(task.function);
  Bytes result = function(context, argument);
  if (result.size() > bytes_max) {
    throw Error(ErrorCode::limit, "the result has " + format_bytes(result.size()) +
                                      ", more than the limit of " + format_bytes(bytes_max));
  }
  return result;
}

}  // namespace

TaskProcess::TaskProcess(SharedArea area, int wake)
    : area_(std::move(area)),
      header_(area_.header()),
      wake_(wake),
      input_(header_.to_child, area_.to_child_data(), area_.geometry().ring_bytes),
      output_(header_.to_parent, area_.to_parent_data(), area_.geometry().ring_bytes),
      frames_(area_.geometry().message_bytes_max),
      spin_(area_.geometry().spin != 0) {}

void TaskProcess::run() {
  while (await_frame()) {
    run_task(frames_.header(), frames_.payload(), frames_.payload_lost());
  }
}

/// Waits for the next task. False if there is to be none.
bool TaskProcess::await_frame() {
  for (;;) {
    const FrameReader::Outcome outcome = frames_.next(input_);
    if (outcome == FrameReader::Outcome::broken) std::_Exit(exit_broken_ring);
    if (outcome == FrameReader::Outcome::frame) {
      if (input_.unpublished() >= input_.capacity() / 4) publish_consumed();
      return frames_.header().kind == FrameKind::task;
    }
    publish_consumed();
    sleep_until(child_awaits_input, [this] { return input_.available() != 0 || input_.broken(); });
  }
}

void TaskProcess::run_task(const FrameHeader& task, std::string_view argument, bool argument_lost) {
  std::atomic<std::uint64_t>& slot = header_.slots[task.slot % slots_max];
  const TaskId id{task.task};
  header_.position.store(0, std::memory_order_relaxed);
  header_.progress.store(0, std::memory_order_relaxed);
  std::uint64_t expected = slot_word(id, SlotState::queued);
  if (!slot.compare_exchange_strong(expected, slot_word(id, SlotState::running))) {
    reply(task, FrameKind::skipped, {});
    return;
  }
  try {
    TaskContext context(id, header_.position, header_.progress);
    const Bytes result =
        call_checked(task, context, argument, argument_lost, area_.geometry().message_bytes_max);
    std::fflush(stdout);  // before the reply, so that a task's output precedes its end
    reply(task, FrameKind::value, result);
  } catch (...) {
    const Bytes description = encode_current_exception();
    std::fflush(stdout);
    reply(task, FrameKind::error, description);
  }
  // The parent may have seen the reply and given the slot to another task already: then it is not
  // ours to change.
  expected = slot_word(id, SlotState::running);
  slot.compare_exchange_strong(expected, slot_word(id, SlotState::done));
  if (expected == slot_word(id, SlotState::withdrawn)) await_kill();
}

void TaskProcess::reply(const FrameHeader& task, FrameKind kind, std::string_view payload) {
  FrameHeader header = task;
  header.kind = kind;
  header.size = payload.size();
  push(as_bytes(header));
  push(payload);
  output_.publish();
  notify_parent();
}

void TaskProcess::push(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t written = output_.write(bytes);
    bytes.remove_prefix(written);
    if (output_.broken()) std::_Exit(exit_broken_ring);
    if (bytes.empty()) return;
    output_.publish();
    notify_parent();
    sleep_until(child_awaits_space, [this] { return output_.space() != 0 || output_.broken(); });
  }
}

void TaskProcess::publish_consumed() {
  if (input_.unpublished() == 0) return;
  input_.publish();
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (header_.parent_awaits_space.load(std::memory_order_relaxed) == 0) return;
  if (header_.parent_awaits_space.exchange(0) != 0) signal_eventfd(wake_);
}

/// Wakes the parent's thread, if it sleeps. The fence stands between what was published before and
/// the look at the flag; the parent sets the flag, fences, and looks at the rings. One of the two
/// sees the other.
void TaskProcess::notify_parent() {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (header_.parent_sleeps.load(std::memory_order_relaxed) == 0) return;
  if (header_.parent_sleeps.exchange(0) != 0) signal_eventfd(wake_);
}

template <class Ready>
void TaskProcess::sleep_until(ChildSleep reason, Ready ready) {
  if (spin_.until(ready)) return;
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
    const int wake = keep_only(setup.wake);
    // A pipe would make stdout fully buffered, and what a task printed would die with it. With a
    // buffer of our own, since otherwise the old one, set up for another mode, would stay in use.
    static char buffer[BUFSIZ];
    ::setvbuf(stdout, buffer, _IOLBF, sizeof(buffer));
    TaskProcess(std::move(area), wake).run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "muster: the task process cannot go on: %s\n", error.what());
    std::_Exit(exit_broken_ring);
  }
  std::fflush(nullptr);
  std::_Exit(0);
}

bool is_task_process() noexcept { return in_task_process_flag; }

}  // namespace muster::detail
