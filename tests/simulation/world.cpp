#include "world.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>

namespace muster::simulation {
namespace {

using std::chrono::milliseconds;

/// Writes one field after another; the trace needs no more structure than that.
struct Encoder {
  ByteWriter out;

  template <class... T>
  void put(T... value) {
    (out.varint(static_cast<std::uint64_t>(value)), ...);
  }

  void operator()(const JobSubmitted& e) { put(e.job.value, e.spec.size()); }
  void operator()(const WorkerJoined& e) { put(e.worker.value, e.slots); }
  void operator()(const WorkerLost& e) { put(e.worker.value); }
  void operator()(const AttemptSucceeded& e) { put(e.attempt.value); }
  void operator()(const AttemptFailed& e) { put(e.attempt.value, e.cause); }
  void operator()(const JobCancelled& e) { put(e.job.value); }
  void operator()(const StartAttempt& a) {
    put(a.attempt.value, a.job.value, a.stage, a.chunk, a.worker.value, a.attempt_number, a.alone);
  }
  void operator()(const CancelAttempt& a) { put(a.attempt.value, a.worker.value); }
  void operator()(const ChunkFinished& a) { put(a.job.value, a.stage, a.chunk, a.attempt.value); }
  void operator()(const StageFinished& a) { put(a.job.value, a.stage); }
  void operator()(const JobFinished& a) {
    put(a.job.value, a.outcome);
    if (a.failure) put(a.failure->stage, a.failure->chunk, a.failure->attempts, a.failure->cause);
  }
  void operator()(const JobRejected& a) { put(a.job.value, a.reason); }
};

/// The run that is on, for the note below.
const Scenario* playing = nullptr;

/// A broken invariant inside the core aborts; without this its seed would be lost.
void name_seed(int) {
  std::fprintf(stderr, "aborted in the simulation of seed %lu, %zu workers, %s\n", playing->seed,
               playing->workers.size(), playing->mode == Mode::heals ? "heals" : "unbounded");
}

}  // namespace

World::World(const Scenario& scenario, Core& core)
    : scenario_(scenario), core_(core), random_(scenario.seed) {
  for (const PlannedWorker& worker : scenario.workers) {
    places_[worker.id] = {worker.slots, worker.slowness, false};
    at(some_ms(50), Event(WorkerJoined{worker.id, worker.slots}));
  }
  for (const PlannedJob& job : scenario.jobs) at(job.at, Event(JobSubmitted{job.id, job.spec}));
  at(some_ms(40), Chaos{});
  if (scenario.mode == Mode::heals) at(scenario.heal_after, Heal{});
}

Report World::run() {
  playing = &scenario_;
  const auto previous = std::signal(SIGABRT, name_seed);
  while (auditor_.violations().empty() && report_.steps < scenario_.steps_max && step()) {
  }
  std::signal(SIGABRT, previous);
  if (auditor_.violations().empty()) {
    auditor_.check_progress(core_);
    if (scenario_.mode == Mode::heals) auditor_.check_all_ended();
  }
  report_.violations = auditor_.violations();
  if (report_.violations.empty()) check_outcomes();
  report_.trace = trace_.value();
  report_.commits = auditor_.commits();
  report_.stale = auditor_.stale();
  for (std::uint32_t i = 0; i < failure_cause_count; ++i)
    report_.failures[static_cast<FailureCause>(i)] =
        auditor_.failures(static_cast<FailureCause>(i));
  return report_;
}

/// One happening, or the deadline before it. False if nothing is left to happen.
bool World::step() {
  const auto deadline = core_.next_deadline();
  if (queue_.empty() && !deadline) return false;
  if (deadline && (queue_.empty() || *deadline <= queue_.begin()->first.first)) {
    now_ = std::max(now_, *deadline);
    call_core(nullptr);
    return true;
  }
  auto node = queue_.extract(queue_.begin());
  now_ = node.key().first;
  std::visit([&](const auto& h) { happen(h); }, node.mapped());
  return true;
}

void World::at(Duration after, Happening happening) {
  queue_.emplace(std::pair(now_ + after, queued_++), std::move(happening));
}

void World::happen(const Event& event) {
  if (!arrives(event)) return;
  if (const auto* joined = std::get_if<WorkerJoined>(&event)) places_[joined->worker].dead = false;
  if (const auto* lost = std::get_if<WorkerLost>(&event))
    std::erase_if(running_, [&](const auto& entry) { return entry.second == lost->worker; });
  call_core(&event);
  repeat(event);
}

void World::happen(Heal) { healed_ = true; }
void World::happen(Expire) { call_core(nullptr); }

void World::happen(Chaos) {
  if (healed_) return;
  if (random_.chance(scenario_.loss_rate)) {
    for (std::uint64_t n = 1 + random_.below(3); n > 0; --n) lose_worker();
  }
  if (random_.chance(scenario_.cancel_rate)) at({}, Event(JobCancelled{some_job()}));
  if (random_.chance(0.1)) at({}, Expire{});
  if (random_.chance(0.3)) send_nonsense();
  at(some_ms(40), Chaos{});
}

bool World::arrives(const Event& event) {
  AttemptId id;
  if (const auto* succeeded = std::get_if<AttemptSucceeded>(&event)) id = succeeded->attempt;
  if (const auto* failed = std::get_if<AttemptFailed>(&event)) id = failed->attempt;
  const auto running = running_.find(id);
  if (running == running_.end()) return true;
  if (!places_[running->second].dead) {
    running_.erase(running);
    return true;
  }
  if (random_.chance(0.5)) at(milliseconds(50), event);
  return false;
}

void World::call_core(const Event* event) {
  actions_.clear();
  if (event != nullptr) {
    core_.handle(now_, *event, actions_);
  } else {
    core_.expire(now_, actions_);
  }
  auditor_.step(now_, event, actions_, core_.next_deadline());
  if (++report_.steps % 97 == 0) auditor_.check_progress(core_);
  trace(event, actions_);
  if (!auditor_.violations().empty()) return;
  for (const Action& action : actions_) std::visit([&](const auto& a) { carry_out(a); }, action);
}

void World::trace(const Event* event, const std::vector<Action>& actions) {
  encoded_.clear();
  Encoder encoder{ByteWriter(encoded_)};
  encoder.put(now_.time_since_epoch().count(), event == nullptr ? 99 : event->index());
  if (event != nullptr) std::visit(encoder, *event);
  for (const Action& action : actions) {
    encoder.put(action.index());
    std::visit(encoder, action);
  }
  trace_.add(encoded_);
}

void World::carry_out(const StartAttempt& action) {
  running_[action.attempt] = action.worker;
  last_attempt_ = action.attempt.value;
  Duration takes = (milliseconds(1) + some_ms(20)) * places_[action.worker].slowness;
  if (!healed_ && random_.chance(scenario_.delay_rate)) takes += some_ms(300);
  at(takes, fate(action));
}

/// The attempt ends soon; the result that was due anyway may come first, or will come as a second.
void World::carry_out(const CancelAttempt& action) {
  at(some_ms(20), Event(AttemptFailed{action.attempt, FailureCause::killed}));
}

Event World::fate(const StartAttempt& action) {
  const auto poison = scenario_.poison(action.job, {action.stage, action.chunk});
  if (poison) return AttemptFailed{action.attempt, *poison};
  if (healed_ || !random_.chance(scenario_.fault_rate)) return AttemptSucceeded{action.attempt};
  if (random_.chance(scenario_.hopeless_rate)) {
    constexpr FailureCause hopeless[] = {FailureCause::task_error, FailureCause::no_space,
                                         FailureCause::input_changed};
    return AttemptFailed{action.attempt, hopeless[random_.below(3)]};
  }
  constexpr FailureCause usual[] = {FailureCause::crashed, FailureCause::crashed,
                                    FailureCause::killed,  FailureCause::killed,
                                    FailureCause::killed,  FailureCause::out_of_memory};
  return AttemptFailed{action.attempt, usual[random_.below(6)]};
}

void World::repeat(const Event& event) {
  if (healed_ || !random_.chance(scenario_.duplicate_rate)) return;
  if (const auto* succeeded = std::get_if<AttemptSucceeded>(&event)) {
    at(some_ms(60), random_.chance(0.5)
                        ? event
                        : Event(AttemptFailed{succeeded->attempt, FailureCause::crashed}));
  } else if (const auto* failed = std::get_if<AttemptFailed>(&event)) {
    at(some_ms(60), random_.chance(0.5) ? event : Event(AttemptSucceeded{failed->attempt}));
  }
}

/// It dies now, that is noticed later, and later still it is back.
void World::lose_worker() {
  const WorkerId worker = some_worker();
  if (places_[worker].dead) return;
  places_[worker].dead = true;
  const Duration noticed = some_ms(30);
  at(noticed, Event(WorkerLost{worker}));
  at(noticed + some_ms(300), Event(WorkerJoined{worker, places_[worker].slots}));
}

/// Messages that must change nothing.
void World::send_nonsense() {
  const AttemptId attempt{random_.below(last_attempt_ + 3)};
  const PlannedJob& job = scenario_.jobs[random_.below(scenario_.jobs.size())];
  const bool made_up = !running_.contains(attempt) && attempt.value <= last_attempt_;
  switch (random_.below(6)) {
    case 0:
      return at({}, Event(WorkerLost{WorkerId{1'000'000}}));
    case 1:
      if (TimePoint() + job.at < now_) at({}, Event(JobSubmitted{job.id, {}}));
      return;
    case 2:
      return at({}, Event(JobSubmitted{JobId{1'000'000}, {{3}, {2, Edge::each, {}}}}));
    case 3:
      return at({}, Event(JobCancelled{JobId{1'000'000}}));
    case 4:
      if (made_up) at({}, Event(AttemptFailed{attempt, FailureCause::task_error}));
      return;
    default:
      if (made_up) at({}, Event(AttemptSucceeded{attempt}));
  }
}

void World::check_outcomes() {
  for (const PlannedJob& job : scenario_.jobs) {
    const auto outcome = auditor_.outcome(job.id);
    if (!outcome) continue;
    ++report_.outcomes[*outcome];
    if (*outcome != Outcome::succeeded) continue;
    for (std::uint32_t s = 0; s < job.spec.size(); ++s)
      for (std::uint32_t c = 0; c < job.spec[s].chunk_count; ++c)
        if (scenario_.poison(job.id, {s, c}))
          report_.violations.push_back("a job with a poisoned chunk succeeded");
  }
}

}  // namespace muster::simulation
