#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace muster {

/// A number that cannot be mistaken for a number of another kind. Ids are dense and start at 0
/// unless their owner says otherwise.
template <class Tag>
struct Id {
  std::uint64_t value = 0;

  friend constexpr auto operator<=>(Id, Id) = default;
};

using JobId = Id<struct JobTag>;
using WorkerId = Id<struct WorkerTag>;
using AttemptId = Id<struct AttemptTag>;
using TaskId = Id<struct TaskTag>;

}  // namespace muster

template <class Tag>
struct std::hash<muster::Id<Tag>> {
  std::size_t operator()(muster::Id<Tag> id) const noexcept { return id.value; }
};
