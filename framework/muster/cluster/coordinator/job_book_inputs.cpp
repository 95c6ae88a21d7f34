#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include <muster/cluster/coordinator/job_book.hpp>

// Map outputs that a reduce attempt could not get, and which worker that is due to.

namespace muster::cluster {
namespace {

// The first time may be chance.
constexpr unsigned troubles_max = 2;
// After so long the network may be whole again.
constexpr Duration set_apart_for = std::chrono::minutes(1);

}  // namespace

/// The one that gives run files there, if it is with us.
std::optional<WorkerId> JobBook::worker_with(const std::string& address) const {
  const auto found = std::find_if(workers_.begin(), workers_.end(), [&](const auto& each) {
    return !address.empty() && each.second.address == address;
  });
  return found == workers_.end() ? std::nullopt : std::optional(found->first);
}

/// One of two that do not reach each other, when it has been blamed often enough: that which has
/// trouble with more of the others; if both have as much, that which gave no answer.
std::optional<WorkerId> JobBook::cut_off_of(Job& of, WorkerId asking, WorkerId silent) const {
  if (set_apart_.contains(silent)) return silent;
  if (set_apart_.contains(asking)) return std::nullopt;
  Trouble& here = of.troubles[asking];
  Trouble& there = of.troubles[silent];
  here.with.insert(silent);
  there.with.insert(asking);
  const bool is_here = here.with.size() > there.with.size();
  if (++(is_here ? here : there).times < troubles_max) return std::nullopt;
  return is_here ? asking : silent;
}

/// What an attempt says of others is believed as far as it makes sense.
bool JobBook::has_runs_at(const Job& of, WorkerId worker) const {
  return of.map_stage && std::find(of.runs_at.begin(), of.runs_at.end(),
                                   workers_.at(worker).instance) != of.runs_at.end();
}

/// It gets nothing for a while: what it mapped again would be out of reach like all it has.
void JobBook::set_apart(TimePoint now, Job& of, WorkerId worker,
                        std::vector<scheduling::Event>& out) {
  if (!set_apart_.try_emplace(worker, now + set_apart_for).second) return;
  out.push_back(scheduling::WorkerPaused{worker});
  say(of, fmt::format("{} is cut off from others: it gets nothing for {} s, and what it has is "
                      "mapped again",
                      worker_name(worker),
                      std::chrono::duration_cast<std::chrono::seconds>(set_apart_for).count()));
}

std::vector<scheduling::Event> JobBook::lose_input(TimePoint now, Job& of,
                                                   const scheduling::StartAttempt& attempt,
                                                   JobCallEnd&& end) {
  std::vector<scheduling::Event> out;
  const auto lose = [&](std::uint32_t chunk) {
    out.push_back(scheduling::OutputLost{attempt.job, *of.map_stage, chunk});
  };
  if (end.is_gone && of.map_stage) {
    for (const std::uint32_t chunk : end.runs) {
      // Of one mapped again since it was asked for, it has missed the run before.
      const bool is_late = chunk < of.mapped_by.size() && of.mapped_by[chunk] > attempt.attempt;
      if (!is_late) lose(chunk);
    }
  } else if (const auto silent = worker_with(end.silent); silent && has_runs_at(of, *silent)) {
    if (const auto worker = cut_off_of(of, attempt.worker, *silent)) {
      set_apart(now, of, *worker, out);
      for (std::uint32_t chunk = 0; chunk < of.runs_at.size(); ++chunk) {
        if (of.runs_at[chunk] == workers_.at(*worker).instance) lose(chunk);
      }
    }
  }
  for (scheduling::Event& each : fail(of, attempt, std::move(end.failure)))
    out.push_back(std::move(each));
  return out;
}

/// Troubles were due to it, whoever was blamed for them: they say nothing of what comes.
void JobBook::end_setting_apart(TimePoint now) {
  const std::size_t over = std::erase_if(set_apart_, [&](const auto& each) {
    if (each.second > now) return false;
    orders_.push_back(scheduling::WorkerResumed{each.first});
    return true;
  });
  if (over == 0) return;
  for (auto& [id, job] : jobs_) job->troubles.clear();
}

}  // namespace muster::cluster
