#pragma once

#include <cstddef>
#include <exception>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include <muster/executors/timer.hpp>
#include <muster/patterns/rate_limited.hpp>
#include <muster/patterns/token_bucket.hpp>
#include <muster/patterns/waiting_tasks.hpp>

namespace muster::detail {

/// What RateLimitedExecutor and the tasks it has share.
///
/// Tasks of one key are in one lane. All tasks pass through the lane's queue, and one thread at a
/// time lets them out, without the lock: so they reach the inner executor in order.
class RateCore final : public WaitingTasks {
 public:
  RateCore(Executor& inner, const RateLimitOptions& options);

  void execute(std::optional<std::string_view> key, TaskPtr task);
  void shutdown(bool wait, bool cancel_pending);
  bool drain(std::optional<Duration> timeout) { return open_->await_none(timeout); }
  unsigned max_workers() const noexcept { return inner_.max_workers(); }
  std::size_t waiting_count() const;
  std::size_t key_count() const;

 protected:
  TaskPtr take_out(SharedStateBase& work) noexcept override;

 private:
  using Lock = std::unique_lock<std::mutex>;

  struct Lane {
    explicit Lane(const TokenBucket& full) : bucket(full) {}
    TokenBucket bucket;
    std::list<TaskPtr> waiting;
    TimerEntry timer;
    bool is_letting_out = false;
  };
  struct Place {
    std::shared_ptr<Lane> lane;
    std::list<TaskPtr>::iterator at;
  };

  void throw_if_closed() const;
  std::shared_ptr<Lane> lane_of(std::optional<std::string_view> key);
  void forget_idle_lanes(TimePoint now);
  void let_out(Lock& lock, const std::shared_ptr<Lane>& lane, const TaskBase* own);
  TaskPtr take_first(Lane& lane);
  bool fail_waiting(Lock& lock, Lane& lane, const std::exception_ptr& error, const TaskBase* own);
  void set_timer(const std::shared_ptr<Lane>& lane, TimePoint when);

  Executor& inner_;
  const TokenBucket full_bucket_;
  const std::size_t keys_max_;
  const std::shared_ptr<OpenTasks> open_ = std::make_shared<OpenTasks>();

  mutable std::mutex mutex_;
  const std::shared_ptr<Lane> keyless_;
  std::unordered_map<std::string, std::shared_ptr<Lane>> lanes_;
  std::size_t sweep_at_;  // with so many lanes it is time to look for idle ones
  std::unordered_map<const SharedStateBase*, Place> places_;
  bool closed_ = false;
};

}  // namespace muster::detail
