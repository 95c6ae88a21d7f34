#include <iterator>
#include <utility>

#include <muster/base/assert.hpp>
#include <muster/scheduling/worker_table.hpp>

namespace muster::scheduling {

bool WorkerTable::join(WorkerId worker, std::uint32_t slots) {
  const auto [entry, added] = workers_.try_emplace(worker);
  if (added) set_free(worker, entry->second, slots);
  return added;
}

std::optional<std::set<AttemptId>> WorkerTable::leave(WorkerId worker) {
  const auto entry = workers_.find(worker);
  if (entry == workers_.end()) return std::nullopt;
  set_free(worker, entry->second, 0);
  std::set<AttemptId> attempts = std::move(entry->second.attempts);
  workers_.erase(entry);
  return attempts;
}

std::optional<WorkerId> WorkerTable::pick(std::optional<WorkerId> avoid) const {
  if (free_.empty()) return std::nullopt;
  auto choice = free_.begin();
  if (choice->worker == avoid && free_.size() > 1) choice = std::next(choice);
  return choice->worker;
}

void WorkerTable::occupy(WorkerId worker, AttemptId attempt) {
  Worker& entry = workers_.at(worker);
  MUSTER_ASSERT(entry.free > 0);
  const bool added = entry.attempts.insert(attempt).second;
  MUSTER_ASSERT(added);
  set_free(worker, entry, entry.free - 1);
}

void WorkerTable::vacate(WorkerId worker, AttemptId attempt) {
  Worker& entry = workers_.at(worker);
  const std::size_t removed = entry.attempts.erase(attempt);
  MUSTER_ASSERT(removed == 1);
  set_free(worker, entry, entry.free + 1);
}

void WorkerTable::set_free(WorkerId id, Worker& worker, std::uint32_t free) {
  if (worker.free > 0) free_.erase({worker.free, id});
  if (free > 0) free_.insert({free, id});
  free_slots_ = free_slots_ - worker.free + free;
  worker.free = free;
}

}  // namespace muster::scheduling
