#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "core.hpp"

namespace muster::simulation {

/// A planted bug: the real scheduler behind a layer that corrupts what it hears or says, so that
/// from outside it behaves like a scheduler that has the bug. The production code has no hooks.
struct Mutation {
  std::string_view name;
  std::unique_ptr<Core> (*make)(const SchedulerOptions& options);
};

const std::vector<Mutation>& mutations();

}  // namespace muster::simulation
