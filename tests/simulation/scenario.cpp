#include "scenario.hpp"

#include <chrono>

#include <muster/base/random.hpp>

namespace muster::simulation {
namespace {

using std::chrono::milliseconds;

std::uint32_t below(Random& random, std::uint32_t bound) {
  return static_cast<std::uint32_t>(random.below(bound));
}

RetryBudgets random_budgets(Random& random) {
  if (random.chance(0.5)) return {};
  return {.task_error = 1 + below(random, 2),
          .crashed = 1 + below(random, 5),
          .killed = 1 + below(random, 8),
          .worker_lost = 1 + below(random, 8),
          .out_of_memory = 1 + below(random, 3),
          .no_space = 1 + below(random, 2),
          .input_changed = 1 + below(random, 2),
          .input_lost = 1 + below(random, 8)};
}

JobSpec random_spec(Random& random, std::uint32_t chunks_below) {
  JobSpec spec;
  const std::uint32_t stages = below(random, 5);
  for (std::uint32_t i = 0; i < stages; ++i) {
    StageSpec stage{below(random, chunks_below), Edge::none, random_budgets(random),
                    random.chance(0.7)};
    if (random.chance(0.1)) stage.chunk_count = 0;
    if (i > 0) stage.edge = static_cast<Edge>(below(random, 3));
    if (stage.edge == Edge::each) stage.chunk_count = spec.back().chunk_count;
    if (stage.edge == Edge::barrier) spec.back().keeps_output = random.chance(0.5);
    spec.push_back(stage);
  }
  return spec;
}

/// Adds streams to the jobs. With a chance of its own, so that what else a seed means stays so.
void add_streams(Scenario& s, std::uint32_t chunks_below) {
  Random random(s.seed ^ 0x73747265616d73U);
  if (random.chance(0.4)) return;
  for (std::uint32_t streams = 1 + below(random, 3); streams > 0; --streams) {
    const JobId id{s.jobs.size()};
    Duration at = milliseconds(random.below(200));
    const StageSpec stage{.chunk_count = below(random, chunks_below),
                          .budgets = random_budgets(random),
                          .speculate = random.chance(0.7),
                          .stream = true};
    s.jobs.push_back({id, at, {stage}, {static_cast<std::int32_t>(below(random, 3)), 1}});
    for (std::uint32_t growths = below(random, 6); growths > 0; --growths) {
      at += milliseconds(1 + random.below(100));
      s.growths.push_back({id, at, below(random, chunks_below)});
    }
    s.growths.push_back({id, at + milliseconds(1 + random.below(100)), std::nullopt});
  }
}

/// Jobs that an earlier life of the scheduler has begun. Of the workers that had something some are
/// back.
void add_restored(Scenario& s) {
  Random random(s.seed ^ 0x726573746f726564U);
  if (random.chance(0.5)) return;
  for (PlannedJob& job : s.jobs) {
    const double done = random.chance(0.5) ? 0 : random.unit() * 1.2;
    for (std::uint32_t stage = 0; stage < job.spec.size(); ++stage) {
      for (std::uint32_t chunk = 0; chunk < job.spec[stage].chunk_count + 1; ++chunk) {
        if (!random.chance(done / (stage + 1))) continue;
        RestoredChunk restored{stage, chunk, std::nullopt};
        if (job.spec[stage].keeps_output || random.chance(0.1))
          restored.worker = WorkerId{random.below(s.workers.size())};
        job.restored.push_back(restored);
      }
    }
  }
}

}  // namespace

SchedulerOptions Scenario::options() const {
  SchedulerOptions out{
      .seed = seed, .back_off = {}, .lease = lease, .speculation = {}, .suspension = {}};
  if (speculates) out.speculation = {.at_least = milliseconds(30), .times = 2, .samples = 5};
  if (suspends)
    out.suspension = {.after = 3, .first = milliseconds(20), .longest = milliseconds(90)};
  return out;
}

std::optional<FailureCause> Scenario::poison(JobId job, ChunkRef ref) const {
  const std::uint64_t where = (job.value << 48U) ^ (std::uint64_t{ref.stage} << 32U) ^ ref.chunk;
  Random random(seed ^ (where * 0x9e3779b97f4a7c15U));
  if (!random.chance(poison_rate)) return std::nullopt;
  constexpr FailureCause causes[] = {FailureCause::task_error, FailureCause::crashed,
                                     FailureCause::out_of_memory};
  return causes[random.below(3)];
}

Scenario make_scenario(std::uint64_t seed, Size size, Mode mode) {
  Random random(seed * 2 + (size == Size::large ? 1 : 0));
  const bool large = size == Size::large;
  Scenario s;
  s.seed = seed;
  s.mode = mode;

  const std::uint32_t workers = large ? 20 + below(random, 181) : 1 + below(random, 8);
  for (std::uint32_t i = 0; i < workers; ++i) {
    const int slowness = random.chance(0.1) ? 2 + static_cast<int>(random.below(99)) : 1;
    const std::uint32_t ahead = random.chance(0.5) ? 0 : 1 + below(random, 6);
    s.workers.push_back({WorkerId{i}, 1 + below(random, large ? 8 : 4), ahead, slowness});
  }
  // Where faults never stop, work must not run out either.
  const bool heals = mode == Mode::heals;
  const std::uint32_t jobs = (heals ? 1 : 10) + below(random, large ? 3 : 5);
  for (std::uint32_t i = 0; i < jobs; ++i)
    s.jobs.push_back({JobId{i},
                      milliseconds(random.below(heals ? 200 : 1500)),
                      random_spec(random, large ? 2000 : 30),
                      {static_cast<std::int32_t>(below(random, 3)), below(random, 4)}});

  s.fault_rate = random.chance(0.2) ? 0 : random.unit() * (large ? 0.05 : 0.3);
  s.hopeless_rate = random.chance(0.6) ? 0 : 0.05;
  s.poison_rate = random.chance(0.7) ? 0 : (large ? 0.0005 : 0.02);
  s.duplicate_rate = random.unit() * 0.2;
  s.delay_rate = random.unit() * 0.2;
  s.loss_rate = random.chance(0.3) ? 0 : random.unit() * 0.4;
  s.cancel_rate = random.chance(0.6) ? 0 : 0.02;
  s.freeze_rate = random.chance(0.5) ? 0 : random.unit() * 0.3;
  s.drain_rate = random.chance(0.5) ? 0 : random.unit() * 0.2;
  if (random.chance(0.6)) s.lease = milliseconds(100 + random.below(400));
  s.speculates = random.chance(0.5);
  s.suspends = random.chance(0.5);
  s.sick_rate = random.chance(0.5) ? 0 : 0.1;
  s.heal_after = milliseconds(100 + random.below(1500));
  add_streams(s, large ? 500 : 30);
  add_restored(s);
  s.steps_max = heals ? (large ? 500'000 : 50'000) : (large ? 30'000 : 2'000);
  return s;
}

}  // namespace muster::simulation
