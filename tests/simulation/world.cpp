#include "world.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <tuple>
#include <utility>

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

  void operator()(const JobSubmitted& e) { put(e.job.value, e.spec.size(), e.restored.size()); }
  void operator()(const WorkerJoined& e) { put(e.worker.value, e.slots, e.ahead); }
  void operator()(const WorkerHeard& e) { put(e.worker.value); }
  void operator()(const WorkerDraining& e) { put(e.worker.value); }
  void operator()(const WorkerPaused& e) { put(e.worker.value); }
  void operator()(const WorkerResumed& e) { put(e.worker.value); }
  void operator()(const WorkerLost& e) { put(e.worker.value); }
  void operator()(const AttemptSucceeded& e) { put(e.attempt.value); }
  void operator()(const AttemptFailed& e) { put(e.attempt.value, e.cause); }
  void operator()(const AttemptReturned& e) { put(e.attempt.value); }
  void operator()(const AttemptStarted& e) { put(e.attempt.value); }
  void operator()(const OutputLost& e) { put(e.job.value, e.stage, e.chunk); }
  void operator()(const JobCancelled& e) { put(e.job.value); }
  void operator()(const ChunksAdded& e) { put(e.job.value, e.count); }
  void operator()(const StreamSealed& e) { put(e.job.value); }
  void operator()(const ChunkCancelled& e) { put(e.job.value, e.chunk); }
  void operator()(const JobForgotten& e) { put(e.job.value); }
  void operator()(const StartAttempt& a) {
    put(a.attempt.value, a.job.value, a.stage, a.chunk, a.worker.value, a.attempt_number, a.alone,
        a.second);
  }
  void operator()(const CancelAttempt& a) { put(a.attempt.value, a.worker.value); }
  void operator()(const RecallAttempt& a) { put(a.attempt.value, a.worker.value); }
  void operator()(const WorkerExpired& a) { put(a.worker.value); }
  void operator()(const WorkerSuspended& a) { put(a.worker.value, a.time.count()); }
  void operator()(const WorkerReleased& a) { put(a.worker.value); }
  void operator()(const ChunkFinished& a) { put(a.job.value, a.stage, a.chunk, a.attempt.value); }
  void operator()(const ChunkReopened& a) { put(a.job.value, a.stage, a.chunk); }
  void operator()(const ChunkFailed& a) { put(a.job.value, a.chunk, a.attempts, a.cause); }
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
    : scenario_(scenario), core_(core), auditor_(scenario.options()), random_(scenario.seed) {
  for (const PlannedWorker& worker : scenario.workers) {
    Place& place = places_[worker.id];
    place.slots = worker.slots;
    place.ahead = worker.ahead;
    place.slowness = worker.slowness;
    at(some_ms(50), Event(WorkerJoined{worker.id, worker.slots, worker.ahead}));
    if (scenario.lease) at(some_ms(50), Beat{worker.id});
  }
  for (const PlannedJob& job : scenario.jobs)
    at(job.at, Event(JobSubmitted{job.id, job.spec, job.rank, job.restored}));
  for (const PlannedGrowth& growth : scenario.growths) {
    at(growth.at, growth.count ? Event(ChunksAdded{growth.job, *growth.count})
                               : Event(StreamSealed{growth.job}));
  }
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
  report_.workers = auditor_.workers();
  report_.streams = auditor_.streams();
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
  follow(event);
  call_core(&event);
  repeat(event);
}

/// What an event from outside says of the places.
void World::follow(const Event& event) {
  if (const auto* joined = std::get_if<WorkerJoined>(&event)) {
    if (!places_.contains(joined->worker)) return;
    Place& place = places_[joined->worker];
    if (place.joined) return;  // the core knows it already
    place.dead = false;
    place.joined = true;
    place.draining = false;
  } else if (const auto* lost = std::get_if<WorkerLost>(&event)) {
    forget(lost->worker);
  } else if (const auto* draining = std::get_if<WorkerDraining>(&event)) {
    if (!places_.contains(draining->worker)) return;
    places_[draining->worker].draining = true;
    at(some_ms(1000), Walltime{draining->worker});
    // It hands back what it has not begun.
    for (const StartAttempt& each : std::exchange(places_[draining->worker].waiting, {}))
      at(some_ms(10), Event(AttemptReturned{each.attempt}));
  }
}

