#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <muster/base/bytes.hpp>
#include <muster/base/checksum.hpp>
#include <muster/base/random.hpp>

#include "auditor.hpp"
#include "scenario.hpp"

namespace muster::simulation {

/// What came of a run.
struct Report {
  std::vector<std::string> violations;
  std::uint64_t trace = 0;  ///< of every event and action: equal for equal runs
  std::uint64_t steps = 0;
  std::uint64_t commits = 0;
  std::uint64_t stale = 0;
  WorkerCounts workers;
  StreamCounts streams;
  PerCause<std::uint64_t> failures = {};
  std::map<Outcome, std::uint64_t> outcomes;
};

/// Plays a scenario against a core on a virtual clock: workers that take their time, fail, vanish
/// and come back, results that are late, lost or repeated, people who cancel and submit twice. All
/// chance comes from the scenario's seed. Stops at the first violation. Workers beat so that their
/// leases go on, until all jobs have ended.
class World {
 public:
  World(const Scenario& scenario, Core& core);

  Report run();

 private:
  struct Chaos {};   ///< a moment at which something goes wrong
  struct Heal {};    ///< from here on nothing does
  struct Expire {};  ///< a wake-up that nobody asked for
  struct Beat {
    WorkerId worker;
  };
  struct Thaw {
    WorkerId worker;
  };
  struct Recovery {
    WorkerId worker;
  };
  struct Walltime {
    WorkerId worker;
  };
  struct Recall {
    WorkerId worker;
    AttemptId attempt;
  };
  using Happening =
      std::variant<Event, Chaos, Heal, Expire, Beat, Thaw, Recovery, Walltime, Recall>;

  struct Place {
    std::uint32_t slots = 1;
    std::uint32_t ahead = 0;
    int slowness = 1;
    bool joined = false;  ///< as the core knows
    bool dead = false;
    bool frozen = false;
    bool sick = false;  ///< nearly everything fails there
    bool draining = false;
    std::set<AttemptId> running;
    std::deque<StartAttempt> waiting;
  };

  void at(Duration after, Happening happening);
  bool step();
  void happen(const Event& event);
  void happen(Chaos);
  void happen(Heal);
  void happen(Expire);
  void happen(Beat);
  void happen(Thaw);
  void happen(Recovery recovery) { places_[recovery.worker].sick = false; }

  void happen(Walltime walltime);
  void happen(Recall recall);

  /// False if the result gets lost or put off because its worker is dead.
  bool arrives(const Event& event);
  void call_core(const Event* event);
  void trace(const Event* event, const std::vector<Action>& actions);

  void carry_out(const StartAttempt& action);
  void carry_out(const CancelAttempt& action);
  void carry_out(const RecallAttempt& action);
  void carry_out(const WorkerExpired& action);
  void carry_out(const WorkerReleased& action);
  void carry_out(const JobFinished& action);
  template <class T>
  void carry_out(const T&) {}  // the others only tell

  void begin(Place& place, const StartAttempt& action);
  void begin_next(Place& place);
  bool take_waiting(Place& place, AttemptId attempt);
  void forget(WorkerId worker);
  void follow(const Event& event);
  bool all_ended() const;
  Event fate(const StartAttempt& action);
  void repeat(const Event& event);
  void lose_worker();
  void freeze_worker();
  void drain_worker();
  void lose_output();
  void cancel_chunk();
  void send_nonsense_about_streams();
  void send_nonsense();
  void check_outcomes();
  static bool was_restored(const PlannedJob& job, ChunkRef ref);

  Duration some_ms(std::uint64_t below) {
    return std::chrono::microseconds(random_.below(below * 1000));
  }
  WorkerId some_worker() { return scenario_.workers[random_.below(scenario_.workers.size())].id; }
  JobId some_job() { return scenario_.jobs[random_.below(scenario_.jobs.size())].id; }

  const Scenario& scenario_;
  Core& core_;
  Auditor auditor_;
  Random random_;
  TimePoint now_{};
  bool healed_ = false;
  std::map<std::pair<TimePoint, std::uint64_t>, Happening> queue_;
  std::uint64_t queued_ = 0;
  std::map<WorkerId, Place> places_;
  std::map<AttemptId, WorkerId> running_;
  std::uint64_t last_attempt_ = 0;
  std::set<JobId> forgotten_;
  std::vector<Action> actions_;
  Bytes encoded_;
  Checksum trace_;
  Report report_;
};

}  // namespace muster::simulation
