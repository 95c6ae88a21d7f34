#include <algorithm>
#include <iterator>

#include <muster/base/assert.hpp>
#include <muster/scheduling/worker_table.hpp>

namespace muster::scheduling {

bool WorkerTable::join(WorkerId id, std::uint32_t slots, std::uint32_t ahead, TimePoint now) {
  const auto [entry, added] = workers_.try_emplace(id);
  if (!added) return false;
  Worker& worker = entry->second;
  worker.slots = slots;
  worker.ahead = ahead;
  if (lease_) leases_.emplace(worker.expires = now + *lease_, id);
  put_in(id, worker);
  return true;
}

bool WorkerTable::drain(WorkerId id) {
  Worker* const worker = find(id);
  if (worker == nullptr || worker->draining) return false;
  change(id, *worker, [&] { worker->draining = true; });
  return true;
}

bool WorkerTable::pause(WorkerId id, bool paused) {
  Worker* const worker = find(id);
  if (worker == nullptr || worker->paused == paused) return false;
  change(id, *worker, [&] { worker->paused = paused; });
  return true;
}

bool WorkerTable::hear(WorkerId id, TimePoint now) {
  Worker* const worker = find(id);
  if (worker == nullptr) return false;
  if (!lease_) return true;
  leases_.erase({worker->expires, id});
  leases_.emplace(worker->expires = now + *lease_, id);
  return true;
}

void WorkerTable::suspend(WorkerId id, TimePoint until) {
  Worker& worker = workers_.at(id);
  if (worker.suspended_until) suspended_.erase({*worker.suspended_until, id});
  suspended_.emplace(until, id);
  change(id, worker, [&] { worker.suspended_until = until; });
}

void WorkerTable::end_suspensions(TimePoint now) {
  while (!suspended_.empty() && suspended_.begin()->first <= now) {
    const WorkerId id = suspended_.begin()->second;
    suspended_.erase(suspended_.begin());
    Worker& worker = workers_.at(id);
    change(id, worker, [&] { worker.suspended_until.reset(); });
  }
}

std::optional<TimePoint> WorkerTable::next_suspension_end() const {
  if (suspended_.empty()) return std::nullopt;
  return suspended_.begin()->first;
}

std::optional<WorkerTable::Left> WorkerTable::leave(WorkerId id) {
  const auto entry = workers_.find(id);
  if (entry == workers_.end()) return std::nullopt;
  const Worker& worker = entry->second;
  take_out(id, worker);
  if (lease_) leases_.erase({worker.expires, id});
  if (worker.suspended_until) suspended_.erase({*worker.suspended_until, id});
  Left left;
  for (const AttemptId attempt : worker.attempts) {
    (left.running.size() < worker.slots ? left.running : left.waiting).push_back(attempt);
  }
  workers_.erase(entry);
  return left;
}

std::optional<WorkerId> WorkerTable::pick(std::optional<WorkerId> avoid) const {
  if (open_.empty()) return std::nullopt;
  auto choice = open_.begin();
  if (choice->worker == avoid && open_.size() > 1) choice = std::next(choice);
  return choice->worker;
}

std::optional<WorkerId> WorkerTable::pick_idle(WorkerId other) const {
  auto choice = open_.begin();
  if (choice != open_.end() && choice->worker == other) ++choice;
  if (choice == open_.end() || choice->rank <= 0) return std::nullopt;
  return choice->worker;
}

void WorkerTable::occupy(WorkerId id, AttemptId attempt) {
  Worker& worker = workers_.at(id);
  MUSTER_ASSERT(worker.has_room());
  change(id, worker, [&] {
    const bool added = worker.attempts.insert(attempt).second;
    MUSTER_ASSERT(added);
    worker.steady.insert(attempt);
  });
}

void WorkerTable::vacate(WorkerId id, AttemptId attempt) {
  Worker& worker = workers_.at(id);
  change(id, worker, [&] {
    const std::size_t removed = worker.attempts.erase(attempt);
    MUSTER_ASSERT(removed == 1);
    worker.steady.erase(attempt);
    worker.kept.erase(attempt);
  });
}

void WorkerTable::mark(WorkerId id, AttemptId attempt) {
  Worker& worker = workers_.at(id);
  change(id, worker, [&] {
    worker.steady.erase(attempt);
    worker.kept.erase(attempt);
  });
}

void WorkerTable::keep(WorkerId id, AttemptId attempt) {
  Worker& worker = workers_.at(id);
  MUSTER_ASSERT(worker.attempts.contains(attempt));
  change(id, worker, [&] { worker.kept.insert(attempt); });
}

std::optional<std::pair<WorkerId, AttemptId>> WorkerTable::recallable() const {
  if (overfull_.empty()) return std::nullopt;
  const WorkerId worker = overfull_.begin()->worker;
  return std::pair(worker, *workers_.at(worker).steady.rbegin());
}

std::vector<WorkerId> WorkerTable::expired(TimePoint now) const {
  std::vector<WorkerId> out;
  for (const auto& [at, worker] : leases_) {
    if (at > now) break;
    out.push_back(worker);
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::optional<TimePoint> WorkerTable::next_expiry() const {
  if (leases_.empty()) return std::nullopt;
  return leases_.begin()->first;
}

WorkerTable::Worker* WorkerTable::find(WorkerId id) {
  const auto entry = workers_.find(id);
  return entry == workers_.end() ? nullptr : &entry->second;
}

/// Out of all sets, before what they go by changes.
void WorkerTable::take_out(WorkerId id, const Worker& worker) {
  if (worker.has_room()) open_.erase({worker.free(), id});
  if (worker.surplus() > 0) overfull_.erase({worker.surplus(), id});
  if (worker.draining && worker.attempts.empty()) drained_.erase(id);
  free_slots_ -= worker.free_slots();
}

void WorkerTable::put_in(WorkerId id, const Worker& worker) {
  if (worker.has_room()) open_.insert({worker.free(), id});
  if (worker.surplus() > 0) overfull_.insert({worker.surplus(), id});
  if (worker.draining && worker.attempts.empty()) drained_.insert(id);
  free_slots_ += worker.free_slots();
}

}  // namespace muster::scheduling
