#include <utility>

#include <muster/base/assert.hpp>
#include <muster/base/error.hpp>
#include <muster/executors/processes/task_table.hpp>

namespace muster::detail {

TaskId TaskTable::add(TaskRecord record) {
  if (free_.empty()) {
    if (entries_.size() > index_mask) {
      throw Error(ErrorCode::limit, "the pool has 16 million unfinished tasks and takes no more");
    }
    free_.push_back(static_cast<std::uint32_t>(entries_.size()));
    entries_.emplace_back();
  }
  const std::uint32_t index = free_.back();
  Entry& entry = entries_[index];
  entry.record.emplace(std::move(record));
  entry.id = TaskId{(next_number_++ << index_bits) | index};
  free_.pop_back();
  ++size_;
  return entry.id;
}

const TaskRecord* TaskTable::find(TaskId id) const noexcept {
  const std::uint64_t index = id.value & index_mask;
  if (index >= entries_.size()) return nullptr;
  const Entry& entry = entries_[index];
  return entry.record && entry.id == id ? &*entry.record : nullptr;
}

TaskRecord* TaskTable::find(TaskId id) noexcept {
  return const_cast<TaskRecord*>(std::as_const(*this).find(id));
}

TaskRecord TaskTable::remove(TaskId id) {
  TaskRecord* found = find(id);
  MUSTER_ASSERT(found != nullptr);
  TaskRecord out = std::move(*found);
  const auto index = static_cast<std::uint32_t>(id.value & index_mask);
  entries_[index].record.reset();
  free_.push_back(index);
  --size_;
  return out;
}

std::vector<TaskId> TaskTable::ids() const {
  std::vector<TaskId> out;
  for (const Entry& entry : entries_) {
    if (entry.record) out.push_back(entry.id);
  }
  return out;
}

}  // namespace muster::detail
