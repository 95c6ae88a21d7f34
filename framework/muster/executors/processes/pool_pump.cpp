#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <span>
#include <utility>

#include <pthread.h>
#include <sys/epoll.h>

#include <muster/base/assert.hpp>
#include <muster/base/error.hpp>
#include <muster/executors/error_codec.hpp>
#include <muster/executors/processes/pool_core.hpp>
#include <muster/futures/errors.hpp>

namespace muster::detail {
namespace {

constexpr std::size_t output_per_cycle = std::size_t{64} << 10U;
constexpr std::size_t last_words_max = std::size_t{1} << 20U;  // a grandchild may print for ever
constexpr std::uint64_t cycles_per_poll = 32;
constexpr unsigned unmanageable_max = 3;

}  // namespace

/// For callbacks that wait: the pump cannot do so for its own tasks.
class PoolCore::PumpWaits final : public WaitHelper {
 public:
  explicit PumpWaits(const PoolCore& core) : core_(core) {}

  void before_wait(std::span<SharedStateBase* const> awaited) override {
    if (!core_.is_here()) return;  // a callback has forked
    for (const SharedStateBase* each : awaited) {
      if (!core_.waits_for_pump(*each)) continue;
      throw DeadlockError(
          "a callback of a process pool waits for a task of the same pool, which needs the thread "
          "that the callback is run by");
    }
  }
  void after_wait() noexcept override {}

 private:
  const PoolCore& core_;
};

/// While the pump runs code of the user it looks at nothing: whoever waits for a result is to be
/// woken by it, and takes it.
class PoolCore::PumpAway {
 public:
  explicit PumpAway(PoolCore& core) : core_(core) {}
  ~PumpAway() {
    if (has_begun_) core_.set_pump_looks(true);
  }
  PumpAway(const PumpAway&) = delete;
  PumpAway& operator=(const PumpAway&) = delete;

  void begin() {
    if (std::exchange(has_begun_, true)) return;
    core_.set_pump_looks(false);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    const std::lock_guard receiving(core_.receiving_);
    if (core_.reply_visible()) core_.wake_leader();  // it came while the pump looked
  }

