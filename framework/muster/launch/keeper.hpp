#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <muster/base/clock.hpp>
#include <muster/launch/adapt_policy.hpp>
#include <muster/launch/launcher.hpp>
#include <muster/launch/restart_pacer.hpp>

namespace muster::launch {

struct KeeperOptions {
  unsigned wanted = 1;
  /// With a range, how many are wanted follows the load; `wanted` is of no use then.
  std::optional<AdaptPolicy::Options> adapt;
  /// What there is to do; nullopt while nobody can tell. It may take a second, and not throw.
  std::function<std::optional<Load>()> load = [] { return std::nullopt; };
  RestartPacer::Options pacing = {};
  /// Gets a line for each thing that people want to know of. It must not throw.
  std::function<void(const std::string& line)> log = [](const auto&) {};
};

/// Keeps as many workers as are wanted: those that have ended, by walltime or with their machine,
/// are started again; those that are too many drain, pending ones first. Not thread-safe.
class Keeper {
 public:
  /// The launcher must outlive it.
  Keeper(Launcher& launcher, KeeperOptions options);

  /// Looks once, and does what follows. What fails is logged and tried again in a later round.
  void round(TimePoint now);

 private:
  void reconcile(TimePoint now);
  void drain_surplus(const std::vector<Pilot>& alive, unsigned wanted);
  void log_trouble(const std::string& trouble);

  Launcher& launcher_;
  KeeperOptions options_;
  std::optional<AdaptPolicy> policy_;
  RestartPacer pacer_;
  std::set<std::string> told_to_drain_;
  std::string last_trouble_;
  unsigned last_wanted_ = 0;
};

}  // namespace muster::launch
