#include <algorithm>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include <muster/cluster/coordinator/coordinator_core.hpp>
#include <muster/cluster/security/allowed_code.hpp>

// Jobs: between their book, clients, workers and the scheduler.

namespace muster::cluster {
namespace {

wire::JobAnswer refusal(std::uint64_t number, const Error& error) {
  return {number, true, static_cast<std::uint8_t>(error.code()), 0, error.what(), error.hint()};
}

}  // namespace

/// What is too long for a message is refused, whoever has made it so long.
template <class M>
void CoordinatorCore::send_answer(TimePoint now, wire::SessionId client, std::uint64_t number,
                                  const M& message) {
  try {
    sessions_.send(now, client, message, output_);
  } catch (const Error& error) {
    sessions_.send(now, client, refusal(number, error), output_);
  }
}

void CoordinatorCore::on(TimePoint now, wire::SessionId client, wire::SubmitJob&& submission) {
  const std::uint64_t number = submission.number;
  const wire::Digest plugin = submission.plugin;
  await_plugin(now, {client, number, plugin, std::move(submission)});
}

void CoordinatorCore::await_plugin(TimePoint now, Submission&& submission) {
  const wire::SessionId client = submission.client;
  const std::uint64_t number = submission.number;
  try {
    if (!options_.may_run(submission.plugin)) {
      throw Error(ErrorCode::usage, "its plugin may not be run here",
                  not_allowed(submission.plugin));
    }
    relay_.fetch(client, submission.plugin, code_);
    submissions_.push_back(std::move(submission));
    take_submissions(now);
  } catch (const JournalError&) {
    throw;  // it may have lost all of its transaction
  } catch (const Error& error) {
    send_answer(now, client, number, refusal(number, error));
  }
}

/// Those whose plugins are here now, so that the client is not needed any more.
void CoordinatorCore::take_submissions(TimePoint now) {
  for (Submission& each : std::exchange(submissions_, {})) {
    if (relay_.is_awaited(each.plugin)) {
      submissions_.push_back(std::move(each));
      continue;
    }
    wire::JobAnswer answer{each.number,
                           true,
                           0,
                           0,
                           "the plugin could not be fetched from the client",
                           "is its file still there? 'muster plugin push' sends it beforehand"};
    try {
      if (relay_.has(each.plugin)) {
        answer = {each.number, false, 0, 0, "", ""};
        if (each.job) {
          answer =
              jobs_.submit(now, each.client, clients_.at(each.client).name, std::move(*each.job));
        }
      }
    } catch (const JournalError&) {
      throw;  // it may have lost all of its transaction
    } catch (const Error& error) {
      answer = refusal(each.number, error);
    }
    send_answer(now, each.client, each.number, answer);
  }
  carry_out_orders(now);
}

const char* CoordinatorCore::state_of(wire::SessionId id, const Worker& worker) const {
  if (worker.draining) return "draining";
  if (worker.paused) return "paused";
  return jobs_.is_set_apart(WorkerId{id.value}) ? "cut off" : "open";
}

CoordinatorCore::WorkersAnswer CoordinatorCore::answer(TimePoint now,
                                                       const wire::AskWorkers& question,
                                                       const std::string& who) {
  bool is_found = question.drain.empty();
  for (auto& [id, worker] : workers_) {
    if (is_found || worker.name != question.drain) continue;
    is_found = true;
    sessions_.send(now, id, wire::Drain{fmt::format("'{}' has asked for it", who)}, output_);
  }
  if (!is_found) {
    return wire::JobAnswer{
        question.number,
        true,
        0,
        0,
        fmt::format("there is no worker '{}'", question.drain.substr(0, wire::name_bytes_max)),
        "'muster workers' lists those that there are"};
  }
  std::map<WorkerId, std::uint32_t> held;
  for (const auto& [id, attempt] : attempts_) ++held[attempt.worker];
  wire::WorkerRows rows;
  rows.number = question.number;
  rows.open_calls = book_.open_calls() + jobs_.open_chunks();
  rows.open_jobs = jobs_.size();
  for (const auto& [id, worker] : workers_) {
    rows.workers.push_back({worker.name, worker.host, worker.version,
                            worker.name == question.drain ? "draining" : state_of(id, worker),
                            worker.pid, worker.slots, held[WorkerId{id.value}], worker.sandbox});
  }
  return rows;
}

void CoordinatorCore::on(TimePoint now, wire::SessionId client, const wire::AskWorkers& question) {
  std::visit([&](const auto& each) { send_answer(now, client, question.number, each); },
             answer(now, question, clients_.at(client).name));
}

CoordinatorNumbers CoordinatorCore::numbers() const {
  CoordinatorNumbers out;
  for (const auto& [id, worker] : workers_) {
    const std::string_view state = state_of(id, worker);
    ++(state == "open"       ? out.workers.open
       : state == "paused"   ? out.workers.paused
       : state == "draining" ? out.workers.draining
                             : out.workers.cut_off);
    out.workers.slots += worker.slots;
  }
  out.workers.lost = counters_.workers_lost;
  out.calls = {counters_.calls, counters_.values, counters_.errors};
  out.ended_jobs = jobs_.ended_jobs();
  out.clients = clients_.size();
  out.open_calls = book_.open_calls();
  out.open_jobs = jobs_.size();
  out.open_chunks = jobs_.open_chunks();
  out.attempts = attempts_.size();
  out.scheduler = scheduler_.counters();
  out.sessions = sessions_.counters();
  return out;
}

Answer CoordinatorCore::answer(TimePoint now, const Question& question) {
  const auto widen = [](auto each) { return Answer(std::move(each)); };
  if (const auto* const job = std::get_if<wire::AskJob>(&question.what)) {
    Answer out = std::visit(widen, jobs_.answer(now, *job));
    carry_out_orders(now);
    return out;
  }
  if (const auto* const workers = std::get_if<wire::AskWorkers>(&question.what))
    return std::visit(widen, answer(now, *workers, question.who));
  return numbers();
}

void CoordinatorCore::start_job_attempt(const scheduling::StartAttempt& action) {
  attempts_.emplace(action.attempt, Attempt{{action.job, action.chunk}, action.worker, action});
  auto [plugin, call] = jobs_.start(now_, action);
  const wire::SessionId session{action.worker.value};
  workers_.at(session).calls.push_back({plugin, wire::CodeKind::plugin, std::move(call)});
  unsent_.insert(session);
}

void CoordinatorCore::on_end_of_job_attempt(TimePoint now, const scheduling::StartAttempt& attempt,
                                            wire::CallEnd&& end) {
  if (!jobs_.has(attempt.job)) {  // it has ended meanwhile; the slot is free now
    tell(now, scheduling::AttemptFailed{attempt.attempt, scheduling::FailureCause::killed});
    return;
  }
  for (const scheduling::Event& each : jobs_.ended(now, attempt, std::move(end))) tell(now, each);
}

/// Map outputs are freed when their job ends, so workers that have all paused may wait for each
/// other: that has to have an end.
void CoordinatorCore::watch_for_room(TimePoint now) {
  const bool all_paused = jobs_.size() != 0 && !workers_.empty() &&
                          std::all_of(workers_.begin(), workers_.end(), [](const auto& each) {
                            return each.second.paused && !each.second.draining;
                          });
  if (!all_paused) {
    room_until_.reset();
  } else if (!room_until_) {
    room_until_ = now + options_.recover_within;
  } else if (*room_until_ <= now) {
    room_until_.reset();
    jobs_.give_up_for_want_of_room();
    carry_out_orders(now);
  }
}

void CoordinatorCore::committed(TimePoint now, JobId job, const std::optional<Error>& error) {
  jobs_.committed(job, error);
  carry_out_orders(now);
}

void CoordinatorCore::carry_out_orders(TimePoint now) {
  for (auto orders = jobs_.take_orders(); !orders.empty(); orders = jobs_.take_orders()) {
    for (const scheduling::Event& each : orders) {
      const auto* const resumed = std::get_if<scheduling::WorkerResumed>(&each);
      const auto worker = resumed == nullptr
                              ? workers_.end()
                              : workers_.find(wire::SessionId{resumed->worker.value});
      // It may have paused by itself meanwhile.
      if (worker == workers_.end() || !worker->second.paused) tell(now, each);
    }
  }
}

void CoordinatorCore::send_job_news(TimePoint now) {
  const auto has_room = [this](wire::SessionId client) { return sessions_.has_room(client); };
  for (const auto& [client, message] : jobs_.take_news(now, has_room)) {
    std::visit([&, to = client](const auto& each) { send_answer(now, to, each.number, each); },
               message);
  }
  if (!jobs_.take_live_changed()) return;
  const wire::LiveJobs live = jobs_.live();
  for (const auto& [id, worker] : workers_) sessions_.send(now, id, live, output_);
}

}  // namespace muster::cluster