/// The core knows nothing of it any more. What it may still send comes from nowhere.
void World::forget(WorkerId worker) {
  if (!places_.contains(worker)) return;
  std::erase_if(running_, [&](const auto& entry) { return entry.second == worker; });
  Place& place = places_[worker];
  place.joined = false;
  place.draining = false;
  place.running.clear();
  place.waiting.clear();
}

bool World::all_ended() const {
  return std::all_of(scenario_.jobs.begin(), scenario_.jobs.end(),
                     [&](const PlannedJob& job) { return auditor_.outcome(job.id).has_value(); });
}

void World::happen(Beat beat) {
  const Place& place = places_[beat.worker];
  const Event heard = WorkerHeard{beat.worker};
  if (place.joined && !place.dead && !place.frozen) call_core(&heard);
  if (!all_ended()) at(*scenario_.lease / 4, beat);
}

void World::happen(Thaw thaw) {
  Place& place = places_[thaw.worker];
  place.frozen = false;
  if (!place.joined && !place.dead && !all_ended())
    at(some_ms(20), Event(WorkerJoined{thaw.worker, place.slots, place.ahead}));
}

/// Whoever made it drain ends it some time, whatever it still keeps.
void World::happen(Walltime walltime) {
  if (!places_[walltime.worker].draining || places_[walltime.worker].dead) return;
  const Place& place = places_[walltime.worker];
  at({}, Event(WorkerLost{walltime.worker}));
  at(some_ms(200), Event(WorkerJoined{walltime.worker, place.slots, place.ahead}));
}

void World::happen(Heal) { healed_ = true; }
void World::happen(Expire) { call_core(nullptr); }

void World::happen(Chaos) {
  if (healed_) return;
  if (random_.chance(scenario_.loss_rate)) {
    for (std::uint64_t n = 1 + random_.below(3); n > 0; --n) lose_worker();
  }
  if (random_.chance(scenario_.cancel_rate)) at({}, Event(JobCancelled{some_job()}));
  if (random_.chance(scenario_.freeze_rate)) freeze_worker();
  if (random_.chance(scenario_.drain_rate)) drain_worker();
  if (random_.chance(scenario_.sick_rate)) {
    const WorkerId worker = some_worker();
    places_[worker].sick = true;
    at(some_ms(300), Recovery{worker});
  }
  if (random_.chance(0.3)) lose_output();
  if (!scenario_.growths.empty() && random_.chance(0.5)) cancel_chunk();
  if (random_.chance(0.1)) at({}, Expire{});
  if (random_.chance(0.3)) send_nonsense();
  if (!scenario_.growths.empty() && random_.chance(0.1)) send_nonsense_about_streams();
  at(some_ms(40), Chaos{});
}

bool World::arrives(const Event& event) {
  AttemptId id;
  if (const auto* succeeded = std::get_if<AttemptSucceeded>(&event)) id = succeeded->attempt;
  if (const auto* failed = std::get_if<AttemptFailed>(&event)) id = failed->attempt;
  if (const auto* returned = std::get_if<AttemptReturned>(&event)) id = returned->attempt;
  if (const auto* started = std::get_if<AttemptStarted>(&event)) id = started->attempt;
  const auto entry = running_.find(id);
  if (entry == running_.end()) return true;
  Place& place = places_[entry->second];
  if (place.dead) {
    if (random_.chance(0.5)) at(milliseconds(50), event);
    return false;
  }
  if (place.frozen) {
    at(milliseconds(10), event);
    return false;
  }
  if (std::holds_alternative<AttemptStarted>(event)) return true;
  running_.erase(entry);
  place.running.erase(id);
  begin_next(place);
  return true;
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
  Place& place = places_[action.worker];
  if (place.running.size() < place.slots) {
    begin(place, action);
  } else {
    place.waiting.push_back(action);
  }
}

void World::begin(Place& place, const StartAttempt& action) {
  place.running.insert(action.attempt);
  Duration takes = (milliseconds(1) + some_ms(20)) * place.slowness;
  if (!healed_ && random_.chance(scenario_.delay_rate)) takes += some_ms(300);
  at(takes, fate(action));
}

void World::begin_next(Place& place) {
  while (!place.waiting.empty() && place.running.size() < place.slots) {
    const StartAttempt next = place.waiting.front();
    place.waiting.pop_front();
    begin(place, next);
  }
}

