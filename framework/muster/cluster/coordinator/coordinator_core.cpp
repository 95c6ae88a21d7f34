#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include <muster/cluster/coordinator/coordinator_core.hpp>
#include <muster/cluster/security/allowed_code.hpp>

namespace muster::cluster {
namespace {

/// Workers go by their session: one that is lost and comes back is another.
WorkerId to_worker(wire::SessionId session) { return WorkerId{session.value}; }

/// What somebody else has written, for a line of a log.
std::string printable(std::string_view text) {
  constexpr std::size_t shown = 200;
  std::string out(text.substr(0, shown));
  std::replace_if(
      out.begin(), out.end(), [](char c) { return c < ' ' || c == '\x7f'; }, '?');
  return out;
}

scheduling::FailureCause cause_of(wire::EndKind kind) {
  switch (kind) {
    case wire::EndKind::crashed:
      return scheduling::FailureCause::crashed;
    case wire::EndKind::killed:
      return scheduling::FailureCause::killed;
    case wire::EndKind::out_of_memory:
      return scheduling::FailureCause::out_of_memory;
    case wire::EndKind::worker_lost:
      return scheduling::FailureCause::worker_lost;
    default:
      return scheduling::FailureCause::task_error;
  }
}

}  // namespace

CoordinatorCore::CoordinatorCore(TimePoint now, CoordinatorOptions options, CodeStore& store,
                                 Journal& journal)
    : options_(std::move(options)),
      sessions_(options_.sessions),
      scheduler_(options_.scheduler),
      relay_(store),
      jobs_(journal, options_.recover_within, options_.log) {
  jobs_.recover(now);
}

void CoordinatorCore::receive(TimePoint now, wire::PeerId peer, std::string_view user,
                              std::string_view bytes) {
  sessions_.receive(now, peer, user, bytes, output_);
  take_events(now);
}

void CoordinatorCore::recheck_keys(TimePoint now) {
  sessions_.recheck(output_);
  take_events(now);
}

void CoordinatorCore::expire(TimePoint now) {
  sessions_.expire(now, output_);
  take_events(now);
  now_ = now;
  scheduler_.expire(now, actions_);
  carry_out_actions();
  relay_.expire(now, code_);
  take_submissions(now);
  jobs_.expire(now);
  carry_out_orders(now);
  watch_for_room(now);
}

std::optional<TimePoint> CoordinatorCore::next_deadline() const {
  std::optional<TimePoint> next = sessions_.next_deadline();
  for (const auto& each :
       {scheduler_.next_deadline(), jobs_.next_deadline(), relay_.next_deadline(), room_until_}) {
    if (each) next = next ? std::min(*next, *each) : each;
  }
  return next;
}

void CoordinatorCore::take_events(TimePoint now) {
  while (!output_.events.empty()) {
    for (wire::SessionEvent& each : std::exchange(output_.events, {})) {
      std::visit(
          [&](auto& event) {
            if constexpr (std::is_same_v<std::decay_t<decltype(event)>, wire::SessionMessage>) {
              on(now, std::move(event));
            } else {
              on(now, event);
            }
          },
          each);
    }
  }
}

void CoordinatorCore::on(TimePoint now, const wire::SessionBegun& event) {
  const wire::Hello& hello = event.hello;
  size_changed_ = true;
  if (hello.role == wire::Role::client) {
    clients_[event.session].name = hello.name;
    book_.add_client(event.session);
    relay_.add_client(event.session);
    options_.log(
        fmt::format("client '{}' of {} (pid {}) has connected", hello.name, hello.host, hello.pid));
    return;
  }
  Worker& worker = workers_[event.session];
  worker.name = hello.name;
  worker.host = hello.host;
  worker.version = hello.version;
  worker.sandbox = hello.sandbox;
  worker.pid = hello.pid;
  worker.slots = hello.room->slots;
  options_.log(fmt::format("worker '{}' of {} (pid {}) has joined, with {} slots", hello.name,
                           hello.host, hello.pid, worker.slots));
  jobs_.worker_joined(to_worker(event.session), hello.instance, hello.name);
  sessions_.send(now, event.session,
                 wire::DataKeys{options_.data_keys.public_key, options_.data_keys.secret_key},
                 output_);
  sessions_.send(now, event.session, jobs_.live(), output_);
  tell(now, scheduling::WorkerJoined{to_worker(event.session), worker.slots, hello.room->ahead});
}

void CoordinatorCore::on(TimePoint now, const wire::SessionEnded& event) {
  size_changed_ = true;
  unsent_.erase(event.session);
  if (const auto client = clients_.find(event.session); client != clients_.end()) {
    options_.log(
        fmt::format("client '{}' has gone: {}", client->second.name, printable(event.text)));
    clients_.erase(client);
    for (const JobId job : book_.remove_client(event.session)) {
      tell(now, scheduling::JobCancelled{job});
    }
    relay_.remove_client(event.session, code_);
    std::erase_if(submissions_, [&](const auto& each) { return each.client == event.session; });
    take_submissions(now);
    jobs_.client_left(event.session);
    carry_out_orders(now);
    return;
  }
  const auto worker = workers_.find(event.session);
  if (worker == workers_.end()) return;
  const bool expected = event.reason == wire::SessionEnded::Reason::goodbye;
  options_.log(fmt::format("worker '{}' has gone: {}", worker->second.name, printable(event.text)));
  if (!expected) ++counters_.workers_lost;
  relay_.remove_worker(event.session);
  take_back_unsent(now, event.session, worker->second);
  std::vector<CallPlace> once;  // those that may have run, and may not again
  std::erase_if(attempts_, [&](auto& each) {
    if (each.second.worker != to_worker(event.session)) return false;
    if (each.second.of_job) jobs_.attempt_lost(*each.second.of_job, printable(event.text));
    if (CallRecord* record = book_.record(each.second.place)) {
      record->attempt.reset();
      record->has_started = false;
      record->is_unwanted = false;
      record->last_kind = wire::EndKind::worker_lost;
      record->last_text = printable(event.text);
      if (record->options && record->options->worker_retries == 0)
        once.push_back(each.second.place);
    }
    return true;
  });
  for (const CallPlace& each : once) {
    ++counters_.errors;
    answer(each, wire::EndKind::worker_lost, printable(event.text));
    tell(now, scheduling::ChunkCancelled{each.job, each.chunk});
  }
  workers_.erase(worker);
  unsent_.erase(event.session);
  jobs_.worker_left(to_worker(event.session), printable(event.text));
  tell(now, scheduling::WorkerLost{to_worker(event.session)});
}

/// What it was to get and has not got is not its loss.
void CoordinatorCore::take_back_unsent(TimePoint now, wire::SessionId session, Worker& worker) {
  tell(now, scheduling::WorkerPaused{to_worker(session)});
  for (const auto& [program, kind, call] : std::exchange(worker.calls, {})) {
    const auto attempt = attempts_.find(AttemptId{call.number});
    if (attempt == attempts_.end()) continue;
    if (CallRecord* record = book_.record(attempt->second.place)) record->attempt.reset();
    attempts_.erase(attempt);
    tell(now, scheduling::AttemptReturned{AttemptId{call.number}});
  }
}

void CoordinatorCore::on(TimePoint now, wire::SessionMessage&& event) {
  if (clients_.contains(event.session)) {
    on_client(now, event.session, std::move(event.message));
  } else if (workers_.contains(event.session)) {
    on_worker(now, event.session, std::move(event.message));
  }
}

void CoordinatorCore::on_client(TimePoint now, wire::SessionId client, wire::Message&& message) {
  if (auto* const calls = std::get_if<wire::Calls>(&message)) {
    on(now, client, std::move(*calls));
  } else if (const auto* withdrawals = std::get_if<wire::Withdrawals>(&message)) {
    on(now, client, *withdrawals);
  } else if (const auto* piece = std::get_if<wire::CodePiece>(&message)) {
    relay_.on(client, *piece, code_);
    take_submissions(now);
  } else if (const auto* missing = std::get_if<wire::CodeMissing>(&message)) {
    relay_.on(client, *missing, code_);
    take_submissions(now);
  } else if (auto* const submission = std::get_if<wire::SubmitJob>(&message)) {
    on(now, client, std::move(*submission));
  } else if (const auto* offered = std::get_if<wire::CodeOffered>(&message)) {
    await_plugin(now, {client, offered->number, offered->digest, std::nullopt});
  } else if (const auto* question = std::get_if<wire::AskJob>(&message)) {
    jobs_.ask(now, client, *question);
    carry_out_orders(now);
  } else if (const auto* about = std::get_if<wire::AskWorkers>(&message)) {
    on(now, client, *about);
  }
}

void CoordinatorCore::on_worker(TimePoint now, wire::SessionId worker, wire::Message&& message) {
  if (auto* const ends = std::get_if<wire::Ends>(&message)) {
    on(now, worker, std::move(*ends));
  } else if (const auto* starts = std::get_if<wire::Starts>(&message)) {
    on(now, worker, *starts);
  } else if (const auto* state = std::get_if<wire::WorkerState>(&message)) {
    on(now, worker, *state);
  } else if (const auto* wanted = std::get_if<wire::CodeWanted>(&message)) {
    relay_.on(worker, *wanted, code_);
  } else if (const auto* beat = std::get_if<wire::Heartbeat>(&message)) {
    for (const wire::AttemptProgress& each : beat->running) {
      const auto found = attempts_.find(AttemptId{each.attempt});
      if (found == attempts_.end() || found->second.worker != to_worker(worker)) continue;
      if (found->second.of_job) jobs_.progress(*found->second.of_job, each.done);
    }
  } else if (const auto* place = std::get_if<wire::DataPlace>(&message)) {
    constexpr std::size_t address_max = 256;
    if (place->address.starts_with("tcp://") && place->address.size() <= address_max)
      jobs_.worker_at(to_worker(worker), printable(place->address));
  }
}

void CoordinatorCore::on(TimePoint now, wire::SessionId client, wire::Calls&& calls) {
  std::optional<JobId> job;
  std::uint32_t count = 0;
  const auto add_chunks = [&] {
    if (count != 0) tell(now, scheduling::ChunksAdded{*job, std::exchange(count, 0)});
  };
  const bool may_run = options_.may_run(calls.program);
  for (wire::Call& each : calls.calls) {
    if (!may_run || each.bytes.size() > wire::call_bytes_max) {
      clients_.at(client).ends.push_back(
          {each.number, wire::EndKind::refused,
           may_run ? "the call is larger than calls may be" : not_allowed(calls.program)});
      unsent_.insert(client);
      continue;
    }
    const auto added = book_.add(client, calls.program, std::move(each));
    if (!added) continue;  // a number that it has used already: its own loss
    ++counters_.calls;
    if (job != added->place.job) {
      add_chunks();
      job = added->place.job;
    }
    if (added->full_stream) tell(now, scheduling::StreamSealed{*added->full_stream});
    if (added->is_new_stream) {
      const CallStream& stream = *book_.stream(*job);
      tell(now, scheduling::JobSubmitted{*job, stream.spec, stream.rank});
    }
    ++count;
  }
  add_chunks();
}

void CoordinatorCore::on(TimePoint now, wire::SessionId client,
                         const wire::Withdrawals& withdrawals) {
  for (const auto& each : withdrawals.withdrawals) {
    if (const auto place = book_.find(client, each.number)) withdraw(now, *place, each.how);
  }
}

void CoordinatorCore::withdraw(TimePoint now, const CallPlace& place, wire::Withdrawals::How how) {
  CallRecord& record = *book_.record(place);
  const auto attempt = record.attempt;
  record.is_unwanted = true;
  if (attempt && how != wire::Withdrawals::How::stop) {
    tell_worker(attempts_.at(*attempt).worker, {attempt->value, how});
    return;  // its end will say what came of it
  }
  answer(place, wire::EndKind::cancelled, {});
  tell(now, scheduling::ChunkCancelled{place.job, place.chunk});
}

void CoordinatorCore::on(TimePoint now, wire::SessionId worker, wire::Ends&& ends) {
  for (wire::CallEnd& each : ends.ends) {
    const AttemptId attempt{each.number};
    if (each.bytes.size() > wire::call_bytes_max)
      each = {each.number, wire::EndKind::refused, "the result is larger than results may be"};
    on(now, worker, attempt, std::move(each));
  }
}

void CoordinatorCore::on(TimePoint now, wire::SessionId worker, AttemptId id, wire::CallEnd&& end) {
  const auto found = attempts_.find(id);
  if (found == attempts_.end() || found->second.worker != to_worker(worker)) return;
  const CallPlace place = found->second.place;
  const auto of_job = found->second.of_job;
  attempts_.erase(found);
  if (of_job) {
    on_end_of_job_attempt(now, *of_job, std::move(end));
    return;
  }
  CallRecord* const record = book_.record(place);
  if (record != nullptr) {
    record->attempt.reset();
    record->has_started = false;
  }
  if (end.kind == wire::EndKind::value) {
    result_ = std::move(end.bytes);
    tell(now, scheduling::AttemptSucceeded{id});
    return;
  }
  const bool has_not_run = end.kind == wire::EndKind::returned;
  if (record != nullptr) {
    if (end.kind == wire::EndKind::cancelled || (has_not_run && record->is_unwanted)) {
      answer(place, wire::EndKind::cancelled, {});
      tell(now, scheduling::ChunkCancelled{place.job, place.chunk});
    } else if (!has_not_run) {
      record->is_unwanted = false;
      record->last_kind = end.kind;
      record->last_text = std::move(end.bytes);
    }
  }
  if (has_not_run) {
    tell(now, scheduling::AttemptReturned{id});
  } else {
    tell(now, scheduling::AttemptFailed{id, cause_of(end.kind)});
  }
}

void CoordinatorCore::on(TimePoint now, wire::SessionId worker, const wire::Starts& starts) {
  for (const std::uint64_t each : starts.numbers) {
    const auto found = attempts_.find(AttemptId{each});
    if (found == attempts_.end() || found->second.worker != to_worker(worker)) continue;
    const CallPlace place = found->second.place;
    if (std::exchange(found->second.is_recalled, false))
      tell(now, scheduling::AttemptStarted{AttemptId{each}});
    CallRecord* const record = book_.record(place);
    if (record == nullptr || std::exchange(record->has_started, true)) continue;
    record->is_unwanted = false;
    const wire::SessionId client = book_.stream(place.job)->client;
    clients_.at(client).starts.push_back(record->number);
    unsent_.insert(client);
  }
}

void CoordinatorCore::on(TimePoint now, wire::SessionId session, const wire::WorkerState& state) {
  Worker& worker = workers_.at(session);
  using Kind = wire::WorkerState::Kind;
  if (worker.draining) return;
  options_.log(fmt::format("worker '{}' is {}{}{}", worker.name,
                           state.kind == Kind::open     ? "open"
                           : state.kind == Kind::paused ? "paused"
                                                        : "draining",
                           state.reason.empty() ? "" : ": ", printable(state.reason)));
  worker.draining = state.kind == Kind::draining;
  worker.paused = state.kind != Kind::open;
  size_changed_ = true;
  if (state.kind == Kind::draining) {
    tell(now, scheduling::WorkerDraining{to_worker(session)});
  } else if (state.kind == Kind::paused) {
    tell(now, scheduling::WorkerPaused{to_worker(session)});
  } else if (!jobs_.is_set_apart(to_worker(session))) {
    tell(now, scheduling::WorkerResumed{to_worker(session)});
  }
}

void CoordinatorCore::tell(TimePoint now, const scheduling::Event& event) {
  now_ = now;
  scheduler_.handle(now, event, actions_);
  carry_out_actions();
  while (!retired_streams_.empty() || !ended_jobs_.empty()) {
    for (const JobId each : std::exchange(retired_streams_, {})) {
      scheduler_.handle(now, scheduling::StreamSealed{each}, actions_);
      carry_out_actions();
    }
    for (const JobId each : std::exchange(ended_jobs_, {})) {
      scheduler_.handle(now, scheduling::JobForgotten{each}, actions_);
      carry_out_actions();
    }
  }
}

void CoordinatorCore::end(const std::string& reason) {
  options_.log(
      fmt::format("{} calls were taken, {} workers lost, {} sessions resumed, {} frames "
                  "refused because their session was over",
                  counters_.calls, counters_.workers_lost, sessions_.counters().resumed,
                  sessions_.counters().stale));
  sessions_.end_all({wire::Refusal::Reason::ending, "the coordinator ends: " + reason, ""},
                    output_);
  workers_.clear();
  clients_.clear();
  unsent_.clear();
}

}  // namespace muster::cluster
