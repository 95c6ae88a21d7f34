#pragma once

#include <optional>
#include <vector>

#include <muster/scheduling/scheduler.hpp>

namespace muster::simulation {

using namespace scheduling;

/// What the simulated world talks to: the scheduler, or something that stands in for it.
class Core {
 public:
  Core() = default;
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;
  virtual ~Core() = default;

  virtual void handle(TimePoint now, const Event& event, std::vector<Action>& actions) = 0;
  virtual void expire(TimePoint now, std::vector<Action>& actions) = 0;
  virtual std::optional<TimePoint> next_deadline() const = 0;

  /// Null if the core keeps no counts, or does not know the job.
  virtual const JobProgress* find_job(JobId) const { return nullptr; }
};

class RealCore : public Core {
 public:
  explicit RealCore(const SchedulerOptions& options) : scheduler_(options) {}

  void handle(TimePoint now, const Event& event, std::vector<Action>& actions) override {
    scheduler_.handle(now, event, actions);
  }
  void expire(TimePoint now, std::vector<Action>& actions) override {
    scheduler_.expire(now, actions);
  }
  std::optional<TimePoint> next_deadline() const override { return scheduler_.next_deadline(); }
  const JobProgress* find_job(JobId job) const override { return scheduler_.find_job(job); }

 private:
  Scheduler scheduler_;
};

}  // namespace muster::simulation
