#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include <muster/base/bytes.hpp>
#include <muster/base/ids.hpp>
#include <muster/executors/task_context.hpp>
#include <muster/futures/promise.hpp>

namespace muster::detail {

class ChildHandle;

/// A task from its submission until its outcome is decided.
struct TaskRecord {
  TaskFunction function = nullptr;
  Bytes argument;  // kept until the end, for the task may have to be sent again
  Promise<Bytes> promise;
  bool fresh_process = false;
  ChildHandle* child = nullptr;  // where it was sent; null while it is in the queue
  std::uint32_t slot = 0;        // there
};

/// Finds tasks by id in O(1), and reuses the memory of ended ones. An id holds the place in the
/// table and a number that is never used again, so that an old id finds nothing. References stay
/// valid until the task is removed. Not thread-safe.
class TaskTable {
 public:
  /// Throws Error(limit) if the table is full.
  TaskId add(TaskRecord record);

  TaskRecord* find(TaskId id) noexcept;
  const TaskRecord* find(TaskId id) const noexcept;
  TaskRecord remove(TaskId id);  ///< the id must be there
  std::vector<TaskId> ids() const;
  std::size_t size() const noexcept { return size_; }

 private:
  struct Entry {
    TaskId id;
    std::optional<TaskRecord> record;
  };
  static constexpr unsigned index_bits = 24;
  static constexpr std::uint64_t index_mask = (std::uint64_t{1} << index_bits) - 1;

  std::deque<Entry> entries_;
  std::vector<std::uint32_t> free_;
  std::size_t size_ = 0;
  std::uint64_t next_number_ = 1;  // from 1, so that no id is 0
};

}  // namespace muster::detail
