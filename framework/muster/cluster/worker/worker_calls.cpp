#include <algorithm>
#include <csignal>
#include <iterator>
#include <utility>

#include <muster/cluster/task_death.hpp>
#include <muster/cluster/worker/worker_agent.hpp>

// The calls of a worker: taken, run, withdrawn, and told of when they start and end.

namespace muster::cluster {
namespace {

// Calls that take longer are worth a word: until then a client may take them for not started.
constexpr Duration starts_after = std::chrono::milliseconds(2);
// Signals that were sent together arrive within this.
constexpr Duration terminated_together = std::chrono::milliseconds(200);

bool was_terminated(const wire::CallEnd& end) {
  return end.kind == wire::EndKind::killed && decode_death(end.bytes).signal == SIGTERM;
}

}  // namespace

void WorkerAgent::take_calls(TimePoint now, wire::Calls&& calls) {
  Program& of = program(now, calls.program, calls.kind);
  for (wire::Call& each : calls.calls) {
    const std::uint64_t number = each.number;
    if (draining_) {
      ends_.push_back({number, wire::EndKind::returned, {}});
      continue;
    }
    OpenCall& call = open_[number];
    call.program = calls.program;
    call.since = now;
    note_open(now, calls.program, true);
    call.task = of.make_task(std::move(each), generation_);
    call.ticket = gate_.hold(calls.program, number);
  }
  if (!look_again_at_ && !open_.empty()) look_again_at_ = now + starts_after;
}

/// The one that has the call in its processes, if any.
Program* WorkerAgent::program_running(const OpenCall& call) const {
  const auto found = programs_.find(call.program);
  return call.place != OpenCall::Place::inside || found == programs_.end() ? nullptr
                                                                           : found->second.get();
}

/// False if the call runs, or has ended and its end is on the way.
bool WorkerAgent::end_unstarted(OpenCall& call, wire::EndKind kind) {
  if (call.place == OpenCall::Place::held) {
    gate_.drop(call.program, call.ticket);
    call.place = OpenCall::Place::over;
    Program::end_unrun(detail::TaskPtr::share(*call.task), kind);
    return true;
  }
  Program* const program = program_running(call);
  if (program == nullptr || !program->withdraw(*call.task, kind, false)) return false;
  gate_.left(call.program, false);
  call.place = OpenCall::Place::over;
  return true;
}

void WorkerAgent::end_all(wire::EndKind kind) {
  for (auto& [number, call] : open_) {
    if (end_unstarted(call, kind)) continue;
    if (Program* const program = program_running(call)) program->withdraw(*call.task, kind, true);
  }
}

void WorkerAgent::run_next_calls() {
  const auto is_ready = [this](const wire::Digest& digest) {
    return programs_.at(digest)->is_ready();
  };
  while (const auto next = gate_.next(is_ready)) {
    OpenCall& call = open_.at(next->call);
    call.place = OpenCall::Place::inside;
    programs_.at(next->program)->run(detail::TaskPtr::share(*call.task));
  }
}

/// A call waits for a slot, and another program has more calls at hand than run. The last of those
/// go back: they come again, behind it, or go to whoever has room.
void WorkerAgent::make_way() {
  std::size_t excess = gate_.blocked() && !draining_ ? gate_.excess() : 0;
  if (excess == 0) return;
  std::vector<OpenCall*> inside;
  for (auto& [number, call] : open_) {
    if (call.place == OpenCall::Place::inside && !gate_.has_short_calls(call.program))
      inside.push_back(&call);
  }
  std::sort(inside.begin(), inside.end(), [](auto* a, auto* b) { return a->ticket > b->ticket; });
  for (OpenCall* const call : inside) {
    if (excess == 0) break;
    if (end_unstarted(*call, wire::EndKind::returned)) --excess;
  }
}

bool WorkerAgent::withdraw_unstarted(const wire::Withdrawals::Withdrawal& withdrawal) {
  const auto found = open_.find(withdrawal.number);
  const bool is_recall = withdrawal.how == wire::Withdrawals::How::recall;
  return found != open_.end() && end_unstarted(found->second, is_recall ? wire::EndKind::returned
                                                                        : wire::EndKind::cancelled);
}

// First those that have not started: the end of one that runs would let them.
void WorkerAgent::withdraw(const wire::Withdrawals& withdrawals) {
  using How = wire::Withdrawals::How;
  std::vector<wire::Withdrawals::Withdrawal> running;
  for (const auto& each : withdrawals.withdrawals) {
    if (!withdraw_unstarted(each)) running.push_back(each);
  }
  for (const auto& each : running) {
    const auto found = open_.find(each.number);
    if (found == open_.end()) continue;
    OpenCall& call = found->second;
    Program* const program = program_running(call);
    if (program == nullptr) continue;
    if (each.how == How::stop) {
      program->withdraw(*call.task, wire::EndKind::cancelled, true);
    } else if (each.how == How::ask) {
      program->ask_to_stop(*call.task);
    } else if (program->has_started(*call.task)) {
      call.start_is_known = true;
      gate_.runs_on(call.program);
      starts_.push_back(each.number);  // whoever wants it back waits for an answer
    }
  }
}

void WorkerAgent::note_open(TimePoint now, const wire::Digest& program, bool has_begun) {
  if (has_begun) {
    ++open_counts_[program];
    idle_since_.erase(program);
    return;
  }
  const auto found = open_counts_.find(program);
  if (found == open_counts_.end() || --found->second != 0) return;
  open_counts_.erase(found);
  idle_since_[program] = now;
}

bool WorkerAgent::had_no_room(const wire::Digest& program, const wire::CallEnd& end) const {
  const auto found = programs_.find(program);
  return end.kind == wire::EndKind::value && found != programs_.end() &&
         found->second->is_plugin() && says_no_room(end.bytes);
}

void WorkerAgent::collect_ends(TimePoint now) {
  std::vector<std::pair<std::uint64_t, wire::CallEnd>> taken;
  {
    const std::lock_guard lock(ends_mutex_);
    taken.swap(new_ends_);
  }
  for (auto& [generation, end] : taken) {
    if (generation != generation_) continue;
    if (const auto found = open_.find(end.number); found != open_.end()) {
      if (had_no_room(found->second.program, end)) {
        look_at_disk(now);  // so that it is not the next one to get it
        if (!paused_.empty()) end = {end.number, wire::EndKind::returned, {}};
      }
      note_open(now, found->second.program, false);
      if (found->second.place == OpenCall::Place::inside)
        gate_.left(found->second.program, !found->second.start_is_known);
      open_.erase(found);
    }
    if (was_terminated(end)) {
      terminated_.emplace_back(now + terminated_together, std::move(end));
    } else {
      ends_.push_back(std::move(end));
    }
  }
  judge_terminated(now);
}

// An engine that ends a worker (scancel, the end of its walltime) sends SIGTERM to all its
// processes: those calls have lost their worker, and may run elsewhere.
void WorkerAgent::judge_terminated(TimePoint now) {
  while (!terminated_.empty() && (draining_ || terminated_.front().first <= now)) {
    wire::CallEnd end = std::move(terminated_.front().second);
    terminated_.pop_front();
    if (draining_) end = {end.number, wire::EndKind::worker_lost, "it was told to stop"};
    ends_.push_back(std::move(end));
  }
}

void WorkerAgent::send_ends() {
  while (!ends_.empty() && runner_.can_send()) {
    wire::Ends message;
    std::size_t bytes = 0;
    while (!ends_.empty() && message.ends.size() < wire::items_max &&
           (message.ends.empty() ||
            bytes + ends_.front().bytes.size() <= wire::message_bytes_enough)) {
      bytes += ends_.front().bytes.size();
      message.ends.push_back(std::move(ends_.front()));
      ends_.pop_front();
    }
    runner_.send(message);
  }
}

void WorkerAgent::look_for_starts(TimePoint now) {
  bool any_unknown = false;
  for (auto& [number, call] : open_) {
    if (call.start_is_known) continue;
    any_unknown = true;
    if (call.since + starts_after > now) continue;
    Program* const program = program_running(call);
    if (program == nullptr || !program->has_started(*call.task)) continue;
    call.start_is_known = true;
    gate_.runs_on(call.program);
    starts_.push_back(number);
  }
  look_again_at_.reset();
  if (any_unknown) look_again_at_ = now + starts_after;
}

}  // namespace muster::cluster
