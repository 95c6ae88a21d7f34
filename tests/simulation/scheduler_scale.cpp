// Prints what the scheduler costs per chunk at growing numbers of chunks and workers: see
// docs/scale.md. The cost is meant to be the same everywhere, but for the caches.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <deque>
#include <vector>

#include <sys/resource.h>

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
  double cpu_s = 0;
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
  cost.cpu_s = cpu_seconds() - begin;
  MUSTER_ASSERT(ended && committed == chunks);
  return cost;
}

constexpr std::uint64_t worker_counts[] = {10, 100, 1'000, 5'000};
constexpr std::uint32_t chunk_counts[] = {1'000, 10'000, 100'000, 1'000'000};

struct Shape {
  const char* name;
  JobSpec (*spec)(std::uint32_t chunks);
  std::uint64_t fail_every;
};

void print_table(const Shape& shape) {
  std::printf("%s: CPU for each chunk in us (longest decision in ms)\n%10s", shape.name, "");
  for (const std::uint64_t workers : worker_counts) std::printf(" %12lu workers", workers);
  std::printf("\n");
  Cost last;
  for (const std::uint32_t chunks : chunk_counts) {
    std::printf("%10u", chunks);
    for (const std::uint64_t workers : worker_counts) {
      last = run(shape.spec(chunks), chunks, workers, shape.fail_every);
      std::printf(" %10.2f (%6.2f)", last.cpu_s * 1e6 / chunks, last.longest_event_ms);
    }
    std::printf("\n");
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf("the last of them took %.2f s of CPU; memory, at most: %ld MiB\n\n", last.cpu_s,
              usage.ru_maxrss / 1024);
}

}  // namespace

int main() {
  print_table(
      {"one stage", [](std::uint32_t chunks) { return JobSpec{{chunks}}; }, ~std::uint64_t{0}});
  print_table({"two stages, chunk by chunk, 1 % killed",
               [](std::uint32_t chunks) {
                 return JobSpec{{chunks / 2}, {chunks / 2, Edge::each}};
               },
               101});
}