bool World::take_waiting(Place& place, AttemptId attempt) {
  return std::erase_if(place.waiting,
                       [&](const StartAttempt& each) { return each.attempt == attempt; }) != 0;
}

/// The attempt ends soon; the result that was due anyway may come first, or will come as a second.
void World::carry_out(const CancelAttempt& action) {
  take_waiting(places_[action.worker], action.attempt);
  at(some_ms(20), Event(AttemptFailed{action.attempt, FailureCause::killed}));
}

void World::carry_out(const RecallAttempt& action) {
  at(some_ms(10), Recall{action.worker, action.attempt});
}

/// It may have come too late.
void World::happen(Recall recall) {
  Place& place = places_[recall.worker];
  if (place.dead) return;
  if (place.frozen) {
    at(milliseconds(10), recall);
  } else if (take_waiting(place, recall.attempt)) {
    at(some_ms(10), Event(AttemptReturned{recall.attempt}));
  } else if (place.running.contains(recall.attempt)) {
    at(some_ms(10), Event(AttemptStarted{recall.attempt}));
  }
}

/// It joins again when it is itself again.
void World::carry_out(const WorkerExpired& action) {
  forget(action.worker);
  Place& place = places_[action.worker];
  if (!place.dead && !place.frozen && !all_ended())
    at(some_ms(20), Event(WorkerJoined{action.worker, place.slots, place.ahead}));
}

void World::carry_out(const WorkerReleased& action) {
  forget(action.worker);
  const Place& place = places_[action.worker];
  if (!all_ended()) at(some_ms(200), Event(WorkerJoined{action.worker, place.slots, place.ahead}));
}

/// Someone has looked at how it ended.
void World::carry_out(const JobFinished& action) {
  if (scenario_.growths.empty()) return;
  forgotten_.insert(action.job);
  at(some_ms(100), Event(JobForgotten{action.job}));
}

Event World::fate(const StartAttempt& action) {
  const auto poison = scenario_.poison(action.job, {action.stage, action.chunk});
  if (poison) return AttemptFailed{action.attempt, *poison};
  const double rate = places_[action.worker].sick ? 0.9 : scenario_.fault_rate;
  if (healed_ || !random_.chance(rate)) return AttemptSucceeded{action.attempt};
  if (random_.chance(scenario_.hopeless_rate)) {
    constexpr FailureCause hopeless[] = {FailureCause::task_error, FailureCause::no_space,
                                         FailureCause::input_changed};
    return AttemptFailed{action.attempt, hopeless[random_.below(3)]};
  }
  constexpr FailureCause usual[] = {FailureCause::crashed,   FailureCause::crashed,
                                    FailureCause::killed,    FailureCause::killed,
                                    FailureCause::killed,    FailureCause::out_of_memory,
                                    FailureCause::input_lost};
  return AttemptFailed{action.attempt, usual[random_.below(7)]};
}

/// What is drawn is drawn in the order of statements: that of arguments differs between compilers.
void World::repeat(const Event& event) {
  if (healed_ || !random_.chance(scenario_.duplicate_rate)) return;
  const bool same = random_.chance(0.5);
  const Duration after = some_ms(60);
  if (const auto* succeeded = std::get_if<AttemptSucceeded>(&event)) {
    at(after, same ? event : Event(AttemptFailed{succeeded->attempt, FailureCause::crashed}));
  } else if (const auto* failed = std::get_if<AttemptFailed>(&event)) {
    at(after, same ? event : Event(AttemptSucceeded{failed->attempt}));
  } else if (const auto* returned = std::get_if<AttemptReturned>(&event)) {
    at(after, same ? event : Event(AttemptSucceeded{returned->attempt}));
  } else if (std::holds_alternative<AttemptStarted>(event)) {
    at(after, event);
  }
}

/// It dies now, that is noticed later, and later still it is back.
void World::lose_worker() {
  const WorkerId worker = some_worker();
  if (places_[worker].dead) return;
  places_[worker].dead = true;
  const Duration noticed = some_ms(30);
  at(noticed, Event(WorkerLost{worker}));
  at(noticed + some_ms(300),
     Event(WorkerJoined{worker, places_[worker].slots, places_[worker].ahead}));
}

