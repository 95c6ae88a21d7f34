#include <algorithm>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include <muster/base/error.hpp>
#include <muster/cluster/client/cluster_core.hpp>
#include <muster/cluster/task_death.hpp>
#include <muster/executors/error_codec.hpp>
#include <muster/executors/errors.hpp>
#include <muster/futures/errors.hpp>

// What the link's thread does.

namespace muster::cluster {
namespace {

// So much may be on its way and not answered. More would only lie at the coordinator.
constexpr std::size_t calls_in_flight_max = 16'384;
constexpr std::size_t bytes_in_flight_max = std::size_t{64} << 20U;

std::exception_ptr to_error(wire::CallEnd& end, const std::string& name) {
  const std::string text = name.empty() ? end.bytes : fmt::format("task '{}': {}", name, end.bytes);
  switch (end.kind) {
    case wire::EndKind::crashed:
    case wire::EndKind::killed:
    case wire::EndKind::out_of_memory:
      try {
        WorkerDeath death = decode_death(end.bytes);
        death.task_name = name;
        return std::make_exception_ptr(WorkerDiedError(std::move(death)));
      } catch (const Error&) {
        return std::current_exception();
      }
    case wire::EndKind::overdue:
      return std::make_exception_ptr(DeadlineError(end.bytes));
    case wire::EndKind::refused:
      return std::make_exception_ptr(Error(ErrorCode::usage, "a worker cannot run this: " + text));
    default:
      return std::make_exception_ptr(WorkerLostError("the worker was lost: " + text));
  }
}

}  // namespace

void ClusterCore::run() {
  try {
    runner_.run();
    break_all("the link to the coordinator has ended");
  } catch (const std::exception& error) {
    break_all(error.what());
  }
}

/// Everything that is pending fails.
void ClusterCore::break_all(const std::string& reason) {
  std::vector<Completion> completions;
  {
    const Lock lock(mutex_);
    if (!broken_) broken_ = reason;
    const auto error = std::make_exception_ptr(BrokenExecutor(*broken_));
    for (auto& [number, open] : calls_) {
      if (open.task->start()) completions.push_back({std::move(open.task), {}, error});
    }
    calls_.clear();
    in_flight_ = 0;
    bytes_in_flight_ = 0;
    news_.notify_all();
  }
  connected_.notify_all();
  deliver(completions);
}

void ClusterCore::on_session(TimePoint /*now*/) {
  std::vector<Completion> completions;
  {
    const Lock lock(mutex_);
    const bool is_first = !std::exchange(had_session_, true);
    withdrawals_.clear();
    if (!is_first) completions = send_again();
  }
  connected_.notify_all();
  deliver(completions);
}

/// With the lock. What was sent is forgotten there: it is sent again, but for what may not run so
/// often, which ends.
std::vector<ClusterCore::Completion> ClusterCore::send_again() {
  std::vector<Completion> completions;
  std::vector<Number> again;
  for (auto& [number, open] : calls_) {
    if (open.sent) again.push_back(number);
  }
  std::sort(again.begin(), again.end());
  in_flight_ = 0;
  bytes_in_flight_ = 0;
  const auto is_over = [&](Number number) {
    Open& open = calls_.at(number);
    open.sent = false;
    open.started = false;
    open.asked_back = false;
    if (open.losses == options_.worker_retries) {
      const auto error = std::make_exception_ptr(
          WorkerLostError("the coordinator has forgotten the call, which may have run"));
      if (open.task->start()) completions.push_back({std::move(open.task), {}, error});
      calls_.erase(number);
      return true;
    }
    if (!open.options) open.options.emplace();
    open.options->worker_retries = options_.worker_retries - ++open.losses;
    return false;
  };
  std::erase_if(again, is_over);
  unsent_.insert(unsent_.begin(), again.begin(), again.end());
  news_.notify_all();
  return completions;
}

void ClusterCore::on_refused(const wire::Refusal& refusal, bool for_good) {
  const Lock lock(mutex_);
  trouble_ = refusal.message;
  if (for_good) {
    refused_ = refusal;
    broken_ = "the coordinator does not take this client: " + refusal.message;
    connected_.notify_all();
  }
}

void ClusterCore::on_trouble(const std::string& trouble, const std::string& hint) {
  const Lock lock(mutex_);
  trouble_ = trouble;
  hint_ = hint;
}

void ClusterCore::on_message(TimePoint /*now*/, wire::Message&& message) {
  if (auto* const ends = std::get_if<wire::Ends>(&message)) {
    take_ends(std::move(*ends));
  } else if (const auto* starts = std::get_if<wire::Starts>(&message)) {
    const Lock lock(mutex_);
    for (const Number each : starts->numbers) {
      if (const auto found = calls_.find(each); found != calls_.end()) found->second.started = true;
    }
    news_.notify_all();
  } else if (const auto* size = std::get_if<wire::ClusterSize>(&message)) {
    slots_.store(std::max(1U, size->slots));
    workers_.store(size->workers);
  } else if (const auto* wanted = std::get_if<wire::CodeWanted>(&message)) {
    give_code(*wanted);
  }
}

void ClusterCore::give_code(const wire::CodeWanted& wanted) {
  std::string reason = "it is not of this program";
  try {
    if (const auto piece = program_.read(wanted.digest, wanted.offset)) {
      runner_.send(*piece);
      return;
    }
  } catch (const Error& error) {
    reason = error.what();
  }
  runner_.send(wire::CodeMissing{wanted.digest, reason});
}

void ClusterCore::take_ends(wire::Ends&& ends) {
  std::vector<Completion> completions;
  std::vector<detail::DoneCallbacks> cancelled;
  completions.reserve(ends.ends.size());
  {
    const Lock lock(mutex_);
    for (wire::CallEnd& each : ends.ends) {
      const auto found = calls_.find(each.number);
      if (found == calls_.end()) continue;  // it was cancelled here
      detail::TaskPtr task = std::move(found->second.task);
      forget(*task);
      if (each.kind == wire::EndKind::cancelled) {
        cancelled.push_back(task->state().set_cancelled());
      } else if (task->start()) {
        completions.push_back({std::move(task), std::move(each), nullptr});
      }
    }
  }
  for (detail::DoneCallbacks& each : cancelled)
    callbacks_.post(std::move(each), [this] { task_left(); });
  deliver(completions);
}

/// Tells outcomes: with no lock held, as it runs code of the user.
void ClusterCore::deliver(std::vector<Completion>& completions) {
  for (Completion& each : completions) {
    if (each.error != nullptr) {
      each.task->refuse(std::move(each.error));
    } else if (each.end.kind == wire::EndKind::value) {
      each.task->accept(std::move(each.end.bytes));
    } else if (each.end.kind == wire::EndKind::error) {
      each.task->refuse(detail::decode_exception(each.end.bytes));
    } else {
      const detail::TaskExtras* const extras = each.task->extras_if_any();
      each.task->refuse(to_error(each.end, extras != nullptr ? extras->options.name : ""));
    }
    detail::DoneCallbacks callbacks = finish(std::move(each.task));
    if (callbacks.empty()) {
      task_left();
    } else {
      callbacks_.post(std::move(callbacks), [this] { task_left(); });
    }
  }
}

void ClusterCore::on_round(TimePoint now) {
  if (runner_.can_send()) {
    lost_since_.reset();
    send_calls();
    send_withdrawals();
  } else if (!link_.is_open() && !lost_since_) {
    lost_since_ = now;
  }
  if (lost_since_ && deadline_after(*lost_since_, options_.give_up_after) <= now) {
    std::string reason;
    {
      const Lock lock(mutex_);
      reason = fmt::format(
          "the coordinator could not be reached for {} s: {}",
          std::chrono::duration_cast<std::chrono::seconds>(options_.give_up_after).count(),
          trouble_);
    }
    break_all(reason);
    runner_.end("it was given up");
    return;
  }
  bool is_done = false;
  {
    const Lock lock(mutex_);
    const std::lock_guard idle(idle_mutex_);
    is_done = closing_ && tasks_ == 0;
  }
  if (is_done) runner_.end("it is done");
}

std::optional<TimePoint> ClusterCore::next_deadline() {
  if (!lost_since_) return std::nullopt;
  return deadline_after(*lost_since_, options_.give_up_after);
}

void ClusterCore::send_calls() {
  while (runner_.can_send() && send_some_calls()) {
  }
}

/// One message. False if there is nothing to send, or too much on its way.
bool ClusterCore::send_some_calls() {
  wire::Calls message{program_.digest(), {}};
  {
    const Lock lock(mutex_);
    std::size_t bytes = 0;
    while (!unsent_.empty() && message.calls.size() < wire::items_max &&
           bytes < wire::message_bytes_enough && in_flight_ < calls_in_flight_max &&
           bytes_in_flight_ < bytes_in_flight_max) {
      const Number number = unsent_.front();
      unsent_.pop_front();
      const auto found = calls_.find(number);
      if (found == calls_.end()) continue;  // it was cancelled
      Open& open = found->second;
      open.task->state().advance(FutureState::dispatched);
      open.sent = true;
      ++in_flight_;
      bytes_in_flight_ += open.bytes.size();
      bytes += open.bytes.size();
      message.calls.push_back({number, open.bytes, open.options});
    }
  }
  if (message.calls.empty()) return false;
  runner_.send(message);
  return true;
}

void ClusterCore::send_withdrawals() {
  wire::Withdrawals message;
  {
    const Lock lock(mutex_);
    message.withdrawals.swap(withdrawals_);
  }
  if (!message.withdrawals.empty()) runner_.send(message);
}

}  // namespace muster::cluster
