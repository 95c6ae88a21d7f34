#include <algorithm>
#include <cstddef>
#include <iterator>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include <muster/base/assert.hpp>
#include <muster/cluster/coordinator/coordinator_core.hpp>

// What the scheduler decides, and how it gets to workers and clients.

namespace muster::cluster {
namespace {

wire::SessionId to_session(WorkerId worker) { return wire::SessionId{worker.value}; }

std::size_t size_of(const wire::CallEnd& end) { return end.bytes.size(); }
template <class Outgoing>
std::size_t size_of(const Outgoing& outgoing) {
  return outgoing.call.bytes.size();
}

/// How many from the front make a message. They go together as long as `same` holds.
template <class Items, class Same>
std::size_t count_for_message(const Items& items, std::size_t from, Same same) {
  std::size_t bytes = 0;
  std::size_t count = 0;
  while (from + count < items.size() && count < wire::items_max) {
    const auto& next = items[from + count];
    if (count != 0 &&
        (bytes + size_of(next) > wire::message_bytes_enough || !same(items[from], next)))
      break;
    bytes += size_of(next);
    ++count;
  }
  return count;
}

/// Gives `send` so many at a time as a message may have, until it says that there is no room.
template <class Item, class Send>
void send_in_parts(std::vector<Item>& items, Send send) {
  std::size_t sent = 0;
  while (sent < items.size()) {
    const auto begin = items.begin() + static_cast<std::ptrdiff_t>(sent);
    const std::size_t count = std::min(wire::items_max, items.size() - sent);
    if (!send(std::vector<Item>(begin, begin + static_cast<std::ptrdiff_t>(count)))) break;
    sent += count;
  }
  items.erase(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(sent));
}

}  // namespace

void CoordinatorCore::carry_out(const std::vector<scheduling::Action>& actions) {
  for (const scheduling::Action& each : actions) {
    std::visit([this](const auto& action) { on(action); }, each);
  }
}

void CoordinatorCore::on(const scheduling::StartAttempt& action) {
  if (jobs_.has(action.job)) {
    start_job_attempt(action);
    return;
  }
  const CallPlace place{action.job, action.chunk};
  CallRecord* const record = book_.record(place);
  MUSTER_ASSERT(record != nullptr);
  attempts_.emplace(action.attempt, Attempt{place, action.worker});
  record->attempt = action.attempt;
  const wire::SessionId session = to_session(action.worker);
  wire::Call call{action.attempt.value, record->bytes, record->options};
  if (action.alone) {
    if (!call.options) call.options.emplace();
    call.options->alone = true;
  }
  workers_.at(session).calls.push_back(
      {book_.stream(action.job)->program, wire::CodeKind::program, std::move(call)});
  unsent_.insert(session);
}

void CoordinatorCore::on(const scheduling::CancelAttempt& action) {
  tell_worker(action.worker, {action.attempt.value, wire::Withdrawals::How::stop});
}

void CoordinatorCore::on(const scheduling::RecallAttempt& action) {
  attempts_.at(action.attempt).is_recalled = true;
  tell_worker(action.worker, {action.attempt.value, wire::Withdrawals::How::recall});
}

void CoordinatorCore::tell_worker(WorkerId worker,
                                  const wire::Withdrawals::Withdrawal& withdrawal) {
  const auto found = workers_.find(to_session(worker));
  if (found == workers_.end()) return;
  found->second.withdrawals.push_back(withdrawal);
  unsent_.insert(found->first);
}

void CoordinatorCore::on(const scheduling::ChunkFinished& action) {
  if (jobs_.has(action.job)) {
    jobs_.on(action);
    return;
  }
  ++counters_.values;
  answer({action.job, action.chunk}, wire::EndKind::value, std::move(result_));
}

void CoordinatorCore::on(const scheduling::ChunkFailed& action) {
  const CallPlace place{action.job, action.chunk};
  CallRecord* const record = book_.record(place);
  MUSTER_ASSERT(record != nullptr);
  ++counters_.errors;
  answer(place, record->last_kind, std::move(record->last_text));
}

void CoordinatorCore::on(const scheduling::JobFinished& action) {
  if (jobs_.has(action.job)) {
    jobs_.on(now_, action);
  } else {
    book_.forget_stream(action.job);
  }
  ended_jobs_.push_back(action.job);
}

void CoordinatorCore::on(const scheduling::ChunkReopened& action) { jobs_.on(action); }

void CoordinatorCore::on(const scheduling::StageFinished& action) {
  if (jobs_.has(action.job)) jobs_.on(now_, action);
}

void CoordinatorCore::on(const scheduling::JobRejected& action) {
  if (jobs_.has(action.job)) {
    jobs_.on(now_, action);
    return;
  }
  options_.log(fmt::format("a stream of calls was not taken: {}", to_string(action.reason)));
}

void CoordinatorCore::on(const scheduling::WorkerSuspended& action) {
  const auto found = workers_.find(to_session(action.worker));
  if (found == workers_.end()) return;
  options_.log(fmt::format("worker '{}' gets nothing for {} s: too much has failed there",
                           found->second.name,
                           std::chrono::duration_cast<std::chrono::seconds>(action.time).count()));
}

/// Of what was told last.
void CoordinatorCore::carry_out_actions() {
  doing_.swap(actions_);
  carry_out(doing_);
  doing_.clear();
}

void CoordinatorCore::answer(const CallPlace& place, wire::EndKind kind, std::string bytes) {
  const wire::SessionId client = book_.stream(place.job)->client;
  clients_.at(client).ends.push_back({book_.end(place), kind, std::move(bytes)});
  unsent_.insert(client);
  if (const auto idle = book_.retire_idle_stream(place.job)) retired_streams_.push_back(*idle);
}

CoordinatorCore::Frames CoordinatorCore::take_frames(TimePoint now) {
  for (auto each = unsent_.begin(); each != unsent_.end();) {
    const wire::SessionId id = *each;
    bool is_done = true;
    if (const auto worker = workers_.find(id); worker != workers_.end()) {
      flush(now, id, worker->second);
      is_done = worker->second.calls.empty() && worker->second.withdrawals.empty();
    } else if (const auto client = clients_.find(id); client != clients_.end()) {
      flush(now, id, client->second);
      is_done = client->second.ends.empty() && client->second.starts.empty();
    }
    each = is_done ? unsent_.erase(each) : std::next(each);
  }
  if (std::exchange(size_changed_, false)) send_size(now);
  send_job_news(now);
  send_code(now);
  return std::exchange(output_.frames, {});
}

void CoordinatorCore::flush(TimePoint now, wire::SessionId id, Worker& worker) {
  std::size_t sent = 0;
  while (sent < worker.calls.size() && sessions_.has_room(id)) {
    const std::size_t count = count_for_message(
        worker.calls, sent,
        [](const Outgoing& a, const Outgoing& b) { return a.program == b.program; });
    wire::Calls message{worker.calls[sent].program, {}, worker.calls[sent].kind};
    message.calls.reserve(count);
    for (std::size_t end = sent + count; sent < end; ++sent)
      message.calls.push_back(std::move(worker.calls[sent].call));
    sessions_.send(now, id, message, output_);
  }
  worker.calls.erase(worker.calls.begin(),
                     worker.calls.begin() + static_cast<std::ptrdiff_t>(sent));
  // After the calls that they may be about.
  if (!worker.calls.empty()) return;
  send_in_parts(worker.withdrawals, [&](std::vector<wire::Withdrawals::Withdrawal> part) {
    if (!sessions_.has_room(id)) return false;
    sessions_.send(now, id, wire::Withdrawals{std::move(part)}, output_);
    return true;
  });
}

void CoordinatorCore::flush(TimePoint now, wire::SessionId id, Client& client) {
  send_in_parts(client.starts, [&](std::vector<std::uint64_t> part) {
    if (!sessions_.has_room(id)) return false;
    sessions_.send(now, id, wire::Starts{std::move(part)}, output_);
    return true;
  });
  std::size_t sent = 0;
  while (sent < client.ends.size() && sessions_.has_room(id)) {
    const std::size_t count =
        count_for_message(client.ends, sent, [](const auto&, const auto&) { return true; });
    wire::Ends message;
    message.ends.reserve(count);
    for (std::size_t end = sent + count; sent < end; ++sent)
      message.ends.push_back(std::move(client.ends[sent]));
    sessions_.send(now, id, message, output_);
  }
  client.ends.erase(client.ends.begin(), client.ends.begin() + static_cast<std::ptrdiff_t>(sent));
}

void CoordinatorCore::send_size(TimePoint now) {
  wire::ClusterSize size;
  for (const auto& [id, worker] : workers_) {
    if (worker.paused || worker.draining) continue;
    ++size.workers;
    size.slots += worker.slots;
  }
  for (const auto& [id, client] : clients_) sessions_.send(now, id, size, output_);
}

void CoordinatorCore::send_code(TimePoint now) {
  for (const auto& [id, message] : std::exchange(code_, {})) {
    std::visit([&, to = id](const auto& each) { sessions_.send(now, to, each, output_); }, message);
  }
}

}  // namespace muster::cluster
