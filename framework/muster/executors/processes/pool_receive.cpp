#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

#include <fmt/format.h>
#include <poll.h>

#include <muster/base/assert.hpp>
#include <muster/base/error.hpp>
#include <muster/base/units.hpp>
#include <muster/executors/processes/pool_core.hpp>

namespace muster::detail {
namespace {

constexpr std::size_t replies_per_round = 256;  // of one process

}  // namespace

/// Takes what has arrived, decides what becomes of the tasks, and sends more. True if there was
/// anything. The outcomes are to be told by deliver(), with no lock held.
bool PoolCore::receive(Batch& batch) {
  bool any = false;
  for (const auto& child : children_) {
    TaskChannel& channel = child->channel();
    if (channel.may_flush()) {
      const Lock lock(mutex_);
      flush(*child);
      any = true;
    }
    if (!channel.has_input()) continue;
    batch.replies.clear();
    const bool sound = channel.receive(batch.replies, replies_per_round);
    const Lock lock(mutex_);
    apply_replies(*child, batch);
    if (!sound) child->kill();  // its end will be reported like any other
    any = any || !batch.replies.empty();
  }
  return any;
}

void PoolCore::apply_replies(ChildHandle& child, Batch& batch) {
  if (batch.replies.empty()) return;
  TaskChannel& channel = child.channel();
  for (Reply& reply : batch.replies) {
    if (options_.initializer.function() != nullptr && TaskChannel::is_failed_start(reply.header)) {
      initializer_failed(reply);
      return;
    }
    bool sound = true;
    TaskPtr task = channel.accept(reply.header, sound);
    if (!sound) {
      child.kill();
      return;
    }
    if (!task) continue;  // it was taken back
    task->process = nullptr;
    if (!task->start()) continue;
    Completion& completion = batch.completions.emplace_back();
    completion.task = std::move(task);
    completion.kind = reply.header.kind;
    completion.payload = std::move(reply.payload);
    if (reply.payload_lost) {
      completion.error = std::make_exception_ptr(
          Error(ErrorCode::limit, "no memory for a result of " + format_bytes(reply.header.size)));
    }
  }
  child.note_reply();
  child.window().answered(batch.replies.size(), channel.in_flight_count(), Clock::now());
  refill(child);
}

bool PoolCore::reply_visible() {
  return std::any_of(children_.begin(), children_.end(), [](const auto& child) {
    return child->channel().has_input() || child->channel().may_flush();
  });
}

bool PoolCore::any_in_frame() const {
  return std::any_of(children_.begin(), children_.end(),
                     [](const auto& child) { return child->channel().in_frame(); });
}

/// Tells the processes whom to wake. With mutex_, whenever one of the two parties starts or stops
/// looking.
void PoolCore::update_sleepers() {
  ParentSleeper who = has_leader_.load(std::memory_order_relaxed) ? leader_sleeps : pump_sleeps;
  if (pump_looks_ || leader_looks_) who = parent_looks;
  for (const auto& child : children_) child->channel().set_sleeper(who);
}

void PoolCore::lend_thread(SharedStateBase& work, std::optional<TimePoint> deadline) {
  if (!is_here()) {
    if (!deadline) refuse_if_forked();  // it would never end
    return;
  }
  if (std::this_thread::get_id() == pump_id_.load()) return;
  if (has_leader_.exchange(true)) return;  // its deliveries will wake this thread, too
  {
    const Lock lock(mutex_);
    leader_looks_ = true;
    update_sleepers();
  }
  // The kernel likes to put who is woken on the CPU of who woke it, behind this thread.
  if (woke_child_.exchange(false, std::memory_order_relaxed)) yield_();
  lead(work, deadline);
  bool wake_pump = false;
  {
    const std::lock_guard receiving(receiving_);
    const Lock lock(mutex_);
    has_leader_.store(false);
    leader_looks_ = false;
    // The pump leaves that to a leader, and may have gone to sleep since.
    if (!pump_looks_) rebalance();
    update_sleepers();
    std::atomic_thread_fence(std::memory_order_seq_cst);
    // The task may have been the last one that the end of the pool waited for.
    wake_pump = closing_ || (!pump_looks_ && reply_visible());
  }
  if (wake_pump) notify_pump();
}

/// To the pump, at once: what the leader itself waits for may depend on them.
void PoolCore::leave_callbacks(std::vector<DoneCallbacks>&& due) {
  if (due.empty()) return;
  {
    const Lock lock(mutex_);
    std::move(due.begin(), due.end(), std::back_inserter(left_callbacks_));
    notify_pump();
  }
  for (std::size_t i = 0; i < due.size(); ++i) task_left();
}

/// Takes replies until the work is done, or is no longer here, or it is time.
void PoolCore::lead(SharedStateBase& work, std::optional<TimePoint> deadline) {
  auto* const task = dynamic_cast<TaskBase*>(&work);
  MUSTER_ASSERT(task != nullptr);
  const auto is_over = [&] {
    return work.done() || task->home.load(std::memory_order_acquire) != this;
  };
  while (!is_over() && (!deadline || Clock::now() < *deadline)) {
    bool any = false;
    {
      const std::lock_guard receiving(receiving_);
      const bool in_frame = any_in_frame();
      lead_spin_.until(
          [&] {
            any = receive(lead_batch_);
            return any || is_over();
          },
          in_frame ? rest_of_frame : Duration::zero());
    }
    if (any) {
      leave_callbacks(deliver(lead_batch_));
    } else if (!is_over()) {
      leader_sleeps_until(deadline, is_over);
    }
  }
}

void PoolCore::leader_sleeps_until(std::optional<TimePoint> deadline,
                                   const std::function<bool()>& is_over) {
  {
    const Lock lock(mutex_);
    rebalance();
    leader_looks_ = false;
    leader_waits_.store(true);
    update_sleepers();
  }
  std::atomic_thread_fence(std::memory_order_seq_cst);
  bool ready = false;
  {
    const std::lock_guard receiving(receiving_);
    ready = reply_visible() || is_over();
  }
  // Without a deadline for ever, as asked: every process's reply or end leads to a wake-up.
  timespec left{};
  if (deadline) {
    const Duration rest = std::max(Duration::zero(), *deadline - Clock::now());
    left.tv_sec = static_cast<time_t>(rest / std::chrono::seconds(1));
    left.tv_nsec = static_cast<long>((rest % std::chrono::seconds(1)).count());
  }
  pollfd polled{lead_.get(), POLLIN, 0};
  if (!ready) ::ppoll(&polled, 1, deadline ? &left : nullptr, nullptr);
  leader_waits_.store(false);
  drain_eventfd(lead_.get());
  const Lock lock(mutex_);
  leader_looks_ = true;
  update_sleepers();
}

/// After anything but a reply that may have ended what the leader waits for.
void PoolCore::wake_leader() {
  std::atomic_thread_fence(std::memory_order_seq_cst);  // between what was done and the look
  if (leader_waits_.exchange(false)) signal_eventfd(lead_.get());
}

}  // namespace muster::detail
