#pragma once

#include <any>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include <muster/base/clock.hpp>
#include <muster/futures/promise.hpp>
#include <muster/patterns/pipeline_stage.hpp>

namespace muster::detail {

/// Moves items through the stages: a queue in front of each stage and a number of places in it. An
/// item keeps its place from the moment it is given to the executor until there is room in the next
/// queue, so a slow stage holds up those before it, and no item is ever without a place.
///
/// It has no thread. Whoever changes something (the thread that completes a task, or that brings an
/// item) starts all that can start then, in pump(). The lock is held for a few instructions, never
/// while functions of others are called: executors, functions, destructors of values, callbacks.
///
/// An executor may run a task inside submit(). Its completion then arrives further in on the stack
/// of a pump(); it is noted, and that pump goes on with it later, so stacks stay flat.
///
/// Thread-safe. Made with std::make_shared: each running task holds it.
class PipelineFlow : public std::enable_shared_from_this<PipelineFlow> {
 public:
  explicit PipelineFlow(PipelineStages stages);
  virtual ~PipelineFlow() = default;
  PipelineFlow(const PipelineFlow&) = delete;
  PipelineFlow& operator=(const PipelineFlow&) = delete;

  PipelineStats stats() const;

 protected:
  using Lock = std::unique_lock<std::mutex>;

  /// What is to be cancelled, and destroyed, without the lock.
  struct Cut {
    PipelineItems items;
    std::vector<std::pair<const PipelineStage*, std::any>> tasks;
    void carry_out();
  };

  /// An item has its last result or has failed. Called with the lock, to be released at will.
  virtual void arrive(PipelineItems item, Lock lock) = 0;
  /// Whether the sleeper of sleep_until_ready() is to be woken. Called with the lock.
  virtual bool ready() const = 0;

  /// Puts an item into the first queue, however full that is.
  void enter(PipelineItems item, Lock lock);

  /// Whoever changes something calls will_pump() with the lock, and pump() without it afterwards.
  void will_pump() noexcept { ++pumps_; }
  void pump();
  /// No task is in an executor, and no thread is in here or on its way. With the lock.
  bool is_idle() const noexcept { return active_count_ == 0 && pumps_ == 0; }
  /// Lets go of the stages. When idle for good: what the last callbacks still hold is a husk.
  void release();

  /// From now on, and with the lock: items from this position on are dropped wherever they are.
  Cut cut_from(std::size_t position);
  bool is_cut() const noexcept { return cut_ != no_cut; }

  /// Sleeps until ready(), which is looked at after each change. False at the deadline. One thread
  /// at a time; the lock is held before and after.
  bool sleep_until_ready(Lock& lock, std::optional<TimePoint> deadline);
  /// Releases the lock, and wakes the sleeper if there is one and it is ready().
  void leave(Lock lock);

  const PipelineStage& stage(std::size_t number) const { return *stages_[number]; }
  std::shared_ptr<const PipelineStage> shared_stage(std::size_t number) const {
    return stages_[number];
  }
  std::size_t first_waiting() const noexcept { return places_.front().waiting.size(); }
  PipelineItems take_idle(PipelineItems::iterator item);  ///< one that is not active
  Lock lock() const { return Lock(mutex_); }

 private:
  friend struct PipelineTaskDone;

  struct Places {
    PipelineItems waiting;
    PipelineItems active;  // given to the executor, or about to be
    PipelineItems held;    // has a result, for which the next queue has no room
    std::uint64_t in = 0;
    std::uint64_t out = 0;
    std::uint64_t failed = 0;
    std::uint64_t dropped = 0;
  };

  void task_done(PipelineItems::iterator item);
  void leave_stage(PipelineItems::iterator item);
  std::optional<PipelineItems::iterator> claim();
  void make_room_before(std::size_t number);
  void start(PipelineItems::iterator item) noexcept;
  void refused(PipelineItems::iterator item, std::exception_ptr error);

  static constexpr std::size_t no_cut = std::numeric_limits<std::size_t>::max();

  PipelineStages stages_;
  mutable std::mutex mutex_;
  std::vector<Places> places_;
  std::size_t active_count_ = 0;
  std::size_t pumps_ = 0;  // threads that called will_pump() and are not through with pump()
  std::size_t cut_ = no_cut;
  std::optional<Promise<void>> sleeper_;
};

}  // namespace muster::detail