/// Stopped, or cut off: for a tenth of a lease, or for ten of them.
void World::freeze_worker() {
  const WorkerId worker = some_worker();
  Place& place = places_[worker];
  if (place.frozen || place.dead) return;
  place.frozen = true;
  const Duration lease = scenario_.lease.value_or(milliseconds(100));
  at(lease / 10 * (1 + static_cast<int>(random_.below(random_.chance(0.7) ? 9 : 100))),
     Thaw{worker});
}

/// A file of a worker that lives is gone, or was never there. Mostly one that somebody may need.
void World::lose_output() {
  std::vector<std::pair<JobId, std::uint32_t>> kept;
  for (const PlannedJob& job : scenario_.jobs)
    for (std::uint32_t stage = 0; stage < job.spec.size(); ++stage)
      if (job.spec[stage].keeps_output) kept.emplace_back(job.id, stage);
  JobId id = some_job();
  auto stage = static_cast<std::uint32_t>(random_.below(6));
  if (!kept.empty() && random_.chance(0.8)) std::tie(id, stage) = kept[random_.below(kept.size())];
  const PlannedJob& job = scenario_.jobs[id.value];
  const std::uint32_t chunks = stage < job.spec.size() ? job.spec[stage].chunk_count : 1;
  at({}, Event(OutputLost{id, stage, static_cast<std::uint32_t>(random_.below(chunks + 1))}));
}

void World::cancel_chunk() {
  const JobId job = scenario_.growths[random_.below(scenario_.growths.size())].job;
  at({}, Event(ChunkCancelled{job, static_cast<std::uint32_t>(random_.below(60))}));
}

/// As above, in worlds with streams.
void World::send_nonsense_about_streams() {
  at({}, Event(JobForgotten{some_job()}));  // perhaps it still runs
  at({}, Event(ChunksAdded{some_job(), chunks_max + 1}));
  at({}, Event(ChunkCancelled{some_job(), chunks_max}));
  at({}, Event(StreamSealed{JobId{1'000'000}}));
}

void World::drain_worker() {
  const WorkerId worker = some_worker();
  if (random_.chance(0.5)) {
    at({}, Event(WorkerDraining{worker}));
    return;
  }
  at({}, Event(WorkerPaused{worker}));
  at(some_ms(200), Event(WorkerResumed{worker}));
}

/// Messages that must change nothing.
void World::send_nonsense() {
  const AttemptId attempt{random_.below(last_attempt_ + 3)};
  const PlannedJob& job = scenario_.jobs[random_.below(scenario_.jobs.size())];
  const bool made_up = !running_.contains(attempt) && attempt.value <= last_attempt_;
  const WorkerId nobody{1'000'000};
  switch (random_.below(12)) {
    case 0:
      return at({}, Event(WorkerLost{nobody}));
    case 6:
      at({}, Event(OutputLost{JobId{1'000'000}, 0, 0}));
      return at({}, Event(WorkerHeard{nobody}));
    case 7:
      return at({}, Event(WorkerDraining{nobody}));
    case 8:
      return at({}, Event(WorkerPaused{nobody}));
    case 9:
      return at({}, Event(WorkerResumed{nobody}));
    case 10:
      if (made_up) at({}, Event(AttemptReturned{attempt}));
      return;
    case 11:
      return at({}, Event(AttemptStarted{attempt}));
    case 1:
      if (TimePoint() + job.at < now_ && !forgotten_.contains(job.id))
        at({}, Event(JobSubmitted{job.id, {}}));
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

bool World::was_restored(const PlannedJob& job, ChunkRef ref) {
  return std::any_of(job.restored.begin(), job.restored.end(), [&](const RestoredChunk& each) {
    return each.stage == ref.stage && each.chunk == ref.chunk;
  });
}

void World::check_outcomes() {
  for (const PlannedJob& job : scenario_.jobs) {
    const auto outcome = auditor_.outcome(job.id);
    if (!outcome) continue;
    ++report_.outcomes[*outcome];
    if (*outcome != Outcome::succeeded) continue;
    for (std::uint32_t s = 0; s < job.spec.size() && !job.spec[s].stream; ++s)
      for (std::uint32_t c = 0; c < job.spec[s].chunk_count; ++c)
        if (scenario_.poison(job.id, {s, c}) && !was_restored(job, {s, c}))
          report_.violations.push_back("a job with a poisoned chunk succeeded");
  }
}

}  // namespace muster::simulation
