// Prints what the scheduler costs per chunk at growing numbers of chunks and workers. The cost is
// meant to be the same down a column but for the caches.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <deque>
#include <vector>

#include <muster/base/assert.hpp>
#include <muster/scheduling/scheduler.hpp>

namespace {

using namespace muster;
using namespace muster::scheduling;

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

struct Cost {
  double per_chunk_us = 0;
  double longest_event_ms = 0;
};

/// Runs the job to its end, answering attempts in the order of their start; every `fail_every`-th
/// attempt is killed.
Cost run(const JobSpec& spec, std::uint64_t chunks, std::uint64_t workers,
         std::uint64_t fail_every) {
  Scheduler scheduler({.seed = 1, .back_off = {}});
  std::vector<Action> actions;
  std::deque<AttemptId> running;
  TimePoint now{};
  std::uint64_t committed = 0;
  bool ended = false;
  Cost cost;
  const auto feed = [&](const Event& event) {
    actions.clear();
    const TimePoint begin = Clock::now();
    scheduler.handle(now, event, actions);
    const std::chrono::duration<double, std::milli> took = Clock::now() - begin;
    cost.longest_event_ms = std::max(cost.longest_event_ms, took.count());
    for (const Action& action : actions) {
      if (const auto* start = std::get_if<StartAttempt>(&action)) running.push_back(start->attempt);
      if (std::holds_alternative<ChunkFinished>(action)) ++committed;
      ended = ended || std::holds_alternative<JobFinished>(action);
    }
  };

  for (std::uint64_t w = 0; w < workers; ++w) feed(WorkerJoined{WorkerId{w}, 2});
  const double begin = cpu_seconds();
  feed(JobSubmitted{JobId{0}, spec});
  while (!running.empty()) {
    const AttemptId attempt = running.front();
    running.pop_front();
    if (attempt.value % fail_every == 0) {
      feed(AttemptFailed{attempt, FailureCause::killed});
    } else {
      feed(AttemptSucceeded{attempt});
    }
  }
  cost.per_chunk_us = (cpu_seconds() - begin) * 1e6 / static_cast<double>(chunks);
  MUSTER_ASSERT(ended && committed == chunks);
  return cost;
}

}  // namespace

int main() {
  std::printf("%10s %8s %28s %28s\n", "", "", "one stage", "two stages, each, 1 % killed");
  std::printf("%10s %8s %14s %13s %14s %13s\n", "chunks", "workers", "us/chunk", "worst ms",
              "us/chunk", "worst ms");
  for (const std::uint32_t chunks : {1'000U, 10'000U, 100'000U, 1'000'000U}) {
    for (const std::uint64_t workers : {16U, 5'000U}) {
      const Cost flat = run({{chunks}}, chunks, workers, ~std::uint64_t{0});
      const Cost piped = run({{chunks / 2}, {chunks / 2, Edge::each}}, chunks, workers, 101);
      std::printf("%10u %8lu %14.2f %13.3f %14.2f %13.3f\n", chunks, workers, flat.per_chunk_us,
                  flat.longest_event_ms, piped.per_chunk_us, piped.longest_event_ms);
    }
  }
}