 private:
  PoolCore& core_;
  bool has_begun_ = false;
};

void PoolCore::set_pump_looks(bool looks) {
  const Lock lock(mutex_);
  pump_looks_ = looks;
  update_sleepers();
}

/// Tells outcomes: with no lock held, as it runs code of the user. Gives the callbacks that are
/// due, whose tasks have not left yet: what they wait for may have come with them.
std::vector<DoneCallbacks> PoolCore::deliver(Batch& batch) {
  std::vector<DoneCallbacks> due;
  for (Completion& each : batch.completions) {
    if (each.error != nullptr) {
      each.task->refuse(std::move(each.error));
    } else if (each.kind == FrameKind::error) {
      if (!each.task->keep_description(each.payload))
        each.task->refuse(decode_exception(each.payload));
    } else {
      each.task->accept(std::move(each.payload));
    }
    DoneCallbacks callbacks = finish(std::move(each.task));
    if (callbacks.empty()) {
      task_left();
    } else {
      due.push_back(std::move(callbacks));
    }
  }
  batch.completions.clear();
  return due;
}

void PoolCore::pump() {
  ::pthread_setname_np(::pthread_self(), "muster-pool");
  PumpWaits waits(*this);
  WaitHelper::of_this_thread() = &waits;
  while (cycle()) {
  }
}

/// One round: take what came, decide, tell. False when the pool has come to its end.
bool PoolCore::cycle() {
  attention_.store(false);  // before looking: what comes later sets it again
  const bool busy = collect_replies();
  if (!busy || ++cycles_ % cycles_per_poll == 0) collect_events(0);
  bool ended = false;
  std::vector<DoneCallbacks> callbacks;
  {
    const std::lock_guard receiving(receiving_);
    const Lock lock(mutex_);
    for (ReceivedMessage& message : messages_) apply_message(message);
    while (zygote_lost_ && !children_.empty()) forget(*children_.front());
    if (stopping_signal_ != 0) stop_processes();
    if (!overdue_.empty()) end_overdue();
    dispatch_queue();
    close_idle();
    std::move(failed_.begin(), failed_.end(), std::back_inserter(batch_.completions));
    failed_.clear();
    callbacks.swap(left_callbacks_);
  }
  const bool progressed = busy || !messages_.empty() || !batch_.completions.empty() ||
                          !lines_.empty() || !callbacks.empty();
  messages_.clear();
  {
    PumpAway away(*this);
    if (!lines_.empty()) away.begin();
    print_lines();  // what led to a death precedes its report
    std::vector<DoneCallbacks> due = deliver(batch_);
    if (progressed) wake_leader();
    if (!due.empty() || !callbacks.empty()) away.begin();
    for (DoneCallbacks& each : due) {
      each.run();
      task_left();
    }
    for (DoneCallbacks& each : callbacks) each.run();
  }
  if (std::exchange(zygote_to_bury_, false)) link_->bury();
  {
    const Lock lock(mutex_);
    ended = closing_ && tasks_.load(std::memory_order_acquire) == 0 && children_.empty() &&
            left_callbacks_.empty();
  }
  if (!progressed && !ended) sleep();
  return !ended;
}

bool PoolCore::collect_replies() {
  const std::lock_guard receiving(receiving_);
  return receive(batch_);
}

void PoolCore::collect_events(int timeout_ms) {
  epoll_event events[64];
  const int count = ::epoll_wait(events_.get(), events, 64, timeout_ms);
  MUSTER_ASSERT(count >= 0 || errno == EINTR);
  for (int i = 0; i < count; ++i) {
    const std::uint64_t about = events[i].data.u64;
    if (about == pool_event_wake) {
      drain_eventfd(wake_.get());
    } else if (about == pool_event_zygote) {
      collect_messages();
    } else if (ChildHandle* child = find_child(about - pool_event_children)) {
      if (!child->read_output(lines_, output_per_cycle)) unwatch(*child);
    }
  }
}

void PoolCore::collect_messages() {
  for (;;) {
    ReceivedMessage received;
    const ReceiveOutcome outcome = receive_message(zygote_.get(), received);
    if (outcome == ReceiveOutcome::received) {
      if (received.message.kind == SpawnKind::exited) collect_last_words(received.message.child);
      messages_.push_back(std::move(received));
      continue;
    }
    if (outcome == ReceiveOutcome::gone && !zygote_lost_) {
      for (const auto& child : children_) collect_last_words(child->name());
      const std::lock_guard receiving(receiving_);
      const Lock lock(mutex_);
      lose_zygote();
    }
    return;
  }
}

/// By name, since closing the pipe does not do it while some fork of the program holds a copy.
void PoolCore::unwatch(const ChildHandle& child) {
  ::epoll_ctl(events_.get(), EPOLL_CTL_DEL, child.output(), nullptr);
}

/// A process has ended, so what it put into its ring and its pipe is all there will ever be.
void PoolCore::collect_last_words(std::uint64_t name) {
  ChildHandle* child = find_child(name);
  if (child == nullptr) return;
  {
    const std::lock_guard receiving(receiving_);
    batch_.replies.clear();
    child->channel().receive(batch_.replies, SIZE_MAX);
    const Lock lock(mutex_);
    child->end();  // nothing more is to be sent to it
    apply_replies(*child, batch_);
  }
  child->read_output(lines_, last_words_max);
  child->finish_output(lines_);
}

void PoolCore::apply_message(ReceivedMessage& received) {
  const SpawnMessage& message = received.message;
  ChildHandle* child = find_child(message.child);
  if (child == nullptr) return;
  if (message.kind == SpawnKind::exited) {
    bury(*child, message);
    return;
  }
  --spawns_unanswered_;
  if (message.error != 0) {
    std::vector<InFlight> held = child->channel().take_all();
    for (auto each = held.rbegin(); each != held.rend(); ++each) {  // their order is kept
      if (each->task) requeue(std::move(each->task));
    }
    forget(*child);
    spawn_failed(system_error(message.error, "fork").what());
    return;
  }
  if (!received.fds.empty()) {
    unmanageable_ = 0;
    child->spawned(message.pid, std::move(received.fds.front()));
    return;
  }
  // There was no descriptor left for its pidfd: we could not kill it when need be, so it goes now.
  child->kill();
  if (children_.size() > 1) {
    spawn_failed("too few file descriptors");
  } else if (++unmanageable_ == unmanageable_max) {
    break_pool("no task process can be managed: too few file descriptors");
  }
  SpawnMessage request;
  request.kind = SpawnKind::kill;
  request.child = message.child;
  send_message(zygote_.get(), request, nullptr, 0);
}

/// terminate_workers() and kill_workers(): nothing is started any more, what waits fails, and what
/// runs gets the signal.
void PoolCore::stop_processes() {
  const auto error = std::make_exception_ptr(
      Error(ErrorCode::broken,
            "the process pool's processes were told to end, and this task had "
            "not been started"));
  while (TaskPtr task = queue_.pop()) fail(std::move(task), error);
  for (const auto& child : children_) {
    while (TaskPtr task = child->channel().recall_last()) fail(std::move(task), error);
    child->stop(stopping_signal_);
  }
}

void PoolCore::print_lines() {
  for (const std::string& line : lines_) {
    try {
      if (options_.on_output) {
        options_.on_output(line);
      } else {
        std::fprintf(stderr, "%s\n", line.c_str());
      }
    } catch (const std::exception& error) {
      std::fprintf(stderr, "muster: on_output threw: %s\n", error.what());
    } catch (...) {
      std::fprintf(stderr, "muster: on_output threw what is no std::exception\n");
    }
  }
  lines_.clear();
}

bool PoolCore::work_visible() {
  if (attention_.load()) return true;
  const std::lock_guard receiving(receiving_);
  return reply_visible();
}

void PoolCore::sleep() {
  // While a thread leads it takes the replies, and this one would only be in its way.
  if (!has_leader_.load() && spin_.until([this] { return work_visible(); })) return;
  {
    const Lock lock(mutex_);
    if (!has_leader_.load()) rebalance();
    pump_looks_ = false;
    update_sleepers();
  }
  pump_waits_.store(true);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  // A reply that came while this thread looked woke nobody, so that it counts even if there is a
  // leader. Bounded only by the next deadline: whoever makes work wakes us, and every end of a
  // process is reported.
  collect_events(work_visible() ? 0 : sleep_ms());
  pump_waits_.store(false);
  set_pump_looks(true);
}

/// Until a task may have run for too long, or more processes may be had; -1: for ever.
int PoolCore::sleep_ms() {
  const Lock lock(mutex_);
  Duration rest = Duration::max();
  const TimePoint now = Clock::now();
  for (const TaskPtr& task : overdue_) {
    const auto* child = static_cast<ChildHandle*>(task->process);
    if (child == nullptr) continue;
    Duration left = *task->extras().options.run_timeout;
    if (child->channel().running(*task)) left -= now - child->channel().started_at();
    rest = std::min(rest, left);
  }
  if (workers_retry_ != TimePoint() && tasks_.load(std::memory_order_relaxed) != 0)
    rest = std::min(rest, workers_retry_ - now);
  pump_sleeps_until_ = rest < TimePoint::max() - now ? now + rest : TimePoint::max();
  if (rest == Duration::max()) return -1;
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(rest).count();
  return static_cast<int>(std::clamp<std::int64_t>(ms, 1, 60'000));
}

ChildHandle* PoolCore::find_child(std::uint64_t name) {
  const auto found = std::find_if(children_.begin(), children_.end(),
                                  [name](const auto& child) { return child->name() == name; });
  return found == children_.end() ? nullptr : found->get();
}

}  // namespace muster::detail
