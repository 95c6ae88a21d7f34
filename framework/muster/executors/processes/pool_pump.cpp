#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

#include <fmt/format.h>
#include <pthread.h>
#include <sys/epoll.h>

#include <muster/base/assert.hpp>
#include <muster/base/error.hpp>
#include <muster/base/units.hpp>
#include <muster/executors/error_codec.hpp>
#include <muster/executors/processes/pool_core.hpp>
#include <muster/executors/processes/zygote_link.hpp>

namespace muster::detail {
namespace {

constexpr std::size_t replies_per_cycle = 1024;  // of one process
constexpr std::size_t output_per_cycle = std::size_t{64} << 10U;
constexpr std::size_t last_words_max = std::size_t{1} << 20U;  // a grandchild may print for ever
constexpr std::uint64_t cycles_per_poll = 32;
// Processes in a row that ended before they ran anything: by their own doing, or killed by others,
// which says nothing about the program but cannot go on for ever.
constexpr unsigned early_deaths_max = 3;
constexpr unsigned early_kills_max = 100;

}  // namespace

void PoolCore::pump() {
  ::pthread_setname_np(::pthread_self(), "muster-pool");
  while (cycle()) {
  }
}

/// One round: take what came, decide, deliver. False when the pool has come to its end.
bool PoolCore::cycle() {
  attention_.store(false);  // before looking: what comes later sets it again
  const bool busy = collect_replies();
  if (!busy || ++cycles_ % cycles_per_poll == 0) collect_events(0);
  bool ended = false;
  {
    const std::lock_guard lock(mutex_);
    apply_replies();
    for (ReceivedMessage& message : messages_) apply_message(message);
    while (zygote_lost_ && !children_.empty()) forget(*children_.begin()->second);
    dispatch_queue();
    close_idle();
    ended = closing_ && tasks_.size() == 0 && children_.empty();
  }
  const bool progressed = busy || !messages_.empty() || !completions_.empty() || !lines_.empty();
  messages_.clear();
  deliver();
  if (!progressed && !ended) sleep();
  return !ended;
}

bool PoolCore::collect_replies() {
  for (const auto& [name, child] : children_) {
    if (!child->channel().has_input()) continue;
    batch_.clear();
    const bool sound = child->channel().receive(batch_, replies_per_cycle);
    for (Reply& reply : batch_) replies_.push_back({child.get(), std::move(reply)});
    if (sound) continue;
    const std::lock_guard lock(mutex_);
    child->kill();  // its end will be reported like any other
  }
  return !replies_.empty();
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
      if (received.message.kind == SpawnKind::exited) collect_last_words(received.message);
      messages_.push_back(std::move(received));
      continue;
    }
    if (outcome == ReceiveOutcome::gone && !zygote_lost_) {
      for (const auto& [name, child] : children_) {
        SpawnMessage exit;
        exit.child = name;
        collect_last_words(exit);
      }
      const std::lock_guard lock(mutex_);
      apply_replies();
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
void PoolCore::collect_last_words(const SpawnMessage& exit) {
  ChildHandle* child = find_child(exit.child);
  if (child == nullptr) return;
  batch_.clear();
  child->channel().receive(batch_, SIZE_MAX);
  for (Reply& reply : batch_) replies_.push_back({child, std::move(reply)});
  child->read_output(lines_, last_words_max);
  child->finish_output(lines_);
}

/// With the lock, as all that applies.
void PoolCore::apply_replies() {
  for (ReplyFrom& from : replies_) {
    ChildHandle& child = *from.child;
    Reply& reply = from.reply;
    if (!child.channel().accept(reply)) {
      child.kill();
      continue;
    }
    child.note_reply();
    early_deaths_ = early_kills_ = 0;
    if (reply.header.kind == FrameKind::skipped) continue;
    const TaskId id{reply.header.task};
    const TaskRecord* record = tasks_.find(id);
    if (record == nullptr || record->child != &child) continue;  // cancelled meanwhile
    Completion& completion = completions_.emplace_back();
    completion.promise = tasks_.remove(id).promise;
    completion.kind = reply.header.kind;
    completion.payload = std::move(reply.payload);
    if (reply.payload_lost) {
      completion.error = std::make_exception_ptr(
          Error(ErrorCode::limit, "no memory for a result of " + format_bytes(reply.header.size)));
    }
  }
  replies_.clear();
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
    requeue(*child);
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
  } else if (++unmanageable_ == early_deaths_max) {
    break_pool("no task process can be managed: too few file descriptors");
  }
  SpawnMessage request;
  request.kind = SpawnKind::kill;
  request.child = message.child;
  send_message(zygote_.get(), request, nullptr, 0);
}

void PoolCore::forget(ChildHandle& child) {
  unwatch(child);
  children_.erase(child.name());
  buried_.notify_all();
}

/// Charges the death to the task that was running and to no other.
void PoolCore::bury(ChildHandle& child, const SpawnMessage& exit) {
  requeue(child);
  bool started = child.replied();
  for (const InFlight& task : child.channel().in_flight()) {
    if (!task.started) continue;
    started = true;
    const TaskRecord* record = tasks_.find(task.task);
    if (record == nullptr || record->child != &child) continue;
    Completion& completion = completions_.emplace_back();
    completion.promise = tasks_.remove(task.task).promise;
    completion.error = std::make_exception_ptr(WorkerDiedError(child.describe_death(exit)));
  }
  const bool untimely = exit.status != 0 || child.channel().in_flight_count() != 0;
  if (started) {
    early_deaths_ = early_kills_ = 0;
  } else if (untimely && !child.killed()) {
    ++(child.describe_death(exit).own_doing() ? early_deaths_ : early_kills_);
  }
  forget(child);
  if (early_deaths_ < early_deaths_max && early_kills_ < early_kills_max) return;
  break_pool(fmt::format("{} task processes in a row died before they ran anything",
                         early_deaths_ + early_kills_));
}

/// Runs what belongs to users. Output first: what led to a death precedes its report.
void PoolCore::deliver() {
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
  for (Completion& completion : completions_) {
    if (completion.error == nullptr && completion.kind == FrameKind::error) {
      completion.error = decode_exception(completion.payload);
    }
    if (completion.error != nullptr) {
      completion.promise.set_exception(std::move(completion.error));
    } else {
      completion.promise.set_value(std::move(completion.payload));
    }
  }
  completions_.clear();
  if (std::exchange(zygote_to_bury_, false)) bury_zygote();
}

bool PoolCore::work_visible() {
  if (attention_.load()) return true;
  return std::any_of(children_.begin(), children_.end(),
                     [](const auto& child) { return child.second->channel().has_input(); });
}

void PoolCore::sleep() {
  if (spin_.until([this] { return work_visible(); })) return;
  {
    const std::lock_guard lock(mutex_);
    rebalance();
  }
  pump_sleeps_.store(true);
  for (const auto& [name, child] : children_) child->channel().set_parent_sleeps(true);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  // No timeout: whoever makes work wakes us, and every end of a process is reported.
  collect_events(work_visible() ? 0 : -1);
  pump_sleeps_.store(false);
  for (const auto& [name, child] : children_) child->channel().set_parent_sleeps(false);
}

ChildHandle* PoolCore::find_child(std::uint64_t name) {
  const auto found = children_.find(name);
  return found == children_.end() ? nullptr : found->second.get();
}

}  // namespace muster::detail
