#include <algorithm>
#include <exception>
#include <utility>

#include <fmt/format.h>

#include <muster/launch/keeper.hpp>

namespace muster::launch {

Keeper::Keeper(Launcher& launcher, KeeperOptions options)
    : launcher_(launcher),
      options_(std::move(options)),
      pacer_(options_.pacing),
      last_wanted_(options_.wanted) {
  if (options_.adapt) policy_.emplace(*options_.adapt);
}

void Keeper::round(TimePoint now) {
  try {
    reconcile(now);
    last_trouble_.clear();
  } catch (const std::exception& error) {
    log_trouble(error.what());
  }
}

// The same one again is not worth a line in each round.
void Keeper::log_trouble(const std::string& trouble) {
  if (trouble == last_trouble_) return;
  options_.log(trouble);
  last_trouble_ = trouble;
}

void Keeper::reconcile(TimePoint now) {
  std::vector<Pilot> alive = launcher_.pilots();
  std::erase_if(told_to_drain_, [&](const std::string& id) {
    return std::none_of(alive.begin(), alive.end(),
                        [&](const Pilot& each) { return each.id == id; });
  });
  std::erase_if(alive, [&](const Pilot& each) {
    return each.state == Pilot::State::ending || told_to_drain_.contains(each.id);
  });
  const auto pending =
      static_cast<unsigned>(std::count_if(alive.begin(), alive.end(), [](const Pilot& each) {
        return each.state == Pilot::State::pending;
      }));
  const auto count = static_cast<unsigned>(alive.size());
  unsigned wanted = options_.wanted;
  if (policy_) wanted = policy_->wanted(now, options_.load(), {count - pending, pending});
  if (wanted != std::exchange(last_wanted_, wanted))
    options_.log(fmt::format("{} workers are wanted", wanted));
  if (count > wanted) drain_surplus(alive, wanted);
  const unsigned missing = wanted - std::min(count, wanted);
  if (!pacer_.may_start(now, missing)) return;
  pacer_.started(now);
  options_.log(fmt::format("{} of {} workers are there: starts {}", count, wanted, missing));
  launcher_.start(missing);
}

void Keeper::drain_surplus(const std::vector<Pilot>& alive, unsigned wanted) {
  std::vector<Pilot> order = alive;
  // The latest last, as launchers list them; those that wait after all others.
  std::stable_partition(order.begin(), order.end(),
                        [](const Pilot& each) { return each.state != Pilot::State::pending; });
  order.erase(order.begin(), order.begin() + wanted);
  // Those on a machine that does not answer can be told nothing.
  std::erase_if(order, [](const Pilot& each) { return each.state == Pilot::State::unknown; });
  if (order.empty()) return;
  options_.log(
      fmt::format("{} of {} workers are too many: they drain", order.size(), alive.size()));
  launcher_.drain(order);
  for (const Pilot& each : order) told_to_drain_.insert(each.id);
}

}  // namespace muster::launch
